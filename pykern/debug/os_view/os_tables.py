"""The tables of `info os`: what /proc is made of, for a debugger.

Nothing is counted for them; they say what the kernel knows at the moment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pykern.debug.os_view.tasks import describe
from pykern.kernel.fs.locks import END, F_WRLCK, LOCK_EX
from pykern.kernel.procinfo import INTERRUPTS
from pykern.kernel.sched import SchedClass, State
from pykern.kernel.x86 import vectors
from pykern.kernel.x86.pte import flag_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pykern.debug.os_view.tasks import Tasks
    from pykern.kernel.task.process import Process

    Row = dict[str, str]
    Table = Callable[[Tasks], list[Row]]

_USER_HALF = 1 << 47
_NS_PER_US = 1000


def _row(**columns: Any) -> Row:
    return {name.replace("_", " "): str(value) for name, value in columns.items()}


def _microseconds(ns: int) -> str:
    return f"{ns / _NS_PER_US:.1f}"


def _all_processes(tasks: Tasks) -> list[Process]:
    by_pid = tasks.kernel.processes.by_pid
    return [by_pid[pid] for pid in sorted(by_pid)]


def processes(tasks: Tasks) -> list[Row]:
    """Return all processes, zombies too."""
    return [
        _row(
            pid=process.pid,
            ppid=process.parent.pid if process.parent else 0,
            pgid=process.pgid,
            sid=process.sid,
            state=describe(process.threads[0]) if process.threads else "zombie",
            threads=len(process.threads),
            cores=" ".join(
                str(core)
                for task in process.threads
                if (core := tasks.running_on(task)) is not None
            ),
            resident=process.space.statistics().rss if process.threads else 0,
            command=b" ".join(process.arguments).decode("utf-8", "replace") or process.name,
        )
        for process in _all_processes(tasks)
    ]


def threads(tasks: Tasks) -> list[Row]:
    """Return all threads, the kernel's too."""
    by_tid = tasks.kernel.threads.by_tid
    return [
        _row(
            tid=tid,
            pid=task.process.pid if task.process else "",
            name=task.name,
            cpu=task.cpu,
            priority=task.priority,
            nice=task.nice,
            policy=SchedClass(task.sched_class).name,
            affinity=f"{task.affinity & tasks.kernel.scheduler.online:#x}",
            cpu_us=_microseconds(task.cpu_ns),
            wait_us=_microseconds(task.wait_ns),
            sleep_us=_microseconds(task.sleep_ns),
            switches=task.switches,
            migrations=task.migrations,
            state=describe(task),
        )
        for tid, task in sorted(by_tid.items())
    ]


def cpus(tasks: Tasks) -> list[Row]:
    """Return the processors that the kernel uses."""
    kernel = tasks.kernel
    return [
        _row(
            cpu=cpu.number,
            apic=cpu.apic_id,
            activity=cpu.vcpu.activity,
            cpl=cpu.vcpu.read_register("cpl"),
            thread=cpu.current.tid,
            name=cpu.current.name,
            retired=cpu.vcpu.retired,
            busy_us=_microseconds(kernel.metrics.cpus[cpu.number].busy_ns),
            idle_us=_microseconds(kernel.metrics.cpus[cpu.number].idle_ns),
            switches=kernel.metrics.cpus[cpu.number].ctx_switches,
            ticks=kernel.metrics.cpus[cpu.number].timer_ticks,
        )
        for cpu in kernel.cpus
    ]


def runqueues(tasks: Tasks) -> list[Row]:
    """Return what waits for each processor, in order."""
    rows = []
    for queue in tasks.kernel.scheduler.queues if tasks.kernel.cpus else ():
        current = queue.current
        rows.append(
            _row(
                cpu=queue.cpu,
                policy=type(queue.policy).__name__,
                length=len(queue.policy),
                current=f"{current.tid} {current.name}" if current else "idle",
                queued=", ".join(f"{task.tid} {task.name}" for task in queue.policy),
                need_resched=int(queue.need_resched),
            )
        )
    return rows


def ports(tasks: Tasks) -> list[Row]:
    """Return the ports of the kernel's message passing."""
    table = getattr(tasks.kernel, "ports", None)
    return [] if table is None else [_row(**port._asdict()) for port in table.statistics()]


