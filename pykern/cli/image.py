"""`pykern image`: build bootable images, look into them, check them."""

from __future__ import annotations

import functools
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from images import build as image_build
from images import manifest as image_manifest
from images.errors import ImageError
from images.verify import verify as verify_image
from pykern.cli.errors import UsageError
from pykern.cli.image_inputs import find_kernel, find_key, find_loader, find_programs
from pykern.exit_status import ExitStatus
from pykern.kernel.binfmt import ed25519, signature
from pykern.machine.boot.protocol import BootError
from pykern.machine.media import EntryKind, IsoEntry, IsoImage, MediaError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from images.manifest import Manifest

_KIND_MARKS = {EntryKind.FILE: "", EntryKind.DIRECTORY: "/", EntryKind.SYMLINK: "@"}


def run(args: argparse.Namespace) -> int:
    """Run the sub-command that was asked for; a bad image or manifest is one line of error."""
    verbs: dict[str, Callable[[argparse.Namespace], int]] = {
        "build": _build,
        "ls": _ls,
        "extract": _extract,
        "verify": _verify,
    }
    try:
        return verbs[args.verb](args)
    except ImageError as error:
        raise UsageError(str(error)) from None
    except MediaError as error:
        raise BootError(str(error)) from None


def _build(args: argparse.Namespace) -> int:
    manifest = image_manifest.load(image_manifest.find(args.manifest))
    sign = None
    if args.sign is not None:
        secret = find_key(args.sign)
        sign = functools.partial(signature.signed, secret=secret)
        manifest = _trusting(manifest, ed25519.public_key(secret))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        inputs = image_build.Inputs(
            kernel=find_kernel(args.kernel, manifest, folder),
            loader=find_loader(args.loader),
            programs=find_programs(args.program, manifest, folder),
            sign=sign,
        )
        data = image_build.build(manifest, inputs)
        if args.parts is not None:
            _write_parts(args.parts, image_build.parts(manifest, inputs))
    if sign is not None:
        data = sign(data)
    output = args.output or Path(f"{manifest.name}.iso")
    output.write_bytes(data)
    print(f"{output}: {len(data)} bytes, {len(manifest.entries)} boot entries")
    return ExitStatus.POWER_OFF


def _trusting(manifest: Manifest, public: bytes) -> Manifest:
    """Return a manifest whose kernel runs nothing but what a key has signed."""
    entries = tuple(
        replace(entry, command_line=f"{entry.command_line} trust={public.hex()}".strip())
        for entry in manifest.entries
    )
    return replace(manifest, entries=entries)


def _write_parts(folder: Path, parts: dict[str, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in parts.items():
        (folder / name).write_bytes(data)
        print(f"{folder / name}: {len(data)} bytes")


def _ls(args: argparse.Namespace) -> int:
    """Print one line for each name, then the boot catalog."""
    image = IsoImage(args.iso)
    print(f"{args.iso}: volume {image.volume_id}, {image.names} names")
    for entry in image.entries:
        print(_line(entry))
    for boot in image.boot_images:
        platform = getattr(boot.platform, "name", f"platform {boot.platform:#x}")
        print(
            f"boot: {platform}, emulation {boot.emulation}, sector {boot.sector}, "
            f"{boot.sector_count} x 512 bytes to {boot.load_address:#x}"
        )
    return ExitStatus.POWER_OFF


def _line(entry: IsoEntry) -> str:
    target = f" -> {entry.target}" if entry.kind is EntryKind.SYMLINK else ""
    return f"{entry.size:12} {entry.path}{_KIND_MARKS[entry.kind]}{target}"


def _extract(args: argparse.Namespace) -> int:
    """Write one file, or a directory and what is in it; the whole image if no path is given."""
    image = IsoImage(args.iso)
    entry = image.find(args.path)
    if entry is None:
        raise UsageError(f"{args.iso}: no path {args.path}")
    if entry.kind is EntryKind.FILE:
        name = entry.path.rsplit("/", 1)[-1]
        output = args.output or Path(name)
        target = output / name if output.is_dir() else output
        target.write_bytes(image.read(entry.path))
        print(f"{target}: {entry.size} bytes")
        return ExitStatus.POWER_OFF
    output = args.output or Path(args.iso.stem)
    output.mkdir(parents=True, exist_ok=True)
    count = _extract_directory(image, entry.path.rstrip("/") + "/", output)
    print(f"{output}: {count} names")
    return ExitStatus.POWER_OFF


def _extract_directory(image: IsoImage, folder: str, output: Path) -> int:
    """Write what is below a directory; links come last, so that nothing is written through one."""
    inside = [entry for entry in image.entries if entry.path.startswith(folder)]
    for entry in sorted(inside, key=lambda entry: entry.kind is EntryKind.SYMLINK):
        target = output / entry.path[len(folder) :]
        if entry.kind is EntryKind.DIRECTORY:
            target.mkdir(parents=True, exist_ok=True)
        elif entry.kind is EntryKind.SYMLINK:
            target.symlink_to(entry.target)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(image.read(entry.path))
    return len(inside)


def _verify(args: argparse.Namespace) -> int:
    """Print what was checked and what is wrong; status 0 if nothing is."""
    manifest = image_manifest.load(image_manifest.find(args.manifest)) if args.manifest else None
    report = verify_image(args.iso.read_bytes(), str(args.iso), manifest)
    checked, problems = [*report.checked], [*report.problems]
    if args.trust:
        try:
            signature.check(args.iso.read_bytes(), args.trust, str(args.iso))
            checked.append("its signature")
        except signature.NotSigned as error:
            problems.append(error.reason)
    for line in checked:
        print(f"ok: {line}")
    for line in problems:
        print(f"problem: {line}")
    return ExitStatus.BAD_IMAGE if problems else ExitStatus.POWER_OFF
