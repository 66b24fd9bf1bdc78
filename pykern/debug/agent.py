"""Agent expressions about a processor: what gdb sends to be evaluated where it happens.

A condition is evaluated twice. The core (`pykern_c.agent`) does it at every hit, and says no by
itself; what it does not know, or what holds, comes here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gdbstub.agent import AgentError, evaluate, holds
from pykern.debug import registers
from pykern.debug.spaces import Spaces
from pykern_c.agent import AgentCondition

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gdbstub import Architecture, Breakpoint
    from pykern_c import Machine, Vcpu

_WORD = (1 << 64) - 1


class ProcessorContext:
    """What an expression sees on a processor that stands before an instruction.

    Parameters
    ----------
    variables : trace state variables by number
    show : prints on gdb's console
    spaces : the memory there is
    """

    def __init__(
        self,
        machine: Machine,
        vcpu: Vcpu,
        architecture: Architecture,
        variables: dict[int, int],
        show: Callable[[str], None],
        spaces: Spaces | None = None,
    ) -> None:
        self.machine, self.vcpu = machine, vcpu
        self.architecture = architecture
        self._variables, self._show = variables, show
        self._spaces = spaces or Spaces()

    def register(self, number: int) -> int:
        """Return a register by gdb's number."""
        known = self.architecture.registers
        if number >= len(known) or known[number].bits > 64:
            raise AgentError("register")
        value = registers.read(self.machine, self.vcpu, known[number].name)
        if value is None:
            raise AgentError("register")
        return value & ((1 << known[number].bits) - 1)

    def read(self, address: int, size: int) -> bytes:
        """Return linear memory of what the processor executes."""
        data = self._spaces.read(self.vcpu, 0, address, size)
        if data is None:
            raise AgentError("memory")
        return data

    def variable(self, number: int) -> int:
        """Return a trace state variable."""
        if number not in self._variables:
            raise AgentError("variable")
        return self._variables[number]

    def set_variable(self, number: int, value: int) -> None:
        """Set one."""
        if number not in self._variables:
            raise AgentError("variable")
        self._variables[number] = value & _WORD

    def collect(self, address: int, size: int) -> None:
        """Refuse: nothing is traced here."""
        raise AgentError("opcode")

    def collect_variable(self, number: int) -> None:
        """Refuse: nothing is traced here."""
        raise AgentError("opcode")

    def print(self, text: str) -> None:
        """Show text on gdb's console."""
        self._show(text)


class Agent:
    """Evaluates for breakpoints.

    Parameters
    ----------
    architecture : the registers as gdb numbers them now
    spaces : the memory there is; a machine's own without one

    Attributes
    ----------
    variables : trace state variables by number
    show : prints on gdb's console
    """

    def __init__(
        self, machine: Machine, architecture: Architecture, spaces: Spaces | None = None
    ) -> None:
        self._machine = machine
        self.architecture = architecture
        self.spaces = spaces or Spaces()
        self.variables: dict[int, int] = {}
        self.show: Callable[[str], None] = lambda _text: None

    def context(self, vcpu: Vcpu) -> ProcessorContext:
        """Return what an expression sees on a processor."""
        return ProcessorContext(
            self._machine, vcpu, self.architecture, self.variables, self.show, self.spaces
        )

    def condition(self, codes: Sequence[bytes]) -> AgentCondition | None:
        """Return what the core has to evaluate; None: nothing, it always holds."""
        if not codes:
            return None
        names = [registers.place_name(register.name) for register in self.architecture.registers]
        return AgentCondition(codes, names)

    def holds(
        self,
        breakpoint: Breakpoint,  # noqa: A002
        vcpu: Vcpu,
        context: ProcessorContext | None = None,
    ) -> bool:
        """Tell whether a breakpoint is meant now, where a processor is or in another context."""
        conditions = breakpoint.conditions
        return not conditions or holds(conditions, context or self.context(vcpu))

    def execute(
        self,
        breakpoint: Breakpoint,  # noqa: A002
        vcpu: Vcpu,
        context: ProcessorContext | None = None,
    ) -> None:
        """Execute the commands of a breakpoint; one that cannot go on says so."""
        for code in breakpoint.commands:
            try:
                evaluate(code, context or self.context(vcpu))
            except AgentError as error:
                self.show(f"commands of the breakpoint at {breakpoint.address:#x}: {error}\n")
