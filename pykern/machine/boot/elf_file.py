"""Read the program headers and notes of an ELF executable, 32- or 64-bit, for x86.

References
----------
System V Application Binary Interface, Object Files (ELF header), and Program Loading and Dynamic
Linking (program header, note section).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from construct import Bytes, Construct, Int8ul, Int16ul, Int32ul, Int64ul, Struct

from pykern.machine.boot.protocol import BootError

if TYPE_CHECKING:
    from collections.abc import Iterator

ELFMAG = b"\x7fELF"
ELFCLASS32, ELFCLASS64 = 1, 2
ELFDATA2LSB = 1
ET_EXEC, ET_DYN = 2, 3
EM_386, EM_X86_64 = 3, 62
PT_LOAD, PT_DYNAMIC, PT_NOTE = 1, 2, 4
PF_X, PF_W = 1, 2
_PN_XNUM = 0xFFFF

e_ident = Struct(
    "EI_MAG" / Bytes(4),
    "EI_CLASS" / Int8ul,
    "EI_DATA" / Int8ul,
    "EI_VERSION" / Int8ul,
    "EI_OSABI" / Int8ul,
    "EI_ABIVERSION" / Int8ul,
    "EI_PAD" / Bytes(7),
)


def _ehdr(address: Construct) -> Construct:
    return Struct(
        "e_ident" / e_ident,
        "e_type" / Int16ul,
        "e_machine" / Int16ul,
        "e_version" / Int32ul,
        "e_entry" / address,
        "e_phoff" / address,
        "e_shoff" / address,
        "e_flags" / Int32ul,
        "e_ehsize" / Int16ul,
        "e_phentsize" / Int16ul,
        "e_phnum" / Int16ul,
        "e_shentsize" / Int16ul,
        "e_shnum" / Int16ul,
        "e_shstrndx" / Int16ul,
    )


Elf32_Ehdr, Elf64_Ehdr = _ehdr(Int32ul), _ehdr(Int64ul)

Elf32_Phdr = Struct(
    "p_type" / Int32ul,
    "p_offset" / Int32ul,
    "p_vaddr" / Int32ul,
    "p_paddr" / Int32ul,
    "p_filesz" / Int32ul,
    "p_memsz" / Int32ul,
    "p_flags" / Int32ul,
    "p_align" / Int32ul,
)

Elf64_Phdr = Struct(
    "p_type" / Int32ul,
    "p_flags" / Int32ul,
    "p_offset" / Int64ul,
    "p_vaddr" / Int64ul,
    "p_paddr" / Int64ul,
    "p_filesz" / Int64ul,
    "p_memsz" / Int64ul,
    "p_align" / Int64ul,
)


def _shdr(address: Construct) -> Construct:
    return Struct(
        "sh_name" / Int32ul,
        "sh_type" / Int32ul,
        "sh_flags" / address,
        "sh_addr" / address,
        "sh_offset" / address,
        "sh_size" / address,
        "sh_link" / Int32ul,
        "sh_info" / Int32ul,
        "sh_addralign" / address,
        "sh_entsize" / address,
    )


Elf32_Shdr, Elf64_Shdr = _shdr(Int32ul), _shdr(Int64ul)

Nhdr = Struct("n_namesz" / Int32ul, "n_descsz" / Int32ul, "n_type" / Int32ul)


@dataclass(frozen=True)
class Segment:
    """A program header; sizes in bytes."""

    p_type: int
    p_flags: int
    p_offset: int
    p_vaddr: int
    p_paddr: int
    p_filesz: int
    p_memsz: int
    p_align: int = 1


@dataclass(frozen=True)
class Note:
    """One entry of a PT_NOTE segment."""

    name: bytes
    type: int
    descriptor: bytes


@dataclass(frozen=True)
class ElfFile:
    """An executable whose headers have been checked against the file's size."""

    name: str
    image: bytes
    elf_class: int
    machine: int
    entry: int
    segments: tuple[Segment, ...]
    type: int = ET_EXEC

    @property
    def load_segments(self) -> tuple[Segment, ...]:
        """Return the PT_LOAD segments that occupy memory."""
        return tuple(s for s in self.segments if s.p_type == PT_LOAD and s.p_memsz)

    def contents(self, segment: Segment) -> bytes:
        """Return the bytes of a segment that are in the file."""
        return self.image[segment.p_offset : segment.p_offset + segment.p_filesz]

    def notes(self) -> Iterator[Note]:
        """Yield the notes of every PT_NOTE segment; a damaged one ends its segment."""
        for segment in self.segments:
            if segment.p_type == PT_NOTE:
                yield from _parse_notes(self.contents(segment))

    def physical(self, vaddr: int) -> int:
        """Return where the segment that holds `vaddr` puts it; `vaddr` itself if none does."""
        for segment in self.load_segments:
            if segment.p_vaddr <= vaddr < segment.p_vaddr + segment.p_memsz:
                return vaddr - segment.p_vaddr + segment.p_paddr
        return vaddr


