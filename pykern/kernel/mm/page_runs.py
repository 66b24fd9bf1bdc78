"""Runs of free pages in a range of linear addresses: first fit, and neighbours become one."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field

from pykern.kernel.core.bug import KernelBug
from pykern.kernel.core.units import PAGE_SIZE

__all__ = ["PageRuns"]


@dataclass
class PageRuns:
    """The free pages of a range, as runs in order of address.

    Attributes
    ----------
    starts, ends : linear addresses of each run, its end behind it
    """

    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)

    @property
    def free(self) -> int:
        """Bytes that are free."""
        return sum(self.ends) - sum(self.starts)

    @property
    def largest(self) -> int:
        """Bytes of the largest run."""
        pairs = zip(self.starts, self.ends, strict=True)
        return max((end - start for start, end in pairs), default=0)

    @property
    def last(self) -> tuple[int, int]:
        """The run with the highest address; (0, 0) if there is none."""
        return (self.starts[-1], self.ends[-1]) if self.starts else (0, 0)

    def take(self, pages: int) -> int | None:
        """Take pages from the first run that has so many; None: none has."""
        size = pages * PAGE_SIZE
        for index, start in enumerate(self.starts):
            if self.ends[index] - start < size:
                continue
            self.starts[index] += size
            if self.starts[index] == self.ends[index]:
                del self.starts[index], self.ends[index]
            return start
        return None

    def give(self, laddr: int, pages: int) -> None:
        """Give pages back, or add new ones.

        Raises
        ------
        KernelBug : some of them are free already
        """
        end = laddr + pages * PAGE_SIZE
        index = bisect_left(self.starts, laddr)
        before = index > 0 and self.ends[index - 1] > laddr
        if before or (index < len(self.starts) and self.starts[index] < end):
            raise KernelBug(f"pages {laddr:#x}-{end - 1:#x} are free already")
        joins_before = index > 0 and self.ends[index - 1] == laddr
        joins_behind = index < len(self.starts) and self.starts[index] == end
        if joins_before and joins_behind:
            self.ends[index - 1] = self.ends.pop(index)
            del self.starts[index]
        elif joins_before:
            self.ends[index - 1] = end
        elif joins_behind:
            self.starts[index] = laddr
        else:
            self.starts.insert(index, laddr)
            self.ends.insert(index, end)
