"""Joins it all: what gdb asks of Python, and where a hostcall stands still for it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from gdbstub import Action, BreakpointKind, Stop, StopKind, TargetError
from pykern.debug.compile_directory import settled
from pykern.debug.python_source import dwarf, elf
from pykern.debug.python_source.commands import PythonCommands
from pykern.debug.python_source.frame_context import FrameContext
from pykern.debug.python_source.functions import (
    FIRST_ADDRESS,
    RETURNED,
    RETURNED_ELSEWHERE,
    Functions,
)
from pykern.debug.python_source.post_mortem import describe, raised_in
from pykern.debug.python_source.reading import only_reads
from pykern.debug.python_source.stack import TEXTS, VirtualStack, nops
from pykern.debug.python_source.tracing import Step, Tracer, is_coroutine
from pykern.kernel.task.runner import Runner
from pykern.kernel.x86 import attach

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import CodeType, FrameType

    from gdbstub import Breakpoint, Resume, ThreadId
    from pykern.debug.agent import Agent
    from pykern.debug.python_source.functions import PythonFrame
    from pykern.kernel.host import KernelHost
    from pykern.kernel.kernel import Kernel
    from pykern_c.exits import Exit

_PACKAGE = Path(__file__).parents[2]
_SECTION = ".pysource"
_SIGABRT = 6
_MARKS = ("__hostcall__", "__syscall__")
_RUNS_COROUTINES = Runner._advance.__code__


class PythonExecution(Protocol):
    """What runs a machine, as far as steps go from the guest into Python and back."""

    @property
    def agent(self) -> Agent:
        """Return what evaluates for breakpoints."""

    def range_step(self, index: int) -> tuple[int, int] | None:
        """Return the addresses in which a processor steps, if it is there; None: it does not."""

    def step_from_thunk(self, index: int, within: tuple[int, int] | None, thread: ThreadId) -> None:
        """Stop where what a processor executes goes on in the guest, on whichever processor.

        Parameters
        ----------
        thread : what gdb calls it
        """


class PythonView(Protocol):
    """A way to see a machine."""

    @property
    def execution(self) -> PythonExecution:
        """Return what runs it."""

    def processor(self, index: int, before: ThreadId | None = None) -> ThreadId:
        """Return what gdb calls a processor, or what it executes.

        Parameters
        ----------
        before : what it was called when gdb saw the same call last
        """


class PythonSource:
    """The Python of a hosted kernel, for gdb.

    Parameters
    ----------
    host : serves the hostcalls of whatever kernel there is
    pause : stands still for a stop until gdb goes on
    view : returns the machine as the gdb sees it that is there

    Attributes
    ----------
    stack : what gdb is shown of the processor that Python has stopped on; None: none has
    vcpu : that processor's index
    selected : the number of the frame that `monitor` commands are about
    changed : called with an expression that may have changed something
    """

    def __init__(
        self,
        host: KernelHost,
        pause: Callable[[Stop], None],
        view: Callable[[], PythonView],
    ) -> None:
        self.machine = host.machine
        self._host = host
        self._pause = pause
        self._view = view
        self.functions = Functions(_PACKAGE / "kernel", _PACKAGE.parent)
        self._tracer = Tracer(self.functions, self._is_root, self._is_meant, self._stop, self._left)
        self._set: dict[int, Breakpoint] = {}
        self.stack: VirtualStack | None = None
        self.vcpu = -1
        self.selected = 0
        self.changed: Callable[[str], None] = lambda _expression: None
        self._resumed: ThreadId | None = None
        self._stopped: ThreadId | None = None
        self._told = False
        self._roots: dict[int, tuple[CodeType, bool]] = {}
        self.commands = PythonCommands(self).table

    def kernel(self) -> Kernel:
        """Return the kernel there is at present."""
        return self._host.kernel

    def evaluate(self, expression: str, names: Mapping[str, Any] | None = None) -> str:
        """Return the value of an expression, which may also use these names.

        Raises
        ------
        TargetError : it has none
        """
        try:
            return repr(eval(expression, {"kernel": self.kernel(), **(names or {})}))
        except (Exception, SystemExit) as error:
            raise TargetError(f"{type(error).__name__}: {error}") from None
        finally:
            if not only_reads(expression):
                self.changed(expression)

    # -- symbols

    def prepare(self) -> None:
        """Read the kernel's source, for gdb gives up on an answer that takes two seconds."""
        _ = self.functions.all

    def executable(self, image: bytes) -> bytes:
        """Return a kernel image with debug information about its Python; others as they are."""
        if attach.MAGIC not in image:
            return image
        functions = self.functions
        image = settled(image, str(functions.root))
        try:
            sizes = elf.sizes(image)
        except elf.NotElfError:
            return image
        self._told = True
        more = dwarf.sections(functions.all, str(functions.root), sizes)
        size = functions.end - FIRST_ADDRESS
        return elf.extended(image, more, _SECTION, FIRST_ADDRESS, size)

    # -- breakpoints

    def holds(self, address: int) -> bool:
        """Tell whether an address is none of the guest's, but a line's or a variable's."""
        return address >= FIRST_ADDRESS

    def insert(self, wanted: Breakpoint) -> None:
        """Stop there.

        Raises
        ------
        TargetError : it is not a line to stop at
        """
        if wanted.kind > BreakpointKind.HARDWARE:
            raise TargetError("variables of Python cannot be watched")
        if self.functions.at(wanted.address) is None:
            raise TargetError(f"no line of Python at {wanted.address:#x}")
        self._set[wanted.address] = wanted
        self._tracer.breakpoints.add(wanted.address)

    def remove(self, wanted: Breakpoint) -> None:
        """Stop there no longer."""
        self._set.pop(wanted.address, None)
        self._tracer.breakpoints.discard(wanted.address)

    def lines(self) -> frozenset[Breakpoint]:
        """Return the breakpoints there are at lines."""
        return frozenset(self._set.values())

    def forget(self) -> None:
        """Have no breakpoints, and no step."""
        self._set.clear()
        self._tracer.breakpoints.clear()
        self._tracer.step = self._tracer.resumed = None
        self._resumed, self._told = None, False

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
        return self.read_as(self.stack if vcpu == self.vcpu else None, address, size, read)

    def read_as(
        self,
        stack: VirtualStack | None,
        address: int,
        size: int,
        read: Callable[[int, int], bytes],
    ) -> bytes:
        """Return memory with a stack in it; None: without one."""
        if FIRST_ADDRESS <= address < TEXTS and address < self.functions.end:
            return nops(min(size, self.functions.end - address))
        if stack is None:
            return read(address, size)
        shown = stack.read(address, size)
        return stack.over(address, read(address, size)) if shown is None else shown

    # -- running

    def take(self, actions: Resume) -> Resume:
        """Take the step of a processor that Python has stopped on; return what is the machine's.

        gdb lets one thread step off a breakpoint while all others stand still. While Python runs
        they do so anyway, and if the function goes to sleep they have to go on.
        """
        self._tracer.step = None
        if self.stack is not None:
            assert self._stopped is not None
            thread, root = self._stopped, self.stack.frames[-1].frame
            self._tracer.resumed, self._resumed = root, thread
            action = actions.get(thread)
            if action is not None and action.step:
                self._tracer.step = Step(root, action.within)
            everyone = {self._view().processor(vcpu.index): Action() for vcpu in self.machine.vcpus}
            actions = {**everyone, **actions, thread: Action()}
        self._tracer.prepare()
        return actions

    def hostcall(self, exit_: Exit) -> None:
        """Serve a hostcall; stand still in it where gdb wants."""
        tracer = self._tracer
        if self._told and self._view().execution.range_step(exit_.vcpu) is not None:
            tracer.step = Step(None)
            tracer.prepare()
        elif tracer.step is None and not tracer.breakpoints:
            self._host.hostcall(exit_)
            return
        self.vcpu = exit_.vcpu
        tracer.run(self._host.hostcall, exit_)
        self._end_of_hostcall()

    def _end_of_hostcall(self) -> None:
        """Let no step stay in a function that is over; a coroutine may only sleep."""
        step = self._tracer.step
        if step is None or (step.root is not None and is_coroutine(step.root)):
            return
        self._tracer.step = None
        if step.root is not None:
            self._left(step)

    def _is_meant(self, frames: list[PythonFrame], offset: int) -> bool:
        """Tell whether the condition of a breakpoint holds; execute commands in place of a stop."""
        wanted = self._set[frames[0].address + offset]
        if not wanted.conditions and not wanted.commands:
            return True
        vcpu, agent = self.machine.vcpus[self.vcpu], self._view().execution.agent
        stack = VirtualStack(frames, offset, vcpu.read_register("rsp"))
        context = FrameContext(self, stack, agent, vcpu)
        if not agent.holds(wanted, vcpu, context):
            return False
        agent.execute(wanted, vcpu, context)
        return not wanted.commands

    def _stop(self, frames: list[PythonFrame], offset: int, at_breakpoint: bool) -> None:
        """Stand still.

        gdb skips a stop at a breakpoint by which it waits for a call to return if that is on
        another processor than it expects; at an address without a breakpoint it does not.
        """
        text = ""
        before = self._resumed if frames[-1].frame is self._tracer.resumed else None
        thread = self._view().processor(self.vcpu, before)
        if at_breakpoint and offset == RETURNED and before not in {None, thread}:
            offset, at_breakpoint = RETURNED_ELSEWHERE, False
            text = f"the call goes on on CPU {self.vcpu}\n"
        kind = StopKind.SWBREAK if at_breakpoint else StopKind.SIGNAL
        self._show(frames, offset, Stop(thread, kind=kind, text=text))

    def _show(self, frames: list[PythonFrame], offset: int, stop: Stop) -> None:
        rsp = self.machine.vcpus[self.vcpu].read_register("rsp")
        self.stack = VirtualStack(frames, offset, rsp)
        self.selected = 0
        self._stopped = stop.thread
        self._pause(stop)
        self.stack = None

    def post_mortem(self, error: Exception, vcpu: int) -> None:
        """Stand still where hosted code has raised what ends the kernel."""
        frames = raised_in(self.functions, error, self._begins)
        if frames:
            self.vcpu = vcpu
            self._show(
                frames, RETURNED, Stop(self._view().processor(vcpu), _SIGABRT, text=describe(error))
            )
            self._tracer.step = None

    def _left(self, step: Step) -> None:
        """Go on with a step in the guest, where the thunk does."""
        assert self._resumed is not None
        self._view().execution.step_from_thunk(self.vcpu, step.within, self._resumed)

    # -- which functions are hosted

    def _is_root(self, frame: FrameType) -> bool:
        """Tell whether a call is what a thread's hosted code begins with."""
        return self._begins(frame, frame.f_back)

    def _begins(self, frame: FrameType, caller: FrameType | None) -> bool:
        code = frame.f_code
        if is_coroutine(frame):
            return caller is not None and caller.f_code is _RUNS_COROUTINES
        known = self._roots.get(id(code))
        if known is None:
            hosted = any(code in _marked(value) for value in frame.f_globals.values())
            known = self._roots[id(code)] = code, hosted
        return known[1]


def _marked(value: Any) -> list[CodeType]:
    """Return the code of a function that is marked as hosted, or of those of a class."""
    members = [value, *vars(value).values()] if isinstance(value, type) else [value]
    return [
        member.__code__
        for member in members
        if hasattr(member, "__code__") and any(getattr(member, mark, False) for mark in _MARKS)
    ]
