"""Page frames: a bitmap per region of RAM, and a reference count per frame.

The bitmap holds a set bit for a free frame, so that the next one is found by looking for a word
that is not zero, and its lowest bit by one AND. It lies in host memory, as all policy of this
kernel does: no hardware and no debugger reads it, a wild write of the guest cannot corrupt it,
and numpy scans what stands for 64 GiB in well under a millisecond. Single words are reached
through a memoryview of the same bytes, which is several times faster than a numpy scalar.

The search is first fit from a word below which nothing is free. Memory in use stays compact, so
large contiguous runs survive and the host commits few pages.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pykern.kernel.core.bug import KernelBug
from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.core.units import MIB, PAGE_SHIFT, PAGE_SIZE, page_down, page_up

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from pykern.kernel.core.memory import PhysicalMemory
    from pykern.kernel.mm.reclaim import Reclaimer

    _Numbers = np.ndarray[tuple[int], np.dtype[np.int64]]
    _Counts = np.ndarray[tuple[int], np.dtype[np.uint32]]

_WORD = 64
_FULL = (1 << _WORD) - 1
_NEAR_WORDS = 8
# How far a run of frames is looked for at first, then, and in the end.
_WINDOWS = (64, 4096, 1 << 60)
_ZEROS = bytes(MIB)
# From so many frames on, numpy is faster than a loop.
_MANY = 32


class Region:
    """A stretch of RAM on one NUMA node: bitmap and reference counts of its frames.

    Parameters
    ----------
    base : physical address of the first frame, page aligned
    frames : how many frames
    node : NUMA node (proximity domain of the SRAT)
    """

    def __init__(self, base: int, frames: int, node: int = 0) -> None:
        self.base, self.frames, self.node = base, frames, node
        self.end = base + frames * PAGE_SIZE
        self.free = frames
        words = -(-frames // _WORD)
        self._bits = np.full(words, _FULL, dtype=np.uint64)
        if frames % _WORD:
            self._bits[-1] = (1 << frames % _WORD) - 1
        self._words = self._bits.data
        # Zeroed by the host when first touched: a count costs nothing until its frame is used.
        self._references = np.zeros(frames, dtype=np.uint32)
        self.references = self._references.data
        self._first = 0

    def take_one(self) -> int | None:
        """Take the lowest free frame; return its number, or None."""
        if not self.free:
            return None
        words, first = self._words, self._first
        stop = min(first + _NEAR_WORDS, len(words))
        while first < stop and not words[first]:
            first += 1
        if first == stop:
            first += int(np.flatnonzero(self._bits[first:])[0])
        word = words[first]
        words[first] = word & (word - 1)
        self._first = first
        self.free -= 1
        frame = first * _WORD + (word & -word).bit_length() - 1
        self.references[frame] = 1
        return frame

    def take_run(self, count: int, align: int, below: int) -> int | None:
        """Take `count` frames in a row; return the number of the first, or None.

        Parameters
        ----------
        count : frames
        align : the physical address is a multiple of it, bytes
        below : no byte of the run is at or above this physical address
        """
        limit = min(self.frames, (below - self.base) >> PAGE_SHIFT)
        if self.free < count or limit < count:
            return None
        for words in _WINDOWS:
            stop = min(limit, (self._first + words) * _WORD)
            frame = self._find_run(count, align, stop)
            if frame is not None:
                self.mark_used(frame, count)
                return frame
            if stop == limit:
                break
        return None

    def _find_run(self, count: int, align: int, stop: int) -> int | None:
        """Return the first frame of the lowest suitable run of free frames below `stop`."""
        start = self._first * _WORD
        words = self._bits[self._first : -(-stop // _WORD)]
        bits = np.unpackbits(words.view(np.uint8), bitorder="little")[: max(stop - start, 0)]
        edges = np.flatnonzero(bits[1:] != bits[:-1]) + 1
        if bits.size and bits[0]:
            edges = np.concatenate(([0], edges))
        if edges.size % 2:
            edges = np.append(edges, bits.size)
        begins, ends = edges[::2] + start, edges[1::2] + start
        step, base = max(align >> PAGE_SHIFT, 1), self.base >> PAGE_SHIFT
        begins += -(begins + base) % step
        fits = np.flatnonzero(begins + count <= ends)
        return int(begins[fits[0]]) if fits.size else None

    def mark_used(self, frame: int, count: int) -> None:
        """Clear the bits of frames that are free, and give each one reference."""
        self._flip(frame, count)
        self._references[frame : frame + count] = 1
        self.free -= count

    def free_one(self, frame: int) -> None:
        """Set the bit of one frame in use."""
        index = frame // _WORD
        self._words[index] |= 1 << frame % _WORD
        self.references[frame] = 0
        self.free += 1
        self._first = min(self._first, index)

    def mark_free(self, frame: int, count: int) -> None:
        """Set the bits of frames in use, whatever their count of references."""
        self._flip(frame, count)
        self._references[frame : frame + count] = 0
        self.free += count
        self._first = min(self._first, frame // _WORD)

    def _flip(self, frame: int, count: int) -> None:
        words = self._words
        while count:
            index, bit = divmod(frame, _WORD)
            n = min(count, _WORD - bit)
            words[index] ^= ((1 << n) - 1) << bit
            frame, count = frame + n, count - n

    def counts(self, frames: _Numbers) -> _Counts:
        """Return the references of frames by number."""
        return self._references[frames]

    def add_references(self, frames: _Numbers) -> bool:
        """Add one to each; return whether all of them were in use."""
        if not self._references[frames].all():
            return False
        np.add.at(self._references, frames, 1)
        return True

    def drop_references(self, frames: _Numbers) -> int | None:
        """Take one from each and free those that had the last; return a frame with none left.

        Nothing is changed then.
        """
        named, times = np.unique(frames, return_counts=True)
        before = self._references[named]
        if (before < times).any():
            return int(named[before < times][0])
        self._references[named] = before - times.astype(np.uint32)
        gone = named[before == times]
        if gone.size:
            bits = np.left_shift(np.uint64(1), (gone % _WORD).astype(np.uint64))
            np.bitwise_or.at(self._bits, gone // _WORD, bits)
            self.free += gone.size
            self._first = min(self._first, int(gone[0]) // _WORD)
        return None

    def used(self, frame: int, count: int) -> _Counts:
        """Return the reference counts of a run of frames."""
        return self._references[frame : frame + count]


@dataclass(frozen=True)
class FrameStatistics:
    """Bytes of RAM: managed, free, and kept back by `reserve` so far."""

    total: int
    free: int
    reserved: int

    @property
    def used(self) -> int:
        """Bytes that are not free, reserved ones among them."""
        return self.total - self.free


class FrameAllocator:
    """The frames of all RAM.

    Parameters
    ----------
    memory : where frames are zeroed
    regions : usable RAM as (base, size) in bytes, or (base, size, node); partial pages are left out
    distances : `distances[a][b]`, the SLIT: how far memory of node b is from node a

    Attributes
    ----------
    reclaimer : who takes frames back from processes when none is free; None: nobody
    home : says which NUMA node to take from where nobody does; None: any
    near, far : frames taken from the node that was wanted, and from others
    traffic : frames taken so far, by the node of who asked and the node that they are on

    References
    ----------
    ACPI, System Resource Affinity Table and System Locality Information Table.
    """

    def __init__(
        self,
        memory: PhysicalMemory,
        regions: Iterable[tuple[int, int] | tuple[int, int, int]],
        *,
        distances: Sequence[Sequence[int]] = (),
    ) -> None:
        self._memory = memory
        self.regions = _regions(regions)
        self.reclaimer: Reclaimer | None = None
        self.home: Callable[[], int | None] = lambda: None
        self.near = self.far = 0
        self.traffic: Counter[tuple[int | None, int]] = Counter()
        self._reserved = 0
        self._last = self.regions[0]
        self._orders: dict[int | None, list[Region]] = {
            node: _by_distance(self.regions, node, distances)
            for node in {region.node for region in self.regions} | set(range(len(distances)))
        }

    # -- taking and giving back

    def alloc(
        self,
        count: int = 1,
        *,
        align: int = PAGE_SIZE,
        below: int | None = None,
        zero: bool = True,
        node: int | None = None,
    ) -> int:
        """Take frames that follow each other; each has one reference.

        Parameters
        ----------
        count : frames
        align : the address is a multiple of it; a power of two, bytes
        below : the run ends at or below this physical address (a DMA limit)
        zero : clear the memory
        node : NUMA node to take from, by default the one of `home`; when it is full, the nearest
            one that is not

        Returns
        -------
        Physical address of the first frame.

        Raises
        ------
        SysError(ENOMEM) : no such run is free
        """
        if count < 1 or align & (align - 1):
            raise KernelBug(f"alloc of {count} frames aligned to {align:#x}")
        paddr = self._find(count, align, below, node)
        while paddr is None:
            if self.reclaimer is None or not self.reclaimer.relieve(count):
                raise SysError(Errno.ENOMEM)
            paddr = self._find(count, align, below, node)
        if zero:
            self.zero(paddr, count)
        return paddr

    def _find(self, count: int, align: int, below: int | None, node: int | None) -> int | None:
        """Take frames, of the nearest node first; return where they begin."""
        here = self.home()
        wanted = here if node is None else node
        for region in self._orders.get(wanted, self.regions):
            frame = _take(region, count, align, below)
            if frame is not None:
                if wanted is None or region.node == wanted:
                    self.near += count
                else:
                    self.far += count
                self.traffic[here, region.node] += count
                return region.base + (frame << PAGE_SHIFT)
        return None

    def traffic_by_node(self) -> dict[tuple[int, int], int]:
        """Return `traffic`; without nodes everybody is on the one that all memory is on."""
        only = self.regions[0].node
        return {
            (only if asker is None else asker, node): n for (asker, node), n in self.traffic.items()
        }

    def node_of(self, paddr: int) -> int:
        """Return the NUMA node that a frame is on."""
        return self._region_of(paddr).node

    def take_free(self, count: int) -> int | None:
        """Take frames as `alloc` does, none from processes, without clearing them; None: no run."""
        return self._find(count, PAGE_SIZE, None, None)

    def free(self, paddr: int, count: int = 1) -> None:
        """Give back frames nobody else refers to.

        Raises
        ------
        KernelBug : a frame is free already, shared, or none of this allocator's
        """
        region, frame = self._locate(paddr, count)
        if count == 1 and region.references[frame] == 1:
            region.free_one(frame)
            return
        counts = region.used(frame, count)
        if not (counts == 1).all():
            wrong = int(np.flatnonzero(counts != 1)[0])
            self._complain("free", paddr + wrong * PAGE_SIZE, int(counts[wrong]))
        region.mark_free(frame, count)

    def reserve(self, base: int, size: int) -> None:
        """Keep every frame that the range touches from being handed out; holes are skipped.

        Raises
        ------
        KernelBug : a frame of it is in use
        """
        start, end = page_down(base), page_up(base + size)
        for region in self.regions:
            low, high = max(start, region.base), min(end, region.end)
            if low >= high:
                continue
            frame, count = (low - region.base) >> PAGE_SHIFT, (high - low) >> PAGE_SHIFT
            used = np.flatnonzero(region.used(frame, count))
            if used.size:
                raise KernelBug(f"reserve: frame {low + int(used[0]) * PAGE_SIZE:#x} is in use")
            region.mark_used(frame, count)
            self._reserved += high - low

    # -- references

    def get(self, paddr: int) -> int:
        """Add a reference to a frame in use; return `paddr`."""
        region, frame = self._locate(paddr)
        if not region.references[frame]:
            self._complain("get", paddr, 0)
        region.references[frame] += 1
        return paddr

    def put(self, paddr: int) -> None:
        """Drop a reference; the frame is free when that was the last one."""
        region, frame = self._locate(paddr)
        references = region.references[frame]
        if references > 1:
            region.references[frame] = references - 1
            return
        if not references:
            self._complain("put", paddr, 0)
        region.free_one(frame)

    def references(self, paddr: int) -> int:
        """Return how many references a frame has; 0: it is free."""
        region, frame = self._locate(paddr)
        return region.references[frame]

    def references_of(self, paddrs: _Numbers) -> _Numbers:
        """Return how many references each of many frames has."""
        counts = np.zeros(paddrs.size, dtype=np.int64)
        for region in self.regions:
            mine = (paddrs >= region.base) & (paddrs < region.end)
            counts[mine] = region.counts((paddrs[mine] - region.base) >> PAGE_SHIFT)
        return counts

    def owns(self, paddr: int) -> bool:
        """Say whether an address lies in RAM that this allocator looks after."""
        return any(region.base <= paddr < region.end for region in self.regions)

    def get_each(self, paddrs: Sequence[int]) -> None:
        """Add a reference to each of many frames; one that is named twice gets two."""
        if len(paddrs) < _MANY:
            for paddr in paddrs:
                self.get(paddr)
            return
        for region, numbers in self._by_region(paddrs):
            if not region.add_references(numbers):
                free = numbers[region.counts(numbers) == 0]
                self._complain("get", region.base + int(free[0]) * PAGE_SIZE, 0)

    def put_each(self, paddrs: Sequence[int]) -> None:
        """Drop a reference of each of many frames."""
        if len(paddrs) < _MANY:
            for paddr in paddrs:
                self.put(paddr)
            return
        for region, numbers in self._by_region(paddrs):
            wrong = region.drop_references(numbers)
            if wrong is not None:
                self._complain("put", region.base + wrong * PAGE_SIZE, 0)

    def _by_region(self, paddrs: Sequence[int]) -> Iterator[tuple[Region, _Numbers]]:
        """Sort frames by region: yields (region, numbers of frames)."""
        every = np.array(paddrs, dtype=np.int64)
        left = every.size
        for region in self.regions:
            mine = every[(every >= region.base) & (every < region.end)]
            if mine.size:
                yield region, (mine - region.base) >> PAGE_SHIFT
            left -= mine.size
        if left:
            raise KernelBug(f"{left} of {every.size} frames are none of this allocator's")

    # -- contents

    def zero(self, paddr: int, count: int = 1) -> None:
        """Clear frames."""
        size = count * PAGE_SIZE
        while size:
            step = min(size, MIB)
            self._memory.write(paddr, _ZEROS[:step] if step < MIB else _ZEROS)
            paddr, size = paddr + step, size - step

    def copy(self, source: int) -> int:
        """Return a new frame with the contents of another one."""
        paddr = self.alloc(zero=False)
        self._memory.write(paddr, self._memory.view(source, PAGE_SIZE))
        return paddr

    # -- statistics

    def statistics(self, node: int | None = None) -> FrameStatistics:
        """Return the sizes of one node, or of all; what is reserved is counted for all only."""
        regions = [r for r in self.regions if node is None or r.node == node]
        return FrameStatistics(
            total=sum(r.frames for r in regions) * PAGE_SIZE,
            free=sum(r.free for r in regions) * PAGE_SIZE,
            reserved=self._reserved if node is None else 0,
        )

    @property
    def total_bytes(self) -> int:
        """Bytes of RAM looked after."""
        return self.statistics().total

    @property
    def free_bytes(self) -> int:
        """Bytes of RAM that are free."""
        return self.statistics().free

    # -- inside

    def _locate(self, paddr: int, count: int = 1) -> tuple[Region, int]:
        """Return the region and number of a frame."""
        region = self._last
        if not region.base <= paddr < region.end:
            region = self._region_of(paddr)
            self._last = region
        if paddr & (PAGE_SIZE - 1) or paddr + count * PAGE_SIZE > region.end or count < 1:
            raise KernelBug(f"{count} frames at {paddr:#x} are not whole frames of one region")
        return region, (paddr - region.base) >> PAGE_SHIFT

    def _region_of(self, paddr: int) -> Region:
        for region in self.regions:
            if region.base <= paddr < region.end:
                return region
        ranges = ", ".join(f"{r.base:#x}-{r.end - 1:#x}" for r in self.regions)
        raise KernelBug(f"foreign frame {paddr:#x}: this allocator has {ranges}")

    @staticmethod
    def _complain(operation: str, paddr: int, references: int) -> None:
        """Precondition: `references` is not what `operation` needs."""
        if not references:
            what = "is free already (double free)" if operation != "get" else "is free"
            raise KernelBug(f"{operation}: frame {paddr:#x} {what}")
        raise KernelBug(f"{operation}: frame {paddr:#x} has {references} references, expected 1")


def _take(region: Region, count: int, align: int, below: int | None) -> int | None:
    if count == 1 and align <= PAGE_SIZE and (below is None or region.end <= below):
        return region.take_one()
    return region.take_run(count, align, region.end if below is None else below)


def _regions(wanted: Iterable[tuple[int, ...]]) -> list[Region]:
    """Return whole-page regions in order of address."""
    regions: list[Region] = []
    for base, size, *node in sorted(wanted):
        start, end = page_up(base), page_down(base + size)
        if start >= end:
            continue
        if regions and start < regions[-1].end:
            raise KernelBug(
                f"RAM region {base:#x}-{base + size - 1:#x} overlaps the one that ends at "
                f"{regions[-1].end - 1:#x}"
            )
        regions.append(Region(start, (end - start) >> PAGE_SHIFT, *node))
    if not regions:
        raise KernelBug("the memory map has no usable page")
    return regions


def _by_distance(
    regions: Sequence[Region], node: int, distances: Sequence[Sequence[int]]
) -> list[Region]:
    """Return the regions nearest first; without a SLIT every other node is equally far."""

    def distance(region: Region) -> int:
        if node < len(distances) and region.node < len(distances[node]):
            return distances[node][region.node]
        return 0 if region.node == node else 1

    return sorted(regions, key=distance)
