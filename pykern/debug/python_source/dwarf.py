"""Debug information about functions of Python.

One compilation unit holds all functions. A frame is what `stack` lays out: a return address and
nothing else, so that a gdb without this information finds its way as well. Variables are elsewhere,
at a place that follows from the frame's: a slot for each, which points to its value as text.

References
----------
DWARF Debugging Information Format, Version 4: Debugging Information Entry; Line Number Information;
Call Frame Information. System V ABI, AMD64: DWARF Register Number Mapping.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from pykern.debug.python_source.functions import LINE_SIZE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pykern.debug.python_source.functions import Function

_VERSION, _ADDRESS_SIZE = 4, 8
_TAG_COMPILE_UNIT, _TAG_SUBPROGRAM, _TAG_FORMAL, _TAG_VARIABLE = 0x11, 0x2E, 0x05, 0x34
_TAG_POINTER, _TAG_BASE = 0x0F, 0x24
_NAME, _STMT_LIST, _LOW_PC, _HIGH_PC, _LANGUAGE, _COMP_DIR = 0x03, 0x10, 0x11, 0x12, 0x13, 0x1B
_LOCATION, _BYTE_SIZE, _PRODUCER, _DECL_FILE, _DECL_LINE = 0x02, 0x0B, 0x25, 0x3A, 0x3B
_ENCODING, _EXTERNAL, _FRAME_BASE, _TYPE = 0x3E, 0x3F, 0x40, 0x49
_ADDR, _DATA2, _DATA4, _DATA8, _STRING, _DATA1 = 0x01, 0x05, 0x06, 0x07, 0x08, 0x0B
_STRP, _UDATA, _REF4, _SEC_OFFSET, _EXPRLOC, _PRESENT = 0x0E, 0x0F, 0x13, 0x17, 0x18, 0x19
_LANG_PYTHON, _SIGNED_CHAR = 0x14, 0x06
_OP_CONST8U, _OP_CONSTU, _OP_AND, _OP_MUL, _OP_PLUS = 0x0E, 0x10, 0x1A, 0x1E, 0x22
_OP_FBREG, _OP_CALL_FRAME_CFA = 0x91, 0x9C
_RSP, _RETURN_ADDRESS = 7, 16
_UNIT, _FUNCTION, _PARAMETER, _VARIABLE, _POINTER, _CHAR = 1, 2, 3, 4, 5, 6
_ABBREVIATIONS = (
    (_UNIT, _TAG_COMPILE_UNIT, True, (
        (_PRODUCER, _STRING), (_LANGUAGE, _DATA1), (_NAME, _STRING), (_COMP_DIR, _STRING),
        (_LOW_PC, _ADDR), (_HIGH_PC, _DATA8), (_STMT_LIST, _SEC_OFFSET))),
    (_FUNCTION, _TAG_SUBPROGRAM, True, (
        (_NAME, _STRP), (_DECL_FILE, _UDATA), (_DECL_LINE, _UDATA), (_LOW_PC, _ADDR),
        (_HIGH_PC, _UDATA), (_FRAME_BASE, _EXPRLOC), (_EXTERNAL, _PRESENT))),
    (_PARAMETER, _TAG_FORMAL, False, (
        (_NAME, _STRP), (_TYPE, _REF4), (_LOCATION, _EXPRLOC))),
    (_VARIABLE, _TAG_VARIABLE, False, (
        (_NAME, _STRP), (_TYPE, _REF4), (_LOCATION, _EXPRLOC))),
    (_POINTER, _TAG_POINTER, False, ((_BYTE_SIZE, _DATA1), (_TYPE, _REF4))),
    (_CHAR, _TAG_BASE, False, (
        (_NAME, _STRING), (_ENCODING, _DATA1), (_BYTE_SIZE, _DATA1))),
)  # fmt: skip
_LINE_BASE, _LINE_RANGE, _OPCODE_BASE = -60, 120, 13
_STANDARD_LENGTHS = bytes((0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1))
_COPY, _ADVANCE_PC, _ADVANCE_LINE, _SET_FILE = 1, 2, 3, 4
_END_SEQUENCE, _SET_ADDRESS = b"\0\1\1", b"\0\t\2"
_CFA_OFFSET_RETURN = bytes((0x80 | _RETURN_ADDRESS, 1))
_DEF_CFA = 0x0C
SLOT = 8
"""Bytes of a return address, or of a variable's slot."""
SLOTS = 0xFFFF_FFFF_E000_0000
"""Where the slots are."""
MOST_SLOTS = 128
"""Of one frame; further variables of a function are not shown."""
_CFA_MASK = 0x3FFFF8
"""Of a frame's address, which tells its slots from those of the others on a stack."""


