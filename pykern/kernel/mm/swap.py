"""Where pages go that have lost their frame: a device of page-sized slots, and who uses which."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from pykern.kernel.core.bug import KernelBug
from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.core.units import PAGE_SIZE

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MemoryDisk", "SwapDevice", "SwapSpace"]

TRANSFER_NS = 20_000
"""What is charged for moving a page to or from the disk, ns of virtual time: as a fast SSD takes.

A fault is served within its processor's turn: with several processors, which take turns of at most
4.5 us, no more than the rest of the turn passes. Nobody sleeps for a page.
"""


class SwapDevice(Protocol):
    """Storage in slots of a page each."""

    slots: int

    def read(self, slot: int, /) -> bytes:
        """Return what was written to a slot."""

    def peek(self, slot: int, /) -> bytes:
        """Return the same without a transfer: nothing takes note of it."""

    def write(self, slot: int, data: bytes, /) -> None:
        """Store a page."""

    def discard(self, slot: int, /) -> None:
        """Take note that nobody wants to read a slot any more."""


class MemoryDisk:
    """A disk in the host's memory, which takes no RAM of the machine.

    Parameters
    ----------
    size : bytes
    charge : called with the virtual time that a transfer takes, ns
    """

    def __init__(self, size: int, charge: Callable[[int], object] = lambda _ns: None) -> None:
        self.slots = size // PAGE_SIZE
        self._charge = charge
        self._pages: dict[int, bytes] = {}

    def read(self, slot: int) -> bytes:
        """Return a page."""
        self._charge(TRANSFER_NS)
        return self._pages[slot]

    def peek(self, slot: int) -> bytes:
        """Return a page, in no time."""
        return self._pages[slot]

    def write(self, slot: int, data: bytes) -> None:
        """Store a page."""
        self._charge(TRANSFER_NS)
        self._pages[slot] = bytes(data)

    def discard(self, slot: int) -> None:
        """Forget a page."""
        self._pages.pop(slot, None)


class SwapSpace:
    """The slots of a device: free, or with as many references as page tables that name them.

    Parameters
    ----------
    device : where pages are stored
    """

    def __init__(self, device: SwapDevice) -> None:
        self._device = device
        self._references: dict[int, int] = {}
        self._free: list[int] = []
        self._next = 0

    @property
    def total_bytes(self) -> int:
        """Bytes of all slots."""
        return self._device.slots * PAGE_SIZE

    @property
    def used_bytes(self) -> int:
        """Bytes of slots in use."""
        return len(self._references) * PAGE_SIZE

    @property
    def free_bytes(self) -> int:
        """Bytes of free slots."""
        return self.total_bytes - self.used_bytes

    def store(self, data: bytes, references: int = 1) -> int:
        """Write a page to a free slot; return its number.

        Raises
        ------
        SysError(ENOMEM) : no slot is free
        """
        if self._free:
            slot = self._free.pop()
        elif self._next < self._device.slots:
            slot, self._next = self._next, self._next + 1
        else:
            raise SysError(Errno.ENOMEM)
        self._device.write(slot, data)
        self._references[slot] = references
        return slot

    def load(self, slot: int) -> bytes:
        """Return the page in a slot in use."""
        self._check(slot)
        return self._device.read(slot)

    def peek(self, slot: int) -> bytes:
        """Return the same for who only looks, such as a debugger: it takes no time."""
        self._check(slot)
        return self._device.peek(slot)

    def get(self, slot: int) -> None:
        """Add a reference to a slot in use."""
        self._check(slot)
        self._references[slot] += 1

    def put(self, slot: int) -> None:
        """Drop a reference; the slot is free when that was the last one."""
        self._check(slot)
        self._references[slot] -= 1
        if not self._references[slot]:
            del self._references[slot]
            self._free.append(slot)
            self._device.discard(slot)

    def take_back(self, slot: int, data: bytes) -> None:
        """Undo the last `put`. Precondition: nothing was stored since."""
        if slot in self._references:
            self.get(slot)
        elif self.store(data) != slot:
            raise KernelBug(f"swap slot {slot} has been taken meanwhile")

    def references(self, slot: int) -> int:
        """Return how many page tables name a slot; 0: it is free."""
        return self._references.get(slot, 0)

    def _check(self, slot: int) -> None:
        if slot not in self._references:
            raise KernelBug(f"swap slot {slot} of {self._device.slots} is free")
