"""Where gdb finds the sources of what this package has built, wherever gdb is started.

The kernel image and the programs name their sources relative to a directory of compilation that is
itself relative, so that they come out the same wherever they are built. gdb would look for it in
its own working directory. The files it is given name the directory that the package is in.

References
----------
DWARF Debugging Information Format, Versions 4 and 5: Unit Headers; Abbreviations Tables; Attribute
Encodings.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from pykern.debug.python_source import elf

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_COMP_DIR = 0x1B
_STRP, _LINE_STRP, _STRING, _IMPLICIT_CONST = 0x0E, 0x1F, 0x08, 0x21
_TEXTS = {_STRP: ".debug_str", _LINE_STRP: ".debug_line_str"}
_SIZES = {
    0x01: 8, 0x05: 2, 0x06: 4, 0x07: 8, 0x0B: 1, 0x0C: 1, _STRP: 4, 0x17: 4, 0x19: 0, _LINE_STRP: 4,
    _IMPLICIT_CONST: 0,
}  # fmt: skip
"""Bytes of an attribute's value, by form; `_UDATA` and `_SDATA` have as many as they need."""
_UDATA, _SDATA = 0x0F, 0x0D
_64_BIT = 0xFFFFFFF0
"""Lengths from there on announce the 64-bit format, which no file of a few megabytes has."""


def settled(file: bytes, directory: str) -> bytes:
    """Return an ELF file whose relative directories of compilation have become an absolute one.

    A file without debug information, or of another kind, comes back as it is.
    """
    try:
        contents = elf.contents(file)
        info, changed = bytearray(contents[".debug_info"]), {}
        for at, form in _directories(contents):
            name = _TEXTS[form]
            text = contents[name]
            if text[struct.unpack_from("<I", info, at)[0] :].startswith(b"/"):
                continue
            struct.pack_into("<I", info, at, len(text))
            changed[name] = text + directory.encode() + b"\0"
    except (elf.NotElfError, KeyError, IndexError, ValueError, struct.error):
        return file
    return elf.replaced(file, {".debug_info": bytes(info), **changed}) if changed else file


def _directories(contents: Mapping[str, bytes]) -> Iterator[tuple[int, int]]:
    """Yield where in `.debug_info` each unit refers to its directory, and by which form."""
    info, abbreviations = contents[".debug_info"], contents[".debug_abbrev"]
    at = 0
    while at < len(info):
        (length,) = struct.unpack_from("<I", info, at)
        if length >= _64_BIT:
            return
        found = _directory(info, at, abbreviations)
        if found is not None:
            yield found
        at += 4 + length


def _directory(info: bytes, unit: int, abbreviations: bytes) -> tuple[int, int] | None:
    """Return the place and the form of a unit's directory; None: it cannot be changed."""
    version = struct.unpack_from("<H", info, unit + 4)[0]
    if version not in {4, 5}:
        return None
    table, at = (unit + 6, unit + 11) if version == 4 else (unit + 8, unit + 12)
    code, at = _uleb(info, at)
    for name, form in _attributes(abbreviations, struct.unpack_from("<I", info, table)[0], code):
        if name == _COMP_DIR:
            return (at, form) if form in _TEXTS else None
        end = _end(info, at, form)
        if end is None:
            return None
        at = end
    return None


def _end(info: bytes, at: int, form: int) -> int | None:
    """Return where the value of an attribute ends; None: its form is not known."""
    if form == _STRING:
        return info.index(b"\0", at) + 1
    if form in {_UDATA, _SDATA}:
        return _uleb(info, at)[1]
    return at + _SIZES[form] if form in _SIZES else None


def _attributes(abbreviations: bytes, at: int, wanted: int) -> Iterator[tuple[int, int]]:
    """Yield the names and forms of an abbreviation's attributes."""
    while True:
        code, at = _uleb(abbreviations, at)
        if code == 0:
            return
        _, at = _uleb(abbreviations, at)
        at += 1  # whether it has children
        while True:
            name, at = _uleb(abbreviations, at)
            form, at = _uleb(abbreviations, at)
            if form == _IMPLICIT_CONST:
                _, at = _uleb(abbreviations, at)
            if not name:
                break
            if code == wanted:
                yield name, form
        if code == wanted:
            return


def _uleb(data: bytes, at: int) -> tuple[int, int]:
    """Return a number of variable length, and where it ends."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at
