"""A kernel heap as one list of blocks, searched from the front.

Each block begins with a header in guest memory, one cache line long, and its bytes follow::

    +0   magic: "pykfree." or "pykused."
    +8   size of the bytes behind the header
    +16  laddr of the next header, or 0
    +24  laddr of the header before, or 0

Allocation takes O(n) steps, release O(1). A heap that is full grows, up to its limit.

References
----------
D. E. Knuth, The Art of Computer Programming, Vol. 1, section 2.5, "First-fit method".
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pykern.kernel.core.bug import KernelBug
from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.core.units import MIB
from pykern.kernel.mm.heap import HeapStatistics

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pykern.kernel.mm.heap import Grow, LinearMemory

HEADER_SIZE = 64
ALIGNMENT = 64

_HEADER = struct.Struct("<8sQQQ")
_FREE, _USED = b"pykfree.", b"pykused."


@dataclass(frozen=True)
class _Block:
    """A header as it was read; `at` is its address."""

    at: int
    free: bool
    size: int
    next: int
    before: int

    @property
    def end(self) -> int:
        return self.at + HEADER_SIZE + self.size


class FirstFitHeap:
    """Blocks in order of address; neighbours that are free become one.

    Parameters
    ----------
    base : linear address of the heap, a multiple of 64
    size : bytes that are mapped from the start, a multiple of 64
    memory : the heap's memory
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
        if (base | size) & (ALIGNMENT - 1) or size <= HEADER_SIZE:
            raise KernelBug(f"heap at {base:#x}, {size:#x} bytes: expected multiples of 64")
        self.base, self.size = base, size
        self._memory, self._limit, self._grow = memory, limit, grow
        self._used = self._allocations = self._frees = self.expansions = 0
        self._last = base
        self._write(_Block(base, True, size - HEADER_SIZE, 0, 0))

    # -- the face

    def kmalloc(self, size: int, *, zero: bool = True) -> int:
        """Take at least `size` bytes, cleared.

        Raises
        ------
        SysError(ENOMEM) : no block is large enough, and the heap cannot grow
        KernelBug : less than one byte
        """
        if size < 1:
            raise KernelBug(f"kmalloc({size}): expected at least 1 byte")
        wanted = -(-size // ALIGNMENT) * ALIGNMENT
        block = next((b for b in self.blocks() if b.free and b.size >= wanted), None)
        block = self._cut(block or self._expand(wanted), wanted)
        self._write(_Block(block.at, False, block.size, block.next, block.before))
        self._used += block.size + HEADER_SIZE
        self._allocations += 1
        laddr = block.at + HEADER_SIZE
        if zero:
            self._memory.write(laddr, bytes(block.size))
        return laddr

    def kzalloc(self, size: int) -> int:
        """Take cleared bytes; the same as `kmalloc`, which clears them too."""
        return self.kmalloc(size)

    def krealloc(self, laddr: int, size: int) -> int:
        """Return a block of `size` bytes that begins as the old one did; 0 is a new one.

        Raises
        ------
        SysError(ENOMEM) : the old block stays as it is
        """
        if not laddr:
            return self.kmalloc(size)
        old = self._used_block(laddr, "krealloc")
        if 1 <= size <= old.size:
            return laddr
        new = self.kmalloc(size)
        self._memory.write(new, self._memory.read(laddr, old.size))
        self.kfree(laddr)
        return new

    def kfree(self, laddr: int, size: int | None = None) -> None:
        """Give a block back; `size`, where it is known, is checked.

        Raises
        ------
        KernelBug : no block begins there, it is free already, or it is smaller than `size`
        """
        block = self._used_block(laddr, "kfree")
        # What is too small for a header of its own stays with the block.
        slack = ALIGNMENT + HEADER_SIZE
        if size is not None and not block.size - slack < size <= block.size:
            raise KernelBug(f"kfree({laddr:#x}, {size}): the block there has {block.size} bytes")
        self._used -= block.size + HEADER_SIZE
        self._frees += 1
        self._write(_Block(block.at, True, block.size, block.next, block.before))
        if block.next:
            self._join(block.at, block.next)
        if block.before:
            self._join(block.before, block.at)

    def statistics(self) -> HeapStatistics:
        """Return the figures of the heap; headers of used blocks count as used."""
        return HeapStatistics(
            total=self.size,
            used=self._used,
            free=self.size - self._used,
            largest_free=max((b.size for b in self.blocks() if b.free), default=0),
            allocations=self._allocations,
            frees=self._frees,
        )

    def check(self) -> None:
        """Check that blocks tile the heap, links agree, and free neighbours are one."""
        used, place, before = 0, self.base, None
        for block in self.blocks():
            if block.at != place or block.before != (before.at if before else 0):
                raise KernelBug(f"heap: block {block.at:#x}, expected one at {place:#x}")
            if before and before.free and block.free:
                raise KernelBug(f"heap: {before.at:#x} and {block.at:#x} are both free")
            used += 0 if block.free else block.size + HEADER_SIZE
            place, before = block.end, block
        if place != self.base + self.size:
            raise KernelBug(f"heap: blocks end at {place:#x}, not at {self.base + self.size:#x}")
        if used != self._used:
            raise KernelBug(f"heap: {used} bytes are in use, counted {self._used}")

    def blocks(self) -> Iterator[_Block]:
        """Iterate over all blocks from the front."""
        at = self.base
        while at:
            block = self._read(at)
            yield block
            at = block.next

    # -- inside

    def _cut(self, block: _Block, size: int) -> _Block:
        """Leave what a block has beyond `size` bytes as a free block, if it can be one."""
        rest = block.size - size - HEADER_SIZE
        if rest < ALIGNMENT:
            return block
        behind = _Block(block.at + HEADER_SIZE + size, True, rest, block.next, block.at)
        self._write(behind)
        self._set_before(behind.next, behind.at)
        return _Block(block.at, True, size, behind.at, block.before)

    def _join(self, first: int, second: int) -> None:
        """Make one block of two neighbours if both are free."""
        one, two = self._read(first), self._read(second)
        if not (one.free and two.free):
            return
        self._write(_Block(one.at, True, two.end - one.at - HEADER_SIZE, two.next, one.before))
        self._set_before(two.next, one.at)
        self._memory.write(two.at, bytes(_HEADER.size))

    def _set_before(self, at: int, before: int) -> None:
        """Tell a block, or the heap, what lies before it now."""
        if not at:
            self._last = before
            return
        block = self._read(at)
        self._write(_Block(at, block.free, block.size, block.next, before))

    def _expand(self, wanted: int) -> _Block:
        """Add memory behind the last block, whole MiB; return the free block at the end."""
        last = self._read(self._last)
        missing = wanted - last.size if last.free else wanted + HEADER_SIZE
        more = -(-missing // MIB) * MIB
        if self._grow is None or self.size + more > self._limit:
            raise SysError(Errno.ENOMEM)
        at = self.base + self.size
        self._grow(at, more)
        self.size += more
        self.expansions += 1
        if last.free:
            block = _Block(last.at, True, last.size + more, 0, last.before)
        else:
            block = _Block(at, True, more - HEADER_SIZE, 0, last.at)
            self._write(_Block(last.at, False, last.size, at, last.before))
        self._write(block)
        self._last = block.at
        return block

    def _used_block(self, laddr: int, call: str) -> _Block:
        """Return the block whose bytes begin at `laddr`; it is in use."""
        at = laddr - HEADER_SIZE
        if not self.base <= at < self.base + self.size - HEADER_SIZE or at & (ALIGNMENT - 1):
            end = self.base + self.size - 1
            raise KernelBug(f"{call}({laddr:#x}): no block of the heap {self.base:#x}-{end:#x}")
        magic = self._memory.read(at, len(_USED))
        if magic == _FREE:
            raise KernelBug(f"{call}({laddr:#x}): it is free already (double free)")
        if magic != _USED:
            raise KernelBug(f"{call}({laddr:#x}): it is not the start of a block")
        return self._read(at)

    def _read(self, at: int) -> _Block:
        magic, size, following, before = _HEADER.unpack(self._memory.read(at, _HEADER.size))
        block = _Block(at, magic == _FREE, size, following, before)
        end = self.base + self.size
        if magic not in {_FREE, _USED} or block.end > end or following not in {0, block.end}:
            raise KernelBug(
                f"heap corrupted: header at {at:#x} has magic {magic!r}, size {size:#x}, next "
                f"{following:#x}; something wrote beyond its block"
            )
        return block

    def _write(self, block: _Block) -> None:
        magic = _FREE if block.free else _USED
        header = _HEADER.pack(magic, block.size, block.next, block.before)
        self._memory.write(block.at, header)
