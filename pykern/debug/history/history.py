"""The past of the machine that runs here, and this process as one of its copies."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from gdbstub import TargetError
from pykern.debug.history.channel import Channel
from pykern.debug.history.checkpoints import Checkpoint, Checkpoints, sleep
from pykern.debug.history.errands import Life
from pykern.debug.history.journal import Journal
from pykern.debug.history.landing import AtPosition
from pykern.debug.history.replay import Replay
from pykern.debug.history.saved import Saved, SavedStates
from pykern.debug.history.work import Work, begin, landing_at

if TYPE_CHECKING:
    from collections.abc import Callable

    from gdbstub import Listener, Stop
    from pykern.debug.doorways import Doorways
    from pykern.debug.history.errands import Goal
    from pykern.debug.history.journal import Change
    from pykern.debug.history.outputs import Outputs
    from pykern.debug.history.position import Position
    from pykern.debug.history.processes import Keeper
    from pykern.debug.history.reversible import Reversible
    from pykern.debug.history.reversible_target import ReversibleTarget
    from pykern.debug.history.travel import Journey

INTERVAL = 20_000_000
"""Instructions between two checkpoints: a fraction of a second of the host's."""
HOSTCALL = 2_000
"""Instructions that a hostcall counts for, by the time it takes."""


@dataclass(frozen=True)
class Origin:
    """What a recording in a file needs to know of a machine.

    Attributes
    ----------
    machine : how it was started (`Recording.machine`)
    state_hash : returns a hash of its whole state
    program : version of what runs it
    """

    machine: dict[str, Any]
    state_hash: Callable[[], str]
    program: str = ""


@dataclass
class Wishes:
    """Where gdb wants to go.

    Attributes
    ----------
    destination : where `monitor goto` has said to go
    backward : how gdb wants to go back; None: it does not
    loading : what `monitor load` has said to go on from, whichever way gdb goes next
    """

    destination: Goal | None = None
    backward: Callable[[Journey], Stop] | None = None
    loading: Callable[[Journey], Stop] | None = None

    def loads(self) -> bool:
        """Have the machine go on from a state that gdb has chosen; tell whether there is one."""
        self.backward, self.loading = self.loading, None
        return self.backward is not None


class Woken(BaseException):
    """A copy has just been woken: what the original was about is not its business."""


