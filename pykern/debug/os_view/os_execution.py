"""Running to the breakpoints of processes, and stepping tasks wherever they are executed.

A breakpoint belongs to the process it was set in, and stops nothing else at the same address; one
of the kernel's process stops the processor, whatever task it executes. The core compares address
spaces, so neither a breakpoint nor a watchpoint costs another process anything. A task that steps
in user mode takes interrupts, page faults and system calls as one instruction, on however many
processors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gdbstub import BreakpointKind, Stop, StopKind, ThreadId
from gdbstub.x86 import X86_64
from pykern.debug.agent import Agent
from pykern.debug.hooked_run import place_of
from pykern.debug.landing_run import LandingRun, Whereabouts
from pykern.debug.os_view.repeats import Repeats
from pykern.debug.os_view.task_spaces import TaskSpaces
from pykern.debug.os_view.tasks import KERNEL_PID, processor_id, task_id
from pykern.debug.points import Point
from pykern.debug.some_processors import SomeProcessors
from pykern.kernel.x86.layout import VECTOR_SYSCALL

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gdbstub import Action, Breakpoint, Resume
    from pykern.debug.os_view.syscall_catch import SyscallCatch
    from pykern.debug.os_view.task_registers import TaskRegisters
    from pykern.debug.os_view.tasks import Tasks
    from pykern.kernel.task.thread import Thread as Task
    from pykern_c import Vcpu

_USER_CPL = 3
_STOP_KINDS = {
    BreakpointKind.SOFTWARE: StopKind.SWBREAK,
    BreakpointKind.HARDWARE: StopKind.HWBREAK,
}


@dataclass
class Step:
    """A thread that is to stop at an instruction soon.

    Attributes
    ----------
    user : it is a program that steps, not the kernel's code
    start : where; None: wherever it goes on
    within : addresses at which it goes on stepping
    seen : (processor, instructions that had retired) before an instruction that was not executed
    left : it has been in the kernel since: an instruction that faulted is executed again
    returns_to : (RIP, RSP) at which the interrupt returns that has come between
    """

    user: bool
    start: int | None
    within: tuple[int, int] | None
    seen: tuple[int, int] | None = None
    left: bool = False
    returns_to: tuple[int, int] | None = None


class OsExecution(LandingRun):
    """Runs a machine for the OS view.

    Parameters
    ----------
    tasks : what it executes
    registers : of tasks; told where a program was stopped inside of the kernel
    catch : stops at system calls
    where : of the machine, which others run as well
    """

    def __init__(
        self,
        tasks: Tasks,
        registers: TaskRegisters,
        catch: SyscallCatch,
        where: Whereabouts | None = None,
    ) -> None:
        super().__init__(tasks.machine, Agent(tasks.machine, X86_64, TaskSpaces(tasks)), where)
        self._tasks = tasks
        self._registers = registers
        self._catch = catch
        self._set: set[Point] = set()
        self._lifted: frozenset[Point] = frozenset()
        self._placed: frozenset[Point] = frozenset()
        self._steps: dict[ThreadId, Step] = {}
        self._repeats = Repeats(tasks)

    # -- breakpoints of processes

    def insert(self, pid: int, wanted: Breakpoint) -> None:
        """Stop a process there, on what is said now."""
        self.remove(pid, wanted)
        self._set.add(Point(pid, wanted))

    def remove(self, pid: int, wanted: Breakpoint) -> None:
        """Stop it there no longer."""
        self._set.discard(Point(pid, wanted))

    def drop(self, pid: int) -> None:
        """Forget the breakpoints of a process that has ended, or executes another program."""
        self._set = {point for point in self._set if point.owner != pid}
        self._accesses.forget(pid)

    def forget(self) -> None:
        """Have no breakpoints, and no step under way."""
        self._set.clear()
        self._steps.clear()
        self._alone = None
        self._lifted = self._placed = frozenset()
        self._place_all()
        self._hook_steps()

    @property
    def breakpoints(self) -> frozenset[Point]:
        """What is set, and whose it is."""
        return frozenset(self._set)

    @breakpoints.setter
    def breakpoints(self, points: Iterable[Point]) -> None:
        self._set = set(points)

    # -- before a run

    def prepare(self, actions: Resume) -> None:
        """Make ready for going on: the whole machine does, but a thread that is locked alone.

        Raises
        ------
        TargetError : the core cannot watch so much
        """
        self.passes = self._is_next(actions)
        self._lifted = self._lift() if self.passes else frozenset()
        self._place_all()
        self._forget_stops()
        self._alone = None if self.passes else self._locked(actions)
        self._steps = {t: self._step(t, action) for t, action in actions.items() if action.step}
        self._registers.forget_stops()
        self._hook_steps()

    def _place_all(self) -> None:
        """Have the hooks that the breakpoints need."""
        self._place(self._set | self._lifted)
        self._placed = frozenset(self._set)
        self._repeats.watch(wanted=bool(self._set) or self.tracing.tracer.running)

    def renew(self, points: Iterable[Point]) -> None:
        """Have these breakpoints, in the address spaces that their processes have now."""
        self._set = set(points)
        self._points.renew()
        self._place_all()

    def repeats(self, vcpu: Vcpu) -> bool:
        """Tell whether the next instruction has faulted behind a hit."""
        return self._repeats.again(vcpu)

    def _is_next(self, actions: Resume) -> bool:
        """Tell whether only the thread is to step whose turn it is: then nobody else runs."""
        (thread, action), *others = actions.items()
        if others or not action.step or self._alone is not None or self.where.turn is None:
            return False
        return self._tasks.index_of(thread) == self.where.turn

    def _lift(self) -> frozenset[Point]:
        """Return the breakpoints that gdb has taken out only to let one thread pass."""
        assert self.where.turn is not None
        pc = self._machine.vcpus[self.where.turn].read_register("rip")
        gone = self._placed - self._set
        return frozenset(
            p for p in gone if p.breakpoint.kind in _STOP_KINDS and p.breakpoint.address == pc
        )

    def _hook_steps(self) -> None:
        """Look at every instruction while something steps: a task may go to any processor."""
        everywhere = range(len(self._machine.vcpus) if self._steps else 0)
        self._look_at(everywhere, stepping=bool(self._steps))

    def _locked(self, actions: Resume) -> SomeProcessors | None:
        """Return the processor that is to run alone: that of one thread of several in a process."""
        if len(actions) != 1:
            return None
        thread = next(iter(actions))
        index = self._tasks.index_of(thread)
        if index is None or len(self._tasks.list({thread.pid})) == 1:
            return None
        return SomeProcessors(self._machine, [self._machine.vcpus[index]])

    def _step(self, thread: ThreadId, action: Action) -> Step:
        task, index = self._tasks.find(thread), self._tasks.index_of(thread)
        if task is not None and self._registers.shows_frame(task):
            return self._step_from_frame(task, action)
        if index is None:
            assert task is not None
            return Step(False, task.context.rip, action.within)
        vcpu = self._machine.vcpus[index]
        user = task is not None and vcpu.read_register("cpl") == _USER_CPL
        return Step(user, vcpu.read_register("rip"), action.within, (index, vcpu.retired))

    @staticmethod
    def _step_from_frame(task: Task, action: Action) -> Step:
        """Return the step of a program that is in the kernel: a system call is its instruction."""
        frame = task.frame
        calls = frame["vector"] == VECTOR_SYSCALL
        return Step(True, None if calls else frame["rip"], action.within, left=True)

    # -- steps into hosted functions and out of them

    def range_step(self, index: int) -> tuple[int, int] | None:
        """Return the addresses in which kernel code steps on a processor, if it is there."""
        vcpu = self._machine.vcpus[index]
        pc = vcpu.read_register("rip")
        steps = (self._steps[thread] for thread in self._stepping(vcpu))
        ranges = (s.within for s in steps if s.within and not s.user and s.returns_to is None)
        return next(((first, end) for first, end in ranges if first <= pc < end), None)

    def step_from_thunk(self, index: int, within: tuple[int, int] | None, thread: ThreadId) -> None:
        """Stop where what a processor executes goes on in the guest, on whichever processor."""
        there = place_of(self._machine.vcpus[index])
        processors = [processor_id(vcpu.index) for vcpu in self._machine.vcpus]
        for who in processors if thread in processors else [thread]:
            self._steps[who] = Step(False, None, within, returns_to=there)
        self._hook_steps()

    # -- the run

    def _hooked(self, vcpu: Vcpu) -> Stop | None:
        """Decide before a hooked instruction whether to stop."""
        return super()._hooked(vcpu) or self._catch.at_instruction(vcpu)

    def _at_instruction(self, vcpu: Vcpu) -> Stop | None:
        """Decide before any instruction whether somebody's step ends at it."""
        due = [thread for thread in self._stepping(vcpu) if self._is_due(thread, vcpu)]
        if not due or self._breaks(vcpu):
            return None  # or its own hook comes next
        return self._stop(due[0], vcpu)

    def _stepping(self, vcpu: Vcpu) -> list[ThreadId]:
        """Return the threads that step on a processor: its task, and itself."""
        here = (self._tasks.current_id(vcpu.index), processor_id(vcpu.index))
        return [thread for thread in dict.fromkeys(here) if thread in self._steps]

    def _is_due(self, thread: ThreadId, vcpu: Vcpu) -> bool:
        """Tell whether a thread that steps is at its next instruction."""
        step, here = self._steps[thread], (vcpu.index, vcpu.retired)
        if step.user and vcpu.read_register("cpl") != _USER_CPL:
            step.left = True
            return False
        if here == step.seen or not self._goes_on(step, vcpu):
            return False
        pc = vcpu.read_register("rip")
        if pc == step.start and (step.left or step.seen is None):
            step.left, step.seen = False, here
            return False
        if step.within is None or not step.within[0] <= pc < step.within[1]:
            return True
        step.start, step.left, step.seen = pc, False, here
        return False

    @staticmethod
    def _goes_on(step: Step, vcpu: Vcpu) -> bool:
        """Tell whether no interrupt has come between, or it has been served."""
        if step.returns_to is None:
            return True
        if place_of(vcpu) != step.returns_to:
            return False
        step.returns_to, step.left = None, True
        return True

    def _interrupted(self, vcpu: Vcpu, *, external: bool) -> None:
        """Note where an interrupt of kernel code returns to; an exception is where a step leads."""
        for thread in self._stepping(vcpu):
            step = self._steps[thread]
            if step.user or step.returns_to is not None:
                continue
            if not external:
                self.stop_after(self._stop(thread, vcpu))
                return
            step.returns_to = place_of(vcpu)

    # -- whom it is about

    def _meant(self, vcpu: Vcpu, pc: int) -> list[Point]:
        """Return the breakpoints of what a processor executes, and those of the kernel."""
        lifted = frozenset() if self._stepping(vcpu) else self._lifted
        here = [point for point in self._set | lifted if point.breakpoint.address == pc]
        return [point for point in here if self._whom(vcpu, point.owner) is not None]

    def _whom(self, vcpu: Vcpu, owner: int) -> ThreadId | None:
        """Return the thread that a breakpoint of a process stops on a processor, if any."""
        if not self.agent.spaces.executes(vcpu, owner):
            return None
        here = self._tasks.current_id(vcpu.index)
        return processor_id(vcpu.index) if owner == KERNEL_PID else here

    def who(self, vcpu: Vcpu) -> ThreadId:
        """Return the program that a processor executes; in the kernel's code it is itself."""
        user = vcpu.read_register("cpl") == _USER_CPL
        return self._tasks.current_id(vcpu.index) if user else processor_id(vcpu.index)

    def _thread(self, vcpu: Vcpu, owner: int) -> ThreadId | None:
        """Return who has touched what a process watches; another's doing is shown in its own."""
        process = self._tasks.kernel.processes.by_pid.get(owner)
        others = [] if process is None else process.threads
        return self._whom(vcpu, owner) or next(map(task_id, others), None)

    def _stop_for(self, vcpu: Vcpu, points: Iterable[Point]) -> Stop:
        """Return the stop of a thread at a breakpoint: of a program, if it is one of its own."""
        found = [(point.breakpoint.kind, self._whom(vcpu, point.owner)) for point in points]
        kind, thread = min((kind, thread) for kind, thread in found if thread is not None)
        return self._stop(thread, vcpu, _STOP_KINDS[kind])

    def _index(self, stop: Stop) -> int:
        """Return the processor that a stop is about; of one that is on none, who has served it."""
        index = self._tasks.index_of(stop.thread)
        return self._accesses.server.index if index is None else index

    def _find(self, stop: Stop, access: tuple[int, bool] | None) -> None:
        """Take a stop; who has touched memory in the kernel's code is shown there."""
        super()._find(stop, access)
        index = self._tasks.index_of(stop.thread)
        if access is not None and index is not None:
            self.show_kernel(stop.thread, self._machine.vcpus[index])

    def _stop(self, thread: ThreadId, vcpu: Vcpu, kind: StopKind = StopKind.SIGNAL) -> Stop:
        self.show_kernel(thread, vcpu)
        return Stop(thread, kind=kind)

    def show_kernel(self, thread: ThreadId, vcpu: Vcpu) -> None:
        """Have a program that is stopped in the kernel's own code shown there."""
        if vcpu.read_register("cpl") != _USER_CPL:
            self._registers.in_kernel.add(thread.tid)

    def _processor(self, index: int) -> ThreadId:
        """Return what gdb calls a processor."""
        return processor_id(index)
