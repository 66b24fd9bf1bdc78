"""Where the core has to look: one hook for each place that breakpoints are at, with its condition.

gdb takes breakpoints out and puts them in at every stop; only what differs reaches the core.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gdbstub import Breakpoint, BreakpointKind, TargetError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pykern.debug.agent import Agent
    from pykern_c import Machine, Vcpu

    Conditions = tuple[bytes, ...]
    Watcher = Callable[[Breakpoint], Callable[[Vcpu, int, int, bool], None]]

_LAST_ADDRESS = (1 << 64) - 1
_KINDS = {
    BreakpointKind.WRITE: "w",
    BreakpointKind.READ: "r",
    BreakpointKind.ACCESS: ("r", "w"),
}


class Points:
    """The hooks that breakpoints have in the core.

    Parameters
    ----------
    watcher : returns what is called for an access to watched memory
    """

    def __init__(self, machine: Machine, agent: Agent, watcher: Watcher) -> None:
        self._machine, self._agent, self._watcher = machine, agent, watcher
        self._hooks: dict[Breakpoint, tuple[int, Conditions]] = {}

    @property
    def slow(self) -> bool:
        """Whether there may be much to look at between two stops."""
        return any(
            place.kind >= BreakpointKind.WRITE or conditions
            for place, (_, conditions) in self._hooks.items()
        )

    def place(self, breakpoints: Iterable[Breakpoint]) -> None:
        """Have the hooks that these breakpoints need.

        Raises
        ------
        TargetError : the core has no more of them
        """
        wanted = _places(breakpoints)
        for gone in [p for p, (_, had) in self._hooks.items() if wanted.get(p) != had]:
            self._machine.remove_hook(self._hooks.pop(gone)[0])
        for place, conditions in wanted.items():
            if place in self._hooks:
                continue
            try:
                self._hooks[place] = self._hook(place, conditions), conditions
            except ValueError as error:
                raise TargetError(f"breakpoint at {place.address:#x}: {error}") from None

    def _hook(self, place: Breakpoint, conditions: Conditions) -> int:
        if place.kind <= BreakpointKind.HARDWARE:
            condition = self._agent.condition(conditions)
            return self._machine.add_hook(None, kinds="x", first=place.address, condition=condition)
        last = min(place.address + place.size - 1, _LAST_ADDRESS)
        return self._machine.add_hook(
            self._watcher(place), kinds=_KINDS[place.kind], first=place.address, last=last
        )


def _places(breakpoints: Iterable[Breakpoint]) -> dict[Breakpoint, Conditions]:
    """Return the places to be hooked, and the conditions one of which must hold; none: always."""
    found: dict[Breakpoint, Conditions] = {}
    for wanted in sorted(breakpoints, key=lambda b: (b.kind, b.address, b.size)):
        if wanted.kind >= BreakpointKind.WRITE:
            found[wanted] = ()
            continue
        place = Breakpoint(BreakpointKind.SOFTWARE, wanted.address, 1)
        others = found.get(place, wanted.conditions)
        both = others if others == wanted.conditions else others + wanted.conditions
        found[place] = both if others and wanted.conditions else ()
    return found
