"""A kernel heap of slabs: pages cut into objects of one size, which are taken and given in O(1).

A slab is one page. What is free in it is linked through guest memory, in the first 8 bytes of each
free object: the linear address of the next one, or 0. What is larger than the largest size has
pages of its own. A slab without objects goes back to the free pages at once.

References
----------
J. Bonwick, The Slab Allocator: An Object-Caching Kernel Memory Allocator (1994).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from pykern.kernel.core.bug import KernelBug
from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.core.units import MIB, PAGE_SIZE, page_up
from pykern.kernel.mm.heap import HeapStatistics
from pykern.kernel.mm.page_runs import PageRuns

if TYPE_CHECKING:
    from pykern.kernel.mm.heap import Grow, LinearMemory

__all__ = ["SIZES", "Cache", "CacheStatistics", "SlabHeap"]

SIZES = (64, 128, 192, 256, 384, 512, 768, 1024, 1344, 2048)
"""Bytes of the objects that `kmalloc` has caches for."""
_LINK = 8


@dataclass(eq=False)
class _Slab:
    """One page of objects; `free` is the first of those that are, `used` the others by address."""

    laddr: int
    free: int
    used: set[int] = field(default_factory=set)


class CacheStatistics(NamedTuple):
    """One cache as /proc/slabinfo has it: objects in use and in all, their size, slabs."""

    name: str
    active: int
    objects: int
    size: int
    per_slab: int
    slabs: int


class Cache:
    """Objects of one size.

    Parameters
    ----------
    name : for people
    size : bytes of an object, a multiple of 8, at most half a page
    heap : where pages come from
    """

    def __init__(self, name: str, size: int, heap: SlabHeap) -> None:
        if size % _LINK or not _LINK <= size <= PAGE_SIZE // 2:
            raise KernelBug(f"cache {name}: objects of {size} bytes, expected 8 to 2048")
        self.name, self.size = name, size
        self.per_slab = PAGE_SIZE // size
        self._heap = heap
        self._slabs: dict[int, _Slab] = {}
        self._partial: dict[int, _Slab] = {}

    def alloc(self, *, zero: bool = True) -> int:
        """Take an object, cleared.

        Raises
        ------
        SysError(ENOMEM) : no page is left
        """
        if not self._partial:
            self._new_slab()
        slab = next(reversed(self._partial.values()))
        laddr = slab.free
        slab.free = self._next_free(slab)
        slab.used.add(laddr)
        if not slab.free:
            del self._partial[slab.laddr]
        if zero:
            self._heap.memory.write(laddr, bytes(self.size))
        return laddr

    def free(self, laddr: int) -> None:
        """Give an object back.

        Raises
        ------
        KernelBug : it is none of this cache, or free already
        """
        slab = self._slabs.get(laddr & -PAGE_SIZE)
        if slab is None or (laddr - slab.laddr) % self.size:
            raise KernelBug(f"kfree({laddr:#x}): no object of {self.name} begins there")
        if laddr not in slab.used:
            raise KernelBug(f"kfree({laddr:#x}): it is free already (double free)")
        slab.used.remove(laddr)
        if not slab.used:
            self._drop(slab)
            return
        self._heap.memory.write(laddr, slab.free.to_bytes(_LINK, "little"))
        slab.free = laddr
        self._partial[slab.laddr] = slab

    def _new_slab(self) -> None:
        base = self._heap.take_pages(1)
        places = [base + self.size * n for n in range(self.per_slab)]
        for laddr, following in zip(places, [*places[1:], 0], strict=True):
            self._heap.memory.write(laddr, following.to_bytes(_LINK, "little"))
        self._slabs[base] = self._partial[base] = _Slab(base, base)
        self._heap.caches_by_page[base] = self

    def _drop(self, slab: _Slab) -> None:
        del self._slabs[slab.laddr], self._heap.caches_by_page[slab.laddr]
        self._partial.pop(slab.laddr, None)
        self._heap.give_pages(slab.laddr, 1)

    def _next_free(self, slab: _Slab) -> int:
        link = int.from_bytes(self._heap.memory.read(slab.free, _LINK), "little")
        inside = slab.laddr <= link < slab.laddr + self.per_slab * self.size
        if link and (not inside or (link - slab.laddr) % self.size or link in slab.used):
            raise KernelBug(
                f"heap corrupted: free object {slab.free:#x} of {self.name} refers to {link:#x}; "
                "something wrote to memory it had freed"
            )
        return link

    def statistics(self) -> CacheStatistics:
        """Return the present figures."""
        active, slabs = sum(len(slab.used) for slab in self._slabs.values()), len(self._slabs)
        objects = slabs * self.per_slab
        return CacheStatistics(self.name, active, objects, self.size, self.per_slab, slabs)

    def check(self) -> None:
        """Check that each slab's free objects are those that are not used.

        Raises
        ------
        KernelBug : they are not
        """
        for slab in self._slabs.values():
            seen, probe = set(slab.used), _Slab(slab.laddr, slab.free, slab.used)
            while probe.free:
                if probe.free in seen:
                    raise KernelBug(f"slab {slab.laddr:#x}: {probe.free:#x} is free twice")
                seen.add(probe.free)
                probe.free = self._next_free(probe)
            if len(seen) != self.per_slab or bool(slab.free) != (slab.laddr in self._partial):
                raise KernelBug(f"slab {slab.laddr:#x} of {self.name}: {len(seen)} objects")


class SlabHeap:
    """A kernel heap of caches; what is larger has whole pages.

    Parameters
    ----------
    base : linear address of the heap, page aligned
    size : bytes, whole pages
    memory : the heap's memory
    limit : bytes to which the heap may grow
    grow : maps (laddr, size) behind the heap; raises SysError(ENOMEM)

    Attributes
    ----------
    caches_by_page : slab → the cache it is of
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
        if (base | size) % PAGE_SIZE or size <= 0:
            raise KernelBug(f"heap at {base:#x}, {size:#x} bytes: expected whole pages")
        self.base, self.size, self.memory = base, size, memory
        self._limit, self._grow = limit, grow
        self._runs = PageRuns([base], [base + size])
        self._large: dict[int, int] = {}
        self._allocations = self._frees = self.expansions = 0
        self.caches_by_page: dict[int, Cache] = {}
        self._caches = {size: Cache(f"kmalloc-{size}", size, self) for size in SIZES}
        self._named: dict[str, Cache] = {}

    # -- caches of their own

    def cache_create(self, name: str, size: int) -> Cache:
        """Make a cache for objects of one kind.

        Raises
        ------
        KernelBug : there is one of that name, or the size is none
        """
        if name in self._named:
            raise KernelBug(f"cache {name} was created before")
        cache = self._named[name] = Cache(name, size, self)
        return cache

    def cache_destroy(self, name: str) -> None:
        """Remove a cache that has no objects.

        Raises
        ------
        KernelBug : it has
        """
        active = self._named[name].statistics().active
        if active:
            raise KernelBug(f"cache {name} has {active} objects")
        del self._named[name]

    def caches(self) -> list[CacheStatistics]:
        """Return the figures of all caches that have slabs, and of all named ones."""
        found = [cache.statistics() for cache in self._caches.values()]
        named = [cache.statistics() for cache in self._named.values()]
        return [*(one for one in found if one.slabs), *named]

    # -- the face

    def kmalloc(self, size: int, *, zero: bool = True) -> int:
        """Take at least `size` bytes, cleared.

        Raises
        ------
        SysError(ENOMEM) : there are none, and the heap cannot grow
        KernelBug : less than one byte
        """
        if size < 1:
            raise KernelBug(f"kmalloc({size}): expected at least 1 byte")
        cache = self._cache_for(size)
        laddr = self._pages_for(size, zero) if cache is None else cache.alloc(zero=zero)
        self._allocations += 1
        return laddr

    def kfree(self, laddr: int, size: int | None = None) -> None:
        """Give a block back; `size`, where it is known, is checked.

        Raises
        ------
        KernelBug : no block begins there, it is free already, or it is of another size
        """
        cache = self.caches_by_page.get(laddr & -PAGE_SIZE)
        if size is not None and self._cache_for(size) is not cache:
            raise KernelBug(f"kfree({laddr:#x}, {size}): the block there is of another size")
        if cache is not None:
            cache.free(laddr)
        else:
            pages = self._large.pop(laddr, 0)
            if not pages:
                raise KernelBug(f"kfree({laddr:#x}): no block begins there (double free?)")
            self.give_pages(laddr, pages)
        self._frees += 1

    def _cache_for(self, size: int) -> Cache | None:
        fits = next((each for each in SIZES if each >= size), None)
        return None if fits is None else self._caches[fits]

    def _pages_for(self, size: int, zero: bool) -> int:
        pages = page_up(size) // PAGE_SIZE
        laddr = self.take_pages(pages)
        self._large[laddr] = pages
        if zero:
            self.memory.write(laddr, bytes(pages * PAGE_SIZE))
        return laddr

    # -- pages

    def take_pages(self, pages: int) -> int:
        """Take a run of pages, growing where there is none.

        Raises
        ------
        SysError(ENOMEM) : nothing has changed
        """
        laddr = self._runs.take(pages)
        if laddr is None:
            self._expand(pages * PAGE_SIZE)
            laddr = self._runs.take(pages)
        assert laddr is not None
        return laddr

    def give_pages(self, laddr: int, pages: int) -> None:
        """Give a run of pages back."""
        self._runs.give(laddr, pages)

    def _expand(self, wanted: int) -> None:
        """Add whole MiB behind the heap, counting on what is free at its end."""
        start, end = self._runs.last
        top = self.base + self.size
        missing = wanted - (end - start if end == top else 0)
        more = -(-missing // MIB) * MIB
        if self._grow is None or self.size + more > self._limit:
            raise SysError(Errno.ENOMEM)
        self._grow(top, more)
        self.size += more
        self.expansions += 1
        self._runs.give(top, more // PAGE_SIZE)

    # -- reports

    def statistics(self) -> HeapStatistics:
        """Return the figures; a slab counts as used."""
        free = self._runs.free
        return HeapStatistics(
            total=self.size,
            used=self.size - free,
            free=free,
            largest_free=self._runs.largest,
            allocations=self._allocations,
            frees=self._frees,
        )

    def check(self) -> None:
        """Check every slab, and that pages are free, a slab's, or a large block's.

        Raises
        ------
        KernelBug : something does not agree
        """
        for cache in (*self._caches.values(), *self._named.values()):
            cache.check()
        pages = len(self.caches_by_page) + sum(self._large.values())
        if pages * PAGE_SIZE + self._runs.free != self.size:
            raise KernelBug(f"heap: {pages} pages are used, {self._runs.free} bytes free")
