"""A system as gdb's target: processes are its inferiors, tasks its threads."""

from __future__ import annotations

import functools
from collections import deque
from typing import TYPE_CHECKING

from gdbstub import BreakpointKind, Exited, Stop, TargetError, ThreadId
from gdbstub.events import Executed
from gdbstub.signals import NUMBERS
from gdbstub.target import SIGINT
from gdbstub.x86 import X86_64
from pykern.debug import memory
from pykern.debug.execution import thread_of
from pykern.debug.machine_target import MACHINE_PID
from pykern.debug.os_view import os_tables, program
from pykern.debug.os_view.guest_files import GuestFiles
from pykern.debug.os_view.os_execution import OsExecution
from pykern.debug.os_view.os_monitor import OsMonitor
from pykern.debug.os_view.process_events import ProcessEvents
from pykern.debug.os_view.signal_stops import SignalStops
from pykern.debug.os_view.syscall_catch import SyscallCatch
from pykern.debug.os_view.task_memory import TaskMemory
from pykern.debug.os_view.task_registers import TaskRegisters
from pykern.debug.os_view.tasks import KERNEL_PID, Tasks, processor_id
from pykern.debug.python_source.awaiting import sleeping_stack

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from gdbstub import Breakpoint, Resume, Thread, ThreadExited
    from pykern.debug.machine_target import MachineTarget
    from pykern.debug.os_view.guest_files import Unstripped
    from pykern.debug.python_source.debugger import PythonSource
    from pykern.debug.python_source.stack import VirtualStack
    from pykern.kernel.host import KernelHost
    from pykern.kernel.task.thread import Thread as Task
    from pykern_c.exits import Exit