def slots(cfa: int) -> int:
    """Return where the slots of a frame are.

    Parameters
    ----------
    cfa : canonical frame address: the stack pointer of the caller
    """
    return SLOTS + (cfa & _CFA_MASK) * MOST_SLOTS


def sections(
    functions: Sequence[Function], directory: str, before: Mapping[str, int]
) -> dict[str, bytes]:
    """Return what has to be added to the sections of debug information.

    Parameters
    ----------
    functions : in the order of their addresses
    directory : what their paths are relative to
    before : bytes that the sections have already
    """
    files = list(dict.fromkeys(function.path for function in functions))
    strings = _Strings(before.get(".debug_str", 0))
    info = _info(functions, directory, files, strings, before)
    return {
        ".debug_abbrev": _abbreviations(),
        ".debug_info": info,
        ".debug_line": _lines(functions, files),
        ".debug_frame": _frame_rule(functions, before.get(".debug_frame", 0)),
        ".debug_str": bytes(strings.data),
    }


class _Strings:
    """The texts that are referred to, each once."""

    def __init__(self, offset: int) -> None:
        self.data = bytearray()
        self._offset = offset
        self._known: dict[str, int] = {}

    def reference(self, text: str) -> bytes:
        if text not in self._known:
            self._known[text] = self._offset + len(self.data)
            self.data += _string(text)
        return struct.pack("<I", self._known[text])


def _string(text: str) -> bytes:
    return text.encode() + b"\0"


def _uleb(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _sleb(value: int) -> bytes:
    out = bytearray()
    while not -0x40 <= value < 0x40:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value & 0x7F)
    return bytes(out)


def _counted(content: bytes) -> bytes:
    return struct.pack("<I", len(content)) + content


def _abbreviations() -> bytes:
    out = b"".join(
        _uleb(code) + _uleb(tag) + bytes((children,)) + _pairs(attributes) + b"\0\0"
        for code, tag, children, attributes in _ABBREVIATIONS
    )
    return out + b"\0"


def _pairs(attributes: Iterable[tuple[int, int]]) -> bytes:
    return b"".join(_uleb(name) + _uleb(form) for name, form in attributes)


def _info(
    functions: Sequence[Function],
    directory: str,
    files: list[str],
    strings: _Strings,
    before: Mapping[str, int],
) -> bytes:
    start, end = functions[0].address, functions[-1].end
    head = struct.pack("<HIB", _VERSION, before.get(".debug_abbrev", 0), _ADDRESS_SIZE)
    unit = _uleb(_UNIT) + b"pykern\0" + bytes((_LANG_PYTHON,)) + _string("pykern/kernel")
    unit += _string(directory) + struct.pack("<QQ", start, end - start)
    unit += struct.pack("<I", before.get(".debug_line", 0))
    char_at = 4 + len(head) + len(unit)
    char = bytes((_CHAR,)) + _string("char") + bytes((_SIGNED_CHAR, 1))
    pointer_at = char_at + len(char)
    pointer = bytes((_POINTER, SLOT)) + struct.pack("<I", char_at)
    numbers = {path: number for number, path in enumerate(files, 1)}
    entries = (_entry(f, numbers[f.path], strings, pointer_at) for f in functions)
    return _counted(head + unit + char + pointer + b"".join(entries) + b"\0")


