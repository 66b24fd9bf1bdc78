"""Where the core has to look: one hook for each place that breakpoints are at, with its condition.

gdb takes breakpoints out and puts them in at every stop; only what differs reaches the core.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from gdbstub import Breakpoint, BreakpointKind, TargetError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pykern.debug.agent import Agent
    from pykern_c import Machine, Vcpu

    Conditions = tuple[bytes, ...]
    Watcher = Callable[["Point"], Callable[[Vcpu, int, int, bool], None]]

_LAST_ADDRESS = (1 << 64) - 1
_KINDS = {
    BreakpointKind.WRITE: "w",
    BreakpointKind.READ: "r",
    BreakpointKind.ACCESS: ("r", "w"),
}


class Point(NamedTuple):
    """A breakpoint, and whose it is.

    Attributes
    ----------
    owner : number of the process it was set in; 0: no process in particular
    """

    owner: int
    breakpoint: Breakpoint


class _Place(NamedTuple):
    """What one hook looks at.

    Attributes
    ----------
    root : of the address space; None: whichever
    point : what is watched, or any one of the breakpoints here
    """

    root: int | None
    point: Point


class Points:
    """The hooks that breakpoints have in the core.

    Parameters
    ----------
    agent : evaluates conditions, and knows the address spaces
    watcher : returns what is called for an access to watched memory
    """

    def __init__(self, machine: Machine, agent: Agent, watcher: Watcher) -> None:
        self._machine, self._agent, self._watcher = machine, agent, watcher
        self._hooks: dict[_Place, tuple[int, Conditions]] = {}
        self._placed: dict[Point, Conditions] | None = None

    @property
    def slow(self) -> bool:
        """Whether there may be much to look at between two stops."""
        return any(
            place.point.breakpoint.kind >= BreakpointKind.WRITE or conditions
            for place, (_, conditions) in self._hooks.items()
        )

    def renew(self) -> None:
        """Have the next `place` look at the address spaces again."""
        self._placed = None

    def place(self, points: Iterable[Point]) -> None:
        """Have the hooks that these need.

        Raises
        ------
        TargetError : the core has no more of them
        """
        said = {point: point.breakpoint.conditions for point in points}
        if said == self._placed:
            return
        self._placed = None
        wanted = self._places(said)
        for gone in [p for p, (_, had) in self._hooks.items() if wanted.get(p) != had]:
            self._machine.remove_hook(self._hooks.pop(gone)[0])
        for place, conditions in wanted.items():
            if place in self._hooks:
                continue
            try:
                self._hooks[place] = self._hook(place, conditions), conditions
            except ValueError as error:
                address = place.point.breakpoint.address
                raise TargetError(f"breakpoint at {address:#x}: {error}") from None
        self._placed = said

    def _hook(self, place: _Place, conditions: Conditions) -> int:
        wanted, add = place.point.breakpoint, self._machine.add_hook
        first = wanted.address
        if wanted.kind <= BreakpointKind.HARDWARE:
            condition = self._agent.condition(conditions)
            return add(None, kinds="x", first=first, space=place.root, condition=condition)
        last = min(first + wanted.size - 1, _LAST_ADDRESS)
        watcher = self._watcher(place.point)
        return add(watcher, kinds=_KINDS[wanted.kind], first=first, last=last, space=place.root)

    def _places(self, points: Iterable[Point]) -> dict[_Place, Conditions]:
        """Return what is to be hooked, and the conditions one of which must hold; none: always."""
        found: dict[_Place, Conditions] = {}
        for point in sorted(points, key=_order):
            owner, wanted = point
            root = self._agent.spaces.root(owner, wanted.address)
            if wanted.kind >= BreakpointKind.WRITE:
                found[_Place(root, point)] = ()
                continue
            software = Breakpoint(BreakpointKind.SOFTWARE, wanted.address, 1)
            place = _Place(root, Point(0, software))
            others = found.get(place, wanted.conditions)
            both = others if others == wanted.conditions else others + wanted.conditions
            found[place] = both if others and wanted.conditions else ()
        return found


def _order(point: Point) -> tuple[int, int, int, int]:
    wanted = point.breakpoint
    return wanted.kind, wanted.address, wanted.size, point.owner
