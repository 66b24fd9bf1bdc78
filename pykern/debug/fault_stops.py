"""Stops at faults of the guest, with gdb's signals and an explanation.

The machine stops before the first instruction of the handler, when the fault has been delivered:
to go on is to let the guest handle it.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from gdbstub import Stop, TargetError
from pykern.debug.execution import thread_of
from pykern.debug.why import FaultHistory, explain
from pykern_c.exits import EXCEPTIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from pykern.debug.execution import Execution
    from pykern.debug.knowledge import Knowledge
    from pykern.debug.why import Fault
    from pykern_c import Machine, Vcpu

_SIGBUS = 10
"""gdb's number, which is not that of every system."""
_SIGNALS = {
    "#DE": signal.SIGFPE, "#DB": signal.SIGTRAP, "#BP": signal.SIGTRAP, "#OF": signal.SIGSEGV,
    "#BR": signal.SIGSEGV, "#UD": signal.SIGILL, "#NM": signal.SIGFPE, "#DF": signal.SIGABRT,
    "#TS": signal.SIGSEGV, "#NP": _SIGBUS, "#SS": _SIGBUS, "#GP": signal.SIGSEGV,
    "#PF": signal.SIGSEGV, "#MF": signal.SIGFPE, "#AC": _SIGBUS, "#XM": signal.SIGFPE,
}  # fmt: skip
"""Exception → signal that Linux gives a program for it."""


class FaultStops:
    """Chooses which faults stop the machine; none at first.

    Parameters
    ----------
    machine : the computer
    execution : how it runs
    knowledge : returns what explains addresses

    Attributes
    ----------
    history : the last faults of each processor
    wanted : names of the exceptions
    """

    def __init__(
        self, machine: Machine, execution: Execution, knowledge: Callable[[], Knowledge]
    ) -> None:
        self._execution = execution
        self._knowledge = knowledge
        self.wanted: set[str] = set()
        self.history = FaultHistory(machine)
        self.history.on_fault = self._fault

    def choose(self, text: str) -> str:
        """Stop at all faults ("on"), none ("off"), or another one (`#PF` or 14); return which.

        Raises
        ------
        TargetError : it is none of them
        """
        known = {name: {name} for name in _SIGNALS}
        known |= {str(vector): {name} for vector, name in EXCEPTIONS.items() if name in _SIGNALS}
        choices: dict[str, set[str]] = {"on": set(_SIGNALS), "off": set(), **known}
        if text not in choices:
            raise TargetError(
                f"no exception {text!r}, expected on, off or one of {' '.join(_SIGNALS)}"
            )
        self.wanted = choices[text] | (self.wanted if text in known else set())
        return f"stops at: {' '.join(sorted(self.wanted)) or 'no fault'}\n"

    def forget(self) -> None:
        """Stop at none."""
        self.wanted.clear()

    def _fault(self, vcpu: Vcpu, fault: Fault) -> None:
        name = EXCEPTIONS.get(fault.record.vector, "")
        if name not in self.wanted:
            return
        lines = explain(self._knowledge(), vcpu, fault)
        text = "".join(f"{line}\n" for line in lines)
        self._execution.stop_after(Stop(thread_of(vcpu.index), _SIGNALS[name], text=text))
