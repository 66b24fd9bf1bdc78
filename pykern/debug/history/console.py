"""The console, as long as there is a past to go back to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from pykern.debug.history.journal import Input
from pykern.debug.history.position import between_turns

if TYPE_CHECKING:
    from pykern.debug.history.journal import Journal
    from pykern_c import Machine


class Console(Protocol):
    """Where bytes are typed."""

    def read(self) -> bytes:
        """Return what has been typed since, without waiting."""

    def wait(self, seconds: float | None) -> bool:
        """Wait for input, at most so long; False: there is none, or none can ever come."""


class RecordedConsole:
    """Reads from the journal while there is something to be replayed, else from the console.

    Parameters
    ----------
    console : where somebody types
    journal : what was typed
    machine : that it was typed to
    """

    def __init__(self, console: Console, journal: Journal, machine: Machine) -> None:
        self._console = console
        self._journal = journal
        self._machine = machine

    def read(self) -> bytes:
        """Return what is typed, or was typed at this point."""
        if self._journal.replaying:
            return self._journal.next_input(self._machine.retired, self._machine.now)
        data = self._console.read()
        if data:
            here = between_turns(self._machine, self._journal.cursor)
            self._journal.add(Input(here, data))
        return data

    def wait(self, seconds: float | None) -> bool:
        """Wait for input; what is known already need not be waited for."""
        return self._journal.replaying or self._console.wait(seconds)
