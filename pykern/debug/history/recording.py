"""A state as a file: how the machine was started, what has come in since, and the state's hash.

Whoever loads it executes the run again; the hash says whether it is the one that was saved. The
format is JSON (RFC 8259) in UTF-8, one object:

=========== ==============================================================================
format      "pykern recording"
version     1
program     version of pykern that has written it
machine     {"options": {option of `boot`: text or texts},
            "files": [{"path", "size", "sha256"}, ...]}, in the order they are read
position    where the state is: {"retired": [instructions of each processor], "now": ns,
            "entries": length of the journal, "vcpu": whose turn it is or null, "pc",
            "access": [address, whether a write] or null}
state       hash of the state, 64 hexadecimal digits (`pykern.machine.state_hash`)
journal     what came in, in order: {"position", "typed": hex digits}, or what gdb wrote:
            {"position", "view": "cpu" or "os", "thread": [pid, tid] in it,
            "registers": {name: value}} or
            {"position", "view", "thread", "address", "physical", "data": hex digits}
sha256      of all the rest, encoded without blanks and with sorted keys
=========== ==============================================================================
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from gdbstub import ThreadId
from pykern.debug.history.journal import Evaluation, Input, Write
from pykern.debug.history.position import Position
from pykern.debug.registers import is_known

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pykern.debug.history.journal import Entry

FORMAT, VERSION = "pykern recording", 1
_KEYS = ("program", "machine", "position", "state", "journal")
_VIEWS = ("cpu", "os")
_LAST = (1 << 64) - 1
_LAST_OF_REGISTER = (1 << 512) - 1
_HASH_DIGITS = 64
_DIGITS = frozenset("0123456789abcdef")


class RecordingError(Exception):
    """A file is no recording, a damaged one, or one of another version."""


@dataclass(frozen=True)
class Recording:
    """What is in the file.

    Attributes
    ----------
    machine : how it was started
    entries : what came in
    position : where the state is
    state : its hash
    program : version of pykern that has written it
    """

    machine: dict[str, Any]
    entries: tuple[Entry, ...]
    position: Position
    state: str
    program: str

    def encode(self) -> bytes:
        """Return the file.

        Raises
        ------
        RecordingError : something has happened that a file cannot hold
        """
        body = {
            "format": FORMAT,
            "version": VERSION,
            "program": self.program,
            "machine": self.machine,
            "position": _position(self.position),
            "state": self.state,
            "journal": [_entry(entry) for entry in self.entries],
        }
        text = json.dumps({**body, "sha256": digest(body)}, indent=1)
        return text.encode() + b"\n"


def decode(data: bytes) -> Recording:
    """Return what is in a file.

    Raises
    ------
    RecordingError : it is no recording, damaged, or of another version
    """
    try:
        body = json.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise RecordingError(f"it is not JSON: {error}") from None
    if not isinstance(body, dict) or body.get("format") != FORMAT:
        raise RecordingError(f'it is JSON without "format": "{FORMAT}"')
    if body.get("version") != VERSION:
        raise RecordingError(f"version {_shown(body.get('version'))}, expected {VERSION}")
    found = body.pop("sha256", None)
    try:
        expected = digest(body)
    except RecursionError:
        raise RecordingError("it is nested too deeply") from None
    if found != expected:
        raise RecordingError(f"it is damaged: its sha256 is {_shown(found)}, expected {expected}")
    missing = [key for key in _KEYS if key not in body]
    if missing:
        raise RecordingError(f"it has no {', '.join(missing)}")
    return _recording(body)


def _recording(body: dict[str, Any]) -> Recording:
    position = _read_position(body["position"])
    journal = _a_list(body["journal"], "journal")
    entries = tuple(_read_entry(entry, number) for number, entry in enumerate(journal))
    if position.entries != len(entries):
        raise RecordingError(f"its journal has {len(entries)} entries, not {position.entries}")
    state = _a_text(body["state"], "state")
    if len(state) != _HASH_DIGITS or not set(state) <= _DIGITS:
        _wrong("state", state, f"{_HASH_DIGITS} hexadecimal digits")
    machine = _an_object(body["machine"], "machine", ("options", "files"))
    _check_machine(machine)
    counts = {len(position.retired), *(len(entry.position.retired) for entry in entries)}
    if len(counts) != 1:
        raise RecordingError(f"its positions are those of {sorted(counts)} processors")
    return Recording(machine, entries, position, state, _a_text(body["program"], "program"))


def _check_machine(machine: dict[str, Any]) -> None:
    for name, value in _an_object(machine["options"], "options", ()).items():
        for text in value if isinstance(value, list) else [value]:
            _a_text(text, f"option {name}")
    for number, file in enumerate(_a_list(machine["files"], "files")):
        what = f"file {number}"
        _an_object(file, what, ("path", "size", "sha256"))
        _a_text(file["path"], f"path of {what}")
        _a_number(file["size"], f"size of {what}")
        _a_text(file["sha256"], f"sha256 of {what}")


def digest(body: dict[str, Any]) -> str:
    """Return the hash of what a file holds beside it."""
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


# -- positions and entries


def _position(position: Position) -> dict[str, Any]:
    fields = asdict(position)
    del fields["hostcall"]
    return fields


def _entry(entry: Entry) -> dict[str, Any]:
    where: dict[str, Any] = {"position": _position(entry.position)}
    if isinstance(entry, Input):
        return {**where, "typed": entry.data.hex()}
    if isinstance(entry, Evaluation):
        raise RecordingError(
            f"at {entry.position.now} ns gdb has evaluated {entry.expression!r}, and a file holds "
            "no program"
        )
    where = {**where, "thread": list(entry.thread), "view": entry.view}
    if entry.registers:
        return {**where, "registers": dict(entry.registers)}
    return {
        **where,
        "address": entry.address,
        "physical": entry.physical,
        "data": entry.data.hex(),
    }


def _read_position(value: Any) -> Position:
    what = "position"
    found = _an_object(value, what, ("retired", "now", "entries", "vcpu", "pc", "access"))
    retired = tuple(_a_number(count, "retired") for count in _a_list(found["retired"], "retired"))
    if not retired:
        _wrong("retired", [], "a number for each processor")
    vcpu, access = found["vcpu"], found["access"]
    if vcpu is not None and _a_number(vcpu, "vcpu") >= len(retired):
        _wrong("vcpu", vcpu, f"one of {len(retired)} processors")
    if access is not None:
        pair = _a_list(access, "access")
        if vcpu is None or len(pair) != 2 or not isinstance(pair[1], bool):
            _wrong("access", access, "[address, whether a write] of a processor")
        access = (_a_number(pair[0], "access"), pair[1])
    now, entries, pc = (_a_number(found[name], name) for name in ("now", "entries", "pc"))
    return Position(retired, now, entries, vcpu, pc, access)


def _read_entry(value: Any, number: int) -> Entry:
    what = f"entry {number} of the journal"
    found = _an_object(value, what, ("position",))
    position = _read_position(found["position"])
    if position.entries != number:
        _wrong(f"entries of {what}", position.entries, str(number))
    if "typed" in found:
        return Input(position, _bytes(found["typed"], what))
    found = _an_object(value, what, ("thread", "view"))
    view = found["view"]
    if view not in _VIEWS:
        _wrong("view", view, " or ".join(_VIEWS))
    pair = [_a_number(one, "thread") for one in _a_list(found["thread"], "thread")]
    if len(pair) != 2:
        _wrong("thread", pair, "[pid, tid]")
    thread = ThreadId(*pair)
    if "registers" in found:
        return Write(position, thread, _registers(found["registers"]), view=view)
    found = _an_object(value, what, ("address", "physical", "data"))
    if not isinstance(found["physical"], bool):
        _wrong("physical", found["physical"], "true or false")
    address, data = _a_number(found["address"], "address"), _bytes(found["data"], what)
    return Write(position, thread, {}, address, data, found["physical"], view)


def _registers(value: Any) -> dict[str, int]:
    registers = _an_object(value, "registers", ())
    for name, number in registers.items():
        if not is_known(name):
            _wrong("registers", name, "names of registers")
        _a_number(number, name, _LAST_OF_REGISTER)
    if not registers:
        _wrong("registers", value, "at least one")
    return registers


# -- kinds of values


def _an_object(value: Any, what: str, keys: Sequence[str]) -> dict[str, Any]:
    if not isinstance(value, dict) or any(key not in value for key in keys):
        _wrong(what, value, f"an object with {', '.join(keys)}" if keys else "an object")
    return value


def _a_list(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list):
        _wrong(what, value, "a list")
    return value


def _a_text(value: Any, what: str) -> str:
    if not isinstance(value, str):
        _wrong(what, value, "text")
    return value


def _a_number(value: Any, what: str, last: int = _LAST) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= last:
        _wrong(what, value, f"a number from 0 to {last:#x}")
    return value


def _bytes(value: Any, what: str) -> bytes:
    text = _a_text(value, what)
    if len(text) % 2 or not set(text) <= _DIGITS:
        _wrong(f"bytes of {what}", text, "pairs of hexadecimal digits")
    return bytes.fromhex(text)


def _wrong(what: str, value: Any, expected: str) -> NoReturn:
    raise RecordingError(f"{what} is {_shown(value)}, expected {expected}")


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
