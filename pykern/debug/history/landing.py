"""How a run comes to stand at exactly one point: first by virtual time, then by hooks.

`Execution` asks a landing before each part of the run how far to go, and after it whether the
machine has arrived.

A processor's turn is shorter than 4.5 µs, and where it ends is not for a debugger to choose; so
hooks take over 5 µs before the time that is wanted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from pykern.debug.history.position import Position, retired
from pykern.debug.registers import linear_pc
from pykern_c.exits import ExitReason

if TYPE_CHECKING:
    from collections.abc import Callable

    from pykern.debug.history.journal import Journal
    from pykern_c import Machine, Vcpu
    from pykern_c.exits import Exit

NEAR_NS = 5_000
"""Longer than a turn."""
STOPPED = "landing"
_LAST_ADDRESS = (1 << 64) - 1


class MissedError(Exception):
    """The run has passed the point: it is not the run that was recorded."""


class Landing(Protocol):
    """A point that a run is to stop at."""

    @property
    def place(self) -> tuple[int | None, tuple[int, bool] | None]:
        """Return whose turn it is there, and the access that has just been made."""

    def approach(self) -> int | None:
        """Make ready for the next part of the run; return the virtual time it may reach."""

    def reached(self, exit_: Exit | None) -> bool:
        """Tell whether the machine has arrived, after a part of the run; None: before the first.

        Raises
        ------
        MissedError : it cannot arrive any more
        """

    def close(self) -> None:
        """Take the hooks away."""


class _Hooked:
    """A landing with one hook, which is there only near the point."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._hook: int | None = None

    def close(self) -> None:
        """Take the hook away."""
        if self._hook is not None:
            self._machine.remove_hook(self._hook)
            self._hook = None


class AtPosition(_Hooked):
    """Stops at a position that was recorded.

    Parameters
    ----------
    position : the one
    """

    def __init__(self, machine: Machine, position: Position) -> None:
        super().__init__(machine)
        self.position = position

    @property
    def place(self) -> tuple[int | None, tuple[int, bool] | None]:
        """Return what was recorded."""
        return self.position.vcpu, self.position.access

    def approach(self) -> int | None:
        """Go to the time, or close to it and hook what is to be next."""
        position = self.position
        if position.vcpu is None and not position.hostcall:
            return max(position.now, self._machine.now)
        near = position.now - NEAR_NS
        if self._machine.now < near:
            return near
        if self._hook is None and not position.hostcall:
            self._hook = self._place()
        return None

    def _place(self) -> int:
        if self.position.access is None:
            return self._machine.add_hook(None, kinds="x", first=self.position.pc)
        address, write = self.position.access
        return self._machine.add_hook(self._accessed, kinds="w" if write else "r", first=address)

    def _accessed(self, *_access: object) -> None:
        """Look at the counts when the instruction is done."""
        self._machine.stop(STOPPED)

    def reached(self, exit_: Exit | None) -> bool:
        """Compare what has been retired."""
        position, total = self.position, self._machine.retired
        if total > position.total:
            raise MissedError(
                f"{total} instructions have been executed, expected to stop at {position.total}"
            )
        if total < position.total:
            between = position.vcpu is None and not position.hostcall
            if between and self._machine.now > position.now:
                raise MissedError(
                    f"{total} instructions at {position.now} ns, not {position.total}"
                )
            return False
        if position.hostcall:
            return exit_ is not None and exit_.reason is ExitReason.HOSTCALL
        if position.vcpu is None:
            return self._between_turns(exit_)
        if exit_ is None:
            return False
        wanted = ExitReason.HOOK if position.access is None else ExitReason.STOPPED
        return exit_.reason is wanted and self._is_there(position.vcpu)

    def _between_turns(self, exit_: Exit | None) -> bool:
        if exit_ is not None and exit_.reason is ExitReason.SHUTDOWN:
            return True
        turn_over = exit_ is None or exit_.reason is ExitReason.BUDGET
        return turn_over and self._machine.now >= self.position.now

    def _is_there(self, index: int) -> bool:
        return self._machine.vcpus[index].retired == self.position.retired[index]


class AtTime:
    """Stops at the end of the turn that a virtual time falls into.

    Parameters
    ----------
    now : the time in ns
    """

    def __init__(self, machine: Machine, now: int) -> None:
        self._machine = machine
        self._now = now

    @property
    def place(self) -> tuple[int | None, tuple[int, bool] | None]:
        """Return that it is nobody's turn."""
        return None, None

    def approach(self) -> int | None:
        """Go there."""
        return self._now

    def reached(self, exit_: Exit | None) -> bool:
        """Look at the clock between two turns."""
        turn_over = exit_ is None or exit_.reason is ExitReason.BUDGET
        return turn_over and self._machine.now >= self._now

    def close(self) -> None:
        """Do nothing: there is no hook."""