class History:
    """What is known of the past.

    Parameters
    ----------
    keeper : keeps watch over the processes
    target : the machine
    listener : where gdb comes in
    outputs : what is shown
    bound : bytes of memory for checkpoints
    origin : how the machine was started, and how its state is hashed

    Attributes
    ----------
    journal : what has come in
    replay : runs the machine
    checkpoints : where one can go on from
    bookmarks : points by name
    saved : states that are kept, by name
    keeps : whether a state can be kept here: gdb is waited for, between two parts of the run
    here : where the machine stands still; None: it runs
    wishes : where gdb wants to go
    views : of the machine, by name, that can go back
    hostcalls : how many this process has seen
    outputs : what is shown
    work : what this copy has been woken for; None: it lives
    """

    def __init__(
        self,
        keeper: Keeper,
        target: ReversibleTarget,
        listener: Listener | Doorways,
        outputs: Outputs,
        bound: int,
        origin: Origin | None = None,
    ) -> None:
        self.origin = origin or Origin({}, target.machine.state_hash)
        self.target = target
        self.listener = listener
        self.journal = Journal()
        self.views: dict[str, Reversible] = {target.view: target}
        self.replay = Replay(self.views, self.journal)
        self.checkpoints = Checkpoints(bound)
        self.bookmarks: dict[str, Position] = {}
        self.saved = SavedStates()
        self.keeps = False
        self.here: Position | None = None
        self.work: Work | None = None
        self.wishes = Wishes()
        self.hostcalls = 0
        self._epochs = 0
        self._ends = False
        self.outputs = outputs
        self._keeper = keeper
        self._due = INTERVAL

    def position(self) -> Position:
        """Return where the machine is."""
        position: Position = self.target.execution.position(self.journal.cursor)
        return position

    @property
    def is_watched(self) -> bool:
        """Whether there is a gdb that can go back."""
        seen: Any = self.listener.target
        return self.listener.connected and seen is self.active

    @property
    def active(self) -> Reversible:
        """The view that gdb has, if it can go back; else that of the processors."""
        seen: Any = self.listener.target
        return next((view for view in self.views.values() if view is seen), self.target)

    # -- recording

    def look(self) -> None:
        """Make a checkpoint when it is time; in one that has been woken there is work then."""
        if self.work is not None and not self.work.records:
            return
        if self.work is None and not self.is_watched:
            self.forget()
        elif self.active.execution.alone:
            self._spoil()
        elif self._effort() >= self._due:
            self.record()

    def _spoil(self) -> None:
        """Have no past: what some processors do without the others cannot be repeated."""
        if len(self.checkpoints):
            self.begin_here("processors have run while others stood still")

    def _effort(self) -> int:
        return self.target.machine.retired + HOSTCALL * self.hostcalls

    @property
    def undue(self) -> int:
        """Instructions before the next checkpoint is due."""
        return self._due - self._effort()

    def record(self) -> None:
        """Make a checkpoint; in one that has been woken there is work then."""
        self._due = self._effort() + INTERVAL
        position = self.position()
        made = self.make_checkpoint()
        if made is not None:
            self.checkpoints.add(Checkpoint(position, *made))

    def make_checkpoint(self) -> tuple[int, Channel] | None:
        """Make one; return its process and a channel to it, or None in a copy that has woken."""
        ours, theirs = Channel.pair()
        pid = self._keeper.fork()
        if pid:
            theirs.close()
            return pid, ours
        ours.close()
        self.checkpoints.clear()
        self.saved.clear()
        self.listener.sleep()
        errand, channel = sleep(self._keeper, theirs)
        self._wake(errand, channel)
        return None

    def forget(self) -> None:
        """Have no past."""
        self.checkpoints.clear()
        self.bookmarks.clear()

    def load(self, work: Work) -> None:
        """Begin with some work; history begins where that does."""
        self.work, self._due = work, 0

    def loaded(self) -> None:
        """Be where a recording ends: what comes is new."""
        self.work = None
        self._due = self._effort() + INTERVAL
        self._anew()

    def begin_here(self, why: str) -> None:
        """Have no past, and no future that is known: what was done is not in the journal."""
        self.forget()
        self.diverge(why)
        self._anew()

    def _anew(self) -> None:
        """Know of no future."""
        del self.journal.entries[self.journal.cursor :]
        self._present()
        self.outputs.show_all()

    def diverge(self, why: str) -> None:
        """Note that something was done which no run from the journal repeats."""
        self._epochs += 1
        self.journal.epoch, self.journal.broken = self._epochs, why

    # -- states that are kept

    def standing(self) -> Position:
        """Return where the machine is.

        Raises
        ------
        TargetError : it does not stand where its state can be kept
        """
        if self.here is None or not self.keeps:
            raise TargetError("the machine does not stand where its state can be kept")
        if self.here.hostcall:
            raise TargetError("no state can be kept in the middle of a hosted function")
        return self.here

    def save(self, name: str) -> Position:
        """Keep the state that there is here; raises `Woken` in a copy that is to go on from it.

        Raises
        ------
        TargetError : the machine does not stand where that is possible, or too many are kept
        """
        here = self.standing()
        self.saved.check_room(name)
        made = self.make_checkpoint()
        if made is None:
            raise Woken
        self.saved.keep(name, Saved(Checkpoint(here, *made), self.journal.past))
        return here

    # -- being a copy

    def _wake(self, errand: Any, channel: Channel) -> None:
        self.keeps = False
        self.here, self.wishes = None, Wishes()
        for view in self.views.values():
            view.wake()
        self.replay.use(self.target)
        self.journal.entries = list(errand.entries)
        self.journal.end = self.position()
        self.outputs.leave_out(errand.shown)
        self.work = begin(self, errand, channel)

    def live(self, life: Life, files: list[int]) -> None:
        """Take the place of the process that has sent this one here."""
        channels = iter(files)
        kept = [(*one, next(channels)) for one in life.checkpoints]
        self.saved.unpack(life.saved, channels)
        connection = next(channels, None)
        self.listener.take_over(life.connection, connection)
        self.active.set_settings(life.target)
        self.replay.use(self.active)
        self.bookmarks = dict(life.bookmarks)
        for position, pid, size, channel in kept:
            self.checkpoints.add(Checkpoint(position, pid, Channel.of(channel), size))
        self._epochs = life.epochs
        self.journal.end = life.end
        if life.end is None:
            self._anew()
        self._due = self._effort() + INTERVAL
        self.work = None
        self._keeper.announce()

    def life(self, stop: Stop, end: Position | None) -> tuple[Life, tuple[int, ...]]:
        """Return what another copy needs to take the place of this one."""
        connection, descriptor = self.listener.hand_over()
        checkpoints = list(self.checkpoints)
        life = Life(
            connection,
            self.active.settings(),
            [(c.position, c.pid, c.size) for c in checkpoints],
            self.bookmarks,
            self.saved.pack(),
            self._epochs,
            end,
            stop,
        )
        checkpoints += [saved.checkpoint for _, saved in self.saved]
        files = [c.channel.fileno() for c in checkpoints]
        return life, tuple(files if descriptor is None else [*files, descriptor])

    # -- the future that is known

    def replay_on(self) -> None:
        """Aim at the point up to which there is a recording, or where gdb wants to go before."""
        goal, end = self.wishes.destination, self.journal.end
        ahead = goal is not None and self.here is not None and goal.ahead(self.here)
        self._ends = end is not None and not (ahead and goal is not None and goal.behind(end))
        machine = self.target.machine
        if self._ends and end is not None:
            self.replay.aim(AtPosition(machine, end))
        else:
            self.replay.aim(landing_at(machine, goal) if ahead and goal is not None else None)

    def arrived(self) -> bool:
        """Be where `replay_on` has aimed at; tell whether all is new from here on."""
        if not self._ends:
            self.wishes.destination = None
            return False
        self._present()
        return True

    def _present(self) -> None:
        self.journal.end = None
        self.replay.aim(None)

    def enter(self, change: Callable[[Position], Change]) -> None:
        """Record what gdb changes; if that is in the past, another future begins."""
        if self.work is not None or self.here is None:
            return
        if self.here.hostcall:
            self.begin_here("gdb has changed something in the middle of a hosted function")
            return
        if self.journal.replaying:
            self.checkpoints.forget_after(self.here)
            self.bookmarks = {n: p for n, p in self.bookmarks.items() if not self.here.before(p)}
            self.outputs.show_all()
            self._present()
        self.journal.add(change(self.here))
        self.here = replace(self.here, entries=self.journal.cursor)
