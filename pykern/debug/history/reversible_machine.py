"""The machine as `Session` runs it when a debugger may want to go back in time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gdbstub import Stop, StopKind, ThreadId
from pykern.debug.debugged_machine import DebuggedMachine
from pykern.debug.history.history import Woken
from pykern.debug.history.landing import MissedError
from pykern.debug.history.loading import Loading
from pykern.debug.history.reversible import Reversible
from pykern.debug.history.travel import Journey
from pykern_c.exits import Exit, ExitReason

if TYPE_CHECKING:
    from gdbstub import Exited, Listener, ThreadExited
    from pykern.debug.doorways import Doorways
    from pykern.debug.history.history import History
    from pykern.debug.history.recording import Recording
    from pykern.debug.history.reversible_target import ReversibleTarget

_LOOK_NS = 1_000_000
"""Virtual time that passes at least between two looks whether a checkpoint is due."""


class ReversibleMachine(DebuggedMachine):
    """A machine behind a debugger, with a past.

    Parameters
    ----------
    target : the machine as gdb sees it
    listener : where gdb comes in
    history : its past
    wait : stand still from the beginning, until gdb has come and says go on
    """

    def __init__(
        self,
        target: ReversibleTarget,
        listener: Listener | Doorways,
        history: History,
        *,
        wait: bool = False,
    ) -> None:
        super().__init__(target, listener, wait=wait)
        self._history = history
        self._final = False

    def load(self, recording: Recording) -> None:
        """Come to the state of a recording before anything else."""
        self._target.stopped = False
        self._history.load(Loading(self._history, recording))

    def _advance(self, until_ns: int | None) -> Exit | Stop:
        while True:
            until_ns = self._history.journal.before_typed(until_ns, self._machine.now)
            if not self._in_hostcall:
                self._history.look()
            self._in_hostcall = False
            work = self._history.work
            seen = self._target
            if work is None and (not isinstance(seen, Reversible) or seen.execution.alone):
                return self._unrecorded(until_ns)
            ended = self._live(until_ns) if work is None else work.run(until_ns)
            if isinstance(ended, Exit) and ended.reason is ExitReason.HOSTCALL:
                self._history.hostcalls += 1
            if ended is not None:
                return ended

    def _unrecorded(self, until_ns: int | None) -> Exit | Stop:
        """Run as gdb wants who cannot go back, or no run repeats: it is recorded nowhere."""
        self._history.here = None
        why = "processors have run while others stood still"
        if self._history.journal.replaying:
            self._history.begin_here(why)
        elif self._listener.connected:
            self._history.diverge(why)
        return super()._advance(until_ns)

    def _live(self, until_ns: int | None) -> Exit | Stop | None:
        """Run for a while; return None to look round."""
        history, machine = self._history, self._machine
        history.here = None
        soon = machine.now + max(_LOOK_NS, history.undue // len(machine.vcpus))
        if until_ns is not None:
            soon = min(soon, until_ns)
        try:
            ended = history.replay.run(soon, self._look)
        except MissedError as error:
            history.begin_here("the run was not the one that was recorded")
            if not history.is_watched:
                return None
            return Stop(self._thread(), text=f"this is not the run that was recorded: {error}\n")
        if ended is None and history.replay.hostcall is not None:
            history.arrived()
            return history.replay.hostcall
        if ended is None:
            return self._end_of_recording()
        if isinstance(ended, Exit) and ended.reason is ExitReason.BUDGET:
            return ended if until_ns is not None and machine.now >= until_ns else None
        return ended

    def _end_of_recording(self) -> Stop | None:
        """Return what gdb is told where the recording ends, or where it wanted to go.

        A stop for a reason of its own comes first. In the middle of a step past a breakpoint gdb
        must not hear of the end at all: no release is ready for that.
        """
        here, execution = self._history.position(), self._target.execution
        kind = StopKind.REPLAY_END if self._history.arrived() else StopKind.SIGNAL
        if not self._listener.connected:
            return None
        if here.vcpu is None:
            return None if execution.passes else Stop(self._thread(), kind=kind)
        stop = execution.stop_here(here.vcpu)
        if stop is not None or execution.passes:
            return stop
        return Stop(self._history.active.stopped_on(here.vcpu), kind=kind)

    def _thread(self) -> ThreadId:
        session = self._history.listener.session
        return ThreadId(1, 1) if session is None else session.general

    def _stand_still(self) -> None:
        if self._target.stopped and self._history.work is None:
            self._arrive()
        super()._stand_still()
        if self._target.request:
            # A reset from outside is in no journal.
            self._history.begin_here("the machine was reset, or ended, from outside")
            self._history.target.execution.between_turns()
            self._history.here = None

    def _wait(self) -> None:
        """Wait for gdb, and go where it wants to go."""
        if self._history.is_watched:
            self._arrive()
            if not len(self._history.checkpoints):
                self._history.record()
                if self._history.work is not None:
                    return
        try:
            self._history.keeps = not self._final
            self._listener.poll(None)
        except Woken:
            return
        finally:
            self._history.keeps = False
        backward = self._history.wishes.backward
        if backward is None:
            return
        self._history.wishes.backward = None
        self._report(backward(Journey(self._history, self._thread())))

    def _stop_of(self, ended: Exit) -> Stop | None:
        self._final = ended.reason is ExitReason.SHUTDOWN
        return super()._stop_of(ended)

    def ended(self, status: int) -> None:
        """Tell gdb that the machine has ended."""
        self._final = True
        super().ended(status)

    def _arrive(self) -> None:
        """Note where the machine stands still."""
        if self._history.here is None:
            self._history.here = self._history.position()

    def _report(self, stop: Stop | Exited | ThreadExited) -> None:
        if self._history.is_watched:
            self._arrive()
        super()._report(stop)
