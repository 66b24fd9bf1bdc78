"""How a machine was started, as a recording has it: what decides how it runs, and nothing else."""

from __future__ import annotations

import contextlib
import hashlib
import io
from typing import TYPE_CHECKING, Any

from pykern.cli import arguments, boot_image
from pykern.cli.errors import UsageError
from pykern.config import Resolution
from pykern.debug.history.recording import Recording, RecordingError, decode

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

_KIB = 1 << 10
_OPTIONS: dict[str, str] = {
    "image": "",
    "kernel": "--kernel",
    "cdrom": "--cdrom",
    "firmware": "--firmware",
    "initrd": "--initrd",
    "disk": "--disk",
    "entry": "--entry",
    "append": "--append",
    "protocol": "--protocol",
    "smp": "--smp",
    "preset": "--preset",
    "memory": "--memory",
    "cpu": "--cpu",
    "numa": "--numa",
    "seed": "--seed",
    "framebuffer": "--framebuffer",
    "no_reboot": "--no-reboot",
}
"""Attribute of the arguments → option; the image is none, and stands last."""
_FILES = ("image", "kernel", "cdrom", "firmware", "initrd", "disk")
"""They may lie elsewhere now; their contents are compared."""


def describe(args: argparse.Namespace) -> dict[str, Any]:
    """Return what `Recording.machine` is for a machine that is started with these arguments."""
    files = [{"path": str(path), **_digest(path)} for path in boot_image.files(args)]
    return {"options": _options(args), "files": files}


def _options(args: argparse.Namespace) -> dict[str, str | list[str]]:
    """Return the options that are not as they are without being given."""
    usual = vars(arguments.parse(["boot"]))
    return {
        name: _text(name, vars(args)[name])
        for name in _OPTIONS
        if name in vars(args) and (name not in usual or vars(args)[name] != usual[name])
    }


def _text(name: str, value: Any) -> str | list[str]:
    if name == "memory":
        return f"{value // _KIB}K"
    if name == "framebuffer":
        return f"{value.width}x{value.height}" if isinstance(value, Resolution) else "none"
    if isinstance(value, list):
        return [str(one) for one in value]
    return "" if value is True else str(value)


def _digest(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
        return {"size": file.tell(), "sha256": digest.hexdigest()}


def load(args: argparse.Namespace) -> Recording | None:
    """Read what `--load` names, and have the arguments of the machine that it is about.

    Raises
    ------
    UsageError : it is no recording, or options are given that it contradicts
    """
    if args.load is None:
        return None
    try:
        recording = decode(args.load.read_bytes())
        told = _parse(recording.machine["options"])
    except RecordingError as error:
        raise UsageError(f"--load {args.load}: {error}") from None
    given, usual = _options(args), vars(arguments.parse(["boot"]))
    for name, option in _OPTIONS.items():
        if name in given and name not in _FILES and given[name] != _options(told).get(name):
            raise UsageError(
                f"--load {args.load}: {option or 'FILE'} was "
                f"{_options(told).get(name, 'not given')}, and is {given[name]} now"
            )
        if name not in given and (name in vars(told) or name in usual):
            setattr(args, name, vars(told).get(name, usual.get(name)))
    if args.timeout is not None and args.timeout <= recording.position.now:
        raise UsageError(f"--load {args.load}: --timeout is not behind {recording.position.now} ns")
    return recording


def _parse(options: dict[str, Any]) -> argparse.Namespace:
    """Return the arguments that these options are.

    Raises
    ------
    RecordingError : they are not options of `boot`
    """
    words, last = ["boot"], []
    for name, value in options.items():
        if name not in _OPTIONS:
            raise RecordingError(f"it has an option {name!r}, expected some of {list(_OPTIONS)}")
        for text in value if isinstance(value, list) else [value]:
            if name == "image":
                last = ["--", text]
            else:
                flag = name == "no_reboot"
                words.append(_OPTIONS[name] if flag else f"{_OPTIONS[name]}={text}")
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            return arguments.parse([*words, *last])
    except SystemExit:
        why = said.getvalue().strip().rpartition("\n")[2]
        raise RecordingError(f"its options are not understood: {why}") from None


def check_files(recording: Recording, machine: dict[str, Any], where: Path) -> None:
    """See that the files are those that the recording was made with.

    Raises
    ------
    UsageError : one of them is another
    """
    was, now = recording.machine["files"], machine["files"]
    if len(was) != len(now):
        raise UsageError(f"--load {where}: {len(now)} files are read, expected {len(was)}")
    for before, found in zip(was, now, strict=True):
        if (before["size"], before["sha256"]) != (found["size"], found["sha256"]):
            raise UsageError(
                f"--load {where}: {found['path']} has changed: {found['size']} bytes, sha256 "
                f"{found['sha256']}, expected {before['size']} bytes, sha256 {before['sha256']}"
            )
