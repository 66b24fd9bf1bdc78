"""Load ELF programs into an address space, and prepare the stack they start with (MEL-49).

References
----------
System V ABI, Program Loading; x86-64 psABI, Process Initialization; Linux, getauxval(3).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.core.units import PAGE_SIZE, page_down, page_up
from pykern.kernel.mm.vma import (
    MAP_ANONYMOUS,
    MAP_FIXED,
    MAP_PRIVATE,
    PROT_EXEC,
    PROT_READ,
    PROT_WRITE,
)
from pykern.machine.boot import elf_file as ef

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pykern.kernel.mm.space import AddressSpace

PT_INTERP, PT_GNU_STACK = 3, 0x6474E551
PF_R = 4
PIE_BASE = 0x5555_5555_4000
INTERPRETER_BASE = 0x7FFF_0000_0000
_LARGEST_INTERPRETER_PATH = 4096

AT_NULL, AT_PHDR, AT_PHENT, AT_PHNUM, AT_PAGESZ, AT_BASE, AT_FLAGS, AT_ENTRY = (
    0,
    3,
    4,
    5,
    6,
    7,
    8,
    9,
)
AT_UID, AT_EUID, AT_GID, AT_EGID, AT_PLATFORM, AT_HWCAP, AT_CLKTCK = 11, 12, 13, 14, 15, 16, 17
AT_SECURE, AT_RANDOM, AT_EXECFN = 23, 25, 31
CLOCK_TICKS = 100
_STACK_ALIGN = 16
_ARGUMENTS_LIMIT = 128 * 1024
"""Bytes of all argument and environment strings together."""


class NotExecutable(SysError):  # noqa: N818 - what it says of a file
    """ENOEXEC, with what is wrong with the file."""

    def __init__(self, reason: str) -> None:
        super().__init__(Errno.ENOEXEC)
        self.reason = reason

    def __str__(self) -> str:
        """Return the reason."""
        return self.reason


@dataclass(frozen=True)
class Program:
    """An ELF file that was checked and can be mapped.

    Attributes
    ----------
    interpreter : path of the dynamic loader; None: the program starts by itself
    """

    image: bytes
    header: Any
    segments: tuple[Any, ...]
    interpreter: str | None

    @property
    def movable(self) -> bool:
        """Whether it may be loaded anywhere."""
        return bool(self.header.e_type == ef.ET_DYN)


@dataclass(frozen=True)
class Loaded:
    """A program in memory.

    Attributes
    ----------
    base : what was added to its addresses
    entry : linear address of its first instruction
    phdr : linear address of its program headers; 0: they are not in memory
    end : first address behind it, where its break begins
    """

    base: int
    entry: int
    phdr: int
    phnum: int
    end: int


def parse(image: bytes, name: str) -> Program:
    """Check an ELF file.

    Raises
    ------
    NotExecutable : it is none, or not for this machine; says what was found and expected
    """
    if len(image) < ef.Elf64_Ehdr.sizeof() or not ef.is_elf(image):
        raise NotExecutable(f"{name}: not an ELF file: begins with {image[:4]!r}")
    header = ef.Elf64_Ehdr.parse(image)
    ident = header.e_ident
    _expect(name, "EI_CLASS", ident.EI_CLASS, {ef.ELFCLASS64})
    _expect(name, "EI_DATA", ident.EI_DATA, {ef.ELFDATA2LSB})
    _expect(name, "e_machine", header.e_machine, {ef.EM_X86_64})
    _expect(name, "e_type", header.e_type, {ef.ET_EXEC, ef.ET_DYN})
    _expect(name, "e_phentsize", header.e_phentsize, {ef.Elf64_Phdr.sizeof()})
    end = header.e_phoff + header.e_phnum * header.e_phentsize
    if end > len(image) or not header.e_phnum:
        raise NotExecutable(f"{name}: program headers end at {end:#x}, the file at {len(image):#x}")
    headers = ef.Elf64_Phdr[header.e_phnum].parse(image[header.e_phoff : end])
    segments = tuple(h for h in headers if h.p_type == ef.PT_LOAD and h.p_memsz)
    _check_segments(name, segments, len(image))
    return Program(image, header, segments, _interpreter(name, image, headers))


def _expect(name: str, field: str, found: int, wanted: set[int]) -> None:
    if found not in wanted:
        words = " or ".join(str(value) for value in sorted(wanted))
        raise NotExecutable(f"{name}: {field} is {found}, expected {words}")


def _check_segments(name: str, segments: tuple[Any, ...], size: int) -> None:
    if not segments:
        raise NotExecutable(f"{name}: no PT_LOAD segment")
    last = 0
    for number, s in enumerate(segments):
        where = f"{name}: PT_LOAD {number}"
        if s.p_filesz > s.p_memsz or s.p_offset + s.p_filesz > size:
            raise NotExecutable(
                f"{where}: {s.p_filesz:#x} bytes at {s.p_offset:#x} of a file of {size:#x} bytes, "
                f"for {s.p_memsz:#x} bytes of memory"
            )
        if (s.p_vaddr - s.p_offset) % PAGE_SIZE:
            raise NotExecutable(
                f"{where}: p_vaddr {s.p_vaddr:#x} and p_offset {s.p_offset:#x} differ within a page"
            )
        if s.p_vaddr < last or s.p_vaddr + s.p_memsz > 1 << 47:
            raise NotExecutable(f"{where}: address {s.p_vaddr:#x} is out of order or out of range")
        last = s.p_vaddr + s.p_memsz


def _interpreter(name: str, image: bytes, headers: Sequence[Any]) -> str | None:
    for header in headers:
        if header.p_type == PT_INTERP:
            raw = image[header.p_offset : header.p_offset + header.p_filesz]
            if not 1 < len(raw) <= _LARGEST_INTERPRETER_PATH or raw[-1]:
                raise NotExecutable(f"{name}: PT_INTERP is {raw[:32]!r}, expected a path and NUL")
            return raw[:-1].decode("utf-8", "surrogateescape")
    return None


def load(program: Program, space: AddressSpace, base: int = 0) -> Loaded:
    """Map a program's segments.

    Parameters
    ----------
    base : what is added to every address of a movable program

    Raises
    ------
    SysError(ENOMEM) : no room
    """
    for segment in program.segments:
        _map_segment(program.image, space, segment, base)
    header, phdr = program.header, 0
    for s in program.segments:
        if s.p_offset <= header.e_phoff < s.p_offset + s.p_filesz:
            phdr = base + s.p_vaddr + header.e_phoff - s.p_offset
    last = program.segments[-1]
    end = page_up(base + last.p_vaddr + last.p_memsz)
    return Loaded(base, base + header.e_entry, phdr, header.e_phnum, end)


def _map_segment(image: bytes, space: AddressSpace, segment: Any, base: int) -> None:
    start = base + page_down(segment.p_vaddr)
    data = base + segment.p_vaddr
    size = page_up(data + segment.p_memsz) - start
    flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED
    space.mmap(start, size, PROT_READ | PROT_WRITE, flags)
    space.copy_out(data, image[segment.p_offset : segment.p_offset + segment.p_filesz])
    prot = (
        (PROT_READ if segment.p_flags & PF_R else 0)
        | (PROT_WRITE if segment.p_flags & ef.PF_W else 0)
        | (PROT_EXEC if segment.p_flags & ef.PF_X else 0)
    )
    space.mprotect(start, size, prot)


def build_stack(
    space: AddressSpace,
    top: int,
    arguments: Sequence[bytes],
    environment: Sequence[bytes],
    auxiliary: dict[int, int],
    random: bytes,
    path: bytes,
) -> int:
    """Write what a program finds on its stack; return RSP.

    Parameters
    ----------
    top : linear address behind the stack
    auxiliary : the auxiliary vector, without AT_RANDOM, AT_EXECFN and AT_PLATFORM
    random : 16 bytes
    path : of the program

    Raises
    ------
    SysError(E2BIG) : the strings are too long
    """
    if sum(len(text) + 9 for text in (*arguments, *environment)) > _ARGUMENTS_LIMIT:
        raise SysError(Errno.E2BIG)
    texts = [random, b"x86_64\0", path + b"\0"]
    texts += [text + b"\0" for text in (*arguments, *environment)]
    place = top - sum(map(len, texts))
    addresses, at = [], place
    for text in texts:
        addresses.append(at)
        at += len(text)
    vector = {
        **auxiliary,
        AT_RANDOM: addresses[0],
        AT_PLATFORM: addresses[1],
        AT_EXECFN: addresses[2],
        AT_NULL: 0,
    }
    split = 3 + len(arguments)
    words = [len(arguments), *addresses[3:split], 0, *addresses[split:], 0]
    words += [word for pair in vector.items() for word in pair]
    rsp = (place - 8 * len(words)) & -_STACK_ALIGN
    space.copy_out(place, b"".join(texts))
    space.copy_out(rsp, struct.pack(f"<{len(words)}Q", *words))
    return rsp


def auxiliary_vector(
    program: Loaded,
    interpreter: Loaded | None,
    hwcap: int,
    ids: tuple[int, int, int, int] = (0, 0, 0, 0),
    *,
    secure: bool = False,
) -> dict[int, int]:
    """Return what the kernel tells a program about itself and the machine.

    Parameters
    ----------
    ids : user, effective user, group, effective group
    secure : the program has rights that its caller does not have
    """
    return {
        AT_PHDR: program.phdr,
        AT_PHENT: ef.Elf64_Phdr.sizeof(),
        AT_PHNUM: program.phnum,
        AT_PAGESZ: PAGE_SIZE,
        AT_BASE: interpreter.base if interpreter else 0,
        AT_FLAGS: 0,
        AT_ENTRY: program.entry,
        **dict(zip((AT_UID, AT_EUID, AT_GID, AT_EGID), ids, strict=True)),
        AT_SECURE: int(secure),
        AT_HWCAP: hwcap,
        AT_CLKTCK: CLOCK_TICKS,
    }
