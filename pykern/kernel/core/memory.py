"""Physical memory as the kernel sees it: reads through views, writes through `write`.

A view is the fastest way to read and must not be written through: only `write` lets the machine
notice that decoded code, a page that counts as dirty, or a walked page table has changed.
"""

from __future__ import annotations

from typing import Protocol


class AddressedBytes(Protocol):
    """Bytes by address: guest RAM, or a part of it that is addressed otherwise."""

    def read(self, address: int, size: int, /) -> bytes:
        """Return `size` bytes."""
        ...

    def write(self, address: int, data: bytes | bytearray | memoryview, /) -> None:
        """Store bytes; decoded code, dirty marks and stale-TLB reports follow."""
        ...


class PhysicalMemory(AddressedBytes, Protocol):
    """Guest RAM; `pykern_c.Machine` is one."""

    def view(self, paddr: int, size: int, /) -> memoryview:
        """Return a window on the bytes, for reading; it lives no longer than the memory."""
        ...


def read_u64(memory: PhysicalMemory, paddr: int) -> int:
    """Return the little-endian 64-bit number at `paddr`."""
    return int.from_bytes(memory.read(paddr, 8), "little")


def write_u64(memory: PhysicalMemory, paddr: int, value: int) -> None:
    """Store a little-endian 64-bit number at `paddr`."""
    memory.write(paddr, value.to_bytes(8, "little"))
