"""What /proc tells: numbers of processes, processors and memory, in the form of Linux."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pykern.kernel.drivers import pci
from pykern.kernel.fs.path import path_of
from pykern.kernel.fs.proc_process import ProcessInfo
from pykern.kernel.fs.proc_system import (
    CpuInfo,
    CpuTimes,
    InterruptLine,
    MemoryInfo,
    SystemStat,
    format_cpuinfo,
    format_filesystems,
    format_interrupts,
    format_loadavg,
    format_meminfo,
    format_mounts,
    format_stat,
    format_swaps,
    format_uptime,
    format_vmstat,
)
from pykern.kernel.fs.types import types
from pykern.kernel.sched import State
from pykern.kernel.syscalls.system import RELEASE
from pykern.kernel.task.rlimit import Resource
from pykern.kernel.task.sigaction import SIG_IGN, bit
from pykern.kernel.x86 import vectors

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pykern.kernel.fs.context import FsContext
    from pykern.kernel.fs.location import Location
    from pykern.kernel.fs.table import FileTable
    from pykern.kernel.kernel import Kernel
    from pykern.kernel.task.process import Process
    from pykern.kernel.task.thread import Thread

_LETTERS = {
    State.NEW: "R",
    State.RUNNABLE: "R",
    State.RUNNING: "R",
    State.SLEEPING: "S",
    State.BLOCKED: "S",
    State.STOPPED: "T",
    State.ZOMBIE: "Z",
}
INTERRUPTS = {
    vectors.TIMER: ("LOC", "Local timer interrupts"),
    vectors.RESCHEDULE: ("RES", "Rescheduling interrupts"),
    vectors.APIC_ERROR: ("ERR", "APIC errors"),
    vectors.SPURIOUS: ("SPU", "Spurious interrupts"),
}


class _View:
    """One process, or one thread of the kernel, as /proc/PID shows it."""

    def __init__(self, kernel: Kernel, process: Process | None, threads: list[Thread]) -> None:
        self._kernel = kernel
        self._process = process
        self._threads = threads

    @property
    def files(self) -> FileTable | None:
        if self._process is None or not self._process.alive:
            return None
        return self._process.files

    def tids(self) -> Iterable[int]:
        return [thread.tid for thread in self._threads]

    def info(self, tid: int | None = None) -> ProcessInfo:
        wanted = [t for t in self._threads if tid in {None, t.tid}]
        if self._process is None:
            return self._kernel_thread(wanted[0])
        return self._user_process(self._process, wanted)

    def _kernel_thread(self, thread: Thread) -> ProcessInfo:
        return ProcessInfo(
            thread.tid,
            thread.name,
            _LETTERS[thread.state],
            utime_ns=0,
            stime_ns=thread.cpu_ns,
            tgid=thread.tid,
            cpu=max(thread.cpu, 0),
            cpus=thread.affinity & self._kernel.scheduler.online,
        )

    def _user_process(self, process: Process, threads: list[Thread]) -> ProcessInfo:
        if not process.alive or not threads:
            return ProcessInfo(
                process.pid,
                process.last_name,
                "Z",
                ppid=process.parent.pid if process.parent else 0,
                pgid=process.pgid,
                sid=process.sid,
                tgid=process.pid,
                utime_ns=process.cpu_ns,
            )
        first, space = threads[0], process.space.statistics()
        tty = self._kernel.usermode.jobs.terminal(process.sid)
        actions = process.actions.table
        return ProcessInfo(
            first.tid,
            first.name,
            "R" if any(_LETTERS[t.state] == "R" for t in threads) else _LETTERS[first.state],
            ppid=process.parent.pid if process.parent else 0,
            pgid=process.pgid,
            sid=process.sid,
            tgid=process.pid,
            tty=(tty.number[0] << 8 | tty.number[1]) if tty else 0,
            tpgid=tty.pgid if tty else -1,
            utime_ns=process.cpu_ns + sum(t.cpu_ns for t in threads),
            cutime_ns=process.child_cpu_ns,
            priority=20 + first.nice,
            nice=first.nice,
            threads=len(threads),
            start_ns=process.start_ns,
            vsize=space.vsz,
            rss=space.rss // 4096,
            pending=process.pending.mask,
            blocked=first.blocked,
            ignored=sum(bit(n) for n, a in actions.items() if a.handler == SIG_IGN),
            caught=sum(bit(n) for n, a in actions.items() if a.handler > SIG_IGN),
            cpu=max(first.cpu, 0),
            cpus=first.affinity & self._kernel.scheduler.online,
            policy=first.sched_class,
            rt_priority=first.rt_priority,
            fd_size=64,
            **self._identity(process, first),
            umask=process.fs.umask,
            voluntary_switches=sum(t.switches - t.preemptions for t in threads),
            involuntary_switches=sum(t.preemptions for t in threads),
        )

    def _identity(self, process: Process, first: Thread) -> dict[str, Any]:
        """Return who the process is, and the signals its user has been sent."""
        user, group, fs = process.credentials.user, process.credentials.group, process.fs
        most = process.limits.soft(Resource.SIGPENDING)
        return {
            "uid": user.effective,
            "gid": group.effective,
            "uids": (user.real, user.effective, user.saved, fs.uid),
            "gids": (group.real, group.effective, group.saved, fs.gid),
            "groups": tuple(sorted(fs.groups)),
            "queued": (self._kernel.signals.queued(user.real), most),
            "no_new_privileges": process.credentials.no_new_privileges,
            "own_pending": first.pending.mask,
        }

    def maps(self) -> str:
        if self._process is None or not self._process.alive:
            return ""
        return self._process.space.maps()

    def cmdline(self) -> bytes:
        if self._process is None or not self._process.alive:
            return b""
        return b"".join(argument + b"\0" for argument in self._process.arguments)

    def environ(self) -> bytes:
        if self._process is None or not self._process.alive:
            return b""
        return b"".join(variable + b"\0" for variable in self._process.environment)

    def link(self, name: str) -> tuple[bytes, Location] | None:
        process = self._process
        if process is None or not process.alive:
            return None
        fs: FsContext = process.fs
        if name == "exe":
            return process.executable
        place = fs.cwd if name == "cwd" else fs.root
        return path_of(fs, place), place


class ProcessTable:
    """The processes of a kernel, and its threads, as /proc lists them.

    Parameters
    ----------
    kernel : whose
    """

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def pids(self) -> Iterable[int]:
        """Return all numbers, ascending."""
        own = [t.tid for t in self._kernel.threads.by_tid.values() if t.process is None]
        return sorted([*self._kernel.processes.by_pid, *own])

    def get(self, pid: int, /) -> _View | None:
        """Return a process; None: there is none."""
        process = self._kernel.processes.by_pid.get(pid)
        if process is not None:
            return _View(self._kernel, process, list(process.threads))
        thread = self._kernel.threads.by_tid.get(pid)
        if thread is None or thread.process is not None:
            return None
        return _View(self._kernel, None, [thread])

    def current(self) -> tuple[int, int] | None:
        """Return PID and TID of the caller; None: the kernel itself."""
        cpu = self._kernel.clock.this_cpu
        thread = cpu.current if cpu is not None else None
        if thread is None or thread.process is None:
            return None
        return thread.process.pid, thread.tid


class SystemFiles:
    """The files of /proc that are about the whole system.

    Parameters
    ----------
    kernel : whose
    """

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def register(self, root: FsContext) -> None:
        """Put all of them into /proc."""
        kernel, tree = self._kernel, self._kernel.vfs.proc
        tree.processes = ProcessTable(kernel)
        tree.add("meminfo", self.meminfo)
        tree.add("cpuinfo", self.cpuinfo)
        tree.add("uptime", self.uptime)
        tree.add("loadavg", self.loadavg)
        tree.add("stat", self.stat)
        tree.add("interrupts", self.interrupts)
        tree.add("version", lambda: f"Linux version {RELEASE} (hosted in Python) #1 SMP\n")
        tree.add("cmdline", lambda: f"{kernel.boot.command_line}\n")
        tree.add("mounts", lambda: format_mounts(root))
        tree.add("filesystems", lambda: format_filesystems(dict(types.items())))
        tree.add("metrics", kernel.metrics.text)
        tree.add("swaps", lambda: format_swaps(*self._swap()))
        tree.add("vmstat", self.vmstat)
        tree.add("numastat", self.numastat)
        tree.add(
            "bus/pci/devices", lambda: pci.format_devices(pci.enumerate_functions(kernel.acting))
        )
        tree.add("cpuidle", self.cpuidle)
        tree.add("ipc", self.ipc)
        moves = kernel.migrations
        tree.add("migration", moves.text, mode=0o600, store=moves.store)
        tree.add("sys/kernel/hostname", lambda: f"{self._kernel.host_name}\n")
        tree.add("sys/kernel/ostype", lambda: "Linux\n")
        tree.add("sys/kernel/osrelease", lambda: f"{RELEASE}\n")
        tree.add("sys/kernel/pid_max", lambda: "4194304\n")

    def meminfo(self) -> str:
        """Return memory in kB."""
        kernel = self._kernel
        memory, heap = kernel.frames.statistics(), kernel.heap.statistics()
        processes = kernel.processes.by_pid.values()
        spaces = {id(process.space): process.space for process in processes if process.alive}
        used = [space.statistics() for space in spaces.values()]
        threads = sum(thread.stack is not None for thread in kernel.threads.by_tid.values())
        swap_total, swap_used = self._swap()
        return format_meminfo(
            MemoryInfo(
                total=memory.total,
                free=memory.free,
                slab=heap.used,
                kernel_stack=threads * kernel.stacks.size,
                page_tables=sum(space.tables for space in used),
                anonymous=sum(space.anonymous for space in used),
                mapped=sum(space.rss - space.anonymous for space in used),
                swap_total=swap_total,
                swap_free=swap_total - swap_used,
            )
        )

    def _swap(self) -> tuple[int, int]:
        """Return bytes of swap space, and of it in use."""
        reclaimer = self._kernel.reclaimer
        return (reclaimer.swap.total_bytes, reclaimer.swap.used_bytes) if reclaimer else (0, 0)

    def vmstat(self) -> str:
        """Return what has happened to pages."""
        metrics, free = self._kernel.metrics, self._kernel.frames.free_bytes
        return format_vmstat(free >> 12, metrics.swap_ins, metrics.swap_outs, metrics.page_faults)

    def numastat(self) -> str:
        """Return the nodes: bytes in kB, how far they are apart, frames taken near and far."""
        kernel, topology = self._kernel, self._kernel.topology
        lines = []
        for node in topology.nodes:
            memory = kernel.frames.statistics(node)
            cpus = [cpu.number for cpu in kernel.cpus if topology.cpus.get(cpu.apic_id, 0) == node]
            far = topology.distances[node] if node < len(topology.distances) else ()
            lines.append(
                f"node {node}: {memory.total >> 10} kB, {memory.free >> 10} kB free, "
                f"cpus {' '.join(map(str, cpus))}, distances {' '.join(map(str, far))}\n"
            )
        return "".join(lines) + f"near {kernel.frames.near}\nfar {kernel.frames.far}\n"

    def cpuidle(self) -> str:
        """Return how long each processor was in C0, executing, and in C1, halted; ns."""
        cpus = enumerate(self._kernel.metrics.cpus)
        return "".join(f"cpu{n} C0 {cpu.busy_ns} C1 {cpu.idle_ns}\n" for n, cpu in cpus)

    def cpuinfo(self) -> str:
        """Return what CPUID says of each processor."""
        kernel, who = self._kernel, self._kernel.identity
        return format_cpuinfo(
            CpuInfo(
                cpu.number, who.vendor, who.family, who.model, who.stepping,
                f"pykern {kernel.machine.cpu_model}", kernel.clock.ticks_per_second / 1e6,
                0, cpu.apic_id, len(kernel.cpus),
            )
            for cpu in kernel.cpus
        )  # fmt: skip

    def uptime(self) -> str:
        """Return seconds since boot, and of idleness."""
        idle = sum(cpu.idle_ns for cpu in self._kernel.metrics.cpus)
        return format_uptime(self._kernel.clock.now_ns, idle)

    def loadavg(self) -> str:
        """Return how many threads ran or could have run on the average, and how many can now."""
        kernel = self._kernel
        threads = kernel.threads.by_tid.values()
        runnable = sum(1 for t in threads if t.state in {State.RUNNABLE, State.RUNNING})
        last = max(kernel.threads.by_tid, default=0)
        averages = kernel.scheduler.load_averages()
        return format_loadavg(averages, runnable, len(threads), last)

    def stat(self) -> str:
        """Return where the processors' time went."""
        kernel = self._kernel
        cpus = [CpuTimes(user=cpu.busy_ns, idle=cpu.idle_ns) for cpu in kernel.metrics.cpus]
        return format_stat(
            SystemStat(
                cpus,
                interrupts=sum(kernel.traps.counts.values()),
                switches=kernel.metrics.ctx_switches,
                boot_s=kernel.boot_ns // 1_000_000_000,
                forks=max(kernel.threads.by_tid, default=0),
                running=sum(1 for t in kernel.threads.by_tid.values() if t.state is State.RUNNING),
            )
        )

    def interrupts(self) -> str:
        """Return how often each interrupt came on each processor."""
        kernel = self._kernel
        numbers = sorted({vector for vector, _ in kernel.traps.counts})
        lines = []
        for vector in numbers:
            name, text = INTERRUPTS.get(
                vector, (str(vector - vectors.FIRST_ISA), f"IO-APIC vector {vector:#x}")
            )
            counts = [kernel.traps.counts.get((vector, cpu.number), 0) for cpu in kernel.cpus]
            lines.append(InterruptLine(name, counts, text))
        return format_interrupts(lines, len(kernel.cpus))

    def ipc(self) -> str:
        """Return a line for each port: what it holds, who waits."""
        return "".join(f"{statistics}\n" for statistics in self._kernel.ports.statistics())
