"""A whole machine as gdb's target: one process whose threads are the processors."""

from __future__ import annotations

import functools
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from gdbstub import BreakpointKind, Exited, Stop, TargetError, Thread, ThreadId
from gdbstub.target import SIGINT
from gdbstub.x86 import VIEWS, X86_64
from pykern.debug import memory, registers
from pykern.debug.execution import Execution, thread_of
from pykern.debug.fault_stops import FaultStops
from pykern.debug.knowledge import Knowledge
from pykern.debug.monitor import Monitor
from pykern.debug.non_stop import NonStop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from gdbstub import Architecture, Breakpoint, Resume, ThreadExited
    from gdbstub.os_target import SupportsOsData
    from pykern.debug.python_source.debugger import PythonSource
    from pykern_c import Machine, Vcpu
    from pykern_c.exits import Exit

MACHINE_PID = 1
"""The one process there is."""


class MachineTarget(NonStop):  # noqa: PLR0904 - one method for each capability
    """What gdb sees of a machine.

    Parameters
    ----------
    machine : the computer
    task_name : returns what a processor runs, by its index; empty where nobody knows
    executable : contents of the ELF file that is the kernel; empty: there is none
    executable_path : what it is called

    Attributes
    ----------
    stopped : whether the machine stands still
    halting : processors that gdb wants stopped, in non-stop mode
    request : "kill" or "restart", until the machine's owner has done it
    interrupted : whether gdb wants a running machine to stop
    physical_memory : whether addresses of memory are physical
    knowledge : names and owners of addresses
    fault_stops : what the processors' faults were, and which of them stop the machine
    python : the Python of a hosted kernel; None: there is none
    system : has the tables of a hosted kernel; None: nobody has
    guest_file : returns the contents of a file of the guest, or raises FileNotFoundError
    next_view : has the next gdb that comes see the machine otherwise; set by who knows how
    """

    breakpoint_kinds = frozenset(BreakpointKind)
    breakpoint_agent = True
    python: PythonSource | None = None
    system: SupportsOsData | None = None

    def __init__(
        self,
        machine: Machine,
        task_name: Callable[[int], str] = lambda _index: "",
        executable: bytes = b"",
        executable_path: str = "",
    ) -> None:
        self.machine = machine
        self.execution = Execution(machine)
        self.architecture: Architecture = X86_64
        self.stopped = False
        self.interrupted = False
        self.request = ""
        self.halting: list[ThreadId] = []
        self.physical_memory = False
        self.next_view: Callable[[str], None] | None = None
        self._task_name = task_name
        self.knowledge = Knowledge(machine)
        self.fault_stops = FaultStops(machine, self.execution, lambda: self.knowledge)
        self.guest_file: Callable[[str], bytes] = _no_file
        self._files = {executable_path: executable} if executable else {}
        self._monitor = Monitor(self)
        self.read_general = functools.partial(_read_general, self)
        self.tracer = self.execution.tracing.tracer

    def vcpu(self, thread: ThreadId) -> Vcpu:
        """Return the processor that a thread is.

        Raises
        ------
        TargetError : there is none
        """
        if thread.pid != MACHINE_PID or not 1 <= thread.tid <= len(self.machine.vcpus):
            raise TargetError(f"no thread {thread.tid} in process {thread.pid}")
        return self.machine.vcpus[thread.tid - 1]

    def use_python(self, source: PythonSource) -> None:
        """Show hosted functions as the Python they are."""
        self.python = source
        self._monitor.add(source.commands)

    def choose_view(self, name: str) -> None:
        """Show the registers of another mode of the processor, from gdb's next look on.

        Raises
        ------
        TargetError : there is no such view
        """
        if name not in VIEWS:
            raise TargetError(f"no view {name!r}, expected one of {', '.join(VIEWS)}")
        self.architecture = self.execution.agent.architecture = VIEWS[name]

    # -- gdbstub.Target

    def threads(self) -> Sequence[Thread]:
        """Return the processors."""
        return [self._thread(vcpu) for vcpu in self.machine.vcpus]

    def _thread(self, vcpu: Vcpu) -> Thread:
        task = self._task_name(vcpu.index)
        name = f"cpu{vcpu.index}:{task}" if task else f"cpu{vcpu.index}"
        return Thread(thread_of(vcpu.index), name, vcpu.index, vcpu.activity)

    def read_registers(self, thread: ThreadId, names: Sequence[str]) -> list[int | None]:
        """Return registers by gdb's names."""
        vcpu = self.vcpu(thread)
        shown = {} if self.python is None else self.python.registers(vcpu.index)
        if not shown:
            return registers.read_all(self.machine, vcpu, names)
        return [
            shown[name] if name in shown else registers.read(self.machine, vcpu, name)
            for name in names
        ]

    def write_registers(self, thread: ThreadId, values: Mapping[str, int]) -> None:
        """Set registers by gdb's names."""
        vcpu = self.vcpu(thread)
        shown = {} if self.python is None else self.python.unchanged(vcpu.index, values)
        for name, value in values.items():
            if name not in shown:
                registers.write(vcpu, name, value)

    def read_memory(self, thread: ThreadId, address: int, size: int) -> bytes:
        """Return memory at the processor's linear addresses, or at physical ones."""
        if self.physical_memory:
            return memory.read_physical(self.machine, address, size)
        vcpu = self.vcpu(thread)
        read = functools.partial(memory.read_linear, vcpu)
        if self.python is None:
            return read(address, size)
        return self.python.read_memory(vcpu.index, address, size, read)

    def write_memory(self, thread: ThreadId, address: int, data: bytes) -> None:
        """Write memory, whatever its protection."""
        if self.physical_memory:
            memory.write_physical(self.machine, address, data)
        else:
            memory.write_linear(self.vcpu(thread), address, data)

    def resume(self, actions: Resume) -> None:
        """Go on when the machine's owner runs it next."""
        if self.python is not None:
            actions = self.python.take(actions)
        self.execution.prepare(actions)
        self.stopped = False

    def interrupt(self) -> None:
        """Stop before the machine's next slice."""
        self.interrupted = True

    # -- capabilities

    def insert_breakpoint(self, _thread: ThreadId, breakpoint: Breakpoint) -> None:  # noqa: A002
        """Stop there from the next run on."""
        if self.python is not None and self.python.holds(breakpoint.address):
            self.python.insert(breakpoint)
            return
        self.execution.breakpoints.discard(breakpoint)
        self.execution.breakpoints.add(breakpoint)
        self._hook_now()

    def remove_breakpoint(self, _thread: ThreadId, breakpoint: Breakpoint) -> None:  # noqa: A002
        """Stop there no longer."""
        if self.python is not None and self.python.holds(breakpoint.address):
            self.python.remove(breakpoint)
        else:
            self.execution.breakpoints.discard(breakpoint)
            self._hook_now()

    def _hook_now(self) -> None:
        if not self.stopped:
            self.execution.place_hooks()

    def trace_branches(self, thread: ThreadId, most: int) -> None:
        """Record the newest blocks that a processor executes, so many; 0: no longer."""
        self.execution.trace_branches(self.vcpu(thread).index, most)

    def branches(self, thread: ThreadId) -> list[tuple[int, int]] | None:
        """Return them; None: the processor is not recorded."""
        trace = self.execution.branches.get(self.vcpu(thread).index)
        return None if trace is None else trace.blocks()

    def monitor(self, thread: ThreadId, command: str) -> str:
        """Return what a command of `monitor` prints."""
        return self._monitor.execute(thread, command)

    def os_tables(self) -> Mapping[str, str]:
        """Return what `info os` can show.

        Raises
        ------
        TargetError : no kernel that is hosted has come up
        """
        return self._system().os_tables()

    def os_table(self, name: str) -> Iterable[Mapping[str, str]]:
        """Return the rows of one table."""
        return self._system().os_table(name)

    def _system(self) -> SupportsOsData:
        if self.system is None or self.knowledge.kernel is None:
            raise TargetError(
                "the tables are those of pykern's own kernel, which does not run here"
            )
        return self.system

    def exec_file(self, pid: int) -> str:
        """Return the name of the kernel's file.

        Raises
        ------
        TargetError : it is not known
        """
        if pid != MACHINE_PID or not self._files:
            raise TargetError("it is not known which file the machine executes")
        return next(iter(self._files))

    def open_file(self, path: str) -> bytes:
        """Return the contents of the kernel's file, or of one of the guest.

        Raises
        ------
        FileNotFoundError : there is none of that name
        """
        wanted = str(PurePosixPath("/", path))
        if wanted not in self._files:
            return self.guest_file(path)
        contents = self._files[wanted]
        return contents if self.python is None else self.python.executable(contents)

    def detach(self) -> None:
        """Forget breakpoints and let the machine go on."""
        self.execution.forget()
        self.fault_stops.forget()
        self.halting.clear()
        if self.python is not None:
            self.python.forget()
        self.stopped = self.interrupted = self.physical_memory = False
        self.architecture = self.execution.agent.architecture = X86_64

    def kill(self, _pid: int) -> None:
        """Turn the machine off."""
        self.execution.forget()
        self.request, self.stopped = "kill", False

    def restart(self) -> None:
        """Reset the machine; it stands still at its first instruction."""
        self.request, self.stopped = "restart", True

    # -- for the machine's owner

    def processor(self, index: int, _before: ThreadId | None = None) -> ThreadId:
        """Return the thread that a processor is."""
        return thread_of(index)

    def ends(self, status: int) -> Iterable[Exited]:
        """Return the ends of all processes, one after the other, now that the machine has ended."""
        yield Exited(MACHINE_PID, status)

    def hostcall_stop(self, _exit: Exit, *, again: bool = False) -> Stop | None:
        """Return a stop for what a hostcall is about to do; None: there is none.

        Parameters
        ----------
        again : gdb has just gone on from one for the same hostcall
        """
        del again
        return None

    def next_event(self) -> Stop | Exited | ThreadExited | None:
        """Return what the last hostcall has done that gdb is told of; None: nothing."""
        return None

    def halt(self) -> None:
        """Stand still: somebody has come to look."""
        self.fault_stops.history.begin()
        self.stopped = True

    def interrupt_stop(self) -> Stop:
        """Return the stop of a machine that gdb has interrupted."""
        going = self.execution.going or set(range(len(self.machine.vcpus)))
        active = (i for i in sorted(going) if self.machine.vcpus[i].activity == "active")
        return Stop(thread_of(next(active, min(going))), SIGINT)


def _no_file(path: str) -> bytes:
    raise FileNotFoundError(path)


def _read_general(
    target: MachineTarget, thread: ThreadId, architecture: Architecture
) -> bytes | None:
    """Return the general registers in one piece."""
    if target.python is not None and target.python.registers(thread.tid - 1):
        return None
    return registers.read_general(target.machine, target.vcpu(thread), architecture)
