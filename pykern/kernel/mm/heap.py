"""The kernel heap: a buddy allocator whose free lists lie in guest memory.

Blocks have 64 bytes (order 6) to 1 MiB (order 20); each is aligned to its size, so that the other
half of the block it was cut from, its buddy, is one exclusive-or away. A free block holds its place
in the list of its order::

    +0  laddr of the next free block, or 0
    +8  laddr of the one before, or 0

What the allocator has to trust, the order of each block and whether it is free, lies outside of
what a stray guest write can reach. Links are checked against it when they are followed.

References
----------
D. E. Knuth, The Art of Computer Programming, Vol. 1, section 2.5, "The buddy system".
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

from pykern.kernel.core.bug import KernelBug
from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.core.units import MIB

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MIN_ORDER, MAX_ORDER = 6, 20
MIN_BLOCK, MAX_BLOCK = 1 << MIN_ORDER, 1 << MAX_ORDER

_ALLOCATED = 0x80
_LINKS = struct.Struct("<QQ")
_ZEROS = bytes(MAX_BLOCK)


class LinearMemory(Protocol):
    """Memory by linear address; `mm.kernel_space.KernelSpace` is one."""

    def read(self, laddr: int, size: int, /) -> bytes:
        """Return bytes."""
        ...

    def write(self, laddr: int, data: bytes, /) -> None:
        """Store bytes."""
        ...


Grow: TypeAlias = "Callable[[int, int], object]"


@dataclass(frozen=True)
class HeapStatistics:
    """Bytes: of the heap, in blocks handed out, free, and of the largest free block; calls."""

    total: int
    used: int
    free: int
    largest_free: int
    allocations: int
    frees: int


class HeapAllocator(Protocol):
    """What a kernel heap does; a profile chooses one."""

    def kmalloc(self, size: int, /) -> int:
        """Return the address of `size` cleared bytes; SysError(ENOMEM) if there are none."""
        ...

    def kfree(self, laddr: int, size: int, /) -> None:
        """Give back what `kmalloc(size)` returned; KernelBug if that is not so."""
        ...

    def statistics(self) -> HeapStatistics:
        """Return the figures."""
        ...

    def check(self) -> None:
        """Raise KernelBug unless every invariant holds."""
        ...


class BuddyHeap:
    """Blocks of powers of two; allocation and release take O(log n) steps.

    Parameters
    ----------
    base : linear address of the heap, a multiple of 1 MiB
    size : bytes, a multiple of 1 MiB
    memory : the heap's memory, mapped throughout
    limit : bytes to which the heap may grow
    grow : maps (laddr, size) behind the heap; raises SysError(ENOMEM)
    """

    def __init__(
        self,
        base: int,
        size: int,
        memory: LinearMemory,
        *,
        limit: int = 0,
        grow: Grow | None = None,
    ) -> None:
        if (base | size) & (MIB - 1) or size <= 0:
            raise KernelBug(f"heap at {base:#x}, {size:#x} bytes: expected multiples of 1 MiB")
        self.base, self.size = base, size
        self._memory, self._limit, self._grow = memory, limit, grow
        # One byte per 64 bytes: 0, or the order of the block that begins there, and _ALLOCATED.
        self._states = bytearray(size >> MIN_ORDER)
        self._heads = [0] * (MAX_ORDER + 1)
        self._orders = 0  # bit n: the list of order n is not empty
        self._used = self._allocations = self._frees = 0
        for laddr in reversed(range(base, base + size, MAX_BLOCK)):
            self._push(laddr, MAX_ORDER)

    # -- the face

    def kmalloc(self, size: int, *, zero: bool = True) -> int:
        """Take a block of at least `size` bytes, cleared.

        Raises
        ------
        SysError(ENOMEM) : more than 1 MiB, or no block is left that is large enough
        KernelBug : less than one byte
        """
        if size < 1:
            raise KernelBug(f"kmalloc({size}): expected at least 1 byte")
        order = order_of(size)
        if order > MAX_ORDER:
            raise SysError(Errno.ENOMEM)
        candidates = self._orders >> order << order
        if not candidates:
            self._expand()
            candidates = 1 << MAX_ORDER
        found = (candidates & -candidates).bit_length() - 1
        laddr = self._heads[found]
        self._unlink(laddr, found)
        while found > order:
            found -= 1
            self._push(laddr + (1 << found), found)
        self._states[laddr - self.base >> MIN_ORDER] = order | _ALLOCATED
        self._used += 1 << order
        self._allocations += 1
        if zero:
            self._memory.write(laddr, _ZEROS[: 1 << order])
        return laddr

    def kfree(self, laddr: int, size: int) -> None:
        """Give a block back and merge it with its buddies as far as they are free.

        Raises
        ------
        KernelBug : no block begins there, it is free already, or it was taken for another size
        """
        state = self._state(laddr)
        if not state & _ALLOCATED:
            what = "is free already (double free)" if state else "is not the start of a block"
            raise KernelBug(f"kfree({laddr:#x}, {size}): it {what}")
        order = state & ~_ALLOCATED
        if size < 1 or order_of(size) != order:
            raise KernelBug(f"kfree({laddr:#x}, {size}): the block there has {1 << order} bytes")
        self._used -= 1 << order
        self._frees += 1
        offset = laddr - self.base
        while order < MAX_ORDER:
            buddy = offset ^ 1 << order
            if self._states[buddy >> MIN_ORDER] != order:
                break
            self._unlink(self.base + buddy, order)
            self._states[(buddy | offset) >> MIN_ORDER] = 0
            offset &= ~(1 << order)
            order += 1
        self._push(self.base + offset, order)

    def statistics(self) -> HeapStatistics:
        """Return the figures of the heap."""
        return HeapStatistics(
            total=self.size,
            used=self._used,
            free=self.size - self._used,
            largest_free=1 << self._orders.bit_length() - 1 if self._orders else 0,
            allocations=self._allocations,
            frees=self._frees,
        )

    def free_blocks(self, order: int) -> list[int]:
        """Return the list of an order, as guest memory has it."""
        found: list[int] = []
        before, laddr = 0, self._heads[order]
        while laddr:
            following, previous = self._links(laddr, order)
            if previous != before:
                self._corrupt(laddr, order, f"the block before it is {previous:#x}", before)
            found.append(laddr)
            before, laddr = laddr, following
        return found

    def check(self) -> None:
        """Check that blocks tile the heap, lists hold the free ones, and buddies are merged."""
        listed = {
            laddr: order
            for order in range(MIN_ORDER, MAX_ORDER + 1)
            for laddr in self.free_blocks(order)
        }
        free = {}
        used = 0
        for laddr, order, allocated in self.blocks():
            if allocated:
                used += 1 << order
                continue
            free[laddr] = order
            buddy = self.base + (laddr - self.base ^ 1 << order)
            if order < MAX_ORDER and free.get(buddy) == order:
                raise KernelBug(f"heap: {laddr:#x} and {buddy:#x} are both free and not merged")
        if free != listed:
            raise KernelBug(f"heap: free lists hold {listed}, expected {free}")
        if used != self._used:
            raise KernelBug(f"heap: {used} bytes are in use, counted {self._used}")

    def blocks(self) -> Iterator[tuple[int, int, bool]]:
        """Iterate over all blocks: (laddr, order, allocated)."""
        offset = 0
        while offset < self.size:
            state = self._states[offset >> MIN_ORDER]
            order = state & ~_ALLOCATED
            if not state or offset & ((1 << order) - 1):
                raise KernelBug(f"heap: no block begins at {self.base + offset:#x}")
            yield self.base + offset, order, bool(state & _ALLOCATED)
            offset += 1 << order

    def _expand(self) -> None:
        """Add a block of the largest order at the end."""
        if self._grow is None or self.size + MAX_BLOCK > self._limit:
            raise SysError(Errno.ENOMEM)
        laddr = self.base + self.size
        self._grow(laddr, MAX_BLOCK)
        self.size += MAX_BLOCK
        self._states.extend(bytes(MAX_BLOCK >> MIN_ORDER))
        self._push(laddr, MAX_ORDER)

    # -- lists

    def _push(self, laddr: int, order: int) -> None:
        head = self._heads[order]
        self._memory.write(laddr, _LINKS.pack(head, 0))
        if head:
            self._memory.write(head + 8, laddr.to_bytes(8, "little"))
        self._heads[order] = laddr
        self._orders |= 1 << order
        self._states[laddr - self.base >> MIN_ORDER] = order

    def _unlink(self, laddr: int, order: int) -> None:
        following, before = self._links(laddr, order)
        if following:
            self._memory.write(following + 8, before.to_bytes(8, "little"))
        if before:
            self._memory.write(before, following.to_bytes(8, "little"))
            return
        self._heads[order] = following
        if not following:
            self._orders &= ~(1 << order)

    def _links(self, laddr: int, order: int) -> tuple[int, int]:
        """Return the neighbours of a free block, after a look whether they can be that."""
        following, before = _LINKS.unpack(self._memory.read(laddr, _LINKS.size))
        for link in (following, before):
            if link and (not self._holds(link) or self._state(link) != order):
                self._corrupt(laddr, order, f"it refers to {link:#x}", None)
        if (before == 0) != (self._heads[order] == laddr):
            self._corrupt(laddr, order, f"the block before it is {before:#x}", None)
        return following, before

    def _corrupt(self, laddr: int, order: int, found: str, expected: int | None) -> None:
        wanted = "a free block of that size" if expected is None else f"{expected:#x}"
        raise KernelBug(
            f"heap corrupted: free block {laddr:#x} of {1 << order} bytes: {found}, "
            f"expected {wanted}; something wrote to memory it had freed"
        )

    def _holds(self, laddr: int) -> bool:
        return self.base <= laddr < self.base + self.size and not laddr & (MIN_BLOCK - 1)

    def _state(self, laddr: int) -> int:
        if not self._holds(laddr):
            raise KernelBug(
                f"{laddr:#x} is no block of the heap {self.base:#x}-{self.base + self.size - 1:#x}"
            )
        return self._states[laddr - self.base >> MIN_ORDER]


def order_of(size: int) -> int:
    """Return the binary logarithm of the block that `size` bytes take."""
    return max(MIN_ORDER, (size - 1).bit_length())
