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
    from collections.abc import Iterable, Iterator

    from pykern.kernel.core.memory import PhysicalMemory
    from pykern.kernel.mm.frames import FrameAllocator

DEFAULT_SIZE = 8192


@dataclass(frozen=True)
class KernelStack:
    """One stack.

    Attributes
    ----------
    bottom : lowest linear address
    size : bytes
    pages : physical addresses of its pages, the lowest first; neighbours where memory allows it
    """

    bottom: int
    size: int
    pages: tuple[int, ...]

    @property
    def top(self) -> int:
        """Linear address just behind the stack."""
        return self.bottom + self.size

    def physical(self, laddr: int) -> int:
        """Return the physical address of a place in the stack."""
        page, offset = divmod(laddr - self.bottom, PAGE_SIZE)
        return self.pages[page] + offset

    def is_contiguous(self, laddr: int, size: int) -> bool:
        """Tell whether a range of it lies in one piece of physical memory."""
        last = laddr + size - 1
        return self.physical(last) - self.physical(laddr) == last - laddr


class StackMemory:
    """A stack by its linear addresses, for what crosses pages that are no neighbours.

    Parameters
    ----------
    memory : guest RAM
    """

    def __init__(self, memory: PhysicalMemory, stack: KernelStack) -> None:
        self._memory, self._stack = memory, stack

    def read(self, laddr: int, size: int) -> bytes:
        """Return bytes."""
        return b"".join(
            self._memory.read(self._stack.physical(at), count) for at, count in _parts(laddr, size)
        )

    def write(self, laddr: int, data: bytes | bytearray | memoryview) -> None:
        """Store bytes."""
        for at, count in _parts(laddr, len(data)):
            part = bytes(data[at - laddr : at - laddr + count])
            self._memory.write(self._stack.physical(at), part)


def _parts(laddr: int, size: int) -> Iterator[tuple[int, int]]:
    """Return (address, bytes) of each page's part of a range."""
    while size:
        count = min(size, PAGE_SIZE - laddr % PAGE_SIZE)
        yield laddr, count
        laddr, size = laddr + count, size - count


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

    def __len__(self) -> int:
        """Return how many stacks are in use."""
        return (self._next - self._base) // (self.size + PAGE_SIZE) - len(self._free)

    def alloc(self) -> KernelStack:
        """Map a stack of zeros.

        Raises
        ------
        SysError(ENOMEM) : no frames; nothing has changed
        """
        pages = self._frames_for_one()
        bottom = self._free.pop() if self._free else self._new_range()
        done = 0
        try:
            for paddr in pages:
                where = bottom + done * PAGE_SIZE
                self._table.map(where, paddr, PAGE_SIZE, paging.RW | paging.NX | paging.G)
                done += 1
        except SysError:
            if done:
                self._table.unmap(bottom, done * PAGE_SIZE)
            self._free.append(bottom)
            self._give_back(pages)
            raise
        return KernelStack(bottom, self.size, tuple(pages))

    def _frames_for_one(self) -> list[int]:
        """Return frames side by side, or if there are none, any: memory is full of holes."""
        count = self.size // PAGE_SIZE
        try:
            first = self._frames.alloc(count)
        except SysError:
            pages: list[int] = []
            try:
                pages.extend(self._frames.alloc() for _ in range(count))
            except SysError:
                self._give_back(pages)
                raise
            return pages
        return [first + n * PAGE_SIZE for n in range(count)]

    def _give_back(self, pages: Iterable[int]) -> None:
        for paddr in pages:
            self._frames.free(paddr)

    def _new_range(self) -> int:
        bottom = self._next + PAGE_SIZE
        self._next = bottom + self.size
        return bottom

    def free(self, stack: KernelStack) -> None:
        """Unmap a stack that no thread uses any more."""
        self._table.unmap(stack.bottom, stack.size)
        self._give_back(stack.pages)
        self._free.append(stack.bottom)

    def guards(self, laddr: int) -> bool:
        """Tell whether an address lies in the page below a stack."""
        if not self._base <= laddr < self._next:
            return False
        return (laddr - self._base) % (self.size + PAGE_SIZE) < PAGE_SIZE
