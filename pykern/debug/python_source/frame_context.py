"""What agent expressions see at a line of Python: the registers and the stack that gdb is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gdbstub import TargetError
from gdbstub.agent import AgentError
from pykern.debug.agent import ProcessorContext

if TYPE_CHECKING:
    from pykern.debug.agent import Agent
    from pykern.debug.python_source.debugger import PythonSource
    from pykern.debug.python_source.stack import VirtualStack
    from pykern_c import Vcpu


class FrameContext(ProcessorContext):
    """A frame of Python, for conditions and commands of its breakpoints.

    Parameters
    ----------
    source : reads memory with a stack in it
    stack : the frames
    agent : of the view that gdb has
    vcpu : the processor whose call is served
    """

    def __init__(self, source: PythonSource, stack: VirtualStack, agent: Agent, vcpu: Vcpu) -> None:
        super().__init__(
            source.machine, vcpu, agent.architecture, agent.variables, agent.show, agent.spaces
        )
        self._source, self._stack = source, stack

    def register(self, number: int) -> int:
        """Return a register by gdb's number, of the innermost frame."""
        shown = {"rip": self._stack.rip, "rsp": self._stack.rsp}
        known = self.architecture.registers
        name = known[number].name if number < len(known) else ""
        return shown[name] if name in shown else super().register(number)

    def read(self, address: int, size: int) -> bytes:
        """Return memory with the frames in it, and where their variables are."""
        try:
            data = self._source.read_as(self._stack, address, size, self._plain)
        except TargetError as error:
            raise AgentError(str(error)) from None
        if len(data) < size:
            raise AgentError("memory")
        return data

    def _plain(self, address: int, size: int) -> bytes:
        """Return the guest's own memory; a variable's text may be where there is none."""
        try:
            return super().read(address, size)
        except AgentError as error:
            raise TargetError(str(error)) from None