def files(tasks: Tasks) -> list[Row]:
    """Return the open files of all processes."""
    return [
        _row(
            pid=process.pid,
            command=process.name,
            fd=fd,
            flags=f"{file.flags:#o}",
            offset=file.offset,
            inode=file.inode.ino,
            name=file.name.decode("utf-8", "replace"),
        )
        for process in tasks.processes()
        for fd, file in process.files
    ]


def mappings(tasks: Tasks) -> list[Row]:
    """Return what page tables map: of each process its half, and the kernel's."""
    kernel = tasks.kernel
    if not kernel.cpus:
        return []
    spaces: list[tuple[int | str, Any, int]] = [
        *((process.pid, process.space.pages.table, 0) for process in tasks.processes()),
        ("kernel", kernel.table, -_USER_HALF % (1 << 64)),
    ]
    return [
        _row(
            pid=pid,
            start=f"{laddr:#x}",
            end=f"{laddr + size:#x}",
            physical=f"{paddr:#x}",
            pages=size >> 12,
            flags=flag_names(flags),
            area=_area(tasks, pid, laddr),
        )
        for pid, table, first in spaces
        for laddr, size, paddr, flags in table.mappings(first, _USER_HALF)
    ]


def _area(tasks: Tasks, pid: int | str, laddr: int) -> str:
    if isinstance(pid, str):
        return ""
    vma = tasks.process(pid).space.vmas.find(laddr)
    if vma is None:
        return ""
    return vma.pager.name if vma.pager else vma.name


def interrupts(tasks: Tasks) -> list[Row]:
    """Return how often each interrupt came, by processor."""
    kernel = tasks.kernel
    counts = kernel.traps.counts
    rows = []
    for vector in sorted({vector for vector, _ in counts}):
        name, text = INTERRUPTS.get(vector, (str(vector - vectors.FIRST_ISA), "IO-APIC"))
        per_cpu = {f"cpu{c.number}": str(counts.get((vector, c.number), 0)) for c in kernel.cpus}
        rows.append({"vector": f"{vector:#x}", "name": name, "source": text, **per_cpu})
    return rows


def locks(tasks: Tasks) -> list[Row]:
    """Return locks of files, and words of memory that threads sleep on (futex)."""
    seen = {id(f.inode): f for process in tasks.processes() for _, f in process.files}
    rows = []
    for file in seen.values():
        if file.inode.locks is None:
            continue
        name = file.name.decode("utf-8", "replace")
        rows += [
            _lock("range", name, "write" if held.kind == F_WRLCK else "read", held.pid,
                  f"{held.start}-{'end' if held.end == END else held.end - 1}")
            for held in file.inode.locks.ranges
        ]  # fmt: skip
        rows += [
            _lock("flock", name, "write" if kind == LOCK_EX else "read", "", "all")
            for kind in file.inode.locks.whole.values()
        ]
    rows += [
        _lock("futex", "", "sleepers", count, f"{address:#x}")
        for address, count in tasks.kernel.futexes.sleepers()
    ]
    return rows


def _lock(kind: str, name: str, mode: str, who: int | str, where: str) -> Row:
    return _row(kind=kind, file=name, mode=mode, holder_or_count=who, where=where)


def metrics(tasks: Tasks) -> list[Row]:
    """Return what the kernel counts."""
    return [_row(name=name, value=value) for name, value in _counters(tasks)]


def _counters(tasks: Tasks) -> Iterator[tuple[str, object]]:
    for line in tasks.kernel.metrics.text().splitlines():
        name, _, value = line.rpartition(" ")
        yield name, value
    if tasks.kernel.cpus:
        memory = tasks.kernel.frames.statistics()
        yield from (("memory.total", memory.total), ("memory.free", memory.free))
    running = sum(t.state is State.RUNNING for t in tasks.kernel.threads.by_tid.values())
    yield "threads.running", running


TABLES: dict[str, tuple[str, Table]] = {
    "processes": ("All processes, zombies too", processes),
    "threads": ("All threads, the kernel's too", threads),
    "cpus": ("Processors and what they execute", cpus),
    "runqueues": ("Threads that wait for a processor", runqueues),
    "ports": ("Ports of inter-process communication", ports),
    "files": ("Open files of all processes", files),
    "mappings": ("What the page tables map", mappings),
    "interrupts": ("Interrupts by vector and processor", interrupts),
    "locks": ("Locks of files, and futexes that are slept on", locks),
    "metrics": ("What the kernel counts", metrics),
}
"""Name → (what is in it, the rows of it)."""
