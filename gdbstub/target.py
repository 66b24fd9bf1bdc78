"""What is debugged, as the protocol sees it: one small Protocol, and capabilities one may have.

`Session` finds the capabilities by `isinstance`, so a target advertises exactly what it can do.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence, Set

    from gdbstub.arch import Architecture
    from gdbstub.events import Event
    from gdbstub.tracer import Tracer

SIGINT, SIGTRAP = 2, 5
"""Signals have gdb's numbers, which are those of most systems for the first fifteen."""


class TargetError(Exception):
    """What was asked for cannot be done, and nothing has changed; the message says why."""


class ThreadId(NamedTuple):
    """Names a thread: both numbers count from 1."""

    pid: int
    tid: int


@dataclass(frozen=True)
class Thread:
    """One thread, as `info threads` shows it.

    Attributes
    ----------
    id : names it
    name : what it runs
    core : the processor it is on, counted from 0; None: none
    detail : more about it, in words
    """

    id: ThreadId
    name: str = ""
    core: int | None = None
    detail: str = ""


class StopKind(enum.Enum):
    """Why a thread has stopped, with the word of the stop reply."""

    SIGNAL = ""
    SWBREAK = "swbreak"
    HWBREAK = "hwbreak"
    WATCH = "watch"
    RWATCH = "rwatch"
    AWATCH = "awatch"
    REPLAY_BEGIN = "replaylog:begin"
    REPLAY_END = "replaylog:end"


@dataclass(frozen=True)
class Stop:
    """A thread has stopped, and all others with it.

    Attributes
    ----------
    thread : the one it is about
    signal : gdb's number
    kind : why
    address : of the data that a watchpoint saw
    text : for the user's console, before the stop is shown
    others : (kind, address) of more data that watchpoints saw
    event : what has happened to the thread's process; None: nothing
    """

    thread: ThreadId
    signal: int = SIGTRAP
    kind: StopKind = StopKind.SIGNAL
    address: int = 0
    text: str = ""
    others: tuple[tuple[StopKind, int], ...] = ()
    event: Event | None = None


@dataclass(frozen=True)
class Exited:
    """A process has ended.

    Attributes
    ----------
    status : 0 to 255
    signal : number of the one that has ended it, as gdb counts; 0: none
    """

    pid: int
    status: int
    signal: int = 0


@dataclass(frozen=True)
class ThreadExited:
    """A thread has ended, and its process has not."""

    thread: ThreadId
    status: int = 0


@dataclass(frozen=True)
class Action:
    """How one thread goes on.

    Attributes
    ----------
    step : until it has executed one instruction
    signal : number of a signal to deliver, 0: none
    within : go on stepping while it is in this range of addresses, its end excluded
    """

    step: bool = False
    signal: int = 0
    within: tuple[int, int] | None = None


Resume = dict[ThreadId, Action]
"""How threads go on; one that is not in it stays stopped."""


class BreakpointKind(enum.IntEnum):
    """Numbers of the Z packets."""

    SOFTWARE = 0
    HARDWARE = 1
    WRITE = 2
    READ = 3
    ACCESS = 4


@dataclass(frozen=True)
class Breakpoint:
    """Where to stop.

    Attributes
    ----------
    address : as the target's threads see memory
    size : bytes that are watched; of a breakpoint gdb's `kind`, on x86 always 1
    conditions : agent expressions (`gdbstub.agent`), one of which must hold; none: always stop
    commands : agent expressions to execute in place of stopping; none: stop
    """

    kind: BreakpointKind
    address: int
    size: int
    conditions: tuple[bytes, ...] = field(default=(), compare=False)
    commands: tuple[bytes, ...] = field(default=(), compare=False)


class Target(Protocol):
    """What every target can do. Any method may raise `TargetError`, and has then done nothing."""

    @property
    def architecture(self) -> Architecture:
        """Return the registers and how gdb numbers them."""

    def threads(self) -> Sequence[Thread]:
        """Return all threads, at least one."""

    def read_registers(self, thread: ThreadId, names: Sequence[str]) -> list[int | None]:
        """Return the registers of those names, None for what cannot be known."""

    def write_registers(self, thread: ThreadId, values: Mapping[str, int]) -> None:
        """Set registers."""

    def read_memory(self, thread: ThreadId, address: int, size: int) -> bytes:
        """Return as many of the bytes as can be read from the first one on, at least one."""

    def write_memory(self, thread: ThreadId, address: int, data: bytes) -> None:
        """Write all of the data."""

    def resume(self, actions: Resume) -> None:
        """Let threads go on; its runner calls `Session.report_stop` when one has stopped."""

    def interrupt(self) -> None:
        """Have the target stop as soon as it can."""


