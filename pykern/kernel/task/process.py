"""A process: threads that share an address space, open files, signals and a place in the family."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pykern.kernel.core.wait import WaitQueue
from pykern.kernel.task.credentials import Credentials
from pykern.kernel.task.itimer import IntervalTimer
from pykern.kernel.task.posix_timer import PosixTimers
from pykern.kernel.task.rlimit import ResourceLimits
from pykern.kernel.task.sigaction import PendingSignals, Signal, SignalActions

if TYPE_CHECKING:
    from pykern.kernel.fs.context import FsContext
    from pykern.kernel.fs.location import Location
    from pykern.kernel.fs.table import FileTable
    from pykern.kernel.mm.space import AddressSpace
    from pykern.kernel.task.thread import UserThread


@dataclass(eq=False)
class Process:
    """A process.

    Attributes
    ----------
    pid : that of its first thread
    parent : who waits for it; None for the first process
    pgid, sid : process group and session
    arguments, environment : as given to execve
    executable : absolute path and place of its program
    has_executed : it has called execve since its birth: no more setpgid by its parent
    children : living ones, and zombies
    status : as wait4 gives it, once all threads have ended; None: it lives
    group_status : the status it ends with, from when that is decided
    frozen : the kernel has stopped it, and no signal makes it go on before the kernel does
    stop_status, continued : what wait4 has not been told yet of job control
    exit_signal : what its parent gets when it ends; 0: nothing
    signal_arrived : woken when a signal was sent, for signalfd
    child_events : woken when a child ends, stops or goes on
    ended : woken when it has ended, for the kernel
    thread_ended : woken when a thread has ended
    sharing_parent_space : its parent sleeps until it has a program of its own, or has ended
    pdeath_signal : what it gets when its parent ends; 0: nothing
    subreaper : orphans below it become its children
    dumpable, personality : kept for prctl and personality
    barriers : kinds of membarrier that it has announced
    last_name, last_nice : of the last thread that has ended
    vfork_done : woken when it has its own address space, or none any more
    child_cpu_ns : CPU time of children that were waited for
    """

    pid: int
    parent: Process | None
    space: AddressSpace
    files: FileTable
    fs: FsContext
    pgid: int
    sid: int
    actions: SignalActions = field(default_factory=SignalActions)
    pending: PendingSignals = field(default_factory=PendingSignals)
    alarm: IntervalTimer = field(default_factory=IntervalTimer)
    timers: PosixTimers = field(default_factory=PosixTimers)
    credentials: Credentials = field(default_factory=Credentials)
    limits: ResourceLimits = field(default_factory=ResourceLimits)
    exit_signal: int = Signal.SIGCHLD
    threads: list[UserThread] = field(default_factory=list)
    children: dict[int, Process] = field(default_factory=dict)
    arguments: tuple[bytes, ...] = ()
    environment: tuple[bytes, ...] = ()
    executable: tuple[bytes, Location] | None = None
    has_executed: bool = False
    start_ns: int = 0
    status: int | None = None
    stop_status: int | None = None
    continued: bool = False
    stopped: bool = False
    frozen: bool = False
    group_status: int | None = None
    last_name: str = "?"
    last_nice: int = 0
    child_events: WaitQueue = field(default_factory=WaitQueue)
    signal_arrived: WaitQueue = field(default_factory=WaitQueue)
    ended: WaitQueue = field(default_factory=WaitQueue)
    thread_ended: WaitQueue = field(default_factory=WaitQueue)
    vfork_done: WaitQueue = field(default_factory=WaitQueue)
    sharing_parent_space: bool = False
    pdeath_signal: int = 0
    subreaper: bool = False
    dumpable: int = 1
    personality: int = 0
    barriers: int = 0
    cpu_ns: int = 0
    child_cpu_ns: int = 0

    @property
    def name(self) -> str:
        """Name of its first thread."""
        return self.threads[0].name if self.threads else self.last_name

    @property
    def alive(self) -> bool:
        """Whether it has a thread left."""
        return self.status is None

    def __repr__(self) -> str:
        """Return what names it in messages."""
        return f"<process {self.pid} {self.name}>"
