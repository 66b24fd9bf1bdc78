"""SCA-03, SCA-04, RMP-06: the first-fit heap."""

from __future__ import annotations

import pytest

from pykern.kernel.core.bug import KernelBug
from pykern.kernel.core.errno import SysError
from pykern.kernel.core.units import KIB, MIB
from pykern.kernel.mm.first_fit import FirstFitHeap
from pykern.kernel.mm.frames import FrameAllocator
from pykern.kernel.mm.kernel_space import KernelSpace
from pykern_c.machine import Machine

BASE = 2 * MIB


@pytest.fixture
def machine():
    machine = Machine(8 * MIB)
    machine.write(0, b"\xaa" * (8 * MIB))
    return machine


@pytest.fixture
def heap(machine):
    return FirstFitHeap(BASE, MIB, machine)


def test_the_first_block_stands_behind_the_first_header(heap):
    """SCA-18 prints such an address."""
    assert heap.kmalloc(1024) == BASE + 0x40


def test_the_first_block_that_fits_is_taken(heap):
    blocks = [heap.kmalloc(1024) for _ in range(6)]
    heap.kfree(blocks[1])
    heap.kfree(blocks[3])
    assert heap.kmalloc(100) == blocks[1]
    assert heap.kmalloc(1024) == blocks[3]
    heap.check()


def test_neighbours_become_one_whatever_the_order(machine):
    """SCA-03: coalescing, the fragmentation test."""
    for order in ([0, 1, 2], [2, 1, 0], [0, 2, 1], [1, 0, 2]):
        heap = FirstFitHeap(BASE, MIB, machine)
        blocks = [heap.kmalloc(10 * KIB) for _ in range(3)]
        guard = heap.kmalloc(64)
        for i in order:
            heap.kfree(blocks[i])
        assert heap.kmalloc(30 * KIB) == blocks[0]
        heap.kfree(guard)
        heap.check()


def test_alternate_blocks_leave_room_for_nothing_larger(heap):
    blocks = []
    with pytest.raises(SysError, match="ENOMEM"):
        blocks.extend(heap.kmalloc(960) for _ in range(10_000))
    blocks = [b.at + 64 for b in heap.blocks() if not b.free]
    assert len(blocks) == 1024
    for laddr in blocks[::2]:
        heap.kfree(laddr)
    assert heap.statistics().free == MIB // 2
    assert heap.statistics().largest_free == 960
    with pytest.raises(SysError, match="ENOMEM"):
        heap.kmalloc(961)
    for laddr in blocks[1::2]:
        heap.kfree(laddr)
    assert heap.statistics().largest_free == MIB - 64


def test_kzalloc_and_krealloc(machine, heap):
    laddr = heap.kzalloc(100)
    assert machine.read(laddr, 128) == bytes(128)
    machine.write(laddr, b"content")
    assert heap.krealloc(laddr, 128) == laddr
    heap.kmalloc(64)
    moved = heap.krealloc(laddr, 5000)
    assert moved != laddr
    assert machine.read(moved, 5000) == b"content" + bytes(4993)
    with pytest.raises(KernelBug, match="double free"):
        heap.kfree(laddr)
    with pytest.raises(SysError, match="ENOMEM"):
        heap.krealloc(moved, MIB)
    assert machine.read(moved, 7) == b"content"
    assert machine.read(heap.krealloc(0, 64), 64) == bytes(64)
    heap.check()


def test_the_heap_grows_on_demand_up_to_its_limit():
    """SCA-03, SCA-04 with a hundredth of its sizes, on real page tables at its address."""
    machine = Machine(16 * MIB)
    space = KernelSpace(machine, FrameAllocator(machine, [(MIB, 15 * MIB)]))
    base = 0xFFFF_FFFF_C000_0000
    space.map_new(base, MIB)
    heap = FirstFitHeap(base, MIB, space, limit=6 * MIB, grow=space.map_new)
    first = heap.kmalloc(MIB - 64)
    assert (heap.statistics().free, heap.expansions) == (0, 0)
    second = heap.kmalloc(100)
    assert (heap.statistics().total, heap.expansions) == (2 * MIB, 1)
    large = heap.kmalloc(3 * MIB)
    assert (heap.statistics().total, heap.expansions) == (5 * MIB, 2)
    with pytest.raises(SysError, match="ENOMEM"):
        heap.kmalloc(2 * MIB)
    space.write(large + 3 * MIB - 4, b"last")
    heap.check()
    for laddr in (first, second, large):
        heap.kfree(laddr)
    heap.check()
    assert heap.statistics().largest_free == 5 * MIB - 64


def test_wrong_calls_are_named(heap):
    laddr = heap.kmalloc(1000)
    with pytest.raises(KernelBug, match=r"kfree\(0x200040, 100\): the block there has 1024 bytes"):
        heap.kfree(laddr, 100)
    with pytest.raises(KernelBug, match="not the start of a block"):
        heap.kfree(laddr + 64)
    for wrong in (0, BASE, laddr + 1, BASE + MIB):
        with pytest.raises(KernelBug, match="no block of the heap 0x200000-0x2fffff"):
            heap.kfree(wrong)
    with pytest.raises(KernelBug, match="at least 1 byte"):
        heap.kmalloc(0)
    with pytest.raises(KernelBug, match="multiples of 64"):
        FirstFitHeap(BASE + 8, MIB, Machine(MIB))


def test_a_rest_too_small_for_a_header_stays_with_its_block(heap):
    laddr = heap.kmalloc(257)
    heap.kmalloc(1)
    heap.kfree(laddr, 257)
    assert heap.kmalloc(193) == laddr
    heap.kfree(laddr, 193)
    heap.check()


def test_a_write_beyond_a_block_is_noticed(machine, heap):
    laddr = heap.kmalloc(64)
    heap.kmalloc(64)
    machine.write(laddr, b"x" * 72)
    with pytest.raises(KernelBug, match=r"header at 0x200080 has magic b'xxxxxxxx'"):
        heap.check()
    with pytest.raises(KernelBug, match="heap corrupted"):
        heap.kmalloc(64)
