"""SCA-22: caches of objects of one size; the contract of heaps is in test_heaps.py."""

import pytest

from pykern.kernel.core.bug import KernelBug
from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.core.units import MIB
from pykern.kernel.mm.slab import CacheStatistics, SlabHeap
from pykern_c.machine import Machine

BASE = 2 * MIB


@pytest.fixture
def heap():
    return SlabHeap(BASE, MIB, Machine(8 * MIB))


def test_objects_of_one_size_share_a_page(heap):
    """SCA-22: 21 of 192 bytes fit into one page, the 22nd begins another."""
    objects = [heap.kmalloc(150) for _ in range(21)]
    assert {laddr & -4096 for laddr in objects} == {BASE}
    assert heap.caches() == [CacheStatistics("kmalloc-192", 21, 21, 192, 21, 1)]
    heap.kmalloc(192)
    assert heap.caches() == [CacheStatistics("kmalloc-192", 22, 42, 192, 21, 2)]


def test_what_was_freed_last_is_used_first(heap):
    """SCA-22: it is still in the processor's cache."""
    objects = [heap.kmalloc(64) for _ in range(5)]
    heap.kfree(objects[3])
    heap.kfree(objects[1])
    assert [heap.kmalloc(64) for _ in range(2)] == [objects[1], objects[3]]


def test_an_empty_slab_is_free_pages_again(heap):
    objects = [heap.kmalloc(1000) for _ in range(12)]
    assert heap.statistics().used == 3 * 4096
    for laddr in objects:
        heap.kfree(laddr)
    assert heap.caches() == []
    assert heap.statistics().largest_free == MIB


def test_large_blocks_have_pages_of_their_own(heap):
    laddr = heap.kmalloc(2049)
    assert laddr % 4096 == 0
    assert heap.kmalloc(1) == laddr + 4096


def test_a_cache_of_its_own(heap):
    """SCA-22: named, for one kind of object; it cannot go while there are some."""
    cache = heap.cache_create("tcb", 328)
    laddr = cache.alloc()
    assert cache.statistics() == CacheStatistics("tcb", 1, 12, 328, 12, 1)
    heap.check()
    with pytest.raises(KernelBug, match="tcb has 1 objects"):
        heap.cache_destroy("tcb")
    with pytest.raises(KernelBug, match="was created before"):
        heap.cache_create("tcb", 8)
    cache.free(laddr)
    heap.cache_destroy("tcb")
    assert heap.caches() == []


@pytest.mark.parametrize("size", [0, 4, 12, 2056])
def test_sizes_that_no_cache_has(heap, size):
    with pytest.raises(KernelBug, match=f"objects of {size} bytes"):
        heap.cache_create("wrong", size)


def test_mistakes_are_bugs(heap):
    one, two = heap.kmalloc(64), heap.kmalloc(64)
    with pytest.raises(KernelBug, match="no object of kmalloc-64 begins there"):
        heap.kfree(one + 8)
    with pytest.raises(KernelBug, match="of another size"):
        heap.kfree(one, 100)
    heap.kfree(one)
    with pytest.raises(KernelBug, match="double free"):
        heap.kfree(one)
    heap.kfree(two)
    with pytest.raises(KernelBug, match="no block begins there"):
        heap.kfree(two)
    with pytest.raises(KernelBug, match="expected at least 1 byte"):
        heap.kmalloc(0)


def test_a_write_to_freed_memory_is_noticed(heap):
    one, _two = heap.kmalloc(64), heap.kmalloc(64)
    heap.kfree(one)
    heap.memory.write(one, (0xBAD).to_bytes(8, "little"))
    with pytest.raises(KernelBug, match="refers to 0xbad; something wrote to memory it had freed"):
        heap.check()
    with pytest.raises(KernelBug, match="0xbad"):
        heap.kmalloc(64)


def test_a_heap_that_cannot_grow_is_full(heap):
    heap.kmalloc(MIB)
    with pytest.raises(SysError) as refused:
        heap.kmalloc(1)
    assert refused.value.errno is Errno.ENOMEM
    heap.check()