class Either:
    """Stops at a position that may come on the way to a time, or at the time if that comes first.

    Parameters
    ----------
    position, time : both

    Attributes
    ----------
    in_time : whether it was the time
    """

    def __init__(self, position: AtPosition, time: AtTime) -> None:
        self._position, self._time = position, time
        self.in_time = False

    @property
    def place(self) -> tuple[int | None, tuple[int, bool] | None]:
        """Return that of the one that was reached."""
        return self._time.place if self.in_time else self._position.place

    def approach(self) -> int | None:
        """Go to whichever is nearer."""
        times = (self._position.approach(), self._time.approach())
        return min(time for time in times if time is not None)

    def reached(self, exit_: Exit | None) -> bool:
        """Look at both."""
        if self._position.reached(exit_):
            return True
        self.in_time = self._time.reached(exit_)
        return self.in_time

    def close(self) -> None:
        """Take the hooks away."""
        self._position.close()


class AtCount(_Hooked):
    """Stops before the first instruction after so many have been retired by all processors.

    Parameters
    ----------
    total : how many
    """

    def __init__(self, machine: Machine, total: int) -> None:
        super().__init__(machine)
        self.total = total
        self._vcpu = 0

    @property
    def place(self) -> tuple[int | None, tuple[int, bool] | None]:
        """Return who is to execute the next instruction."""
        return self._vcpu, None

    def approach(self) -> int | None:
        """Go as far as is safe: a processor retires at most one instruction in a nanosecond."""
        left = (self.total - self._machine.retired) // len(self._machine.vcpus) - NEAR_NS
        if left > 0:
            return self._machine.now + left
        if self._hook is None:
            self._hook = self._machine.add_hook(None, kinds="x", first=0, last=_LAST_ADDRESS)
        return None

    def reached(self, exit_: Exit | None) -> bool:
        """Count."""
        if exit_ is None or exit_.reason is not ExitReason.HOOK:
            return False
        self._vcpu = exit_.vcpu
        return self._machine.retired >= self.total


class LastInstruction:
    """A landing that notes on its way where somebody was about to execute an instruction.

    Parameters
    ----------
    end : where to land
    wanted : tells whether an instruction that a processor is about to execute is meant
    journal : which part of it has come in is noted as well

    Attributes
    ----------
    last : the last such point before the end
    """

    def __init__(
        self, machine: Machine, end: Position, wanted: Callable[[Vcpu], bool], journal: Journal
    ) -> None:
        self._machine = machine
        self._end = AtPosition(machine, end)
        self._wanted = wanted
        self._journal = journal
        self._hook: int | None = None
        self.last: Position | None = None

    @property
    def position(self) -> Position:
        """Return where it ends."""
        return self._end.position

    @property
    def place(self) -> tuple[int | None, tuple[int, bool] | None]:
        """Return what was recorded."""
        return self._end.place

    def approach(self) -> int | None:
        """Hook everything, and have the end's own hook only where it does not hide behind that."""
        if self._hook is None:
            self._hook = self._machine.add_hook(
                self._executes, kinds="x", first=0, last=_LAST_ADDRESS
            )
        if self.position.vcpu is not None and self.position.access is None:
            return None
        return self._end.approach()

    def _executes(self, vcpu: Vcpu) -> None:
        machine = self._machine
        if machine.retired >= self.position.total and self._is_end(vcpu):
            machine.stop(STOPPED)
        elif self._wanted(vcpu):
            entries, pc = self._journal.cursor, linear_pc(vcpu)
            self.last = Position(retired(machine), machine.now, entries, vcpu.index, pc)

    def _is_end(self, vcpu: Vcpu) -> bool:
        """Tell whether this is the end, or behind it: no hook sees where a fault leads."""
        end = self.position
        if self._machine.retired > end.total:
            return True
        return end.access is None and (vcpu.index, linear_pc(vcpu)) == (end.vcpu, end.pc)

    def reached(self, exit_: Exit | None) -> bool:
        """Compare what has been retired."""
        if self.position.access is None and exit_ is not None and _is_ours(exit_):
            return self._machine.retired >= self.position.total
        return self._end.reached(exit_)

    def close(self) -> None:
        """Take the hooks away."""
        self._end.close()
        if self._hook is not None:
            self._machine.remove_hook(self._hook)
            self._hook = None


def _is_ours(exit_: Exit) -> bool:
    return exit_.reason is ExitReason.STOPPED and exit_.what == STOPPED
