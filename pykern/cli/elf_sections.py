"""Read the sections and function symbols of an ELF file.

References
----------
System V Application Binary Interface, Object Files: Sections, and Symbol Table.
"""

from __future__ import annotations

import bisect
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pykern.machine.boot import elf_file
from pykern.machine.boot.elf_file import Elf32_Shdr, Elf64_Shdr
from pykern.machine.boot.protocol import BootError

SHT_SYMTAB, SHT_NOBITS = 2, 8
SHF_EXECINSTR = 4
STT_NOTYPE, STT_FUNC = 0, 2
_NOWHERE = (0, 0xFFF1)
"""SHN_UNDEF and SHN_ABS: such a symbol's value is no address in the file."""


ELF64_SYM = np.dtype(
    [
        ("st_name", "<u4"),
        ("st_info", "u1"),
        ("st_other", "u1"),
        ("st_shndx", "<u2"),
        ("st_value", "<u8"),
        ("st_size", "<u8"),
    ]
)
ELF32_SYM = np.dtype(
    [
        ("st_name", "<u4"),
        ("st_value", "<u4"),
        ("st_size", "<u4"),
        ("st_info", "u1"),
        ("st_other", "u1"),
        ("st_shndx", "<u2"),
    ]
)


@dataclass(frozen=True)
class Section:
    """A section and what the file holds of it."""

    name: str
    type: int
    flags: int
    address: int
    link: int
    data: bytes


@dataclass(frozen=True)
class Symbols:
    """Names of addresses."""

    names: dict[int, str]
    addresses: list[int] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "addresses", sorted(self.names))

    @classmethod
    def none(cls) -> Symbols:
        """Return a table of no symbols."""
        return cls({})

    def at(self, address: int) -> str:
        """Return the name of exactly this address, or an empty string."""
        return self.names.get(address, "")

    def find(self, name: str) -> int | None:
        """Return the address of a name, the lowest of several; None: it has none."""
        return next((at for at in self.addresses if self.names[at] == name), None)

    def near(self, address: int) -> str | None:
        """Return `name` or `name+0x12` by the nearest symbol below, as objdump does."""
        index = bisect.bisect_right(self.addresses, address)
        if index == 0:
            return None
        nearest = self.addresses[index - 1]
        offset = address - nearest
        return f"{self.names[nearest]}+{offset:#x}" if offset else self.names[nearest]


def read_sections(image: bytes, name: str) -> tuple[int, list[Section]]:
    """Return the ELF class and every section.

    Raises
    ------
    BootError : the section headers contradict the file
    """
    if len(image) < elf_file.e_ident.sizeof():
        raise BootError(f"{name}: ELF identification needs 16 bytes, the file has {len(image)}")
    ident = elf_file.e_ident.parse(image)
    wide = ident.EI_CLASS == elf_file.ELFCLASS64
    ehdr_type = elf_file.Elf64_Ehdr if wide else elf_file.Elf32_Ehdr
    shdr_type = Elf64_Shdr if wide else Elf32_Shdr
    if len(image) < ehdr_type.sizeof():
        raise BootError(
            f"{name}: ELF header needs {ehdr_type.sizeof()} bytes, the file has {len(image)}"
        )
    ehdr = ehdr_type.parse(image)
    end = ehdr.e_shoff + ehdr.e_shnum * ehdr.e_shentsize
    if ehdr.e_shnum == 0:
        raise BootError(f"{name}: e_shnum is 0: no sections to disassemble")
    if end > len(image) or ehdr.e_shentsize < shdr_type.sizeof():
        raise BootError(
            f"{name}: e_shoff {ehdr.e_shoff:#x} with {ehdr.e_shnum} headers of {ehdr.e_shentsize} "
            f"bytes (expected {shdr_type.sizeof()}) in a file of {len(image)} bytes"
        )
    headers = [
        shdr_type.parse(image[ehdr.e_shoff + i * ehdr.e_shentsize :][: shdr_type.sizeof()])
        for i in range(ehdr.e_shnum)
    ]
    return int(ident.EI_CLASS), _sections(image, headers, ehdr.e_shstrndx)


def _sections(image: bytes, headers: list[Any], shstrndx: int) -> list[Section]:
    names = _contents(image, headers[shstrndx]) if shstrndx < len(headers) else b""
    return [
        Section(
            _string(names, header.sh_name),
            header.sh_type,
            header.sh_flags,
            header.sh_addr,
            header.sh_link,
            _contents(image, header),
        )
        for header in headers
    ]


def _contents(image: bytes, header: Any) -> bytes:
    if header.sh_type == SHT_NOBITS:
        return b""
    return image[header.sh_offset : header.sh_offset + header.sh_size]


def _string(table: bytes, offset: int) -> str:
    end = table.find(b"\0", offset)
    return table[offset : end if end >= 0 else None].decode("utf-8", "replace")


def read_symbols(sections: list[Section], elf_class: int) -> Symbols:
    """Return the names of functions and labels from the symbol table; functions win."""
    dtype = ELF64_SYM if elf_class == elf_file.ELFCLASS64 else ELF32_SYM
    names: dict[int, str] = {}
    for table in sections:
        if table.type != SHT_SYMTAB or table.link >= len(sections):
            continue
        symbols = np.frombuffer(
            table.data[: len(table.data) // dtype.itemsize * dtype.itemsize], dtype
        )
        kinds = symbols["st_info"] & 0xF
        defined = ~np.isin(symbols["st_shndx"], _NOWHERE)
        for kind in (STT_NOTYPE, STT_FUNC):
            for symbol in symbols[(kinds == kind) & defined]:
                text = _string(sections[table.link].data, int(symbol["st_name"]))
                if text:
                    names[int(symbol["st_value"])] = text
    return Symbols(names)
