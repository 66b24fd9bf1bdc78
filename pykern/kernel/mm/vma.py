"""Virtual memory areas: what a program has asked for, whether or not a page is there yet."""

from __future__ import annotations

import bisect
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pykern.kernel.core.units import PAGE_SIZE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pykern.kernel.mm.pager import Pager

PROT_NONE, PROT_READ, PROT_WRITE, PROT_EXEC = 0, 1, 2, 4

MAP_SHARED, MAP_PRIVATE = 0x01, 0x02
MAP_FIXED, MAP_ANONYMOUS = 0x10, 0x20
MAP_GROWSDOWN = 0x0100
MAP_FIXED_NOREPLACE = 0x10_0000
MAP_POPULATE = 0x8000
# What an address space looks at; MAP_NORESERVE, MAP_STACK and the like are advice.
MAP_TYPES = (
    MAP_SHARED | MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED_NOREPLACE
)

# What stays free below a stack, so that a large frame cannot step over into another area.
STACK_GUARD_GAP = 256 * PAGE_SIZE


@dataclass(frozen=True, slots=True)
class Vma:
    """One range of equal properties; immutable, so that two maps may share it after fork.

    Parameters
    ----------
    start, end : linear addresses of the first byte and of the one behind the last, page aligned
    prot : PROT_ bits
    shared : writes are seen by everyone who maps the same pages
    grows_down : a stack
    pager : where pages come from; None: anonymous memory, zero at first
    offset : of `start` in the pager, bytes
    name : what maps() shows where there is no file, such as "[heap]"
    may : PROT_ bits that mprotect may give; a file that is open for reading only stays so
    """

    start: int
    end: int
    prot: int
    shared: bool = False
    grows_down: bool = False
    pager: Pager | None = None
    offset: int = 0
    name: str = ""
    may: int = PROT_READ | PROT_WRITE | PROT_EXEC

    @property
    def size(self) -> int:
        """Bytes."""
        return self.end - self.start

    @property
    def guard_gap(self) -> int:
        """Bytes below the area that nothing without an address of its own is put into."""
        return STACK_GUARD_GAP if self.grows_down else 0

    def permits(self, *, write: bool, fetch: bool = False) -> bool:
        """Say whether an access is allowed; as on x86, what may be written or run may be read."""
        if write:
            return bool(self.prot & PROT_WRITE)
        return bool(self.prot & PROT_EXEC) if fetch else self.prot != PROT_NONE

    def slice(self, start: int, end: int) -> Vma:
        """Return the part of this area that lies in [start, end)."""
        start, end = max(start, self.start), min(end, self.end)
        offset = self.offset + start - self.start if self.pager else 0
        return replace(self, start=start, end=end, offset=offset)

    def continues(self, before: Vma) -> bool:
        """Say whether this area begins where another one ends and is of the same kind."""
        return (
            before.end == self.start
            and (before.prot, before.may, before.shared, before.grows_down, before.name)
            == (self.prot, self.may, self.shared, self.grows_down, self.name)
            and before.pager is self.pager
            and (self.pager is None or before.offset + before.size == self.offset)
        )


class VmaMap:
    """The areas of one address space, in order, none overlapping, neighbours of a kind merged."""

    def __init__(self, areas: list[Vma] | None = None) -> None:
        self._areas = list(areas or ())
        self._starts = [vma.start for vma in self._areas]
        self.bytes = sum(vma.size for vma in self._areas)

    def __iter__(self) -> Iterator[Vma]:
        return iter(self._areas)

    def __len__(self) -> int:
        return len(self._areas)

    def copy(self) -> VmaMap:
        """Return a map of its own with the same areas."""
        return VmaMap(self._areas)

    def find(self, laddr: int) -> Vma | None:
        """Return the area that holds an address."""
        i = bisect.bisect_right(self._starts, laddr) - 1
        if i < 0 or self._areas[i].end <= laddr:
            return None
        return self._areas[i]

    def above(self, laddr: int) -> Vma | None:
        """Return the first area that begins above an address."""
        i = bisect.bisect_right(self._starts, laddr)
        return self._areas[i] if i < len(self._areas) else None

    def below(self, laddr: int) -> Vma | None:
        """Return the last area that begins below an address."""
        i = bisect.bisect_left(self._starts, laddr)
        return self._areas[i - 1] if i else None

    def overlapping(self, start: int, end: int) -> list[Vma]:
        """Return the areas that share a byte with [start, end)."""
        low, high = self._span(start, end)
        return self._areas[low:high]

    def covers(self, start: int, end: int) -> bool:
        """Say whether every byte of [start, end) belongs to some area."""
        return sum(v.slice(start, end).size for v in self.overlapping(start, end)) == end - start

    def insert(self, vma: Vma) -> Vma:
        """Add an area where there is none; return it, merged with its neighbours."""
        i = bisect.bisect_left(self._starts, vma.start)
        self.bytes += vma.size
        low = high = i
        if i and vma.continues(self._areas[i - 1]):
            low = i - 1
            vma = replace(self._areas[low], end=vma.end)
        if i < len(self._areas) and self._areas[i].continues(vma):
            high = i + 1
            vma = replace(vma, end=self._areas[i].end)
        self._replace(low, high, [vma])
        return vma

    def remove(self, start: int, end: int) -> list[Vma]:
        """Cut [start, end) out; return what was there."""
        low, high = self._span(start, end)
        hit = self._areas[low:high]
        cut = [vma.slice(start, end) for vma in hit]
        rest = [
            vma.slice(*part)
            for vma in hit
            for part in ((vma.start, start), (end, vma.end))
            if part[0] < part[1]
        ]
        self._replace(low, high, rest)
        self.bytes -= sum(vma.size for vma in cut)
        return cut

    def gap_below(self, top: int, size: int, bottom: int) -> int | None:
        """Return the highest start of a free range of `size` bytes in [bottom, top), or None."""
        for vma in reversed(self._areas):
            if vma.start >= top:
                continue
            if top - vma.end >= size:
                break
            top = vma.start - vma.guard_gap
        start = top - size
        return start if start >= bottom else None

    def is_free(self, start: int, end: int) -> bool:
        """Say whether no area touches [start, end)."""
        low, high = self._span(start, end)
        return low == high

    def _span(self, start: int, end: int) -> tuple[int, int]:
        low = bisect.bisect_right(self._starts, start) - 1
        if low < 0 or self._areas[low].end <= start:
            low += 1
        return low, bisect.bisect_left(self._starts, end, low)

    def _replace(self, low: int, high: int, areas: list[Vma]) -> None:
        self._areas[low:high] = areas
        self._starts[low:high] = [vma.start for vma in areas]

    def check(self) -> None:
        """Assert the invariants; for tests."""
        assert self._starts == [vma.start for vma in self._areas]
        assert self.bytes == sum(vma.size for vma in self._areas)
        for vma in self._areas:
            assert vma.start < vma.end
            assert not (vma.start | vma.end | vma.offset) & (PAGE_SIZE - 1)
        for before, vma in zip(self._areas, self._areas[1:], strict=False):
            assert before.end <= vma.start
            assert not vma.continues(before)
