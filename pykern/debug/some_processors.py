"""Runs some processors of a machine while the others stand still, as gdb may ask for.

It is not the run that there would be without a debugger, and cannot be. They take turns of equal
length, one after the other in virtual time. Where all of them wait, time stands still: only what
they execute moves it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern_c.exits import Exit, ExitReason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pykern_c import Vcpu

_TURN = 1024
"""Instructions of a turn."""


class SomeProcessors:
    """Those that go on.

    Parameters
    ----------
    chosen : in the order of their turns
    """

    def __init__(self, chosen: Sequence[Vcpu]) -> None:
        self._chosen = tuple(chosen)
        self._next = 0

    def __contains__(self, vcpu: object) -> bool:
        return vcpu in self._chosen

    def turn(self) -> Exit:
        """Give the next processor its turn; return what ended it, BUDGET: nothing has happened."""
        vcpu = self._chosen[self._next]
        self._next = (self._next + 1) % len(self._chosen)
        exit_ = vcpu.step(_TURN)
        return exit_ if exit_.reason is not ExitReason.HLT else Exit(ExitReason.BUDGET)