def is_elf(image: bytes) -> bool:
    """Tell whether the image starts with the ELF magic number."""
    return image[:4] == ELFMAG


def parse(image: bytes, name: str) -> ElfFile:
    """Read the headers of an executable.

    Raises
    ------
    BootError : a header field contradicts the file or is not for an x86 executable
    """
    elf_class = _check_ident(image, name)
    ehdr_type, phdr_type = (
        (Elf64_Ehdr, Elf64_Phdr) if elf_class == ELFCLASS64 else (Elf32_Ehdr, Elf32_Phdr)
    )
    if len(image) < ehdr_type.sizeof():
        raise BootError(
            f"{name}: ELF header needs {ehdr_type.sizeof()} bytes, the file has {len(image)}"
        )
    ehdr = ehdr_type.parse(image)
    _check_header(ehdr, elf_class, phdr_type.sizeof(), len(image), name)
    segments = tuple(
        _parse_segment(
            image, phdr_type, ehdr.e_phoff + i * ehdr.e_phentsize, f"{name}: segment {i}"
        )
        for i in range(ehdr.e_phnum)
    )
    return ElfFile(name, image, elf_class, ehdr.e_machine, ehdr.e_entry, segments, ehdr.e_type)


def _check_ident(image: bytes, name: str) -> int:
    if len(image) < e_ident.sizeof() or not is_elf(image):
        raise BootError(f"{name}: starts with {image[:4].hex(' ')}, expected ELF magic 7f 45 4c 46")
    ident = e_ident.parse(image)
    if ident.EI_DATA != ELFDATA2LSB:
        raise BootError(f"{name}: EI_DATA is {ident.EI_DATA}, expected 1 (little endian)")
    if ident.EI_CLASS not in {ELFCLASS32, ELFCLASS64}:
        raise BootError(f"{name}: EI_CLASS is {ident.EI_CLASS}, expected 1 (32-bit) or 2 (64-bit)")
    return int(ident.EI_CLASS)


def _check_header(ehdr: Any, elf_class: int, phentsize: int, size: int, name: str) -> None:
    if ehdr.e_machine not in {EM_386, EM_X86_64}:
        raise BootError(f"{name}: e_machine is {ehdr.e_machine}, expected 3 (386) or 62 (x86-64)")
    if elf_class == ELFCLASS64 and ehdr.e_machine != EM_X86_64:
        raise BootError(f"{name}: e_machine is {ehdr.e_machine} in a 64-bit ELF file, expected 62")
    if ehdr.e_type not in {ET_EXEC, ET_DYN}:
        raise BootError(
            f"{name}: e_type is {ehdr.e_type}, expected 2 (executable) or 3 (position independent)"
        )
    if ehdr.e_phnum in {0, _PN_XNUM}:
        raise BootError(f"{name}: e_phnum is {ehdr.e_phnum}, expected 1 to 65534 program headers")
    if ehdr.e_phentsize < phentsize:
        raise BootError(f"{name}: e_phentsize is {ehdr.e_phentsize}, expected {phentsize}")
    if ehdr.e_phoff + ehdr.e_phnum * ehdr.e_phentsize > size:
        raise BootError(
            f"{name}: e_phoff {ehdr.e_phoff:#x} with {ehdr.e_phnum} headers of {ehdr.e_phentsize} "
            f"bytes reaches beyond end of file ({size} bytes)"
        )


def _parse_segment(image: bytes, phdr_type: Construct, offset: int, where: str) -> Segment:
    phdr = phdr_type.parse(image[offset : offset + phdr_type.sizeof()])
    if phdr.p_type in {PT_LOAD, PT_DYNAMIC, PT_NOTE} and phdr.p_offset + phdr.p_filesz > len(image):
        raise BootError(
            f"{where}: p_offset {phdr.p_offset:#x} + p_filesz {phdr.p_filesz:#x} is beyond end of "
            f"file ({len(image)} bytes)"
        )
    if phdr.p_type == PT_LOAD and phdr.p_filesz > phdr.p_memsz:
        raise BootError(f"{where}: p_filesz {phdr.p_filesz:#x} exceeds p_memsz {phdr.p_memsz:#x}")
    return Segment(
        phdr.p_type,
        phdr.p_flags,
        phdr.p_offset,
        phdr.p_vaddr,
        phdr.p_paddr,
        phdr.p_filesz,
        phdr.p_memsz,
        phdr.p_align,
    )


def _parse_notes(data: bytes) -> Iterator[Note]:
    position = 0
    while position + Nhdr.sizeof() <= len(data):
        header = Nhdr.parse(data[position : position + Nhdr.sizeof()])
        name_start = position + Nhdr.sizeof()
        descriptor_start = name_start + _aligned(header.n_namesz)
        position = descriptor_start + _aligned(header.n_descsz)
        if descriptor_start + header.n_descsz > len(data):
            return
        yield Note(
            data[name_start : name_start + header.n_namesz].rstrip(b"\0"),
            header.n_type,
            data[descriptor_start : descriptor_start + header.n_descsz],
        )


def _aligned(size: int) -> int:
    return -(-size // 4) * 4
