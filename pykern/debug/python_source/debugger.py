"""Joins it all: what gdb asks of Python, and where a hostcall stands still for it."""

from __future__ import annotations

import functools
import inspect
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gdbstub import Action, Stop, StopKind, TargetError
from pykern.debug.execution import thread_of
from pykern.debug.python_source import dwarf, elf
from pykern.debug.python_source.commands import PythonCommands
from pykern.debug.python_source.functions import (
    FIRST_ADDRESS,
    RETURNED,
    RETURNED_ELSEWHERE,
    Functions,
)
from pykern.debug.python_source.stack import VirtualStack, nops
from pykern.debug.python_source.tracing import Step, Tracer
from pykern.kernel.task.runner import Runner
from pykern.kernel.x86 import attach

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import CodeType, FrameType

    from gdbstub import Breakpoint, Resume
    from pykern.debug.execution import Execution
    from pykern.debug.python_source.stack import PythonFrame
    from pykern.kernel.host import KernelHost
    from pykern.kernel.kernel import Kernel
    from pykern_c import Machine
    from pykern_c.exits import Exit

_PACKAGE = Path(__file__).parents[2]
_SECTION = ".pysource"
_MARKS = ("__hostcall__", "__syscall__")
_RUNS_COROUTINES = Runner._advance.__code__


