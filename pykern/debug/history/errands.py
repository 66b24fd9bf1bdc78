"""What a copy of the emulator is woken for, as messages.

An errand is worked off inside `DebuggedMachine.run`, so hostcalls and the console stay with the
session that runs the machine, in the copy as in the original.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gdbstub import Stop, ThreadId
    from pykern.debug.history.journal import Entry
    from pykern.debug.history.position import Position
    from pykern.debug.history.saved import Packed


@dataclass(frozen=True)
class Goal:
    """Where to go: one of these; none of them: nowhere.

    Attributes
    ----------
    position : a point
    time : virtual time in ns
    count : instructions of all processors
    """

    position: Position | None = None
    time: int | None = None
    count: int | None = None

    def behind(self, here: Position) -> bool:
        """Tell whether one has to go back to get there from a position."""
        if self.position is not None:
            return self.position.before(here)
        if self.time is not None:
            return self.time < here.now
        return self.count is not None and self.count < here.total

    def ahead(self, here: Position) -> bool:
        """Tell whether one gets there by going on from a position."""
        if self.position is not None:
            return here.before(self.position)
        return not self.behind(here)


NOWHERE = Goal()


@dataclass(frozen=True)
class Whose:
    """Whose instructions are meant: a processor's, or a task's wherever it is executed.

    Attributes
    ----------
    vcpu : index of the processor; None: it is a task
    thread : the task
    user : only what it executes in its program
    """

    vcpu: int | None = None
    thread: ThreadId | None = None
    user: bool = False


@dataclass(frozen=True)
class Travel:
    """Go to a point, and live there.

    Attributes
    ----------
    entries : the whole journal
    shown : how much has been shown of each output
    goal : the point
    state : hash of the state that is to be found there; empty: nobody knows
    """

    entries: list[Entry]
    shown: list[int]
    goal: Goal = NOWHERE
    state: str = ""


@dataclass(frozen=True)
class Search:
    """Find the last stop before a point.

    Attributes
    ----------
    entries : the whole journal
    shown : how much has been shown of each output
    end : the point
    view : of gdb
    breakpoints : where a run would stop
    whose : any of these instructions is a stop; None: breakpoints are
    """

    entries: list[Entry]
    shown: list[int]
    end: Position
    view: str = "cpu"
    breakpoints: frozenset[Any] = frozenset()
    whose: Whose | None = None


@dataclass(frozen=True)
class Divide:
    """Make checkpoints at points, in order.

    Attributes
    ----------
    entries : the whole journal
    shown : how much has been shown of each output
    goals : the points
    """

    entries: list[Entry]
    shown: list[int]
    goals: list[Goal]


@dataclass(frozen=True)
class Found:
    """Where the last stop was, if there was one.

    Attributes
    ----------
    position : the point
    stop : what gdb would have been told there
    """

    position: Position | None = None
    stop: Stop | None = None


@dataclass(frozen=True)
class Divided:
    """A new checkpoint; its channel is with the message.

    Attributes
    ----------
    position : where it stands
    pid : its process
    """

    position: Position
    pid: int


@dataclass(frozen=True)
class Done:
    """There are no more checkpoints to come."""


@dataclass(frozen=True)
class Arrived:
    """A traveller is where it was to go.

    Attributes
    ----------
    position : the point
    """

    position: Position


@dataclass(frozen=True)
class Failed:
    """An errand came to nothing.

    Attributes
    ----------
    why : in words
    """

    why: str


@dataclass(frozen=True)
class Life:
    """What a traveller needs to take the place of who has sent it.

    Attributes
    ----------
    connection : of gdb; its open file is with the message if there is one
    target : what gdb has set
    checkpoints : position, process and size of each; their channels are with the message
    bookmarks : points by name
    saved : the states that are kept; their channels are with the message
    epochs : the highest there has been
    end : the point up to which there is a recording; None: what comes is new from here on
    stop : what gdb is told
    """

    connection: dict[str, Any]
    target: dict[str, Any]
    checkpoints: list[tuple[Position, int, int]]
    bookmarks: dict[str, Position]
    saved: list[Packed]
    epochs: int
    end: Position | None
    stop: Stop
