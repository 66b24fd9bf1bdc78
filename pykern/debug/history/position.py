"""Points in a run, exactly: which instruction of which processor comes next.

Processors take their turns one after another, so the instructions that all of them together have
retired number the points at which one may look at a machine. Virtual time alone does not: during a
turn the clocks of the others stand still.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pykern_c import Machine


@dataclass(frozen=True)
class Position:
    """A point in a run.

    Attributes
    ----------
    retired : instructions that each processor has retired
    now : virtual time in ns; exact between two turns, else not behind the end of the turn
    entries : how much of the journal lies before it
    vcpu : the processor whose turn it is; None: the machine stands between two turns
    pc : linear address of that processor's next instruction
    hostcall : whether a hostcall is being served
    access : (address, whether a write) of the access that was the last thing to happen
    """

    retired: tuple[int, ...]
    now: int
    entries: int = 0
    vcpu: int | None = None
    pc: int = 0
    access: tuple[int, bool] | None = None
    hostcall: bool = False

    @property
    def total(self) -> int:
        """Instructions of all processors."""
        return sum(self.retired)

    @property
    def order(self) -> tuple[int, int, int]:
        """Return what positions are compared by; equal ones need a closer look."""
        return self.total, self.entries, self.now

    def before(self, other: Position) -> bool:
        """Tell whether a run that has passed here can come to another position."""
        here, there = (self.total, self.entries), (other.total, other.entries)
        if here != there or self.vcpu is not None:
            return here < there
        return other.vcpu is not None or self.now < other.now


def retired(machine: Machine) -> tuple[int, ...]:
    """Return the instructions that each processor has retired."""
    return tuple(vcpu.retired for vcpu in machine.vcpus)


def between_turns(machine: Machine, entries: int) -> Position:
    """Return where a machine stands that no hook has stopped."""
    return Position(retired(machine), machine.now, entries)