class OsTarget:  # noqa: PLR0904 - one method per operation
    """What gdb sees of the processes of a machine's kernel.

    Parameters
    ----------
    host : of the kernel
    processors : the machine as the CPU view has it
    unstripped : returns, for the contents of a program, those of the same with symbols

    Attributes
    ----------
    stopped, interrupted, request, physical_memory, next_view : as of `MachineTarget`
    """

    architecture = X86_64
    breakpoint_kinds = frozenset(BreakpointKind)
    breakpoint_agent = True

    def __init__(
        self,
        host: KernelHost,
        processors: MachineTarget,
        unstripped: Unstripped = lambda data: data,
    ) -> None:
        self.machine = host.machine
        self.stopped = self.interrupted = self.physical_memory = False
        self.request = ""
        self.next_view: Callable[[str], None] | None = None
        self.tasks = Tasks(host)
        self._processors = processors
        self._registers = TaskRegisters(self.tasks)
        self._memory = TaskMemory(self.tasks)
        self._guest_files = GuestFiles(self.tasks, unstripped)
        self._events = ProcessEvents(self.tasks)
        self._signals = SignalStops(self.tasks)
        self._catch = SyscallCatch(self.tasks, self._registers)
        self.execution = OsExecution(
            self.tasks, self._registers, self._catch, processors.execution.where
        )
        self.tracer = self.execution.tracing.tracer
        self._monitor = OsMonitor(self)
        self._waiting: deque[Stop | Exited | ThreadExited] = deque()
        self._attached = False
        self._python_pids: set[int] = set()

    # -- gdbstub.Target

    def threads(self) -> Sequence[Thread]:
        """Return the threads of the processes that gdb attends to."""
        return self.tasks.list(self._events.attended)

    def read_registers(self, thread: ThreadId, names: Sequence[str]) -> list[int | None]:
        """Return registers by gdb's names."""
        task = self.tasks.find(thread)
        if task is None:
            return self._processors.read_registers(self._processor(thread), names)
        values, stack = self._registers.read(task, list(names)), self._stack_of(task)
        shown = {} if stack is None else {"rip": stack.rip, "rsp": stack.rsp}
        return [shown.get(name, values[at]) for at, name in enumerate(names)]

    @property
    def _python(self) -> PythonSource | None:
        return self._processors.python

    def _stack_of(self, task: Task) -> VirtualStack | None:
        """Return what is shown of a task that sleeps in Python, or has stopped there."""
        if self._python is None or self._registers.shows_frame(task):
            return None
        index = self.tasks.running_on(task)
        if index is None:
            return sleeping_stack(self._python.functions, task)
        return self._python.stack if index == self._python.vcpu else None

    def write_registers(self, thread: ThreadId, values: Mapping[str, int]) -> None:
        """Set registers by gdb's names."""
        task = self.tasks.find(thread)
        if task is None:
            self._processors.write_registers(self._processor(thread), values)
        else:
            self._registers.write(task, dict(values))

    def read_memory(self, thread: ThreadId, address: int, size: int) -> bytes:
        """Return memory of the thread's process, or physical memory."""
        if self.physical_memory:
            return memory.read_physical(self.machine, address, size)
        task = self.tasks.find(thread)
        if task is None:
            return self._processors.read_memory(self._processor(thread), address, size)
        read = functools.partial(self._memory.read, task)
        if self._python is None:
            return read(address, size)
        return self._python.read_as(self._stack_of(task), address, size, read)

    def write_memory(self, thread: ThreadId, address: int, data: bytes) -> None:
        """Write memory of the thread's process, as it might itself; or physical memory."""
        if self.physical_memory:
            memory.write_physical(self.machine, address, data)
            return
        task = self.tasks.find(thread)
        if task is None:
            self._processors.write_memory(self._processor(thread), address, data)
        else:
            self._memory.write(task, address, data)

    def resume(self, actions: Resume) -> None:
        """Go on when the machine's owner runs it next."""
        prepared = actions if self._python is None else self._python.take(actions)
        self.execution.prepare(prepared)
        self._signals.resume(actions)
        self.stopped = False

    def interrupt(self) -> None:
        """Stop before the machine's next slice."""
        self.interrupted = True

    def _processor(self, thread: ThreadId) -> ThreadId:
        """Return what the CPU view calls the processor that a thread is, or is on."""
        return thread_of(self.tasks.index_of(thread) or 0)

    # -- capabilities

    def insert_breakpoint(self, thread: ThreadId, breakpoint: Breakpoint) -> None:  # noqa: A002
        """Stop the thread's process there from the next run on."""
        if self._python is not None and self._python.holds(breakpoint.address):
            self._python.insert(breakpoint)
            self._python_pids.add(thread.pid)
        else:
            self.execution.insert(thread.pid, breakpoint)

    def remove_breakpoint(self, thread: ThreadId, breakpoint: Breakpoint) -> None:  # noqa: A002
        """Stop it there no longer."""
        if self._python is not None and self._python.holds(breakpoint.address):
            self._python.remove(breakpoint)
            self._python_pids.discard(thread.pid)
        else:
            self.execution.remove(thread.pid, breakpoint)

    def monitor(self, thread: ThreadId, command: str) -> str:
        """Return what a command of `monitor` prints."""
        text = self._monitor.execute(thread, command)
        return self.processors_monitor(thread, command) if text is None else text

    def processors_monitor(self, thread: ThreadId, command: str) -> str:
        """Return what a command of the CPU view prints, for the processor a thread is on."""
        return self._processors.monitor(self._processor(thread), command)

    def exec_file(self, pid: int) -> str:
        """Return the path of the program that a process executes.

        Raises
        ------
        TargetError : it is not known
        """
        if pid == KERNEL_PID:
            return self._processors.exec_file(MACHINE_PID)
        executable = self.tasks.process(pid).executable
        if executable is None:
            raise TargetError(f"it is not known which program process {pid} executes")
        return executable[0].decode("utf-8", "replace")

    def open_file(self, path: str) -> bytes:
        """Return the contents of the kernel's file, or of one of the guest."""
        try:
            return self._processors.open_file(path)
        except FileNotFoundError:
            return self.guest_file(path)

    def read_link(self, path: str) -> str:
        """Return where a symbolic link of the guest leads."""
        return self._guest_files.link(path)

    def guest_file(self, path: str) -> bytes:
        """Return the contents of a file of the guest, a program's with symbols."""
        return self._guest_files.read(path)

    def attach_process(self, pid: int) -> ThreadId:
        """Attend to a process, with all that it begins from now on."""
        if pid != KERNEL_PID:
            self.tasks.process(pid)
        self._events.attended.add(pid)
        return next(thread.id for thread in self.threads() if thread.id.pid == pid)

    def detach_process(self, pid: int) -> bool:
        """Leave a process alone."""
        self.execution.drop(pid)
        self._catch.forget(pid)
        self._events.attended.discard(pid)
        return bool(self._events.attended)

    def catch_syscalls(self, pid: int, numbers: Collection[int] | None) -> None:
        """Stop a process at these system calls."""
        self._catch.catch(pid, numbers)

    @property
    def thread_events(self) -> bool:
        """Whether beginnings and ends of threads are told."""
        return self._events.threads_too

    @thread_events.setter
    def thread_events(self, wanted: bool) -> None:
        self._events.threads_too = wanted

    @property
    def passed_signals(self) -> frozenset[int]:
        """Signals that are delivered without a stop."""
        return self._signals.passed

    @passed_signals.setter
    def passed_signals(self, numbers: frozenset[int]) -> None:
        self._signals.passed = numbers

    def os_tables(self) -> Mapping[str, str]:
        """Return what `info os` can show."""
        return {name: text for name, (text, _) in os_tables.TABLES.items()}

    def os_table(self, name: str) -> Iterable[Mapping[str, str]]:
        """Return the rows of one table."""
        return os_tables.TABLES[name][1](self.tasks)

    def auxv(self, thread: ThreadId) -> bytes:
        """Return the auxiliary vector of the thread's program."""
        task = self.tasks.find(thread)
        if task is None or task.process is None:
            return b""
        return program.auxv(task.process)

    def libraries(self, thread: ThreadId) -> Sequence[tuple[str, int]]:
        """Return the kernel, which is in the upper half of every process."""
        if thread.pid == KERNEL_PID:
            return []
        try:
            return [(self._processors.exec_file(MACHINE_PID), 0)]
        except TargetError:
            return []

    def tls_address(self, thread: ThreadId, offset: int, module: int) -> int:
        """Return where a thread-local variable of a static program lies.

        Raises
        ------
        TargetError : the program has none, or it is in a library's block
        """
        task = self.tasks.find(thread)
        if task is None or task.process is None:
            raise TargetError("a processor has no thread-local variables")
        if module:
            raise TargetError("thread-local variables of libraries are not known")
        (fs_base,) = self._registers.read(task, ["fs_base"])
        assert fs_base is not None
        try:
            executable = self.open_file(self.exec_file(thread.pid))
        except FileNotFoundError as error:
            raise TargetError(f"the program's file is gone: {error}") from None
        return program.tls_block(executable, fs_base) + offset

    # -- beginnings and ends

    def halt(self) -> None:
        """Stand still: somebody has come to look, at all processes."""
        self.stopped = self._attached = True
        self._events.begin()
        self._events.attended = {KERNEL_PID, *(p.pid for p in self.tasks.processes())}

    def detach(self) -> None:
        """Forget breakpoints and let the machine go on."""
        self._attached = False
        self._waiting.clear()
        self._catch.forget_all()
        self._signals.deliver()
        self._signals.passed = frozenset()
        self._events.threads_too = False
        self._registers.forget_stops()
        self.execution.forget()
        if self._python is not None:
            self._python.forget()
        self.stopped = self.interrupted = self.physical_memory = False

    def kill(self, pid: int) -> None:
        """End a process; with the kernel's, the machine."""
        if pid != KERNEL_PID:
            self.tasks.kernel.kill(self.tasks.process(pid))
            return
        self.execution.forget()
        self._events.attended.clear()
        self.request, self.stopped = "kill", False

    def restart(self) -> None:
        """Reset the machine; it stands still at its first instruction."""
        self.request = "restart"

    def interrupt_stop(self) -> Stop:
        """Return the stop of a system that gdb has interrupted."""
        return Stop(self._busiest(), SIGINT)

    def _busiest(self) -> ThreadId:
        """Return a program that is executed, or the first thread there is."""
        threads = self.threads()
        running = (t.id for t in threads if t.core is not None and t.id.pid != KERNEL_PID)
        return next(running, threads[0].id)

    # -- for the machine's owner

    def processor(self, index: int, before: ThreadId | None = None) -> ThreadId:
        """Return the thread that is to stop for hosted code: a program's, if gdb asked there."""
        task = self.tasks.current_id(index)
        if task.pid == KERNEL_PID or (task.pid not in self._python_pids and task != before):
            return processor_id(index)
        self._registers.in_kernel.add(task.tid)
        return task

    def ends(self, status: int) -> Iterable[Exited]:
        """Return the ends of all processes: killed when the machine was turned off."""
        for pid in sorted(self._events.attended - {KERNEL_PID}):
            self._events.attended.discard(pid)
            yield Exited(pid, 0, NUMBERS["SIGKILL"])
        yield Exited(KERNEL_PID, status)

    def hostcall_stop(self, exit_: Exit, *, again: bool = False) -> Stop | None:
        """Return a stop for what a hostcall is about to do, before it is done; None: none more."""
        image = self.tasks.kernel.image
        if not self._attached or image is None:
            return None
        self._events.before(exit_.vcpu)
        if self.tasks.current_id(exit_.vcpu).pid not in self._events.attended:
            return None
        known = 0 < exit_.code <= len(image.hostcalls)
        name = image.hostcalls[exit_.code - 1] if known else ""
        if name == "exit_to_user":
            return self._signals.about_to_deliver(exit_)
        if name.startswith("sys_") and not again:
            return self._catch.entered(exit_)
        return None

    def next_event(self) -> Stop | Exited | ThreadExited | None:
        """Return what the last hostcall has done that gdb is told of; None: nothing more."""
        if not self._attached:
            return None
        self._waiting.extend(self._events.after())
        if not self._waiting:
            return None
        event = self._waiting.popleft()
        self._forget_program(event)
        return event

    def _forget_program(self, happened: Stop | Exited | ThreadExited) -> None:
        """Forget what gdb has set in a program that is no more."""
        if isinstance(happened, Exited):
            self.execution.drop(happened.pid)
            self._catch.forget(happened.pid)
        elif isinstance(happened, Stop) and isinstance(happened.event, Executed):
            self.execution.drop(happened.thread.pid)
