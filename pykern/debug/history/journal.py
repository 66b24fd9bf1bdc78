"""What has come into the machine from outside, and when: all that a re-execution needs to know.

Guests are otherwise a function of their image and the seed. What comes in is typed at the console,
between two turns, or written by gdb, while the machine stands still.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from gdbstub import TargetError
from pykern.debug.history.timeline import Timeline

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gdbstub import ThreadId
    from pykern.debug.history.position import Position


@dataclass(frozen=True)
class Input:
    """Bytes that were typed.

    Attributes
    ----------
    position : where the machine stood
    data : the bytes
    """

    position: Position
    data: bytes


@dataclass(frozen=True)
class Write:
    """Something gdb has changed.

    Attributes
    ----------
    position : where the machine stood
    thread : whose registers, or whose address space
    registers : new values by name
    address, data : new contents of memory
    physical : whether the address is physical
    view : of the machine, that the thread is one of
    """

    position: Position
    thread: ThreadId
    registers: Mapping[str, int] = field(default_factory=dict)
    address: int = 0
    data: bytes = b""
    physical: bool = False
    view: str = "cpu"

    def apply(self, views: Mapping[str, Any]) -> None:
        """Do it again.

        Raises
        ------
        TargetError : it cannot be done
        """
        target = views[self.view]
        if self.registers:
            target.write_registers(self.thread, self.registers)
            return
        before, target.physical_memory = target.physical_memory, self.physical
        try:
            target.write_memory(self.thread, self.address, self.data)
        finally:
            target.physical_memory = before


@dataclass(frozen=True)
class Evaluation:
    """An expression of Python that gdb has had evaluated, and that may have changed something.

    Attributes
    ----------
    position : where the machine stood
    expression : the text
    """

    position: Position
    expression: str

    def apply(self, views: Mapping[str, Any]) -> None:
        """Evaluate it again; if it has raised an error then, it does so now."""
        with contextlib.suppress(TargetError):
            views["cpu"].python.evaluate(self.expression)


Change: TypeAlias = Write | Evaluation
Entry: TypeAlias = Input | Change


class Journal:
    """A recording, and how much of it has been played.

    Attributes
    ----------
    entries : what came in, in order
    cursor : how many of them have come in by now
    end : the point up to which there is a recording; None: the machine is there, all is new
    epoch : a number for what has been done that is in no journal; 0: nothing has
    broken : what that was, in words
    """

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.cursor = 0
        self.end: Position | None = None
        self.epoch = 0
        self.broken = ""

    @property
    def replaying(self) -> bool:
        """Whether what comes in is known already."""
        return self.end is not None

    @property
    def timeline(self) -> Timeline:
        """Return what tells this run from others."""
        return Timeline(tuple(self.entries), self.epoch)

    @property
    def past(self) -> Timeline:
        """Return the same, without what is known of the future."""
        return Timeline(tuple(self.entries[: self.cursor]), self.epoch)

    def add(self, entry: Entry) -> None:
        """Record what comes in now; what was to come after this point is forgotten."""
        del self.entries[self.cursor :]
        self.entries.append(entry)
        self.cursor += 1
        self.end = None

    def next_input(self, total: int, now: int) -> bytes:
        """Return what was typed when so many instructions had been retired, at that time."""
        if self.cursor == len(self.entries):
            return b""
        entry = self.entries[self.cursor]
        if not isinstance(entry, Input):
            return b""
        if (entry.position.total, entry.position.now) != (total, now):
            return b""
        self.cursor += 1
        return entry.data

    def before_typed(self, until_ns: int | None, now: int) -> int | None:
        """Return how far to go, so that what was typed next can be typed again at its time."""
        following = self.entries[self.cursor : self.cursor + 1] if self.replaying else []
        for entry in following:
            at = entry.position.now
            if isinstance(entry, Input) and at > now:
                return at if until_ns is None else min(until_ns, at)
        return until_ns

    def next_write(self) -> Change | None:
        """Return what gdb changes next, if anything."""
        for entry in self.entries[self.cursor :]:
            if not isinstance(entry, Input):
                return entry
        return None
