"""Kernel stacks: each by itself, with an unmapped guard page below."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

from pykern.kernel.core.bug import KernelBug
from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.core.units import KIB, PAGE_SIZE, page_up

if TYPE_CHECKING:
    from pykern.kernel.mm.kernel_space import KernelSpace


class KernelStacks:
    """Slots of one size in the stack window of the kernel half: guard page, then stack.

    Parameters
    ----------
    space : the kernel half
    size : bytes of a stack, rounded up to pages
    """

    def __init__(self, space: KernelSpace, size: int = 8 * KIB) -> None:
        self._space = space
        self.size = page_up(size)
        self._stride = self.size + PAGE_SIZE
        self._base = space.layout.stacks
        self._slots = space.layout.stacks_size // self._stride
        self._fresh = 0
        self._free: list[int] = []
        self._used: set[int] = set()

    def __len__(self) -> int:
        return len(self._used)

    def alloc(self) -> int:
        """Return the top of a new, cleared stack, 16-byte aligned.

        Raises
        ------
        SysError(ENOMEM) : no frame, or no slot
        """
        slot = heapq.heappop(self._free) if self._free else self._fresh
        if slot >= self._slots:
            raise SysError(Errno.ENOMEM)
        top = self._base + (slot + 1) * self._stride
        try:
            self._space.map_new(top - self.size, self.size)
        except SysError:
            if slot != self._fresh:
                heapq.heappush(self._free, slot)
            raise
        self._fresh = max(self._fresh, slot + 1)
        self._used.add(slot)
        return top

    def free(self, top: int) -> None:
        """Unmap a stack."""
        slot, rest = divmod(top - self._base, self._stride)
        if rest or slot - 1 not in self._used:
            raise KernelBug(f"{top:#x} is not the top of a kernel stack in use")
        self._used.remove(slot - 1)
        self._space.unmap(top - self.size, self.size)
        heapq.heappush(self._free, slot - 1)

    def overflowed(self, laddr: int) -> int | None:
        """Return the top of the stack whose guard page holds an address, or None."""
        slot, offset = divmod(laddr - self._base, self._stride)
        if slot not in self._used or offset >= PAGE_SIZE:
            return None
        return self._base + (slot + 1) * self._stride
