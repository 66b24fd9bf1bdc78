"""What the loader told the kernel, read from the answers to its Limine requests.

References
----------
The Limine Boot Protocol: Feature List.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pykern.config import BUILT_IN_MARK, BUILT_IN_SIZE
from pykern.machine.boot import limine_structs as ls

if TYPE_CHECKING:
    from construct import Container, Struct

    from pykern_c import Vcpu

_REQUEST_SIZE = 56
_RESPONSE_OFFSET = 40
# The order of the requests in image/limine.c.
_MEMMAP, _HHDM, _RSDP, _FRAMEBUFFER, _MODULE, _ADDRESS, _CMDLINE, _DATE = range(8)

USABLE, _ACPI_RECLAIMABLE, _ACPI_NVS = 0, 2, 3
BOOTLOADER_RECLAIMABLE, _EXECUTABLE_AND_MODULES = 5, 6
_RAM = {
    USABLE,
    _ACPI_RECLAIMABLE,
    _ACPI_NVS,
    BOOTLOADER_RECLAIMABLE,
    _EXECUTABLE_AND_MODULES,
}
_MOST_ENTRIES = 4096
_LONGEST_TEXT = 4096


class BootParametersError(Exception):
    """The loader did not answer something that the kernel cannot do without."""


@dataclass(frozen=True)
class MemoryRange:
    """One entry of the memory map; `type` is Limine's."""

    base: int
    length: int
    type: int


@dataclass(frozen=True)
class Framebuffer:
    """A linear framebuffer; `paddr` is physical, `pitch` in bytes per row."""

    paddr: int
    width: int
    height: int
    pitch: int
    bpp: int


@dataclass(frozen=True)
class Module:
    """A file that was loaded beside the kernel."""

    path: str
    command_line: str
    data: bytes


@dataclass(frozen=True)
class BootParameters:
    """Everything the loader said.

    Attributes
    ----------
    rsdp : physical address; 0: there is none
    kernel : physical and linear address of the image's first byte
    date : seconds since 1970 when the machine was started; None: unknown
    """

    memory_map: tuple[MemoryRange, ...]
    hhdm: int
    kernel: tuple[int, int]
    rsdp: int = 0
    command_line: str = ""
    framebuffer: Framebuffer | None = None
    modules: tuple[Module, ...] = ()
    date: int | None = None
    options: dict[str, str] = field(default_factory=dict)
    """`name=value` words of the command line; a word without `=` has the value "1"."""
    init_arguments: tuple[str, ...] = ()
    """Words behind `--`, which are for the first program."""

    @property
    def ram(self) -> int:
        """Bytes of RAM, whoever uses it; what lies behind ROM and video memory is not among it."""
        return sum(entry.length for entry in self.memory_map if entry.type in _RAM)


def read(vcpu: Vcpu, requests: int, built_in: int = 0) -> BootParameters:
    """Read the loader's answers, through the page tables it has left.

    Parameters
    ----------
    requests : linear address of `limine_requests`
    built_in : linear address of `built_in_command_line`; 0: there is none

    Raises
    ------
    BootParametersError : the loader left out the memory map, the HHDM or the kernel's address
    """
    return _Reader(vcpu, requests, built_in).read()


