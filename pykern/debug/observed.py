"""A second door, for one who only looks while another debugs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from gdbstub import Listener

_BLINK = 0.05
"""Seconds between two looks at the observer while the machine stands still."""


class Entrance(Protocol):
    """Where the one who debugs comes in (`gdbstub.Listener`)."""

    @property
    def connected(self) -> bool:
        """Whether there is a gdb."""

    def poll(self, timeout: float | None = 0) -> bool:
        """Serve what has arrived."""

    def report_stop(self, reason: Any) -> None:
        """Tell gdb of a stop."""

    def print(self, text: str) -> None:
        """Show text on gdb's console."""


class Observed:
    """Takes the place of the door of the one who debugs, and serves the observer as well.

    Parameters
    ----------
    door : of the one who debugs
    observer : of the other; its target refuses whatever would change anything

    Attributes
    ----------
    door : as given
    address : where the observer comes in
    """

    def __init__(self, door: Entrance, observer: Listener) -> None:
        self.door = door
        self._observer = observer
        self.address = observer.address

    @property
    def connected(self) -> bool:
        """Whether somebody debugs."""
        return self.door.connected

    def poll(self, timeout: float | None = 0) -> bool:
        """Serve what has arrived at both doors; None: wait for the one who debugs."""
        self._observer.poll()
        if timeout is not None:
            return self.door.poll(timeout)
        while not self.door.poll(_BLINK):
            self._observer.poll()
        return True

    def report_stop(self, reason: Any) -> None:
        """Tell the one who debugs of a stop."""
        self.door.report_stop(reason)

    def print(self, text: str) -> None:
        """Show text on the console of the one who debugs."""
        self.door.print(text)
