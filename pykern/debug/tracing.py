"""Tracepoints of a machine: hooks that collect, and let it go on as if nothing had been.

Conditions are evaluated in the core first, as those of breakpoints are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gdbstub.agent import AgentError
from gdbstub.tracer import TIMESTAMP, Frame, Tracer
from pykern.debug import registers
from pykern.debug.agent import ProcessorContext
from pykern.debug.memory import pages
from pykern.debug.registers import linear_pc

if TYPE_CHECKING:
    from gdbstub.tracer import Tracepoint
    from pykern.debug.agent import Agent
    from pykern_c import Machine, Vcpu


class Recorder(ProcessorContext):
    """A processor at a tracepoint.

    Attributes
    ----------
    frame : what has been collected
    """

    def __init__(self, agent: Agent, machine: Machine, vcpu: Vcpu, point: Tracepoint) -> None:
        super().__init__(
            machine, vcpu, agent.architecture, agent.variables, agent.show, agent.spaces
        )
        self.frame = Frame(point.number, linear_pc(vcpu))
        self.collect_register(agent.architecture.numbers[agent.architecture.pc])

    def collect_register(self, number: int) -> None:
        """Collect a register by gdb's number."""
        known = self.architecture.registers
        if number < len(known):
            value = registers.read(self.machine, self.vcpu, known[number].name)
            if value is not None:
                self.frame.registers[number] = value

    def collect(self, address: int, size: int) -> None:
        """Collect memory up to the first page that is not there."""
        parts = []
        for start, length in pages(address, size):
            try:
                parts.append(self.read(start, length))
            except AgentError:
                break
        if parts:
            self.frame.blocks.append((address, b"".join(parts)))

    def collect_variable(self, number: int) -> None:
        """Collect a trace state variable."""
        self.frame.variables[number] = self.variable(number)


class Tracing:
    """Keeps the hooks of a machine's tracepoints.

    Attributes
    ----------
    tracer : the trace experiment
    """

    def __init__(self, machine: Machine, agent: Agent) -> None:
        self._machine, self._agent = machine, agent
        self._hooks: list[int] = []
        self.tracer = Tracer(agent.variables, self._place)

    def _place(self) -> None:
        """Have a hook wherever a tracepoint is."""
        while self._hooks:
            self._machine.remove_hook(self._hooks.pop())
        for address, points in self.tracer.armed.items():
            conditions = [point.condition for point in points if point.condition is not None]
            always = len(conditions) < len(points)
            condition = None if always else self._agent.condition(conditions)
            self._hooks.append(
                self._machine.add_hook(self._hit, kinds="x", first=address, condition=condition)
            )

    def _hit(self, vcpu: Vcpu) -> None:
        """Collect before an instruction."""
        self._agent.variables[TIMESTAMP] = self._machine.now
        for point in self.tracer.armed.get(linear_pc(vcpu), ()):
            self.tracer.hit(point, Recorder(self._agent, self._machine, vcpu, point))
