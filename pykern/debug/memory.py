"""A processor's linear memory for a debugger: what can be read of a range, and why not the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gdbstub import TargetError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pykern_c import Machine, Vcpu

_PAGE = 4096


def pages(address: int, size: int) -> Iterator[tuple[int, int]]:
    """Split a range at page boundaries: (address, size) of each piece."""
    end = address + size
    while address < end:
        length = min(end - address, _PAGE - address % _PAGE)
        yield address, length
        address += length


def read_linear(vcpu: Vcpu, laddr: int, size: int) -> bytes:
    """Return what can be read from the first byte on.

    Raises
    ------
    TargetError : not even that; with the page walk
    """
    parts = []
    for start, length in pages(laddr, size):
        try:
            parts.append(vcpu.read_linear(start, length))
        except ValueError:
            break
    if not parts:
        raise TargetError(why_not(vcpu, laddr))
    return b"".join(parts)


def write_linear(vcpu: Vcpu, laddr: int, data: bytes) -> None:
    """Write all of it.

    Raises
    ------
    TargetError : some page is not mapped to memory; nothing has been written
    """
    for start, _ in pages(laddr, len(data)):
        try:
            vcpu.read_linear(start, 1)
        except ValueError:
            raise TargetError(why_not(vcpu, start)) from None
    vcpu.write_linear(laddr, data)


def read_physical(machine: Machine, paddr: int, size: int) -> bytes:
    """Return what can be read from a physical address on; devices are not touched.

    Raises
    ------
    TargetError : there is no memory
    """
    parts = []
    for start, length in pages(paddr, size):
        try:
            parts.append(machine.read(start, length))
        except ValueError:
            break
    if not parts:
        raise TargetError(f"physical {paddr:#x} is not memory")
    return b"".join(parts)


def write_physical(machine: Machine, paddr: int, data: bytes) -> None:
    """Write all of it.

    Raises
    ------
    TargetError : some of it is not memory; nothing has been written
    """
    if len(read_physical(machine, paddr, len(data))) != len(data):
        raise TargetError(f"physical {paddr:#x} to {paddr + len(data):#x} is not all memory")
    machine.write(paddr, data)


def why_not(vcpu: Vcpu, laddr: int) -> str:
    """Return in one line why a linear address cannot be read."""
    walk = vcpu.translate(laddr)
    if walk.paddr is not None:
        return f"linear {laddr:#x} is physical {walk.paddr:#x}, which is not memory"
    *_, last = walk.entries or [("CR3", vcpu.read_register("cr3"), 0)]
    return f"linear {laddr:#x} is not mapped: {last[0]} at {last[1]:#x} is {last[2]:#x}"
