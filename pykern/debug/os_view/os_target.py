"""A system as gdb's target: processes are its inferiors, tasks its threads."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from gdbstub import Exited, Stop, TargetError, ThreadId
from gdbstub.events import Executed
from gdbstub.target import SIGINT
from pykern.debug.machine_target import MachineTarget
from pykern.debug.os_view import os_tables, program
from pykern.debug.os_view.guest_files import GuestFiles
from pykern.debug.os_view.os_execution import OsExecution
from pykern.debug.os_view.os_monitor import OsMonitor
from pykern.debug.os_view.process_events import ProcessEvents
from pykern.debug.os_view.signal_stops import SignalStops
from pykern.debug.os_view.syscall_catch import SyscallCatch
from pykern.debug.os_view.task_memory import TaskMemory
from pykern.debug.os_view.task_registers import TaskRegisters
from pykern.debug.os_view.tasks import KERNEL_PID, Tasks

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from gdbstub import Breakpoint, Resume, Thread, ThreadExited
    from pykern.debug.os_view.guest_files import Unstripped
    from pykern.kernel.host import KernelHost
    from pykern_c import Vcpu
    from pykern_c.exits import Exit


class OsTarget(MachineTarget):  # noqa: PLR0904 - one method for each capability
    """What gdb sees of the processes of a machine's kernel.

    Parameters
    ----------
    host : of the kernel
    executable, executable_path : as for `MachineTarget`
    unstripped : returns, for the contents of a program, those of the same with symbols
    """

    # Tasks stop together: only processors do it one by one.
    stop_threads = None  # type: ignore[assignment]

    def __init__(
        self,
        host: KernelHost,
        executable: bytes = b"",
        executable_path: str = "",
        unstripped: Unstripped = lambda data: data,
    ) -> None:
        super().__init__(host.machine, host.task_name, executable, executable_path)
        self.tasks = Tasks(host)
        self._registers = TaskRegisters(self.tasks)
        self._memory = TaskMemory(self.tasks)
        self._guest_files = GuestFiles(self.tasks, unstripped)
        self._events = ProcessEvents(self.tasks)
        self._signals = SignalStops(self.tasks)
        self._catch = SyscallCatch(self.tasks, self._registers)
        self._os_execution = OsExecution(self.tasks, self._registers)
        self._os_execution.catch = self._catch
        self.execution = self._os_execution
        self._os_monitor = OsMonitor(self)
        self._kernel_file = executable_path if executable else ""
        self._waiting: deque[Stop | Exited | ThreadExited] = deque()
        self._attached = False

    # -- gdbstub.Target

    def vcpu(self, thread: ThreadId) -> Vcpu:
        """Return the processor that a thread is on; where it is on none, the first one."""
        return self.machine.vcpus[self.tasks.index_of(thread) or 0]

    def choose_view(self, name: str) -> None:
        """Refuse: programs are 64-bit.

        Raises
        ------
        TargetError : always
        """
        raise TargetError(f"no view {name!r} of processes; the CPU view has it")

    def threads(self) -> Sequence[Thread]:
        """Return the threads of the processes that gdb attends to."""
        return self.tasks.list(self._events.attended)

    def read_registers(self, thread: ThreadId, names: Sequence[str]) -> list[int | None]:
        """Return registers by gdb's names."""
        task = self.tasks.find(thread)
        if task is None:
            return super().read_registers(thread, names)
        return self._registers.read(task, list(names))

    def write_registers(self, thread: ThreadId, values: Mapping[str, int]) -> None:
        """Set registers by gdb's names."""
        task = self.tasks.find(thread)
        if task is None:
            super().write_registers(thread, values)
        else:
            self._registers.write(task, dict(values))

    def read_memory(self, thread: ThreadId, address: int, size: int) -> bytes:
        """Return memory of the thread's process."""
        task = None if self.physical_memory else self.tasks.find(thread)
        if task is None:
            return super().read_memory(thread, address, size)
        return self._memory.read(task, address, size)

    def write_memory(self, thread: ThreadId, address: int, data: bytes) -> None:
        """Write memory of the thread's process, as it might itself."""
        task = None if self.physical_memory else self.tasks.find(thread)
        if task is None:
            super().write_memory(thread, address, data)
        else:
            self._memory.write(task, address, data)

    def resume(self, actions: Resume) -> None:
        """Go on when the machine's owner runs it next."""
        super().resume(actions)
        self._signals.resume(actions)

    # -- capabilities

    def insert_breakpoint(self, thread: ThreadId, breakpoint: Breakpoint) -> None:  # noqa: A002
        """Stop the thread's process there from the next run on."""
        self._os_execution.insert(thread.pid, breakpoint)

    def remove_breakpoint(self, thread: ThreadId, breakpoint: Breakpoint) -> None:  # noqa: A002
        """Stop it there no longer."""
        self._os_execution.remove(thread.pid, breakpoint)

    def monitor(self, thread: ThreadId, command: str) -> str:
        """Return what a command of `monitor` prints."""
        text = self._os_monitor.execute(thread, command)
        return super().monitor(thread, command) if text is None else text

    def exec_file(self, pid: int) -> str:
        """Return the path of the program that a process executes.

        Raises
        ------
        TargetError : it is not known
        """
        if pid == KERNEL_PID and self._kernel_file:
            return self._kernel_file
        executable = self.tasks.process(pid).executable
        if executable is None:
            raise TargetError(f"it is not known which program process {pid} executes")
        return executable[0].decode("utf-8", "replace")

    def open_file(self, path: str) -> bytes:
        """Return the contents of the kernel's file, or of one of the guest."""
        try:
            return super().open_file(path)
        except FileNotFoundError:
            return self._guest_files.read(path)

    def attach_process(self, pid: int) -> ThreadId:
        """Attend to a process, with all that it begins from now on."""
        if pid != KERNEL_PID:
            self.tasks.process(pid)
        self._events.attended.add(pid)
        return next(thread.id for thread in self.threads() if thread.id.pid == pid)

    def detach_process(self, pid: int) -> bool:
        """Leave a process alone."""
        self._os_execution.drop(pid)
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
        return program.tls_block(self.open_file(self.exec_file(thread.pid)), fs_base) + offset

    # -- beginnings and ends

    def halt(self) -> None:
        """Stand still: somebody has come to look, at all processes."""
        super().halt()
        self._attached = True
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
        super().detach()

    def kill(self, pid: int) -> None:
        """End a process; with the kernel's, the machine."""
        if pid == KERNEL_PID:
            super().kill(pid)
        else:
            self.tasks.kernel.kill(self.tasks.process(pid))

    def interrupt_stop(self) -> Stop:
        """Return the stop of a system that gdb has interrupted."""
        return Stop(self._busiest(), SIGINT)

    def _busiest(self) -> ThreadId:
        """Return a program that is executed, or the first thread there is."""
        threads = self.threads()
        running = (t.id for t in threads if t.core is not None and t.id.pid != KERNEL_PID)
        return next(running, threads[0].id)

    # -- for the machine's owner

    def hostcall_stop(self, exit_: Exit, *, again: bool = False) -> Stop | None:
        """Return a stop for what a hostcall is about to do, before it is done; None: none more."""
        if not self._attached or self.tasks.kernel.image is None:
            return None
        self._events.before(exit_.vcpu)
        names = self.tasks.kernel.image.hostcalls
        name = names[exit_.code - 1] if 0 < exit_.code <= len(names) else ""
        stop = None
        if name == "exit_to_user":
            stop = self._signals.about_to_deliver(exit_)
        elif name.startswith("sys_") and not again:
            stop = self._catch.entered(exit_)
        return stop if stop is None or stop.thread.pid in self._events.attended else None

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
            self._os_execution.drop(happened.pid)
            self._catch.forget(happened.pid)
        elif isinstance(happened, Stop) and isinstance(happened.event, Executed):
            self._os_execution.drop(happened.thread.pid)
