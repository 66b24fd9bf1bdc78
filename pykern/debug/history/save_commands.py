"""`monitor` commands about states that are kept: save, load, and QEMU's names of them."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gdbstub import TargetError
from pykern.debug.history.recording import Recording, RecordingError, decode
from pykern.debug.history.travel import Journey

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pykern.debug.history.history import History
    from pykern.debug.history.reversible_target import ReversibleTarget
    from pykern.debug.monitor import Command

_ENDING = ".json"
_NOW = "now type: continue\n"


def commands(target: ReversibleTarget, history: Callable[[], History]) -> dict[str, Command]:
    """Return the commands, of a history that is known when they are used."""

    def save(name: str) -> str:
        if _is_file(name):
            return _write(Path(name), _recording(history()))
        position = history().save(name)
        return f"{name}: {position.now} ns, {position.total} instructions\n"

    def load(name: str) -> str:
        if target.execution.non_stop:
            raise TargetError("in non-stop mode no state can be gone back to")
        if _is_file(name):
            recording = _read(Path(name), history().origin.machine)
            history().wishes.loading = functools.partial(
                Journey.load_recording, recording=recording, name=name
            )
            return _NOW
        saved = history().saved.find(name)
        history().wishes.loading = functools.partial(Journey.load, saved=saved, name=name)
        return _NOW

    def drop(name: str) -> str:
        history().saved.drop(name)
        return ""

    def command(text: str, function: Callable[[str], str], argument: str = "NAME|FILE") -> Command:
        return argument, text, lambda _vcpu, arguments: function(arguments[0])

    return {
        "save": command("keep the state of the machine, for `load`", save),
        "load": command("go on from a state that was kept; what came after is forgotten", load),
        "savevm": command("the same as save, in QEMU's words", save),
        "loadvm": command("the same as load, in QEMU's words", load),
        "delvm": command("keep a state no longer", drop, "NAME"),
    }


def _recording(history: History) -> Recording:
    """Return what makes another run come here.

    Raises
    ------
    TargetError : no run does, or the machine does not stand where it could
    """
    here, journal, origin = history.standing(), history.journal, history.origin
    if journal.broken:
        raise TargetError(f"no run comes here again: {journal.broken}")
    entries = tuple(journal.past.entries)
    return Recording(origin.machine, entries, here, origin.state_hash(), origin.program)


def _is_file(name: str) -> bool:
    """Tell a file from a name: it has a folder, or the ending."""
    return "/" in name or name.endswith(_ENDING)


def _write(path: Path, recording: Recording) -> str:
    """Write a file; only another recording is replaced by it.

    Raises
    ------
    TargetError : it cannot be written
    """
    try:
        data = recording.encode()
        if path.exists():
            decode(path.read_bytes())
        new = path.with_name(f"{path.name}.new")
        new.write_bytes(data)
        new.replace(path)
    except RecordingError as error:
        raise TargetError(f"{path} is not written: {error}") from None
    except OSError as error:
        raise TargetError(f"{path}: {error.strerror}") from None
    return f"{path}: {recording.position.now} ns, state {recording.state}\n"


def _read(path: Path, machine: Mapping[str, Any]) -> Recording:
    """Return what is in a file about this machine.

    Raises
    ------
    TargetError : it cannot be read, or is about another machine
    """
    try:
        recording = decode(path.read_bytes())
    except RecordingError as error:
        raise TargetError(f"{path} is no recording: {error}") from None
    except OSError as error:
        raise TargetError(f"{path}: {error.strerror}") from None
    for what in ("options", "files"):
        if recording.machine[what] != machine.get(what):
            raise TargetError(
                f"{path} is about another machine: its {what} are {recording.machine[what]}, "
                f"those of this one {machine.get(what)}; boot --load starts that one"
            )
    return recording
