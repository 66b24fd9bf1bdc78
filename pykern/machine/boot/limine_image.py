"""Lay out an executable as the Limine boot protocol loads it: contiguous, high-half, relocated.

References
----------
The Limine Boot Protocol: Entry memory layout; System V Application Binary Interface, Dynamic
Linking; System V Application Binary Interface, AMD64 Architecture Processor Supplement, Relocation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pykern.machine.boot.elf_file import (
    EM_X86_64,
    ET_DYN,
    PF_W,
    PF_X,
    PT_DYNAMIC,
    ElfFile,
    Segment,
)
from pykern.machine.boot.page_tables import LARGE_PAGE, NO_EXECUTE, PAGE, PRESENT, WRITABLE
from pykern.machine.boot.protocol import BootError

if TYPE_CHECKING:
    from numpy.typing import NDArray

HIGHEST_2_GIB = 0xFFFF_FFFF_8000_0000
_TOP = 1 << 64

DT_NULL, DT_SYMTAB, DT_RELA, DT_RELASZ, DT_RELAENT = 0, 6, 7, 8, 9
R_X86_64_64, R_X86_64_GLOB_DAT, R_X86_64_JUMP_SLOT, R_X86_64_RELATIVE = 1, 6, 7, 8

_DYN = np.dtype([("d_tag", "<i8"), ("d_val", "<u8")])
_RELA = np.dtype([("r_offset", "<u8"), ("r_type", "<u4"), ("r_sym", "<u4"), ("r_addend", "<u8")])
_SYM_SIZE, _ST_SHNDX, _ST_VALUE = 24, 6, 8


@dataclass(frozen=True)
class MappedRange:
    """Whole pages of the image with the same permissions.

    Parameters
    ----------
    offset, size : bytes from the start of the image
    flags : of the page-table entries
    """

    offset: int
    size: int
    flags: int


@dataclass(frozen=True)
class LoadedImage:
    """An executable as it lies in memory, before it is there.

    Parameters
    ----------
    name : for messages
    data : the bytes from the first page on
    vbase : linear address of the first byte, at a page boundary
    slide : what has been added to the addresses in the file
    entry : linear address, slide included
    align : physical alignment that keeps the pages as large as can be
    ranges : what is mapped, with which permissions
    """

    name: str
    data: bytearray
    vbase: int
    slide: int
    entry: int
    align: int
    ranges: tuple[MappedRange, ...]

    def words(self) -> NDArray[np.uint64]:
        """Return a view of the data as 64-bit words."""
        return np.frombuffer(self.data, dtype="<u8")

    def bytes_at(self, offset: int, size: int, what: str) -> bytes:
        """Return bytes of the image; BootError if they are not all within."""
        if offset < 0 or offset + size > len(self.data):
            raise BootError(
                f"{self.name}: {what} needs {size} bytes at {self.vbase + offset:#x}; the image "
                f"occupies {self.vbase:#x}-{self.vbase + len(self.data) - 1:#x}"
            )
        return bytes(self.data[offset : offset + size])

    def linear(self, laddr: int, size: int, what: str) -> bytes:
        """Return bytes by their linear address."""
        return self.bytes_at(laddr - self.vbase, size, what)

    def string(self, laddr: int, what: str) -> str:
        """Return the 0-terminated string at a linear address; 0: the empty string."""
        if not laddr:
            return ""
        self.linear(laddr, 1, what)
        start = laddr - self.vbase
        end = self.data.find(0, start)
        if end < 0:
            raise BootError(f"{self.name}: {what} at {laddr:#x} is not 0-terminated")
        return self.data[start:end].decode(errors="replace")


def load(elf: ElfFile, limit: int) -> LoadedImage:
    """Lay out the PT_LOAD segments of an executable, and relocate it if it asks for that.

    Parameters
    ----------
    elf : a 64-bit file
    limit : bytes of memory there are; a larger image is refused before it is made

    Raises
    ------
    BootError : it is not linked into the highest 2 GiB, pages are shared by segments with different
        permissions, or a relocation is damaged
    """
    if elf.machine != EM_X86_64 or not elf.load_segments:
        raise BootError(f"{elf.name}: no PT_LOAD segment, expected at least one")
    slide = _slide(elf)
    segments = sorted(elf.load_segments, key=lambda s: s.p_vaddr)
    for segment in segments:
        _check_address(elf, segment, slide)
    first = segments[0].p_vaddr + slide
    vbase = first - first % PAGE
    end = max(s.p_vaddr + slide + s.p_memsz for s in segments)
    size = _page_up(end - vbase)
    if size > limit:
        raise BootError(
            f"{elf.name}: the image occupies {size} bytes from {vbase:#x} on; there are {limit} "
            "bytes of RAM"
        )
    data = bytearray(size)
    for segment in segments:
        start = segment.p_vaddr + slide - vbase
        data[start : start + segment.p_filesz] = elf.contents(segment)
    ranges = _ranges(elf, segments, vbase - slide)
    align = min(max((s.p_align for s in segments), default=PAGE), LARGE_PAGE)
    image = LoadedImage(
        elf.name, data, vbase, slide, elf.entry + slide, _power_of_two(align), ranges
    )
    if elf.type == ET_DYN:
        _relocate(elf, image)
    return image


def _slide(elf: ElfFile) -> int:
    """Return what is added to the addresses of an image that can lie anywhere."""
    lowest = min(s.p_vaddr for s in elf.load_segments)
    return HIGHEST_2_GIB if elf.type == ET_DYN and lowest < HIGHEST_2_GIB else 0


def _check_address(elf: ElfFile, segment: Segment, slide: int) -> None:
    start = segment.p_vaddr + slide
    if start >= HIGHEST_2_GIB and start + segment.p_memsz <= _TOP:
        return
    raise BootError(
        f"{elf.name}: PT_LOAD segment at p_vaddr {segment.p_vaddr:#x} with p_memsz "
        f"{segment.p_memsz:#x}, expected within {HIGHEST_2_GIB:#x}-{_TOP - 1:#x}, where the Limine "
        "protocol loads executables"
    )


def _ranges(elf: ElfFile, segments: list[Segment], base: int) -> tuple[MappedRange, ...]:
    ranges: list[MappedRange] = []
    for segment in segments:
        flags = PRESENT
        flags |= WRITABLE if segment.p_flags & PF_W else 0
        flags |= 0 if segment.p_flags & PF_X else NO_EXECUTE
        start = (segment.p_vaddr - base) // PAGE * PAGE
        end = _page_up(segment.p_vaddr + segment.p_memsz - base)
        previous = ranges[-1] if ranges else MappedRange(0, 0, 0)
        if start < previous.offset + previous.size and flags != previous.flags:
            raise BootError(
                f"{elf.name}: PT_LOAD segment at p_vaddr {segment.p_vaddr:#x} shares a page with "
                "one before it that has other permissions; align them to 4096"
            )
        ranges.append(MappedRange(start, end - start, flags))
    return tuple(ranges)


def _page_up(size: int) -> int:
    return -(-size // PAGE) * PAGE


def _power_of_two(align: int) -> int:
    """Return an alignment of at least a page; nonsense in p_align is rounded down."""
    return max(PAGE, 1 << (align.bit_length() - 1) if align else PAGE)


def _relocate(elf: ElfFile, image: LoadedImage) -> None:
    """Apply the relocations of the dynamic section."""
    for segment in elf.segments:
        if segment.p_type == PT_DYNAMIC:
            dynamic = np.frombuffer(_whole(elf.contents(segment), _DYN), dtype=_DYN)
            _apply(image, _tags(dynamic))


def _tags(dynamic: NDArray[np.void]) -> dict[int, int]:
    ends = np.flatnonzero(dynamic["d_tag"] == DT_NULL)
    used = dynamic[: ends[0]] if len(ends) else dynamic
    return dict(zip(used["d_tag"].tolist(), used["d_val"].tolist(), strict=True))


def _whole(data: bytes, item: np.dtype[np.void]) -> bytes:
    return data[: len(data) // item.itemsize * item.itemsize]


def _apply(image: LoadedImage, tags: dict[int, int]) -> None:
    size = tags.get(DT_RELASZ, 0)
    if not size:
        return
    entry = tags.get(DT_RELAENT, _RELA.itemsize)
    if entry != _RELA.itemsize:
        raise BootError(f"{image.name}: DT_RELAENT is {entry}, expected {_RELA.itemsize}")
    table = image.linear(tags.get(DT_RELA, 0) + image.slide, size, "DT_RELA")
    relocations = np.frombuffer(_whole(table, _RELA), dtype=_RELA)
    offsets = relocations["r_offset"] + np.uint64((image.slide - image.vbase) % _TOP)
    if (offsets > len(image.data) - 8).any():
        bad = relocations["r_offset"][(offsets > len(image.data) - 8).argmax()]
        raise BootError(f"{image.name}: relocation at {int(bad):#x}, outside of the image")
    values = relocations["r_addend"] + np.uint64(image.slide)
    relative = relocations["r_type"] == R_X86_64_RELATIVE
    _store(image, offsets[relative], values[relative])
    for relocation, offset in zip(relocations[~relative], offsets[~relative], strict=True):
        value = _symbol_value(image, relocation, tags)
        _store(image, np.array([offset]), np.array([value], dtype="<u8"))


def _store(image: LoadedImage, offsets: NDArray[np.uint64], values: NDArray[np.uint64]) -> None:
    """Write 64-bit values, which need not be aligned."""
    raw = np.frombuffer(image.data, dtype=np.uint8)
    raw[offsets[:, None] + np.arange(8, dtype=np.uint64)] = (
        np.ascontiguousarray(values, dtype="<u8").view(np.uint8).reshape(-1, 8)
    )


def _symbol_value(image: LoadedImage, relocation: np.void, tags: dict[int, int]) -> int:
    kind = int(relocation["r_type"])
    where = f"relocation at {int(relocation['r_offset']):#x}"
    if kind not in {R_X86_64_64, R_X86_64_GLOB_DAT, R_X86_64_JUMP_SLOT}:
        raise BootError(
            f"{image.name}: {where} has type {kind}, expected 1 (64), 6 (GLOB_DAT), 7 (JUMP_SLOT) "
            "or 8 (RELATIVE)"
        )
    laddr = tags.get(DT_SYMTAB, 0) + image.slide + int(relocation["r_sym"]) * _SYM_SIZE
    symbol = image.linear(laddr, _SYM_SIZE, f"the symbol of the {where}")
    if not int.from_bytes(symbol[_ST_SHNDX : _ST_SHNDX + 2], "little"):
        raise BootError(f"{image.name}: {where} is to symbol {relocation['r_sym']}, undefined")
    value = int.from_bytes(symbol[_ST_VALUE : _ST_VALUE + 8], "little")
    addend = int(relocation["r_addend"]) if kind == R_X86_64_64 else 0
    return (value + image.slide + addend) % _TOP
