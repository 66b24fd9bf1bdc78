"""Stops before a signal is delivered, and what gdb decides about it.

Signals are delivered by `exit_to_user`; what is pending when a task calls that is what gdb is asked
about, one signal after the other, before the kernel acts on the first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gdbstub import Stop
from gdbstub.signals import NUMBERS, UNKNOWN
from pykern.debug.os_view.tasks import task_id
from pykern.kernel.task.sigaction import SigInfo, Signal, bit, name_of
from pykern.kernel.task.thread import UserThread

if TYPE_CHECKING:
    from gdbstub import Resume
    from pykern.debug.os_view.tasks import Tasks
    from pykern_c.exits import Exit

_FIRST_REALTIME, _GDB_FIRST_REALTIME = 33, 45
_LAST_REALTIME = 63
_GDB_32, _GDB_64 = 77, 78
_BY_GDB = {NUMBERS[signal.name]: int(signal) for signal in Signal if signal.name in NUMBERS}


def to_gdb(number: int) -> int:
    """Return gdb's number of a signal."""
    if _FIRST_REALTIME <= number <= _LAST_REALTIME:
        return number - _FIRST_REALTIME + _GDB_FIRST_REALTIME
    special = {32: _GDB_32, 64: _GDB_64}
    return special.get(number) or NUMBERS.get(name_of(number), UNKNOWN)


def from_gdb(number: int) -> int:
    """Return the kernel's number of a signal; 0: there is none."""
    realtime = number - _GDB_FIRST_REALTIME + _FIRST_REALTIME
    if _FIRST_REALTIME <= realtime <= _LAST_REALTIME:
        return realtime
    return {_GDB_32: 32, _GDB_64: 64}.get(number) or _BY_GDB.get(number, 0)


class SignalStops:
    """Asks gdb about signals.

    Parameters
    ----------
    tasks : who get them

    Attributes
    ----------
    passed : gdb's numbers of those it is not asked about
    """

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks
        self.passed: frozenset[int] = frozenset()
        self._asked: tuple[UserThread, int] | None = None
        self._decided = 0

    def about_to_deliver(self, exit_: Exit) -> Stop | None:
        """Return the stop for the next signal that a task is about to get."""
        task = self._tasks.current(exit_.vcpu)
        self._asked = None
        if not isinstance(task, UserThread) or task.exiting or task.process.stopped:
            return None
        info = self._next(task)
        if info is None:
            self._decided = 0
            return None
        self._asked = (task, info.signal)
        return Stop(task_id(task), to_gdb(info.signal), text=_explain(task, info))

    def _next(self, task: UserThread) -> SigInfo | None:
        """Return the next signal to ask about, in the order in which they are delivered."""
        process = task.process
        for pending in (task.pending, process.pending):
            known = task.blocked | self._decided
            while (info := pending.first(known)) is not None:
                ignored = process.actions.ignores(info.signal) or info.signal == Signal.SIGKILL
                if not ignored and to_gdb(info.signal) not in self.passed:
                    return info
                known |= bit(info.signal)
        return None

    def resume(self, actions: Resume) -> None:
        """Do what gdb has decided: deliver what it was asked about, something else, or nothing."""
        wanted = {thread: from_gdb(a.signal) for thread, a in actions.items() if a.signal}
        if self._asked is not None:
            self._decide(*self._asked, wanted.pop(task_id(self._asked[0]), 0))
        for thread, number in wanted.items():
            task = self._tasks.find(thread)
            if isinstance(task, UserThread) and number:
                self._tasks.kernel.signals.send_thread(task, SigInfo(number))
        self._asked = None

    def changed_by(self, actions: Resume) -> bool:
        """Tell whether `resume` would do other than deliver what gdb was asked about."""
        wanted = {thread: from_gdb(a.signal) for thread, a in actions.items() if a.signal}
        task, asked = self._asked or (None, 0)
        number = 0 if task is None else wanted.pop(task_id(task), 0)
        return number != asked or any(wanted.values())

    def deliver(self) -> None:
        """Deliver what gdb was asked about: it has gone."""
        self._asked, self._decided = None, 0

    def _decide(self, task: UserThread, asked: int, number: int) -> None:
        if number == asked:
            self._decided |= bit(asked)
            return
        for pending in (task.pending, task.process.pending):
            if pending.take(~bit(asked)) is not None:
                break
        if number:
            task.pending.add(SigInfo(number))
            self._decided |= bit(number)


def _explain(task: UserThread, info: SigInfo) -> str:
    """Say what lies at the address of a fault, unless it is where the program stands anyway."""
    if info.signal not in {Signal.SIGSEGV, Signal.SIGBUS} or info.code not in {1, 2}:
        return ""
    if info.address == task.frame["rip"]:
        return ""
    return f"{task.process.space.describe(info.address)}\n"