@runtime_checkable
class SupportsBreakpoints(Protocol):
    """Can stop at addresses and accesses (Z0 to Z4)."""

    breakpoint_kinds: frozenset[BreakpointKind]
    """Those it has."""

    def insert_breakpoint(self, thread: ThreadId, breakpoint: Breakpoint) -> None:  # noqa: A002
        """Stop there, in the thread's address space; twice is once, with what was said last."""

    def remove_breakpoint(self, thread: ThreadId, breakpoint: Breakpoint) -> None:  # noqa: A002
        """Stop there no longer; what is not there is no error."""


@runtime_checkable
class SupportsPackedRegisters(Protocol):
    """Returns the general registers in one piece."""

    read_general: Callable[[ThreadId, Architecture], bytes | None]
    """Returns them one behind the other; None: they have to be read one by one."""


@runtime_checkable
class SupportsTracing(Protocol):
    """Collects at tracepoints while it runs, and calls `Tracer.hit` for it."""

    tracer: Tracer
    """The trace experiment."""


@runtime_checkable
class SupportsBreakpointAgent(Protocol):
    """Evaluates the conditions of breakpoints itself, and executes their commands."""

    breakpoint_agent: bool
    """Whether it does."""


@runtime_checkable
class SupportsBranchTrace(Protocol):
    """Records which blocks of instructions threads execute."""

    def trace_branches(self, thread: ThreadId, most: int) -> None:
        """Record a thread's newest blocks, so many of them; 0: no longer."""

    def branches(self, thread: ThreadId) -> list[tuple[int, int]] | None:
        """Return the addresses of the first and the last instruction of each, newest first.

        The newest ends at the next instruction. None: the thread is not recorded.
        """


@runtime_checkable
class SupportsMonitor(Protocol):
    """Answers `monitor` commands."""

    def monitor(self, thread: ThreadId, command: str) -> str:
        """Return what a command prints."""


@runtime_checkable
class SupportsMemoryMap(Protocol):
    """Knows which memory there is; gdb touches no other."""

    def memory_map(self) -> Iterable[tuple[str, int, int]]:
        """Return ("ram" or "rom", first address, size in bytes) of each region."""


@runtime_checkable
class SupportsExecFile(Protocol):
    """Knows which file a process executes."""

    def exec_file(self, pid: int) -> str:
        """Return its path, for `SupportsFiles` or the user's own file system."""


@runtime_checkable
class SupportsFiles(Protocol):
    """Has files for gdb to read."""

    def open_file(self, path: str) -> bytes:
        """Return the contents of a file.

        Raises
        ------
        FileNotFoundError : there is none of that name
        """


@runtime_checkable
class SupportsLinks(Protocol):
    """Has symbolic links among its files."""

    def read_link(self, path: str) -> str:
        """Return where a symbolic link leads.

        Raises
        ------
        FileNotFoundError : there is no link of that name
        """


@runtime_checkable
class SupportsSearch(Protocol):
    """Searches memory faster than by reading it through `read_memory`."""

    def search_memory(
        self, thread: ThreadId, address: int, size: int, pattern: bytes
    ) -> int | None:
        """Return the first address at which the pattern begins and lies within the range."""


@runtime_checkable
class SupportsPhysicalMemory(Protocol):
    """Can show physical memory in place of what threads see (QEMU's `PhyMemMode`)."""

    physical_memory: bool
    """Whether addresses of memory are physical at present."""


@runtime_checkable
class SupportsNonStop(Protocol):
    """Can run some threads while others are stopped, and stop them one by one."""

    non_stop: bool
    """Whether `resume` lets threads go on besides those that run already, and a stop stops one."""

    def running_threads(self) -> Set[ThreadId]:
        """Return those that run."""

    def stop_threads(self, threads: Sequence[ThreadId]) -> None:
        """Stop them soon; the stop of each, of signal 0, goes to `Session.report_stop`."""


@runtime_checkable
class SupportsQemuStep(Protocol):
    """Can keep interrupts and timers away from single steps, as QEMU's `sstep` chooses."""

    step_mode: int
    """Sum of 1 (single steps), 2 (no interrupts), 4 (no timers); 7 at first."""


@runtime_checkable
class SupportsDetach(Protocol):
    """Wants to know when nobody looks any more."""

    def detach(self) -> None:
        """Forget breakpoints and go on."""


@runtime_checkable
class SupportsKill(Protocol):
    """Can be ended."""

    def kill(self, pid: int) -> None:
        """End a process."""


@runtime_checkable
class SupportsRestart(Protocol):
    """Can begin again."""

    def restart(self) -> None:
        """Begin again, and stay stopped there."""


@runtime_checkable
class SupportsReverse(Protocol):
    """Can go back in time (bs, bc)."""

    def reverse(self, thread: ThreadId, *, step: bool) -> None:
        """Go back to the thread's previous instruction, or to the last stop at a breakpoint.

        Its runner calls `Session.report_stop` there; `StopKind.REPLAY_BEGIN` is where history
        begins, `StopKind.REPLAY_END` where going forward again comes to what is not yet known.
        """