def _entry(function: Function, file: int, strings: _Strings, kind: int) -> bytes:
    out = bytes((_FUNCTION,)) + strings.reference(function.name) + _uleb(file)
    out += _uleb(function.line) + struct.pack("<Q", function.address)
    out += _uleb(function.end - function.address) + _FRAME_BASE_RULE
    kinds = [_PARAMETER] * len(function.parameters) + [_VARIABLE] * len(function.variables)
    for slot, (code, name) in enumerate(zip(kinds, function.names, strict=True)):
        if slot < MOST_SLOTS:
            place = bytes((_OP_FBREG,)) + _sleb(SLOT * slot)
            out += bytes((code,)) + strings.reference(name)
            out += struct.pack("<IB", kind, len(place)) + place
    return out + b"\0"


def _frame_base() -> bytes:
    """Return the expression by which gdb finds a frame's slots: see `slots`."""
    masked = bytes((_OP_CALL_FRAME_CFA, _OP_CONSTU)) + _uleb(_CFA_MASK) + bytes((_OP_AND,))
    scaled = bytes((_OP_CONSTU,)) + _uleb(MOST_SLOTS) + bytes((_OP_MUL,))
    expression = masked + scaled + struct.pack("<BQB", _OP_CONST8U, SLOTS, _OP_PLUS)
    return bytes((len(expression),)) + expression


_FRAME_BASE_RULE = _frame_base()


def _lines(functions: Sequence[Function], files: list[str]) -> bytes:
    names = b"".join(_string(path) + b"\0\0\0" for path in files)
    fixed = struct.pack("<BBBbBB", LINE_SIZE, 1, 1, _LINE_BASE, _LINE_RANGE, _OPCODE_BASE)
    head = fixed + _STANDARD_LENGTHS + b"\0" + names + b"\0"
    return _counted(struct.pack("<H", _VERSION) + _counted(head) + _program(functions, files))


def _program(functions: Sequence[Function], files: list[str]) -> bytes:
    numbers = {path: number for number, path in enumerate(files, 1)}
    out = bytearray(_SET_ADDRESS + struct.pack("<Q", functions[0].address))
    file, line, advance = 1, 1, 0
    for function in functions:
        if numbers[function.path] != file:
            file = numbers[function.path]
            out += bytes((_SET_FILE,)) + _uleb(file)
        for number in function.lines:
            out += _row(number - line, advance)
            line, advance = number, 1
    return bytes(out + bytes((_ADVANCE_PC, 1)) + _END_SEQUENCE)


def _row(lines: int, addresses: int) -> bytes:
    opcode = lines - _LINE_BASE + _LINE_RANGE * addresses + _OPCODE_BASE
    if 0 <= lines - _LINE_BASE < _LINE_RANGE and opcode <= 255:
        return bytes((opcode,))
    advance = bytes((_ADVANCE_PC, addresses)) if addresses else b""
    return bytes((_ADVANCE_LINE,)) + _sleb(lines) + advance + bytes((_COPY,))


def _frame_rule(functions: Sequence[Function], offset: int) -> bytes:
    """Return how to find the caller, which is the same at all addresses."""
    head = struct.pack("<IB", 0xFFFF_FFFF, 1) + b"\0" + _uleb(1) + _sleb(-SLOT)
    head += bytes((_RETURN_ADDRESS, _DEF_CFA, _RSP, SLOT)) + _CFA_OFFSET_RETURN
    start, end = functions[0].address, functions[-1].end
    rule = struct.pack("<IQQ", offset, start, end - start)
    return _counted(_padded(head)) + _counted(_padded(rule))


def _padded(entry: bytes) -> bytes:
    """Return it with nops behind, so that the next one is aligned."""
    return entry + bytes(-(len(entry) + 4) % SLOT)
