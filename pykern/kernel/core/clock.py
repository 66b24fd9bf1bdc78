"""Virtual time, as the kernel sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["NS_PER_MS", "NS_PER_S", "NS_PER_US", "Clock", "Timer"]

NS_PER_US = 1_000
NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000


class Timer(Protocol):
    """A pending call."""

    def cancel(self) -> None:
        """Take the call back; does nothing when it has happened or was taken back."""


class Clock(Protocol):
    """Time since boot, and calls at a time to come."""

    @property
    def now_ns(self) -> int:
        """Nanoseconds of virtual time since boot."""

    def at(self, deadline_ns: int, function: Callable[[], None], /) -> Timer:
        """Call `function` at `deadline_ns`, or as soon as may be when that has passed."""
