"""The faces between devices and the rest of the machine.

A device sees offsets, never addresses (`board.py` knows those); it drives interrupt lines, asks for
the virtual time and asks to be called at a later one. It never raises on anything a guest does:
what the hardware leaves undefined reads as ones and ignores writes unless its datasheet says else.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any, Protocol

__all__ = ["Device", "Event", "Events", "State", "Stop", "StopReason"]

#: What `save()` returns: JSON values, and `bytes` for memories.
State = dict[str, Any]


class Device(Protocol):
    """What the bus needs of a device."""

    def reset(self) -> None:
        """Do what the reset pin does; lines fall, events are cancelled."""

    def read(self, offset: int, size: int, /) -> int:
        """Return `size` bytes (1, 2, 4 or 8), little endian, from `offset`."""

    def write(self, offset: int, size: int, value: int, /) -> None:
        """Take `size` bytes, little endian, at `offset`."""

    def save(self) -> State:
        """Return everything that `load()` needs to continue as if nothing had happened."""

    def load(self, state: State, /) -> None:
        """Take a state that `save()` returned, at the same virtual time."""


class Event(Protocol):
    """A callback that waits for its deadline.

    Attributes
    ----------
    deadline : virtual time in ns
    sequence : its place among events of the same deadline
    """

    deadline: int
    sequence: int

    def cancel(self) -> None:
        """Take it back; harmless after it has run."""


class Events(Protocol):
    """Virtual time, and what is to happen later."""

    @property
    def now(self) -> int:
        """Nanoseconds of virtual time since reset."""

    def at(
        self, deadline_ns: int, callback: Callable[[], None], /, *, sequence: int | None = None
    ) -> Event:
        """Call `callback` at a deadline.

        Events of one deadline run in order of creation; loading a state gives back the place that
        was saved.
        """


class StopReason(enum.StrEnum):
    """Why a device stops the machine."""

    RESET = "reset"
    POWER_OFF = "power-off"
    DEBUG_EXIT = "debug-exit"


#: Stop the machine: a reason, and the exit status of DEBUG_EXIT (else 0).
Stop = Callable[[StopReason, int], None]
