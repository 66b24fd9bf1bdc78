"""Kernel stacks: each in pages of its own, above a page that is not there.

An overflow hits the guard page and is a double fault on a stack of its own, not somebody else's
data (MEL-22, MEL-27).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pykern.kernel.core.errno import SysError
from pykern.kernel.core.units import PAGE_SIZE
from pykern.kernel.mm.kernel_space import KernelLayout
from pykern.kernel.x86 import paging

if TYPE_CHECKING:
    from pykern.kernel.mm.frames import FrameAllocator

DEFAULT_SIZE = 8192


@dataclass(frozen=True)
class KernelStack:
    """One stack.

    Attributes
    ----------
    bottom : lowest linear address
    size : bytes
    paddr : physical address of `bottom`; its pages are contiguous
    """

    bottom: int
    size: int
    paddr: int

    @property
    def top(self) -> int:
        """Linear address just behind the stack."""
        return self.bottom + self.size

    def physical(self, laddr: int) -> int:
        """Return the physical address of a place in the stack."""
        return self.paddr + laddr - self.bottom


class KernelStacks:
    """Allocates stacks; what is freed is used again first.

    Parameters
    ----------
    table : the kernel's page table; its upper half is every address space's
    size : bytes of each stack, a multiple of the page size
    base : linear address of the guard page below the first one
    """

    def __init__(
        self,
        table: paging.PageTable,
        frames: FrameAllocator,
        size: int = DEFAULT_SIZE,
        *,
        base: int = KernelLayout.stacks,
    ) -> None:
        self._table = table
        self._frames = frames
        self.size = size
        self._base = self._next = base
        self._free: list[int] = []

    def alloc(self) -> KernelStack:
        """Map a stack of zeros.

        Raises
        ------
        SysError(ENOMEM) : no frames; nothing has changed
        """
        paddr = self._frames.alloc(self.size // PAGE_SIZE)
        bottom = self._free.pop() if self._free else self._new_range()
        try:
            self._table.map(bottom, paddr, self.size, paging.RW | paging.NX | paging.G)
        except SysError:
            self._free.append(bottom)
            self._frames.free(paddr, self.size // PAGE_SIZE)
            raise
        return KernelStack(bottom, self.size, paddr)

    def _new_range(self) -> int:
        bottom = self._next + PAGE_SIZE
        self._next = bottom + self.size
        return bottom

    def free(self, stack: KernelStack) -> None:
        """Unmap a stack that no thread uses any more."""
        self._table.unmap(stack.bottom, stack.size)
        self._frames.free(stack.paddr, stack.size // PAGE_SIZE)
        self._free.append(stack.bottom)

    def guards(self, laddr: int) -> bool:
        """Tell whether an address lies in the page below a stack."""
        if not self._base <= laddr < self._next:
            return False
        return (laddr - self._base) % (self.size + PAGE_SIZE) < PAGE_SIZE
