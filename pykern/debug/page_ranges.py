"""What page tables map, as ranges: the tables of all three paging modes read as one list.

References
----------
SDM Vol. 3A, Paging: 32-Bit Paging, PAE Paging, 4-Level Paging.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pykern_c import Machine, Vcpu

_P, _RW, _US, _PS, _NX = 1, 2, 4, 1 << 7, 1 << 63
_CR0_PG, _CR4_PAE, _EFER_LMA = 1 << 31, 1 << 5, 1 << 10
_PHYSICAL = 0x000F_FFFF_FFFF_F000
_UPPER = 0xFFFF << 48


class _Level(NamedTuple):
    """One level of page tables.

    Attributes
    ----------
    shift : bit of the linear address that its index begins at
    form : of a whole table
    large : whether its entries may be pages themselves (PS)
    rights : whether its entries restrict what is below
    """

    shift: int
    form: str = "<512Q"
    large: bool = False
    rights: bool = True


_LONG = (_Level(39), _Level(30, large=True), _Level(21, large=True), _Level(12))
_PAE = (_Level(30, "<4Q", rights=False), _Level(21, large=True), _Level(12))
_LEGACY = (_Level(22, "<1024I", large=True), _Level(12, "<1024I"))


@dataclass(frozen=True)
class Range:
    """Pages in a row, in linear and in physical memory, with the same rights."""

    laddr: int
    size: int
    paddr: int
    rights: str

    @property
    def end(self) -> int:
        """Address behind it."""
        return self.laddr + self.size

    def __str__(self) -> str:
        """Return it in one line."""
        return f"{self.laddr:016x}-{self.end:016x} {self.size:016x} {self.rights} {self.paddr:#x}"

    @property
    def as_info_mem(self) -> str:
        """Return it as QEMU's `info mem` has it, which debuggers read."""
        return f"{self.laddr:016x}-{self.end:016x} {self.size:016x} {self.rights[:3]}"


def ranges(machine: Machine, vcpu: Vcpu) -> list[Range]:
    """Return what is mapped, by address; empty where paging is off."""
    if not vcpu.read_register("cr0") & _CR0_PG:
        return []
    joined: list[Range] = []
    for page in _pages(machine, vcpu):
        last = joined[-1] if joined else None
        if (
            last is not None
            and last.rights == page.rights
            and (last.end, last.paddr + last.size) == (page.laddr, page.paddr)
        ):
            joined[-1] = Range(last.laddr, last.size + page.size, last.paddr, last.rights)
        else:
            joined.append(page)
    return joined


def _pages(machine: Machine, vcpu: Vcpu) -> Iterator[Range]:
    root = vcpu.read_register("cr3")
    levels: tuple[_Level, ...] = _LEGACY
    mask = 0xFFFF_F000
    if vcpu.read_register("efer") & _EFER_LMA:
        levels, mask = _LONG, _PHYSICAL
    elif vcpu.read_register("cr4") & _CR4_PAE:
        levels, mask = _PAE, 0xFFFF_FFE0
    return _table(machine, root & mask, 0, levels, _RW | _US)


def _table(
    machine: Machine, paddr: int, base: int, levels: tuple[_Level, ...], rights: int
) -> Iterator[Range]:
    """Return the pages that a table leads to.

    Parameters
    ----------
    base : linear address that its first entry is for
    rights : what the levels above allow: RW and US; NX where one of them forbids execution
    """
    level, *below = levels
    for index, entry in enumerate(_entries(machine, paddr, level.form)):
        if not entry & _P:
            continue
        laddr = _canonical(base | index << level.shift)
        own = rights & entry & (_RW | _US) | (rights | entry) & _NX if level.rights else rights
        if not below or (level.large and entry & _PS):
            size = 1 << level.shift
            yield Range(laddr, size, entry & _PHYSICAL & -size, _letters(own))
        else:
            yield from _table(machine, entry & _PHYSICAL, laddr, tuple(below), own)


def _canonical(laddr: int) -> int:
    return laddr | _UPPER if laddr >> 47 & 1 else laddr


def _entries(machine: Machine, paddr: int, form: str) -> tuple[int, ...]:
    """Return the entries of a table; none if it lies where there is no memory."""
    try:
        return struct.unpack(form, machine.read(paddr, struct.calcsize(form)))
    except ValueError:
        return ()


def _letters(rights: int) -> str:
    executable = "-" if rights & _NX else "x"
    return ("u" if rights & _US else "-") + "r" + ("w" if rights & _RW else "-") + executable
