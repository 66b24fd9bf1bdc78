"""Who has which frame of RAM, looked up from what the kernel knows, without anybody keeping books.

Every frame has one owner, so that the sizes of all owners together are the RAM. A page that
several address spaces map is `shared` unless a file or shared memory has it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from pykern.kernel.core.units import PAGE_SHIFT, PAGE_SIZE, page_up
from pykern.kernel.mm.file_pager import FilePager

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pykern.kernel.kernel import Kernel
    from pykern.kernel.mm.space import AddressSpace

    _Numbers = np.ndarray[tuple[int], np.dtype[np.int64]]

__all__ = ["KERNEL_OWNERS", "FrameOwners", "Snapshot"]

KERNEL_OWNERS = (
    "free",
    "firmware and loader",
    "framebuffer",
    "kernel image",
    "kernel heap",
    "kernel stacks",
    "page tables",
    "page cache",
    "shared memory",
    "shared after fork",
    "kernel, other",
)
"""Owners that are no processes, by number."""
(
    _FREE,
    _FIRMWARE,
    _FRAMEBUFFER,
    _IMAGE,
    _HEAP,
    _STACKS,
    _TABLES,
    _PAGE_CACHE,
    _SHARED,
    _FORKED,
    _OTHER,
) = range(len(KERNEL_OWNERS))
_CELLS = 512
_LOW_MEMORY = 1 << 20
_LOWER_HALF = 1 << 47


@dataclass(frozen=True)
class Snapshot:
    """All frames at one moment.

    Attributes
    ----------
    owners : names; those of `KERNEL_OWNERS` first, then a process each
    frames : `frames[owner][node]`, how many
    cells : RAM from its lowest address on, in parts of `cell_frames` frames of which each shows
        the owner that has most of what is not free: runs of (parts, owner)
    swapped : pages in swap space
    """

    owners: tuple[str, ...]
    frames: list[list[int]]
    cell_frames: int
    cells: list[tuple[int, int]]
    swapped: int


class FrameOwners:
    """Looks at one kernel's memory and changes nothing of it.

    Parameters
    ----------
    kernel : with a scheduler
    """

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        ranges = sorted(kernel.machine.ram_ranges)
        self._ranges = [(base, base + size) for base, size in ranges]
        self._starts = np.cumsum([0] + [size >> PAGE_SHIFT for _, size in ranges])
        self.ram_frames = int(self._starts[-1])
        self.nodes = kernel.topology.nodes
        self._node = np.zeros(self.ram_frames, dtype=np.int64)
        for base, size, node in kernel.topology.memory:
            self._node[self._span(base, size)] = self.nodes.index(node)
        self._fixed: tuple[tuple[int, int], dict[int, _Numbers]] | None = None

    def look(self) -> Snapshot:
        """Return who has what now."""
        owner = self._regions()
        for number, frames in self._of_kernel().items():
            owner[frames] = number
        for thread in self._kernel.threads.by_tid.values():
            if thread.stack is not None:
                owner[self._frames(thread.stack.pages)] = _STACKS
        owners = list(KERNEL_OWNERS)
        spaces = self._spaces()
        for name, space in spaces.items():
            self._paint(owner, space, len(owners))
            owners.append(name)
        for space in spaces.values():
            for pager in {vma.pager: None for vma in space.vmas if vma.pager is not None}:
                cached = _PAGE_CACHE if isinstance(pager, FilePager) else _SHARED
                owner[self._frames(pager.cached)] = cached
        return self._count(owner, tuple(owners))

    # -- parts

    def _regions(self) -> _Numbers:
        """Return an owner for each frame, from what the allocator has and what it was not given."""
        owner = np.full(self.ram_frames, _FIRMWARE, dtype=np.int64)
        for region in self._kernel.frames.regions:
            used = region.used(0, region.frames) > 0
            where = self._span(region.base, region.frames << PAGE_SHIFT)
            owner[where] = np.where(used, _OTHER, _FREE)
        owner[self._span(0, _LOW_MEMORY)] = _FIRMWARE
        screen = self._kernel.boot.framebuffer
        if screen is not None:
            owner[self._span(screen.paddr, page_up(screen.pitch * screen.height))] = _FRAMEBUFFER
        for section in self._kernel.space.sections:
            owner[self._span(section.paddr, page_up(section.size))] = _IMAGE
        return owner

    def _of_kernel(self) -> dict[int, _Numbers]:
        """Return heap and page tables of the kernel, looked up anew when there are more of them."""
        kernel, layout = self._kernel, self._kernel.space.layout
        state = kernel.table.tables, kernel.heap.statistics().total
        if self._fixed is None or self._fixed[0] != state:
            leaves = kernel.table.leaves(layout.heap, layout.heap_size)
            heap = [range(leaf.paddr, leaf.paddr + leaf.size, PAGE_SIZE) for leaf in leaves]
            tables = kernel.table.table_frames(upper=True)
            self._fixed = (
                state,
                {
                    _HEAP: self._frames(paddr for page in heap for paddr in page),
                    _TABLES: self._frames(tables),
                },
            )
        return self._fixed[1]

    def _spaces(self) -> dict[str, AddressSpace]:
        """Return the address spaces of all processes, under the name of who had it first."""
        spaces: dict[AddressSpace, str] = {}
        for pid, process in self._kernel.processes.by_pid.items():
            if process.alive and process.threads:
                spaces.setdefault(process.space, f"{process.name} ({pid})")
        return {name: space for space, name in spaces.items()}

    def _paint(self, owner: _Numbers, space: AddressSpace, number: int) -> None:
        """Give a process its pages and page tables; a page that another has too is shared."""
        table = space.pages.table
        owner[self._frames(table.table_frames())] = _TABLES
        pages = self._frames(
            table.paddr_of(entry)
            for _, entries in table.spans(0, _LOWER_HALF)
            for entry in entries
            if entry and not table.is_swapped(entry)
        )
        taken = owner[pages]
        owner[pages] = np.where((taken >= len(KERNEL_OWNERS)) | (taken == _FORKED), _FORKED, number)

    # -- numbers of frames

    def _span(self, base: int, size: int) -> slice:
        """Return the frames of a range of addresses that is RAM throughout."""
        for (start, end), first in zip(self._ranges, self._starts.tolist(), strict=False):
            if start <= base < end:
                number = first + (base - start >> PAGE_SHIFT)
                return slice(number, number + (min(size, end - base) >> PAGE_SHIFT))
        return slice(0, 0)

    def _frames(self, paddrs: Iterable[int]) -> _Numbers:
        """Return the numbers of frames that are RAM."""
        every = np.fromiter(paddrs, dtype=np.int64)
        found = [
            (every[(every >= start) & (every < end)] - start >> PAGE_SHIFT) + first
            for (start, end), first in zip(self._ranges, self._starts.tolist(), strict=False)
        ]
        return np.concatenate(found)

    def _count(self, owner: _Numbers, owners: tuple[str, ...]) -> Snapshot:
        kinds, nodes = len(owners), len(self.nodes)
        counts = np.bincount(owner * nodes + self._node, minlength=kinds * nodes)
        size = -(-self.ram_frames // _CELLS)
        cell = np.arange(self.ram_frames) // size
        cells = -(-self.ram_frames // size)
        shares = np.bincount(cell * kinds + owner, minlength=cells * kinds)
        shares = shares.reshape(cells, kinds)
        shares[:, _FREE] = shares[:, _FREE] == shares.sum(axis=1)
        most = shares.argmax(axis=1)
        edges = [0, *(np.flatnonzero(np.diff(most)) + 1).tolist(), cells]
        runs = [(b - a, int(most[a])) for a, b in pairwise(edges)]
        reclaimer = self._kernel.reclaimer
        swapped = reclaimer.swap.used_bytes >> PAGE_SHIFT if reclaimer else 0
        return Snapshot(owners, counts.reshape(kinds, nodes).tolist(), size, runs, swapped)
