"""What the parts of a running kernel find each other by; the composition root fills it in."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pykern.kernel.core.log import Log
    from pykern.kernel.fs.context import Vfs
    from pykern.kernel.fs.mount import Mounts
    from pykern.kernel.ipc.capabilities import Capabilities
    from pykern.kernel.ipc.mailbox import Mailboxes
    from pykern.kernel.ipc.message import Messages
    from pykern.kernel.ipc.port import PortTable
    from pykern.kernel.mm.frames import FrameAllocator
    from pykern.kernel.mm.heap import HeapAllocator
    from pykern.kernel.mm.kernel_space import KernelSpace
    from pykern.kernel.mm.layout import UserLayout
    from pykern.kernel.mm.reclaim import Reclaimer
    from pykern.kernel.sched import Metrics, Scheduler
    from pykern.kernel.task.futex import Futexes
    from pykern.kernel.task.kstack import KernelStacks
    from pykern.kernel.task.process import Process
    from pykern.kernel.task.processes import Processes
    from pykern.kernel.task.runner import Runner
    from pykern.kernel.task.signals import Signals
    from pykern.kernel.task.threads import Threads
    from pykern.kernel.x86.clock import KernelClock
    from pykern.kernel.x86.paging import PageTable
    from pykern.kernel.x86.processor import CallTables, Processor
    from pykern_c import Machine


class System:
    """The parts of a kernel.

    Attributes
    ----------
    machine : it runs on this, and its physical memory is the machine's
    cpus : processors that are up, by number
    space : the kernel half of every address space; `table` is its page table
    heap : the kernel's
    user_layout : where programs lie
    stacks : kernel stacks
    tables : the call tables of programs
    symbols : linear addresses of what the image exports
    allow_wx : memory of programs may be writable and executable at once
    host_name, domain_name : as uname tells them
    boot_ns : seconds since 1970 at virtual time 0, in ns
    trusted_keys : public keys of those whose programs may run; none: all programs may
    reclaimer : takes frames back from processes; None: there is no swap space
    """

    machine: Machine
    cpus: list[Processor]
    frames: FrameAllocator
    space: KernelSpace
    table: PageTable
    heap: HeapAllocator
    user_layout: UserLayout
    stacks: KernelStacks
    tables: CallTables
    symbols: dict[str, int]
    clock: KernelClock
    log: Log
    metrics: Metrics
    scheduler: Scheduler
    runner: Runner
    threads: Threads
    processes: Processes
    signals: Signals
    futexes: Futexes
    ports: PortTable
    messages: Messages
    capabilities: Capabilities
    mailboxes: Mailboxes
    vfs: Vfs
    mounts: Mounts
    boot_ns: int = 0
    host_name: str = "pykern"
    domain_name: str = "(none)"
    reclaimer: Reclaimer | None = None
    allow_wx: bool = False
    trusted_keys: frozenset[bytes] = frozenset()

    def first_process_ended(self, process: Process) -> None:
        """Act on the end of a process that has no parent."""
        raise NotImplementedError

    def random_bytes(self, size: int) -> bytes:
        """Return bytes of the machine's seeded random numbers."""
        raise NotImplementedError

    def power_off(self) -> None:
        """Turn the machine off."""
        raise NotImplementedError

    def restart(self) -> None:
        """Reset the machine."""
        raise NotImplementedError

    @property
    def realtime_ns(self) -> int:
        """Nanoseconds since 1970."""
        return self.boot_ns + self.clock.now_ns
