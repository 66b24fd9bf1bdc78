"""Runs some processors of a machine while the others stand still, as gdb may ask for.

It is not the run that there would be without a debugger, and cannot be. They take turns of equal
length, one after the other in virtual time. Where all of them wait, time goes on to the next timer,
as it does where all processors of a machine wait.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern_c.exits import Exit, ExitReason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pykern_c import Machine, Vcpu

_TURN = 1024
"""Instructions of a turn."""


class SomeProcessors:
    """Those that go on.

    Parameters
    ----------
    machine : the computer
    chosen : in the order of their turns
    """

    def __init__(self, machine: Machine, chosen: Sequence[Vcpu]) -> None:
        self._machine = machine
        self._chosen = tuple(chosen)
        self._next = 0
        self._waiting = 0

    def __contains__(self, vcpu: object) -> bool:
        return vcpu in self._chosen

    def turn(self, until_ns: int | None = None) -> Exit:
        """Give the next processor its turn; return what ended it, BUDGET: nothing has happened.

        Parameters
        ----------
        until_ns : to which virtual time to wait at most, where all of them wait
        """
        vcpu = self._chosen[self._next]
        self._next = (self._next + 1) % len(self._chosen)
        exit_ = vcpu.step(_TURN)
        if exit_.reason is not ExitReason.HLT:
            self._waiting = 0
            return exit_
        self._waiting += 1
        if self._waiting >= len(self._chosen):
            self._waiting = 0
            self._machine.skip(until_ns)
        return Exit(ExitReason.BUDGET)
