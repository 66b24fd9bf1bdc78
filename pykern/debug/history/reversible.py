"""What the views of a machine have in common that can go back in time."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from gdbstub import TargetError
from pykern.debug.history.journal import Write
from pykern.debug.history.travel import Journey

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gdbstub import Stop, ThreadId
    from gdbstub.tracer import Tracer
    from pykern.debug.history.errands import Whose
    from pykern.debug.history.history import History
    from pykern_c import Machine, Vcpu


_TRAVELLED = b"tstop:%b:0" % b"the machine was brought to another time".hex().encode()
"""Why a trace experiment has ended."""


class Reversible(ABC):
    """A view of a machine that has a past; goes in front of the class of the view.

    Attributes
    ----------
    history : the past; set by whoever makes both
    view : its name
    """

    history: History
    execution: Any
    machine: Machine
    physical_memory: bool
    stopped: bool
    interrupted: bool
    tracer: Tracer
    view = ""

    # -- gdbstub.Target, and going back

    def reverse(self, thread: ThreadId, *, step: bool) -> None:
        """Go back when the machine's owner looks next."""
        history = self.history
        if history.wishes.loads():
            return
        if history.here is None or history.checkpoints.first is None:
            raise TargetError("there is no history")
        goal, history.wishes.destination = history.wishes.destination, None
        if goal is not None and not step and goal.behind(history.here):
            history.wishes.backward = functools.partial(Journey.to, goal=goal)
        else:
            whose = self.whose(thread) if step else None
            history.wishes.backward = functools.partial(Journey.back, thread=thread, whose=whose)

    def resume(self, actions: Any) -> None:
        """Go on; what processors do that run alone cannot be repeated, so history ends there."""
        if self.history.wishes.loads():
            return
        self.history.replay.use(self)
        super().resume(actions)  # type: ignore[misc]
        if self.execution.alone:
            self.history.begin_here("processors have run while others stood still")
        self._go_on()

    def _go_on(self) -> None:
        self.history.replay_on()
        self.history.here = None

    def detach(self) -> None:
        """Forget breakpoints and let the machine go on."""
        self.history.replay.use(self)
        super().detach()  # type: ignore[misc]
        self.history.wishes.loading = None
        self._go_on()

    def _wrote(self, thread: ThreadId, registers: Mapping[str, int]) -> None:
        values, view = dict(registers), self.view
        self.history.enter(lambda here: Write(here, thread, values, view=view))

    def _wrote_memory(self, thread: ThreadId, address: int, data: bytes) -> None:
        physical, view = self.physical_memory, self.view
        self.history.enter(
            lambda here: Write(
                here, thread, address=address, data=data, physical=physical, view=view
            )
        )

    # -- what each view has in its own way

    @abstractmethod
    def whose(self, thread: ThreadId) -> Whose:
        """Return whose instructions are the thread's."""

    @abstractmethod
    def executes(self, vcpu: Vcpu, whose: Whose) -> bool:
        """Tell whether a processor's next instruction is one of these."""

    @abstractmethod
    def stopped_on(self, index: int) -> ThreadId:
        """Return what gdb is told has stopped where a processor has."""

    @abstractmethod
    def fit(self, stop: Stop) -> Stop:
        """Return a stop as it is to be told where the machine has been brought to."""

    @abstractmethod
    def sought(self) -> frozenset[Any]:
        """Return the breakpoints, for `seek` in a copy."""

    @abstractmethod
    def seek(self, sought: frozenset[Any]) -> None:
        """Have breakpoints, in a copy that looks for the last stop."""

    @abstractmethod
    def renew(self) -> None:
        """See to it that they are where they belong, before each part of the run."""

    @abstractmethod
    def wake(self) -> None:
        """Want nothing: this copy is to work."""

    def settings(self) -> dict[str, Any]:
        """Return what gdb has set."""
        return {"tracer": self.tracer.pack()}

    def set_settings(self, settings: Mapping[str, Any]) -> None:
        """Set it, and stand still; a trace experiment has ended, for time has gone another way."""
        self.tracer.unpack(settings["tracer"], _TRAVELLED)
