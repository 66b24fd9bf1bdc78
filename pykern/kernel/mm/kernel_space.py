"""The kernel half of every address space: direct map, image, heap, stacks, devices.

One page table, made once, is the template: its upper half is what every process takes over. After
`seal` the PML4 entries of that half stay as they are, so that all copies stay equal for good.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pykern.kernel.core.bug import KernelBug
from pykern.kernel.core.errno import SysError
from pykern.kernel.core.units import MIB, PAGE_SHIFT, PAGE_SIZE, page_down, page_up
from pykern.kernel.x86.paging import NX, PAGE_2M, PAT, PCD, RW, G, PageTable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pykern.kernel.core.memory import PhysicalMemory
    from pykern.kernel.mm.frames import FrameAllocator

_OFFSET = PAGE_SIZE - 1


@dataclass(frozen=True)
class KernelLayout:
    """Linear addresses of the kernel half; a profile has its own.

    Parameters
    ----------
    hhdm, hhdm_size : where physical memory is mapped one to one (higher-half direct map)
    heap, heap_size : the kernel heap
    stacks, stacks_size : kernel stacks with a guard page below each
    image : where the kernel is linked
    """

    hhdm: int = 0xFFFF_8000_0000_0000
    hhdm_size: int = 0x2000_0000_0000
    heap: int = 0xFFFF_A000_0000_0000
    heap_size: int = 16 * MIB
    stacks: int = 0xFFFF_B000_0000_0000
    stacks_size: int = 1 << 39
    image: int = 0xFFFF_FFFF_8000_0000


@dataclass(frozen=True)
class Section:
    """A loaded part of the kernel image: where it is linked, where it lies, what may be done.

    Sizes are in bytes, addresses those of the first byte and equal modulo 4 KiB.
    """

    name: str
    laddr: int
    paddr: int
    size: int
    writable: bool = False
    executable: bool = False

    @property
    def flags(self) -> int:
        """Flags of its pages: RX, R or RW+NX."""
        return (RW if self.writable else 0) | (0 if self.executable else NX)


class KernelSpace:
    """The template page table and what is mapped in it; memory by linear address for the kernel.

    Parameters
    ----------
    memory : guest RAM
    frames : where page tables, heap and stacks come from
    layout : addresses
    largest : largest page of the direct map, bytes
    invalidate : called with (laddr, size) when all processors must forget

    Attributes
    ----------
    sections : what `map_image` has mapped
    """

    def __init__(
        self,
        memory: PhysicalMemory,
        frames: FrameAllocator,
        layout: KernelLayout | None = None,
        *,
        largest: int = PAGE_2M,
        invalidate: Callable[[int, int], object] | None = None,
    ) -> None:
        self.frames, self.layout = frames, layout or KernelLayout()
        self._memory = memory
        self._tell = invalidate or (lambda _laddr, _size: None)
        self.sections: list[Section] = []
        self._pages: dict[int, int] = {}
        self.table = PageTable(memory, frames, largest=largest, invalidate=self._invalidate)

    @property
    def pml4(self) -> int:
        """Physical address of the template PML4."""
        return self.table.root

    # -- what is mapped

    def map_direct(self, ranges: Iterable[tuple[int, int]]) -> None:
        """Map physical ranges (base, size) at the direct map: RW, never executable."""
        for base, size in _whole_pages(ranges):
            if base + size > self.layout.hhdm_size:
                raise KernelBug(
                    f"physical {base:#x}-{base + size - 1:#x} lies beyond the direct map of "
                    f"{self.layout.hhdm_size:#x} bytes"
                )
            self.table.map(self.layout.hhdm + base, base, size, RW | NX | G)

    def map_image(self, sections: Iterable[Section]) -> None:
        """Map the kernel with the rights of each section.

        What is not writable there is not writable in the direct map either.

        Where entry 511 of the PML4 is recursive, the image, which is linked behind it, has its page
        directory in entry 510 and its page table below that. Addresses that begin with 510 see the
        same tables one level higher, where bit 7 says that an entry is a page of 2 MiB. It is set,
        so that no instruction of the kernel is ever taken for a page table.
        """
        extra = G | (PAT if self.table.recursive else 0)
        for section in sections:
            if (section.laddr ^ section.paddr) & _OFFSET:
                raise KernelBug(
                    f"section {section.name}: {section.laddr:#x} and {section.paddr:#x} differ "
                    "in their offset in a page"
                )
            laddr, paddr = page_down(section.laddr), page_down(section.paddr)
            size = page_up(section.laddr + section.size) - laddr
            self.table.map(laddr, paddr, size, section.flags | extra)
            self.sections.append(section)
            alias = self.layout.hhdm + paddr
            if not section.writable and self.table.lookup(alias):
                self.table.protect(alias, size, NX | G)

    def map_device(self, paddr: int, size: int) -> int:
        """Map device registers, uncached, in the direct map; return the linear address."""
        base = page_down(paddr)
        laddr = self.layout.hhdm + base
        if self.table.lookup(laddr) is None:
            size = page_up(paddr + size) - base
            self.table.map(laddr, base, size, RW | NX | PCD | G)
        return laddr + paddr - base

    def map_new(self, laddr: int, size: int, *, zero: bool = True) -> None:
        """Map frames of its own at a range, RW and NX; large pages where frames allow.

        Parameters
        ----------
        laddr, size : multiples of 4 KiB
        zero : clear the memory; a heap clears what it hands out

        Raises
        ------
        SysError(ENOMEM) : nothing has been mapped
        """
        done = 0
        try:
            while done < size:
                step = self._map_chunk(laddr + done, size - done, zero)
                done += step
        except SysError:
            if done:
                self.unmap(laddr, done)
            raise

    def unmap(self, laddr: int, size: int) -> None:
        """Unmap a range of `map_new`; its frames are free again."""
        leaves = list(self.table.leaves(laddr, size))
        self.table.unmap(laddr, size)
        for leaf in leaves:
            self.frames.free(leaf.paddr, leaf.size >> PAGE_SHIFT)

    def seal(self) -> int:
        """Allow no further PML4 entry in the upper half; return the PML4 to copy it from.

        Entries for the heap, the stacks and the image are there whether or not they are used yet.
        """
        for window in (self.layout.heap, self.layout.stacks, self.layout.image):
            self.table.ensure_top(window)
        self.table.sealed = True
        return self.table.root

    def regions(self) -> Iterator[tuple[int, int, str, str]]:
        """Iterate over what is mapped in the upper half: (laddr, size, "rwx" or less, name)."""
        run: tuple[int, int, str, str] | None = None
        for laddr, size, _, flags in self.table.mappings(1 << 63, 1 << 63):
            rights = f"r{'w' if flags & RW else '-'}{'-' if flags & NX else 'x'}"
            name = self._name_of(laddr, flags)
            if run and (run[0] + run[1], *run[2:]) == (laddr, rights, name):
                run = (run[0], run[1] + size, rights, name)
                continue
            if run:
                yield run
            run = (laddr, size, rights, name)
        if run:
            yield run

    def _name_of(self, laddr: int, flags: int) -> str:
        layout = self.layout
        for section in self.sections:
            if page_down(section.laddr) <= laddr < section.laddr + section.size:
                return f".{section.name}"
        windows = (
            (layout.heap, layout.heap_size, "heap"),
            (layout.stacks, layout.stacks_size, "stack"),
            (layout.hhdm, layout.hhdm_size, "device" if flags & PCD else "direct map"),
        )
        found = (name for base, size, name in windows if base <= laddr < base + size)
        return next(found, "other")

    # -- memory by linear address

    def read(self, laddr: int, size: int) -> bytes:
        """Return bytes; KernelBug where nothing is mapped."""
        offset = laddr & _OFFSET
        if size <= PAGE_SIZE - offset:
            return self._memory.read(self._page(laddr) + offset, size)
        parts = []
        while size:
            step = min(size, PAGE_SIZE - (laddr & _OFFSET))
            parts.append(self._memory.read(self._page(laddr) + (laddr & _OFFSET), step))
            laddr, size = laddr + step, size - step
        return b"".join(parts)

    def write(self, laddr: int, data: bytes | bytearray | memoryview) -> None:
        """Store bytes; KernelBug where nothing is mapped."""
        offset = laddr & _OFFSET
        if len(data) <= PAGE_SIZE - offset:
            self._memory.write(self._page(laddr) + offset, data)
            return
        view, done = memoryview(data), 0
        while done < len(view):
            offset = laddr + done & _OFFSET
            step = min(len(view) - done, PAGE_SIZE - offset)
            self._memory.write(self._page(laddr + done) + offset, view[done : done + step])
            done += step

    # -- inside

    def _map_chunk(self, laddr: int, size: int, zero: bool) -> int:
        if not laddr & (PAGE_2M - 1) and size >= PAGE_2M <= self.table.largest:
            try:
                self._map_frames(laddr, PAGE_2M, zero)
            except SysError:
                pass  # no such run of frames: small pages will do
            else:
                return PAGE_2M
        self._map_frames(laddr, PAGE_SIZE, zero)
        return PAGE_SIZE

    def _map_frames(self, laddr: int, size: int, zero: bool) -> None:
        paddr = self.frames.alloc(size >> PAGE_SHIFT, align=size, zero=zero)
        try:
            self.table.map(laddr, paddr, size, RW | NX | G)
        except (SysError, KernelBug):
            self.frames.free(paddr, size >> PAGE_SHIFT)
            raise

    def _page(self, laddr: int) -> int:
        """Return the physical address of a page."""
        page = laddr >> PAGE_SHIFT
        paddr = self._pages.get(page)
        if paddr is None:
            paddr = self.table.translate(laddr & ~_OFFSET)
            if paddr is None:
                raise KernelBug(self.table.walk(laddr).explain())
            self._pages[page] = paddr
        return paddr

    def _invalidate(self, laddr: int, size: int) -> None:
        self._pages.clear()
        self._tell(laddr, size)


def _whole_pages(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return page-aligned ranges (base, size), sorted, with those that touch joined."""
    joined: list[tuple[int, int]] = []
    for base, size in sorted(ranges):
        start, end = page_down(base), page_up(base + size)
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        elif start < end:
            joined.append((start, end))
    return [(start, end - start) for start, end in joined]
