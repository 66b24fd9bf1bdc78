"""MEL-26: the kernel heap."""

from __future__ import annotations

import pytest

from pykern.kernel.core.bug import KernelBug
from pykern.kernel.core.errno import SysError
from pykern.kernel.core.units import KIB, MIB
from pykern.kernel.mm.heap import MAX_BLOCK, MIN_BLOCK, BuddyHeap, order_of
from pykern_c.machine import Machine

BASE = 2 * MIB


@pytest.fixture
def machine():
    """Memory by linear address, here equal to the physical one, with old data in it."""
    machine = Machine(8 * MIB)
    machine.write(0, b"\xaa" * (8 * MIB))
    return machine


@pytest.fixture
def heap(machine):
    return BuddyHeap(BASE, 4 * MIB, machine)


def test_blocks_are_zeroed_and_aligned_to_their_size(machine, heap):
    """MEL-26: kmalloc(1024) is zero; MEL-27."""
    for size in (1, 64, 65, 1000, 1024, 5000, MIB):
        laddr = heap.kmalloc(size)
        block = 1 << order_of(size)
        assert laddr % block == 0
        assert machine.read(laddr, block) == bytes(block)
        machine.write(laddr, b"\xff" * size)
    heap.check()


@pytest.mark.parametrize(
    ("size", "block"), [(1, 64), (64, 64), (65, 128), (1024, 1024), (1025, 2048), (MIB, MIB)]
)
def test_blocks_go_from_64_bytes_to_1_mib(heap, size, block):
    heap.kmalloc(size)
    assert heap.statistics().used == block
    assert (MIN_BLOCK, MAX_BLOCK) == (64, MIB)


def test_splitting_and_merging_are_inverse(heap):
    """MEL-26: split and merge invariants."""
    laddr = heap.kmalloc(64)
    assert [len(heap.free_blocks(order)) for order in range(6, 21)] == [1] * 14 + [3]
    assert heap.free_blocks(6) == [laddr + 64]
    heap.kfree(laddr, 64)
    assert [len(heap.free_blocks(order)) for order in range(6, 21)] == [0] * 14 + [4]


def test_the_heap_can_be_used_up_and_comes_back(heap):
    blocks = [heap.kmalloc(100, zero=False) for _ in range(4 * MIB // 128)]
    assert len(set(blocks)) == len(blocks)
    assert heap.statistics().free == heap.statistics().largest_free == 0
    for size in (1, MIB):
        with pytest.raises(SysError, match="ENOMEM"):
            heap.kmalloc(size)
    for laddr in blocks[::2]:
        heap.kfree(laddr, 100)
    heap.check()
    assert heap.statistics().largest_free == 128
    with pytest.raises(SysError, match="ENOMEM"):
        heap.kmalloc(129)
    for laddr in blocks[1::2]:
        heap.kfree(laddr, 128)
    heap.check()
    statistics = heap.statistics()
    assert (statistics.used, statistics.largest_free) == (0, MIB)
    assert statistics.allocations == statistics.frees == len(blocks)


def test_wrong_calls_are_named(heap):
    laddr = heap.kmalloc(1000)
    with pytest.raises(KernelBug, match=r"kfree\(0x200000, 100\): the block there has 1024 bytes"):
        heap.kfree(laddr, 100)
    with pytest.raises(KernelBug, match="not the start of a block"):
        heap.kfree(laddr + 64, 64)
    with pytest.raises(KernelBug, match=r"0x100000 is no block of the heap 0x200000-0x5fffff"):
        heap.kfree(MIB, 64)
    with pytest.raises(KernelBug, match="no block of the heap"):
        heap.kfree(laddr + 8, 64)
    heap.kfree(laddr, 1000)
    other = heap.kmalloc(64)
    heap.kmalloc(64)
    heap.kfree(other, 64)
    with pytest.raises(KernelBug, match="double free"):
        heap.kfree(other, 64)
    with pytest.raises(KernelBug, match="at least 1 byte"):
        heap.kmalloc(0)
    with pytest.raises(SysError, match="ENOMEM"):
        heap.kmalloc(MIB + 1)
    with pytest.raises(KernelBug, match="multiples of 1 MiB"):
        BuddyHeap(BASE, 100, Machine(MIB))


def test_a_write_to_freed_memory_is_noticed(machine, heap):
    laddr = heap.kmalloc(64)
    heap.kfree(heap.kmalloc(4 * KIB), 4 * KIB)
    heap.kfree(laddr, 64)
    laddr = heap.kmalloc(64)
    machine.write(laddr + 64, (0x1234).to_bytes(8, "little"))
    with pytest.raises(KernelBug, match=r"0x200040 of 64 bytes: it refers to 0x1234"):
        heap.check()
    with pytest.raises(KernelBug, match="heap corrupted"):
        heap.kmalloc(64)


def test_the_heap_grows_where_it_may(machine):
    grown = []
    heap = BuddyHeap(
        BASE, MIB, machine, limit=3 * MIB, grow=lambda laddr, size: grown.append((laddr, size))
    )
    blocks = [heap.kmalloc(MIB), heap.kmalloc(64), heap.kmalloc(MIB)]
    assert blocks == [BASE, BASE + MIB, BASE + 2 * MIB]
    assert grown == [(BASE + MIB, MIB), (BASE + 2 * MIB, MIB)]
    with pytest.raises(SysError, match="ENOMEM"):
        heap.kmalloc(MIB)
    heap.check()
