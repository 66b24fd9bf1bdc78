"""Running to the breakpoints of processes, and stepping tasks wherever they are executed.

A breakpoint belongs to the process it was set in, and stops nothing else at the same address; one
of the kernel's process stops the processor, whatever task it executes. A task that steps in user
mode takes interrupts, page faults and system calls as one instruction, on however many processors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gdbstub import Action, BreakpointKind, Stop, StopKind, ThreadId
from pykern.debug.execution import STOP_KINDS, Execution, Step, place
from pykern.debug.os_view.tasks import KERNEL_PID, processor_id
from pykern.debug.registers import linear_pc
from pykern.debug.some_processors import SomeProcessors
from pykern.kernel.x86.layout import VECTOR_SYSCALL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from gdbstub import Breakpoint, Resume
    from pykern.debug.os_view.syscall_catch import SyscallCatch
    from pykern.debug.os_view.task_registers import TaskRegisters
    from pykern.debug.os_view.tasks import Tasks
    from pykern.kernel.task.thread import Thread as Task
    from pykern_c import Vcpu

_USER_CPL = 3


@dataclass
class TaskStep:
    """A task that is to stop at an instruction soon.

    Attributes
    ----------
    user : it is its program that steps, not the kernel's code
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


class OsExecution(Execution):
    """Runs a machine for the OS view.

    Parameters
    ----------
    tasks : what it executes
    registers : of tasks; told where a program was stopped inside of the kernel
    """

    def __init__(self, tasks: Tasks, registers: TaskRegisters) -> None:
        super().__init__(tasks.machine)
        self._tasks = tasks
        self._registers = registers
        self._owners: dict[Breakpoint, set[int]] = {}
        self._task_steps: dict[ThreadId, TaskStep] = {}
        self.catch: SyscallCatch | None = None

    # -- breakpoints of processes

    def insert(self, pid: int, wanted: Breakpoint) -> None:
        """Stop a process there."""
        self._owners.setdefault(wanted, set()).add(pid)
        self.breakpoints.add(wanted)

    def remove(self, pid: int, wanted: Breakpoint) -> None:
        """Stop it there no longer."""
        owners = self._owners.get(wanted, set())
        owners.discard(pid)
        if not owners:
            self._owners.pop(wanted, None)
            self.breakpoints.discard(wanted)

    def drop(self, pid: int) -> None:
        """Forget the breakpoints of a process that has ended, or executes another program."""
        for wanted in list(self._owners):
            self.remove(pid, wanted)

    def forget(self) -> None:
        """Have no breakpoints, and no step under way."""
        self._owners.clear()
        self._task_steps.clear()
        super().forget()

    # -- before a run

    def prepare(self, actions: Resume) -> None:
        """Make ready for going on: the whole machine does, but a thread that is locked alone."""
        self.place_hooks()
        self._alone = self._locked(actions)
        self._steps, self._task_steps = {}, {}
        for thread, action in actions.items():
            if action.step:
                self._begin_step(thread, action)
        self._registers.forget_stops()
        self._hook_steps()

    def _locked(self, actions: Resume) -> SomeProcessors | None:
        """Return the processor that is to run alone: that of one thread of several in a process."""
        if len(actions) != 1:
            return None
        thread = next(iter(actions))
        index = self._tasks.index_of(thread)
        several = thread.pid == KERNEL_PID or len(self._tasks.process(thread.pid).threads) > 1
        if not several or index is None:
            return None
        return SomeProcessors([self._machine.vcpus[index]])

    def _begin_step(self, thread: ThreadId, action: Action) -> None:
        task, index = self._tasks.find(thread), self._tasks.index_of(thread)
        if task is None:
            assert index is not None
            vcpu = self._machine.vcpus[index]
            self._steps[index] = Step(vcpu.retired, linear_pc(vcpu), action.within)
            return
        self._task_steps[thread] = self._task_step(task, index, action)

    def _task_step(self, task: Task, index: int | None, action: Action) -> TaskStep:
        if self._registers.shows_frame(task):
            frame = task.frame
            calls = frame["vector"] == VECTOR_SYSCALL
            return TaskStep(True, None if calls else frame["rip"], action.within, left=True)
        if index is None:
            return TaskStep(False, task.context.rip, action.within)
        vcpu = self._machine.vcpus[index]
        user = vcpu.read_register("cpl") == _USER_CPL
        seen = (index, vcpu.retired)
        return TaskStep(user, vcpu.read_register("rip"), action.within, seen)

    def _thread(self, index: int) -> ThreadId:
        return processor_id(index)

    @property
    def _stepping(self) -> bool:
        return bool(self._steps or self._task_steps)

    # -- the run

    def _at_instruction(self, vcpu: Vcpu) -> Stop | None:
        """Decide before a hooked instruction whether to stop."""
        step = self._task_steps.get(self._tasks.current_id(vcpu.index))
        if step is not None and self._is_due(step, vcpu):
            return self._at_breakpoint(vcpu) or self._stop(self._tasks.current_id(vcpu.index), vcpu)
        caught = None if self.catch is None else self.catch.at_instruction(vcpu)
        return caught or super()._at_instruction(vcpu)

    def _is_due(self, step: TaskStep, vcpu: Vcpu) -> bool:
        """Tell whether a task that steps is at its next instruction."""
        user = vcpu.read_register("cpl") == _USER_CPL
        here = (vcpu.index, vcpu.retired)
        if step.user and not user:
            step.left = True
            return False
        if here == step.seen:
            return False
        pc = vcpu.read_register("rip")
        again = step.left if step.user else step.seen is None or self._has_returned(step, vcpu)
        if step.returns_to is not None:
            return False
        if again and pc == step.start:
            step.left, step.seen = False, here
            return False
        if step.within is None or not step.within[0] <= pc < step.within[1]:
            return True
        step.start, step.left, step.seen = pc, False, here
        return False

    @staticmethod
    def _has_returned(step: TaskStep, vcpu: Vcpu) -> bool:
        """Tell whether kernel code goes on that an interrupt came between."""
        if step.returns_to is None or place(vcpu) != step.returns_to:
            return False
        step.returns_to = None
        return True

    def _interrupted(self, vcpu: Vcpu, vector: int, error: int, external: bool) -> None:
        step = self._task_steps.get(self._tasks.current_id(vcpu.index))
        if step is None:
            super()._interrupted(vcpu, vector, error, external)
        elif external and not step.user and step.returns_to is None:
            step.returns_to = place(vcpu)

    def _at_breakpoint(self, vcpu: Vcpu) -> Stop | None:
        pc = linear_pc(vcpu)
        here = [b for b in self.breakpoints if b.address == pc and b.kind in {0, 1}]
        found = [(b.kind, who) for b in here for who in self._whom(vcpu, self._owners[b])]
        if not found or not self._listens_to(vcpu):
            return None
        kind, thread = min(found)
        return self._stop(thread, vcpu, STOP_KINDS[kind])

    def _whom(self, vcpu: Vcpu, owners: Iterable[int]) -> list[ThreadId]:
        """Return the thread that a breakpoint of these processes stops on a processor, if any."""
        task = self._tasks.current_id(vcpu.index)
        if task.pid in owners and task.pid != KERNEL_PID:
            return [task]
        return [processor_id(vcpu.index)] if KERNEL_PID in owners else []

    def _stop(self, thread: ThreadId, vcpu: Vcpu, kind: StopKind = StopKind.SIGNAL) -> Stop:
        if vcpu.read_register("cpl") != _USER_CPL:
            self._registers.in_kernel.add(thread.tid)
        return Stop(thread, kind=kind)

    def _watcher(self, wanted: Breakpoint) -> Callable[[Vcpu, int, int, bool], None]:
        """Return what is called in the middle of an instruction that accesses watched memory."""

        def accessed(vcpu: Vcpu, laddr: int, _size: int, _write: bool) -> None:
            for thread in self._whom(vcpu, self._owners.get(wanted, ())):
                if self._listens_to(vcpu):
                    stop = self._stop(thread, vcpu, STOP_KINDS[BreakpointKind(wanted.kind)])
                    address = max(laddr, wanted.address)
                    self.stop_after(Stop(thread, kind=stop.kind, address=address))

        return accessed