class _Reader:
    def __init__(self, vcpu: Vcpu, requests: int, built_in: int) -> None:
        self._vcpu = vcpu
        self._requests = requests
        self._built_in = built_in

    def read(self) -> BootParameters:
        hhdm = self._needed(_HHDM, "HHDM", ls.hhdm_response)
        address = self._needed(_ADDRESS, "executable address", ls.executable_address_response)
        rsdp = self._answer(_RSDP, ls.rsdp_response)
        date = self._answer(_DATE, ls.date_at_boot_response)
        line = self._command_line()
        return BootParameters(
            memory_map=self._memory_map(),
            hhdm=hhdm.offset,
            kernel=(address.physical_base, address.virtual_base),
            rsdp=self._physical(rsdp.address, hhdm.offset) if rsdp else 0,
            command_line=line,
            framebuffer=self._framebuffer(hhdm.offset),
            modules=tuple(self._modules()),
            date=date.timestamp if date else None,
            options=parse_options(line.partition(" -- ")[0]),
            init_arguments=tuple(line.partition(" -- ")[2].split()),
        )

    def _physical(self, address: int, hhdm: int) -> int:
        return address - hhdm if address >= hhdm else address

    def _answer(self, index: int, layout: Struct) -> Container | None:
        where = self._requests + index * _REQUEST_SIZE + _RESPONSE_OFFSET
        laddr = self._u64(where)
        return self._parse(laddr, layout) if laddr else None

    def _needed(self, index: int, name: str, layout: Struct) -> Container:
        answer = self._answer(index, layout)
        if answer is None:
            raise BootParametersError(f"the loader did not answer the Limine {name} request")
        return answer

    def _parse(self, laddr: int, layout: Struct) -> Container:
        return layout.parse(self._vcpu.read_linear(laddr, layout.sizeof()))

    def _u64(self, laddr: int) -> int:
        return int.from_bytes(self._vcpu.read_linear(laddr, 8), "little")

    def _pointers(self, laddr: int, count: int) -> list[int]:
        if count > _MOST_ENTRIES:
            raise BootParametersError(f"the loader counts {count} entries at {laddr:#x}")
        return [self._u64(laddr + 8 * i) for i in range(count)]

    def _text(self, laddr: int) -> str:
        if not laddr:
            return ""
        text = b""
        while b"\0" not in text and len(text) < _LONGEST_TEXT:
            text += self._vcpu.read_linear(laddr + len(text), 32 - (laddr + len(text)) % 32)
        return text.split(b"\0", 1)[0].decode("utf-8", "replace")

    def _memory_map(self) -> tuple[MemoryRange, ...]:
        answer = self._needed(_MEMMAP, "memory map", ls.memmap_response)
        entries = (
            self._parse(laddr, ls.memmap_entry)
            for laddr in self._pointers(answer.entries, answer.entry_count)
        )
        return tuple(MemoryRange(e.base, e.length, e.type) for e in entries)

    def _command_line(self) -> str:
        answer = self._answer(_CMDLINE, ls.executable_cmdline_response)
        given = self._text(answer.cmdline) if answer else ""
        return f"{self._built_in_line()} {given}".strip()

    def _built_in_line(self) -> str:
        if not self._built_in:
            return ""
        raw = self._vcpu.read_linear(self._built_in, BUILT_IN_SIZE)
        return raw.removeprefix(BUILT_IN_MARK).split(b"\0", 1)[0].decode("utf-8", "replace")

    def _framebuffer(self, hhdm: int) -> Framebuffer | None:
        answer = self._answer(_FRAMEBUFFER, ls.framebuffer_response)
        if answer is None or not answer.framebuffer_count:
            return None
        fb = self._parse(self._u64(answer.framebuffers), ls.framebuffer)
        where = self._physical(fb.address, hhdm)
        return Framebuffer(where, fb.width, fb.height, fb.pitch, fb.bpp)

    def _modules(self) -> list[Module]:
        answer = self._answer(_MODULE, ls.module_response)
        if answer is None:
            return []
        files = (
            self._parse(laddr, ls.file)
            for laddr in self._pointers(answer.modules, answer.module_count)
        )
        return [
            Module(
                self._text(f.path),
                self._text(f.string),
                self._vcpu.read_linear(f.address, f.size) if f.size else b"",
            )
            for f in files
        ]


def parse_options(command_line: str) -> dict[str, str]:
    """Return the words of a command line as options; a later one replaces an earlier one."""
    words = (word.partition("=") for word in command_line.split())
    return {name: value if equals else "1" for name, equals, value in words}
