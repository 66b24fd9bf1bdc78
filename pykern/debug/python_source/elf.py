"""Change the sections of an ELF file: contents, what comes behind them, a range of addresses.

References
----------
System V ABI, Sections: Section Header, Special Sections.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_MAGIC = b"\x7fELF\2\1"
_SHOFF, _SHENTSIZE = 40, 58
_HEADER = struct.Struct("<IIQQQQIIQQ")
_SHT_PROGBITS, _SHT_NOBITS = 1, 8
_SHF_ALLOC, _SHF_EXECINSTR = 2, 4
_ALIGNMENT = 8


@dataclass(frozen=True)
class _Section:
    """A section header, and its name and contents."""

    name: str
    header: tuple[int, ...]
    data: bytes


class NotElfError(Exception):
    """The file has no sections."""


def _sections(file: bytes) -> list[_Section]:
    if not file.startswith(_MAGIC) or len(file) < _SHENTSIZE + 6:
        raise NotElfError
    (table,) = struct.unpack_from("<Q", file, _SHOFF)
    size, count, names_at = struct.unpack_from("<HHH", file, _SHENTSIZE)
    if size != _HEADER.size or table + size * count > len(file) or names_at >= count:
        raise NotElfError
    headers = [_HEADER.unpack_from(file, table + size * i) for i in range(count)]
    names = _data(file, headers[names_at])
    return [
        _Section(names[h[0] :].split(b"\0", 1)[0].decode("latin-1"), h, _data(file, h))
        for h in headers
    ]


def _data(file: bytes, header: tuple[int, ...]) -> bytes:
    return b"" if header[1] == _SHT_NOBITS else file[header[4] : header[4] + header[5]]


def sizes(file: bytes) -> dict[str, int]:
    """Return the bytes of each section, by name.

    Raises
    ------
    NotElfError : there are none
    """
    return {section.name: len(section.data) for section in _sections(file)}


def contents(file: bytes) -> dict[str, bytes]:
    """Return what is in each section, by name.

    Raises
    ------
    NotElfError : there are none
    """
    return {section.name: section.data for section in _sections(file)}


def replaced(file: bytes, changed: Mapping[str, bytes]) -> bytes:
    """Return a file with other contents in some of its sections.

    Raises
    ------
    NotElfError : it has no sections
    """
    sections = [replace(s, data=changed.get(s.name, s.data)) for s in _sections(file)]
    return _written(file, sections, changed)


def extended(file: bytes, more: Mapping[str, bytes], name: str, start: int, size: int) -> bytes:
    """Return a file with longer sections, and one more that has addresses but no contents.

    Parameters
    ----------
    more : section → what comes behind its contents; one that is missing is made
    name, start, size : of the section without contents; no segment loads it

    Raises
    ------
    NotElfError : it has no sections to extend
    """
    sections = [_longer(section, more) for section in _sections(file)]
    known = {section.name for section in sections}
    sections += [
        _Section(new, (0, _SHT_PROGBITS, 0, 0, 0, 0, 0, 0, 1, 0), data)
        for new, data in more.items()
        if new not in known
    ]
    flags = _SHF_ALLOC | _SHF_EXECINSTR
    code = (0, _SHT_NOBITS, flags, start, 0, size, 0, 0, 1, 0)
    sections.append(_Section(name, code, b""))
    return _written(file, sections, more)


def _longer(section: _Section, more: Mapping[str, bytes]) -> _Section:
    return replace(section, data=section.data + more.get(section.name, b""))


def _written(file: bytes, sections: list[_Section], more: Mapping[str, bytes]) -> bytes:
    """Return the file with contents that have changed, names and headers behind its old end."""
    (names_at,) = struct.unpack_from("<H", file, _SHENTSIZE + 4)
    out, names, headers = bytearray(file), bytearray(), []
    places = []
    for section in sections:
        places.append(len(names))
        names += section.name.encode("latin-1") + b"\0"
    for index, section in enumerate(sections):
        header = list(section.header)
        header[0] = places[index]
        data = bytes(names) if index == names_at else section.data
        if index == names_at or section.name in more:
            out += bytes(-len(out) % _ALIGNMENT)
            header[4], header[5] = len(out), len(data)
            out += data
        headers.append(_HEADER.pack(*header))
    out += bytes(-len(out) % _ALIGNMENT)
    struct.pack_into("<Q", out, _SHOFF, len(out))
    struct.pack_into("<H", out, _SHENTSIZE + 2, len(headers))
    return bytes(out + b"".join(headers))
