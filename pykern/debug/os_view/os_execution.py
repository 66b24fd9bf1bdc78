"""Running to the breakpoints of processes, and stepping tasks wherever they are executed.

A breakpoint belongs to the process it was set in, and stops nothing else at the same address; one
of the kernel's process stops the processor, whatever task it executes. A task that steps in user
mode takes interrupts, page faults and system calls as one instruction, on however many processors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gdbstub import Action, BreakpointKind, Stop, StopKind, ThreadId
from pykern.debug.os_view.hooked_run import HookedRun
from pykern.debug.os_view.tasks import KERNEL_PID, processor_id
from pykern.kernel.x86.layout import VECTOR_SYSCALL
from pykern.machine.shutdown import explain_shutdown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gdbstub import Breakpoint, Resume
    from pykern.debug.os_view.syscall_catch import SyscallCatch
    from pykern.debug.os_view.task_registers import TaskRegisters
    from pykern.debug.os_view.tasks import Tasks
    from pykern.kernel.task.thread import Thread as Task
    from pykern_c import Vcpu
    from pykern_c.exits import Exit

_USER_CPL = 3
_SIGABRT = 6
_KINDS = {
    BreakpointKind.SOFTWARE: StopKind.SWBREAK,
    BreakpointKind.HARDWARE: StopKind.HWBREAK,
    BreakpointKind.WRITE: StopKind.WATCH,
    BreakpointKind.READ: StopKind.RWATCH,
    BreakpointKind.ACCESS: StopKind.AWATCH,
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


class OsExecution(HookedRun):
    """Runs a machine for the OS view.

    Parameters
    ----------
    tasks : what it executes
    registers : of tasks; told where a program was stopped inside of the kernel
    catch : stops at system calls
    """

    def __init__(self, tasks: Tasks, registers: TaskRegisters, catch: SyscallCatch) -> None:
        super().__init__(tasks.machine)
        self._tasks = tasks
        self._registers = registers
        self._catch = catch
        self._owners: dict[Breakpoint, set[int]] = {}
        self._steps: dict[ThreadId, Step] = {}

    # -- breakpoints of processes

    def insert(self, pid: int, wanted: Breakpoint) -> None:
        """Stop a process there."""
        self._owners.setdefault(wanted, set()).add(pid)

    def remove(self, pid: int, wanted: Breakpoint) -> None:
        """Stop it there no longer."""
        owners = self._owners.get(wanted, set())
        owners.discard(pid)
        if not owners:
            self._owners.pop(wanted, None)

    def drop(self, pid: int) -> None:
        """Forget the breakpoints of a process that has ended, or executes another program."""
        for wanted in list(self._owners):
            self.remove(pid, wanted)

    def forget(self) -> None:
        """Have no breakpoints, and no step under way."""
        self._owners.clear()
        self._steps.clear()
        self.alone = None
        self.place(set())
        self.hook_steps(stepping=False)

    # -- before a run

    def prepare(self, actions: Resume) -> None:
        """Make ready for going on: the whole machine does, but a thread that is locked alone.

        Raises
        ------
        TargetError : the core cannot watch so much
        """
        self.place(set(self._owners))
        self.alone = self._locked(actions)
        self._steps = {t: self._step(t, action) for t, action in actions.items() if action.step}
        self._registers.forget_stops()
        self.hook_steps(stepping=bool(self._steps))

    def _locked(self, actions: Resume) -> Vcpu | None:
        """Return the processor that is to run alone: that of one thread of several in a process."""
        if len(actions) != 1:
            return None
        thread = next(iter(actions))
        index = self._tasks.index_of(thread)
        if index is None or len(self._tasks.list({thread.pid})) == 1:
            return None
        return self._machine.vcpus[index]

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
        steps = (self._steps[thread] for thread in self._here(vcpu))
        ranges = (s.within for s in steps if s.within and not s.user and s.returns_to is None)
        return next(((first, end) for first, end in ranges if first <= pc < end), None)

    def step_from_thunk(self, index: int, within: tuple[int, int] | None, thread: ThreadId) -> None:
        """Stop where what a processor executes goes on in the guest, on whichever processor."""
        there = _place(self._machine.vcpus[index])
        processors = [processor_id(vcpu.index) for vcpu in self._machine.vcpus]
        for who in processors if thread in processors else [thread]:
            self._steps[who] = Step(False, None, within, returns_to=there)
        self.hook_steps(stepping=True)

    # -- the run

    def at_instruction(self, vcpu: Vcpu) -> Stop | None:
        """Decide before a hooked instruction whether to stop."""
        due = [t for t in self._here(vcpu) if self._is_due(t, vcpu)]
        caught = self._catch.at_instruction(vcpu)
        return self._at_breakpoint(vcpu) or caught or (self._stop(due[0], vcpu) if due else None)

    def _here(self, vcpu: Vcpu) -> list[ThreadId]:
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
        if _place(vcpu) != step.returns_to:
            return False
        step.returns_to, step.left = None, True
        return True

    def interrupted(self, vcpu: Vcpu, *, external: bool) -> Stop | None:
        """Note where an interrupt of kernel code returns to; an exception is where a step leads."""
        for thread in self._here(vcpu):
            step = self._steps[thread]
            if step.user or step.returns_to is not None:
                continue
            if not external:
                return self._stop(thread, vcpu)
            step.returns_to = _place(vcpu)
        return None

    def _at_breakpoint(self, vcpu: Vcpu) -> Stop | None:
        pc = vcpu.read_register("rip")
        found = [
            (wanted.kind, thread)
            for wanted, owners in self._owners.items()
            if wanted.address == pc and wanted.kind <= BreakpointKind.HARDWARE
            for thread in self._whom(vcpu, owners)
        ]
        if not found or not self.listens_to(vcpu):
            return None
        kind, thread = min(found)
        return self._stop(thread, vcpu, _KINDS[kind])

    def _whom(self, vcpu: Vcpu, owners: Iterable[int]) -> list[ThreadId]:
        """Return the thread that a breakpoint of these processes stops on a processor, if any."""
        task = self._tasks.current_id(vcpu.index)
        if task.pid in owners and task.pid != KERNEL_PID:
            return [task]
        return [processor_id(vcpu.index)] if KERNEL_PID in owners else []

    def accessed(self, vcpu: Vcpu, wanted: Breakpoint, laddr: int) -> Stop | None:
        """Decide in the middle of an instruction that accesses watched memory."""
        for thread in self._whom(vcpu, self._owners.get(wanted, ())):
            return self._stop(thread, vcpu, _KINDS[wanted.kind], max(laddr, wanted.address))
        return None

    def _stop(
        self, thread: ThreadId, vcpu: Vcpu, kind: StopKind = StopKind.SIGNAL, address: int = 0
    ) -> Stop:
        if vcpu.read_register("cpl") != _USER_CPL:
            self._registers.in_kernel.add(thread.tid)
        return Stop(thread, kind=kind, address=address)

    def shutdown_stop(self, exit_: Exit) -> Stop:
        """Return the stop for a triple fault, with its explanation."""
        lines = explain_shutdown(self._machine.vcpus[exit_.vcpu], exit_)
        text = "".join(f"{line}\n" for line in lines)
        return Stop(processor_id(exit_.vcpu), _SIGABRT, text=text)


def _place(vcpu: Vcpu) -> tuple[int, int]:
    return vcpu.read_register("rip"), vcpu.read_register("rsp")
