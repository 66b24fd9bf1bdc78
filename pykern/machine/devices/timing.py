"""Clocks of devices, derived from virtual time in integers: nothing drifts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.machine.devices.registers import SavedFields

if TYPE_CHECKING:
    from collections.abc import Callable

    from pykern.machine.device import Event, Events, State

__all__ = ["NS_PER_S", "Oscillator", "Timer"]

NS_PER_S = 1_000_000_000
FOREVER = (1 << 64) - 1


class Oscillator:
    """A crystal that has been ticking since virtual time 0.

    Parameters
    ----------
    events : virtual time
    hz : ticks per second of virtual time
    """

    __slots__ = ("_events", "hz")

    def __init__(self, events: Events, hz: int) -> None:
        self._events = events
        self.hz = hz

    @property
    def ticks(self) -> int:
        """Whole ticks until now."""
        return self._events.now * self.hz // NS_PER_S

    def deadline(self, tick: int) -> int:
        """Return the first nanosecond at which `ticks` has reached `tick`."""
        return -(-tick * NS_PER_S // self.hz)


class Timer(SavedFields):
    """At most one pending event that can be moved, saved and loaded.

    Parameters
    ----------
    events : virtual time
    callback : called when the deadline has come
    """

    def __init__(self, events: Events, callback: Callable[[], None]) -> None:
        self._events = events
        self._callback = callback
        self._event: Event | None = None

    @property
    def pending(self) -> bool:
        """Whether a deadline is set."""
        return self._event is not None

    def set(self, deadline_ns: int | None) -> None:
        """Move the deadline; None, or one beyond 64 bits of nanoseconds, takes it back."""
        if deadline_ns is not None and deadline_ns > FOREVER:
            deadline_ns = None
        if self._event is not None:
            if self._event.deadline == deadline_ns:
                return
            self._event.cancel()
            self._event = None
        if deadline_ns is not None:
            self._event = self._events.at(deadline_ns, self._fire)

    def _fire(self) -> None:
        self._event = None
        self._callback()

    def save(self) -> State:
        """Return the deadline, and its place among events of the same time."""
        if self._event is None:
            return {}
        return {"deadline": self._event.deadline, "sequence": self._event.sequence}

    def load(self, state: State) -> None:
        """Wait for the saved deadline, in the saved place."""
        self.set(None)
        if state:
            self._event = self._events.at(state["deadline"], self._fire, sequence=state["sequence"])
