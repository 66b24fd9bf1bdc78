"""Which page has to go when a frame is needed: the policies, by the names that profiles use.

A policy knows pages, not frames or processes: it is told which page came in, was used, or is gone,
and chooses. In the kernel "used" is what the accessed bits say; over a trace it is each reference.

| name | the page that goes |
| --- | --- |
| lru | that was not used for longest |
| fifo | that came in first |
| clock | that came in first, unless it was used since it was last looked at |
| random | any |
| lifo | that came in last: whoever has a frame keeps it. The baseline: as without replacement |
| optimal | that will not be used for longest; has to know the trace, hence not for a kernel |

References
----------
A. Tanenbaum, Modern Operating Systems, Page Replacement Algorithms. L. Belady, A Study of
Replacement Algorithms for a Virtual-Storage Computer, IBM Systems Journal 5 (1966).
"""

from __future__ import annotations

from collections import OrderedDict
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from pykern.kernel.core.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

__all__ = [
    "REPLACEMENTS",
    "Clock",
    "FirstIn",
    "LastIn",
    "LeastRecentlyUsed",
    "Optimal",
    "Random",
    "Replacement",
    "count_faults",
]

BASELINE = "lifo"
_MASK = (1 << 64) - 1
# Knuth's MMIX generator: any one will do, as long as each machine makes the same choices.
_MULTIPLIER, _INCREMENT = 6364136223846793005, 1442695040888963407

Page = TypeVar("Page", bound="Hashable")
_Page = TypeVar("_Page", bound="Hashable", contravariant=True)


class Replacement(Protocol[Page]):
    """The pages that have a frame, and the order in which they lose it."""

    def admit(self, page: Page, /) -> None:
        """Take note of a page that has got a frame. Precondition: it is not known."""

    def touch(self, page: Page, /) -> None:
        """Take note that a page was used. Precondition: it is known."""

    def forget(self, page: Page, /) -> None:
        """Take note that a page is gone for another reason. Precondition: it is known."""

    def victim(self) -> Page:
        """Choose a page and forget it.

        Raises
        ------
        LookupError : there is none
        """

    def __contains__(self, page: object, /) -> bool:
        """Return whether a page is known."""

    def __len__(self) -> int:
        """Return how many pages are known."""


REPLACEMENTS: Registry[Callable[[], Replacement[Any]]] = Registry("page replacement")


class _InOrder(Generic[Page]):
    """Pages in an order, the next victim in front."""

    def __init__(self) -> None:
        self._pages: OrderedDict[Page, bool] = OrderedDict()

    def admit(self, page: Page) -> None:
        """Put a page at the end."""
        self._pages[page] = False

    def touch(self, page: Page) -> None:
        """Let the order be."""

    def forget(self, page: Page) -> None:
        """Take a page out."""
        del self._pages[page]

    def victim(self) -> Page:
        """Take the page in front."""
        return self._pages.popitem(last=False)[0]

    def __contains__(self, page: object) -> bool:
        return page in self._pages

    def __len__(self) -> int:
        return len(self._pages)


@REPLACEMENTS.register("lru")
class LeastRecentlyUsed(_InOrder[Page]):
    """The page that was not used for longest goes."""

    def touch(self, page: Page) -> None:
        """Move a page to the end."""
        self._pages.move_to_end(page)


@REPLACEMENTS.register("fifo")
class FirstIn(_InOrder[Page]):
    """The page that came in first goes."""


@REPLACEMENTS.register("clock")
class Clock(_InOrder[Page]):
    """As first in, first out, but a page that was used meanwhile gets a second chance."""

    def touch(self, page: Page) -> None:
        """Set a page's bit."""
        self._pages[page] = True

    def victim(self) -> Page:
        """Turn the hand: clear bits until a page has none."""
        while True:
            page, used = self._pages.popitem(last=False)
            if not used:
                return page
            self._pages[page] = False


@REPLACEMENTS.register("lifo")
class LastIn(_InOrder[Page]):
    """The page that came in last goes: whoever has a frame keeps it."""

    def victim(self) -> Page:
        """Take the page at the end."""
        return self._pages.popitem(last=True)[0]


@REPLACEMENTS.register("random")
class Random(Generic[Page]):
    """Any page goes; the same ones on each run."""

    def __init__(self, seed: int = 0) -> None:
        self._state = seed
        self._pages: list[Page] = []
        self._places: dict[Page, int] = {}

    def admit(self, page: Page) -> None:
        """Add a page."""
        self._places[page] = len(self._pages)
        self._pages.append(page)

    def touch(self, page: Page) -> None:
        """Let all be equal."""

    def forget(self, page: Page) -> None:
        """Take a page out, and put the last one into its place."""
        place, last = self._places.pop(page), self._pages.pop()
        if place < len(self._pages):
            self._pages[place] = last
            self._places[last] = place

    def victim(self) -> Page:
        """Take any page."""
        if not self._pages:
            raise LookupError("no page")
        self._state = (self._state * _MULTIPLIER + _INCREMENT) & _MASK
        page = self._pages[(self._state >> 32) % len(self._pages)]
        self.forget(page)
        return page

    def __contains__(self, page: object) -> bool:
        return page in self._places

    def __len__(self) -> int:
        return len(self._pages)


class Optimal(Generic[Page]):
    """The page that will not be used for longest goes; no policy has fewer faults (Belady).

    Parameters
    ----------
    trace : every reference there will be; each `admit` and each `touch` is the next of them
    """

    def __init__(self, trace: Sequence[Page]) -> None:
        self._now = -1
        self._pages: dict[Page, int] = {}
        # When the page of each reference is used again; behind the end where it is not.
        self._again = [len(trace)] * len(trace)
        # Pages by their next use, the last one first; what is not that of `_pages` is out of date.
        self._order: list[tuple[int, int, Page]] = []
        later: dict[Page, int] = {}
        for time in range(len(trace) - 1, -1, -1):
            self._again[time] = later.get(trace[time], len(trace))
            later[trace[time]] = time

    def admit(self, page: Page) -> None:
        """Go on in the trace."""
        self.touch(page)

    def touch(self, page: Page) -> None:
        """Go on in the trace."""
        self._now += 1
        again = self._pages[page] = self._again[self._now]
        heappush(self._order, (-again, self._now, page))

    def forget(self, page: Page) -> None:
        """Take a page out."""
        del self._pages[page]

    def victim(self) -> Page:
        """Take the page whose next use is farthest."""
        while self._order:
            again, _, page = heappop(self._order)
            if self._pages.get(page) == -again:
                del self._pages[page]
                return page
        raise LookupError("no page")

    def __contains__(self, page: object) -> bool:
        return page in self._pages

    def __len__(self) -> int:
        return len(self._pages)


def count_faults(policy: Replacement[Page], trace: Sequence[Page], frames: int) -> int:
    """Return how many references of a trace find their page without a frame.

    Parameters
    ----------
    frames : how many there are; at least 1
    """
    faults = 0
    for page in trace:
        if page in policy:
            policy.touch(page)
            continue
        faults += 1
        if len(policy) == frames:
            policy.victim()
        policy.admit(page)
    return faults
