"""What memory management does to itself at boot, so that a broken build says so before it runs.

Each test works on the live objects, leaves them as they were, and raises KernelBug with what it
found. They are small: the real tests are elsewhere, with real judges.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.kernel.core.bug import KernelBug
from pykern.kernel.core.units import PAGE_SIZE
from pykern.kernel.x86.pte import NX, RW, P, flag_names

if TYPE_CHECKING:
    from collections.abc import Callable

    from pykern.kernel.core.memory import PhysicalMemory
    from pykern.kernel.mm.frames import FrameAllocator
    from pykern.kernel.mm.heap import HeapAllocator, LinearMemory
    from pykern.kernel.mm.kernel_space import KernelSpace

_PATTERN = b"\x5a" * PAGE_SIZE
_KERNEL_HALF = 0xFFFF_8000_0000_0000
_HEAP_SIZES = (1, 64, 100, 1024, 4096, 65536, 1 << 20)


def check_frames(frames: FrameAllocator, memory: PhysicalMemory) -> None:
    """Take frames and give them back: distinct, cleared, aligned, counted, freed once."""
    before = frames.statistics()
    taken = [frames.alloc() for _ in range(8)]
    _expect(len(set(taken)) == len(taken), f"frames {taken} are not distinct")
    for paddr in taken:
        _expect(
            memory.read(paddr, PAGE_SIZE) == bytes(PAGE_SIZE),
            f"new frame {paddr:#x} is not cleared",
        )
        memory.write(paddr, _PATTERN)
    used = before.free - frames.statistics().free
    _expect(used == len(taken) * PAGE_SIZE, f"8 frames took {used} bytes")
    for paddr in taken:
        frames.free(paddr)
    _refuses(lambda: frames.free(taken[0]), "a double free of a frame")
    run = frames.alloc(4, align=4 * PAGE_SIZE)
    _expect(run % (4 * PAGE_SIZE) == 0, f"run of frames at {run:#x} is not aligned")
    _expect(
        memory.read(run, 4 * PAGE_SIZE) == bytes(4 * PAGE_SIZE),
        f"frames at {run:#x} are not cleared",
    )
    frames.free(run, 4)
    _expect(frames.statistics() == before, "the statistics did not come back")


def check_paging(space: KernelSpace) -> None:
    """Look at the rights of every page of the kernel half, and map one page for a moment."""
    table = space.table
    for section in space.sections:
        for leaf in table.leaves(section.laddr & -PAGE_SIZE, section.size):
            found, wanted = leaf.flags & (P | RW | NX), P | section.flags
            _expect(
                found == wanted,
                f"{leaf.laddr:#x} of .{section.name} has {flag_names(found)}, "
                f"expected {flag_names(wanted)}",
            )
    for laddr, size, _, flags in table.mappings(_KERNEL_HALF, 1 << 47):
        _expect(
            not flags & RW or bool(flags & NX),
            f"{laddr:#x}-{laddr + size - 1:#x} is writable and executable",
        )
    free = space.frames.statistics().free
    laddr = space.layout.stacks
    space.map_new(laddr, PAGE_SIZE)
    space.write(laddr, _PATTERN)
    _expect(space.read(laddr, PAGE_SIZE) == _PATTERN, f"{laddr:#x} does not keep what is written")
    space.unmap(laddr, PAGE_SIZE)
    _expect(table.lookup(laddr) is None, f"{laddr:#x} is still mapped")
    _expect(space.frames.statistics().free == free, "a mapping did not give its frames back")


def check_heap(heap: HeapAllocator, memory: LinearMemory) -> None:
    """Take blocks of many sizes and give them back: apart, cleared, freed once."""
    before = heap.statistics().used
    blocks: dict[int, int] = {}
    for size in _HEAP_SIZES:
        laddr = heap.kmalloc(size)
        _expect(memory.read(laddr, size) == bytes(size), f"kmalloc({size}) is not cleared")
        for other, length in blocks.items():
            apart = laddr + size <= other or other + length <= laddr
            _expect(apart, f"blocks {laddr:#x} and {other:#x} overlap")
        memory.write(laddr, b"\x5a" * size)
        blocks[laddr] = size
    heap.check()
    for laddr, size in blocks.items():
        heap.kfree(laddr, size)
    _refuses(lambda: heap.kfree(laddr, size), "a double free of a block")
    heap.check()
    _expect(heap.statistics().used == before, "the heap did not come back")


def _expect(holds: bool, found: str) -> None:
    if not holds:
        raise KernelBug(f"memory self-test: {found}")


def _refuses(call: Callable[[], object], what: str) -> None:
    """Check that a call raises KernelBug."""
    try:
        call()
    except KernelBug:
        return
    raise KernelBug(f"memory self-test: {what} went unnoticed")
