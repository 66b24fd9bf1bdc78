"""Find room in guest memory for what a boot loader places there."""

from __future__ import annotations

from pykern.machine.boot.protocol import BootError, BootMachine
from pykern.machine.firmware.e820 import (
    EXTENDED_MEMORY_BASE,
    FOUR_GIB,
    AddressRangeType,
    memory_map,
    subtract,
)

PAGE = 0x1000
_BIOS = (0xF0000, EXTENDED_MEMORY_BASE)
_ZEROS = bytes(1 << 20)
_LOWEST = 0x1000  # keep clear of interrupt vectors and BIOS data area


class Placement:
    """The usable memory of a machine, and which of it is taken.

    A fixed place is claimed, any other is allocated; neither ever overlaps another.
    """

    def __init__(self, machine: BootMachine) -> None:
        self._machine = machine
        self._usable = [
            (entry.base, entry.end)
            for entry in memory_map(machine.ram_ranges)
            if entry.type is AddressRangeType.MEMORY
        ]
        self._free = list(self._usable)
        # ld -Ttext=0x100000 puts the ELF headers just below 1 MiB; QEMU takes such kernels.
        self._claimed: list[tuple[int, int]] = []
        self._claimable = list(self._usable)
        if any(base == 0 and size >= EXTENDED_MEMORY_BASE for base, size in machine.ram_ranges):
            self._claimable.append(_BIOS)

    def claim(self, paddr: int, size: int, what: str) -> None:
        """Take [paddr, paddr + size), where the image insists on being.

        Raises
        ------
        BootError : the range is not usable RAM, or something has been placed there
        """
        if size == 0:
            return
        end = paddr + size
        where = f"{what} occupies physical {paddr:#x}-{end - 1:#x}"
        if any(first < end and paddr < last for first, last in self._claimed):
            raise BootError(f"{where}, which overlaps something loaded before it")
        if any(first <= paddr and end <= last for first, last in _merged(self._claimable)):
            self._claimed.append((paddr, end))
            self._free = subtract(self._free, (paddr, end))
            return
        usable = ", ".join(f"{first:#x}-{last - 1:#x}" for first, last in self._usable)
        raise BootError(f"{where}, which is not usable RAM; usable is {usable}")

    def allocate_high(
        self, size: int, what: str, *, align: int = PAGE, low: int = _LOWEST, high: int = FOUR_GIB
    ) -> int:
        """Take the highest free `size` bytes within [low, high); return their address."""
        for first, last in reversed(self._free):
            start = (min(last, high) - size) // align * align
            if start >= max(first, low):
                return self._take(start, size)
        raise self._no_room(size, what, low, high)

    def allocate_low(
        self, size: int, what: str, *, align: int = PAGE, low: int = _LOWEST, high: int = FOUR_GIB
    ) -> int:
        """Take the lowest free `size` bytes within [low, high); return their address."""
        for first, last in self._free:
            start = -(-max(first, low) // align) * align
            if start + size <= min(last, high):
                return self._take(start, size)
        raise self._no_room(size, what, low, high)

    def _take(self, start: int, size: int) -> int:
        self._claimed.append((start, start + size))
        self._free = sorted(subtract(self._free, (start, start + size)))
        return start

    def _no_room(self, size: int, what: str, low: int, high: int) -> BootError:
        largest = max((min(last, high) - max(first, low) for first, last in self._free), default=0)
        return BootError(
            f"{what} needs {size} bytes between physical {low:#x} and {high:#x}; the largest "
            f"free range there is {max(largest, 0)} bytes"
        )

    def write(self, paddr: int, data: bytes, size: int | None = None) -> None:
        """Write `data` and clear what remains up to `size` bytes."""
        self._machine.write(paddr, data)
        position, end = paddr + len(data), paddr + (size or 0)
        while position < end:
            chunk = _ZEROS[: end - position]
            self._machine.write(position, chunk)
            position += len(chunk)


def _merged(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join ranges that touch."""
    merged: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if merged and merged[-1][1] == first:
            first = merged.pop()[0]
        merged.append((first, last))
    return merged
