"""Tests of memory management at boot (MEL-24 to MEL-26)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.kernel.core.bug import KernelBug
from pykern.kernel.core.units import KIB, MIB, PAGE_SIZE
from pykern.kernel.x86 import paging

if TYPE_CHECKING:
    from collections.abc import Callable

    from pykern.kernel.kernel import Kernel

_SCRATCH = 0x5A5A_0000_0000
"""Somewhere in the user half, where nothing is at boot."""
_PATTERN = 0xA5


class SelfTestError(Exception):
    """A part of the kernel does not do what it must; the message says which and what."""


def _expect(condition: bool, what: str) -> None:
    if not condition:
        raise SelfTestError(what)


def _pmm(kernel: Kernel) -> None:
    """Take, free, free twice."""
    frames = kernel.frames
    before = frames.free_bytes
    taken = [frames.alloc() for _ in range(64)]
    run = frames.alloc(16, align=64 * KIB)
    _expect(len(set(taken)) == len(taken), "a frame was handed out twice")
    _expect(run % (64 * KIB) == 0, f"a run at {run:#x} is not aligned as asked")
    _expect(not any(kernel.machine.read(taken[0], PAGE_SIZE)), "a frame was not cleared")
    for paddr in taken:
        frames.free(paddr)
    frames.free(run, 16)
    try:
        frames.free(taken[0])
    except KernelBug:
        pass
    else:
        raise SelfTestError("freeing a frame twice was not noticed")
    _expect(frames.free_bytes == before, "frames were lost")


def _paging(kernel: Kernel) -> None:
    """Map, look up, narrow, unmap; writable and executable at once is refused."""
    table, paddr = kernel.table, kernel.frames.alloc()
    table.map(_SCRATCH, paddr, PAGE_SIZE, paging.RW | paging.NX)
    _expect(table.translate(_SCRATCH + 5) == paddr + 5, "a page is not where it was mapped")
    table.protect(_SCRATCH, PAGE_SIZE, paging.NX)
    leaf = table.lookup(_SCRATCH)
    _expect(leaf is not None and not leaf.flags & paging.RW, "a page stayed writable")
    table.unmap(_SCRATCH, PAGE_SIZE)
    _expect(table.translate(_SCRATCH) is None, "a page is still there")
    kernel.frames.free(paddr)
    for name in ("text", "rodata", "data"):
        leaf = table.lookup(kernel.symbols[f"__{name}_start"])
        _expect(leaf is not None, f"section {name} is not mapped")
        flags = leaf.flags if leaf is not None else 0
        _expect(bool(flags & paging.RW) == (name == "data"), f"section {name}: wrong RW")
        _expect(bool(flags & paging.NX) == (name != "text"), f"section {name}: wrong NX")


def _allocator(kernel: Kernel) -> None:
    """Blocks of every size are cleared, apart from each other, and merge again."""
    heap, space = kernel.heap, kernel.space
    before = heap.statistics().free
    sizes = [64, 100, 1 * KIB, 4 * KIB, 64 * KIB, 1 * MIB]
    blocks = [(heap.kmalloc(size), size) for size in sizes]
    for laddr, size in blocks:
        _expect(not any(space.read(laddr, min(size, PAGE_SIZE))), f"{size} bytes not cleared")
        space.write(laddr, bytes([_PATTERN]) * min(size, PAGE_SIZE))
    for laddr, size in reversed(blocks):
        heap.kfree(laddr, size)
    _expect(heap.statistics().free == before, "the heap did not merge again")


TESTS: tuple[tuple[str, Callable[[Kernel], None]], ...] = (
    ("PMM", _pmm),
    ("Paging", _paging),
    ("Allocator", _allocator),
)


def run(kernel: Kernel) -> None:
    """Run all; log what passed.

    Raises
    ------
    SelfTestError : the first that fails
    """
    log = kernel.log.subsystem("MM")
    for name, test in TESTS:
        test(kernel)
        log.log(f"✓ {name} tests passed")