class PythonSource:
    """The Python of a hosted kernel, for gdb.

    Parameters
    ----------
    machine : the computer
    execution : what runs it
    host : serves the hostcalls of whatever kernel there is
    pause : stands still for a stop until gdb goes on

    Attributes
    ----------
    stack : what gdb is shown of the processor that Python has stopped on; None: none has
    vcpu : that processor's index
    selected : the number of the frame that `monitor` commands are about
    """

    def __init__(
        self,
        machine: Machine,
        execution: Execution,
        host: KernelHost,
        pause: Callable[[Stop], None],
    ) -> None:
        self._machine = machine
        self._execution = execution
        self._host = host
        self._pause = pause
        self._breakpoints: dict[int, Breakpoint] = {}
        self.functions = Functions(_PACKAGE / "kernel", _PACKAGE.parent)
        self._tracer = Tracer(self.functions, self._is_root, self._stop, self._left)
        self.stack: VirtualStack | None = None
        self.vcpu = -1
        self.selected = 0
        self._resumed_on = -1
        self._roots: dict[int, tuple[CodeType, bool]] = {}
        self.commands = PythonCommands(self).table

    def kernel(self) -> Kernel:
        """Return the kernel there is at present."""
        return self._host.kernel

    # -- symbols

    def executable(self, image: bytes) -> bytes:
        """Return a kernel image with debug information about its Python; others as they are."""
        try:
            sizes = elf.sizes(image)
        except elf.NotElf:
            return image
        if attach.MAGIC not in image:
            return image
        functions = self.functions
        more = dwarf.sections(functions.all, str(functions.root), sizes)
        size = functions.end - FIRST_ADDRESS
        return elf.extended(image, more, _SECTION, FIRST_ADDRESS, size)

    # -- breakpoints

    def holds(self, address: int) -> bool:
        """Tell whether an address is a line's."""
        return FIRST_ADDRESS <= address < self.functions.end

    def insert(self, wanted: Breakpoint) -> None:
        """Stop at a line."""
        self._breakpoints[wanted.address] = wanted
        self._tracer.breakpoints.add(wanted.address)

    def remove(self, wanted: Breakpoint) -> None:
        """Stop there no longer."""
        self._breakpoints.pop(wanted.address, None)
        self._tracer.breakpoints.discard(wanted.address)

    def forget(self) -> None:
        """Have no breakpoints, and no step."""
        self._breakpoints.clear()
        self._tracer.breakpoints.clear()
        self._tracer.step = self._tracer.resumed = None
        self._resumed_on = -1

    # -- what gdb sees

    def registers(self, vcpu: int) -> Mapping[str, int]:
        """Return the registers of a processor that are not its own at present."""
        if self.stack is None or vcpu != self.vcpu:
            return {}
        return {"rip": self.stack.rip, "rsp": self.stack.rsp}

    def unchanged(self, vcpu: int, values: Mapping[str, int]) -> Mapping[str, int]:
        """Return the registers that are not to be written although gdb sets them.

        Raises
        ------
        TargetError : a processor would be moved while Python runs
        """
        shown = self.registers(vcpu)
        for name, value in shown.items():
            if values.get(name, value) != value:
                raise TargetError(f"{name} cannot be set while a hosted function runs")
        return shown

    def read_memory(
        self, vcpu: int, address: int, size: int, read: Callable[[int, int], bytes]
    ) -> bytes:
        """Return memory as it is to be seen.

        Parameters
        ----------
        read : returns the guest's own from an address on

        Raises
        ------
        TargetError : `read` has found none
        """
        if address >= FIRST_ADDRESS and self.holds(address):
            return nops(min(size, self.functions.end - address))
        if self.stack is None or vcpu != self.vcpu:
            return read(address, size)
        text = self.stack.text_at(address, size)
        return text if text is not None else self.stack.over(address, read(address, size))

    # -- running

    def take(self, actions: Resume) -> Resume:
        """Take the step of a processor that Python has stopped on; return what is the machine's.

        gdb lets one thread step off a breakpoint while all others stand still. While Python runs
        they do so anyway, and if the function goes to sleep they have to go on.
        """
        self._tracer.step = None
        if self.stack is not None:
            thread = thread_of(self.vcpu)
            root = self.stack.frames[-1].frame
            self._tracer.resumed, self._resumed_on = root, self.vcpu
            action = actions.get(thread)
            if action is not None and action.step:
                self._tracer.step = Step(root, action.within)
            everyone = {thread_of(vcpu.index): Action() for vcpu in self._machine.vcpus}
            actions = {**everyone, **actions, thread: Action()}
        self._tracer.prepare()
        return actions

    def hostcall(self, exit_: Exit) -> None:
        """Serve a hostcall; stand still in it where gdb wants."""
        tracer = self._tracer
        entered = self._execution.range_step(exit_.vcpu)
        if entered is not None:
            tracer.step = Step(None)
            tracer.prepare()
        elif tracer.step is None and not tracer.breakpoints:
            self._host.hostcall(exit_)
            return
        self.vcpu = exit_.vcpu
        tracer.run(self._host.hostcall, exit_)
        self._end_of_hostcall()

    def _end_of_hostcall(self) -> None:
        """Let no step stay in a function that is over and will not go on."""
        step = self._tracer.step
        if step is None or (step.root is not None and self._is_root(step.root)):
            return
        self._tracer.step = None
        if step.root is not None:
            self._left(step)

    def _stop(self, frames: list[PythonFrame], offset: int, at_breakpoint: bool) -> None:
        """Stand still.

        gdb skips a stop at a breakpoint by which it waits for a call to return if that is on
        another processor than it expects; at an address without a breakpoint it does not.
        """
        vcpu, text = self._machine.vcpus[self.vcpu], ""
        if at_breakpoint and offset == RETURNED and self._resumed_on not in {-1, self.vcpu}:
            offset, at_breakpoint = RETURNED_ELSEWHERE, False
            text = f"CPU {self._resumed_on}'s call goes on on CPU {self.vcpu}\n"
        self.stack = VirtualStack(frames, offset, vcpu.read_register("rsp"))
        self.selected = 0
        kind = StopKind.SWBREAK if at_breakpoint else StopKind.SIGNAL
        self._pause(Stop(thread_of(self.vcpu), kind=kind, text=text))
        self.stack = None

    def _left(self, step: Step) -> None:
        """Go on with a step in the guest, where the thunk does."""
        self._execution.step_from_thunk(self.vcpu, step.within)

    # -- which functions are hosted

    @functools.cached_property
    def _hosted(self) -> frozenset[CodeType]:
        found = set()
        for name, module in list(sys.modules.items()):
            if name.startswith("pykern.kernel."):
                for value in vars(module).values():
                    found.update(_marked(value))
        return frozenset(found)

    def _is_root(self, frame: FrameType) -> bool:
        """Tell whether a call is what a thread's hosted code begins with."""
        code, caller = frame.f_code, frame.f_back
        if code.co_flags & inspect.CO_COROUTINE and caller is not None:
            return caller.f_code is _RUNS_COROUTINES
        known = self._roots.get(id(code))
        if known is None:
            known = self._roots[id(code)] = code, code in self._hosted
        return known[1]


def _marked(value: Any) -> list[CodeType]:
    """Return the code of a function that is marked as hosted, or of those of a class."""
    members = [value, *vars(value).values()] if isinstance(value, type) else [value]
    return [
        member.__code__
        for member in members
        if hasattr(member, "__code__") and any(getattr(member, mark, False) for mark in _MARKS)
    ]
