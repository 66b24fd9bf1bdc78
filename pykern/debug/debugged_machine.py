"""The machine as `Session` runs it when a debugger may be there.

It takes the machine's place: its `run` returns the same exits at the same virtual times, and in
between stands still for as long as gdb wants. Hostcalls, console and pacing stay with the session.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gdbstub import Exited, Stop
from pykern.debug.doorways import Doorways
from pykern.debug.non_stop import NonStop
from pykern.debug.observed import Observed
from pykern_c.exits import Exit, ExitReason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gdbstub import ThreadExited
    from pykern.debug.doorways import View
    from pykern.debug.observed import Entrance

_REQUESTED = {"kill": "killed", "restart": "reset"}


class DebuggedMachine:
    """A machine behind a debugger.

    Parameters
    ----------
    target : the machine as gdb sees it
    listener : where gdb comes in
    wait : stand still from the beginning, until gdb has come and says go on
    """

    def __init__(self, target: View, listener: Entrance, *, wait: bool = False) -> None:
        self._machine = target.machine
        self._first_target = target
        self._listener = listener
        self._door = listener.door if isinstance(listener, Observed) else listener
        self._in_hostcall = False
        target.execution.agent.show = listener.print
        self._target.stopped = wait

    @property
    def _target(self) -> View:
        """Return the machine as the gdb sees it that is there."""
        return self._door.target if isinstance(self._door, Doorways) else self._first_target

    @property
    def events(self) -> Any:
        """Return the clock."""
        return self._machine.events

    @property
    def vcpus(self) -> Sequence[Any]:
        """Return the processors."""
        return self._machine.vcpus

    @property
    def apics(self) -> Any:
        """Return the local APICs."""
        return self._machine.apics

    @property
    def retired(self) -> int:
        """Instructions that all processors together have retired."""
        return self._machine.retired

    def run(self, until_ns: int | None = None) -> Exit:
        """Run as the machine does; stand still where gdb wants."""
        if not self._in_hostcall:
            self._listener.poll()
        else:
            self._tell_events()
        while True:
            self._stand_still()
            if (requested := self._requested()) is not None:
                return requested
            ended = self._advance(until_ns)
            stop = ended if isinstance(ended, Stop) else self._stop_of(ended)
            if isinstance(ended, Exit):
                self._in_hostcall = ended.reason is ExitReason.HOSTCALL
                if stop is None:
                    return ended
            while stop is not None:
                self._report(stop)
                if not isinstance(ended, Exit):
                    break
                self._stand_still()
                stop = self._target.hostcall_stop(ended, again=True) if self._in_hostcall else None
            if isinstance(ended, Exit):
                over = ended.reason is ExitReason.SHUTDOWN
                return (self._requested() if over else None) or ended

    def _requested(self) -> Exit | None:
        """Return what has the machine's owner do as gdb wants; None: it wants nothing of it."""
        if not self._target.request:
            return None
        what, self._target.request = _REQUESTED[self._target.request], ""
        return Exit(ExitReason.STOPPED, what=what)

    def pause(self, stop: Stop) -> None:
        """Stand still in the middle of a hostcall until gdb goes on; if there is none, go on."""
        if self._listener.connected:
            self._report(stop)
            self._stand_still()

    def ended(self, status: int) -> None:
        """Tell gdb that the machine has ended, and with it all that gdb saw of it."""
        for reason in self._target.ends(status):
            self._stand_still()
            if not self._listener.connected:
                return
            self._report(reason)

    def _stand_still(self) -> None:
        while (interrupt := self._interrupt()) is not None:
            self._report(interrupt)
        while self._target.stopped and not self._target.request:
            self._wait()

    def _wait(self) -> None:
        self._listener.poll(None)

    def _advance(self, until_ns: int | None) -> Exit | Stop:
        return self._target.execution.run(until_ns, self._look)

    def _look(self) -> Stop | None:
        self._listener.poll()
        return self._interrupt()

    def _interrupt(self) -> Stop | None:
        """Return the stop that gdb wants of a running machine."""
        if not self._target.interrupted:
            target = self._target
            return target.take_halting() if isinstance(target, NonStop) else None
        self._target.interrupted = False
        return self._target.interrupt_stop()

    def _stop_of(self, ended: Exit) -> Stop | None:
        """Return the stop that an exit is for gdb, before the session hears of it."""
        if ended.reason is ExitReason.HOSTCALL:
            return self._target.hostcall_stop(ended)
        if ended.reason is not ExitReason.SHUTDOWN or not self._listener.connected:
            return None
        return self._target.execution.shutdown_stop(ended)

    def _tell_events(self) -> None:
        """Tell gdb of what the last hostcall has done, one after the other."""
        while (event := self._target.next_event()) is not None:
            self._report(event)
            self._stand_still()

    def _report(self, stop: Stop | Exited | ThreadExited) -> None:
        if isinstance(self._target, NonStop):
            self._target.note_stop(stop)
        else:
            self._target.stopped = True
        self._listener.report_stop(stop)
