"""The files of /proc that tell of the whole system, as Linux writes them.

References
----------
Linux proc(5); Documentation/filesystems/proc.rst.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pykern.kernel.core.errno import SysError
from pykern.kernel.fs.path import path_of
from pykern.kernel.fs.proc_process import NS_PER_TICK

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pykern.kernel.fs.context import FsContext

__all__ = [
    "CpuInfo",
    "CpuTimes",
    "InterruptLine",
    "MemoryInfo",
    "SystemStat",
    "format_cpuinfo",
    "format_filesystems",
    "format_interrupts",
    "format_loadavg",
    "format_meminfo",
    "format_mounts",
    "format_stat",
    "format_swaps",
    "format_uptime",
    "format_vmstat",
]


@dataclass(frozen=True)
class MemoryInfo:
    """Memory in bytes."""

    total: int
    free: int
    buffers: int = 0
    cached: int = 0
    shared: int = 0
    slab: int = 0
    kernel_stack: int = 0
    page_tables: int = 0
    anonymous: int = 0
    mapped: int = 0
    swap_total: int = 0
    swap_free: int = 0

    @property
    def available(self) -> int:
        """What programs could get."""
        return self.free + self.buffers + self.cached - self.shared


def format_meminfo(memory: MemoryInfo) -> str:
    """Return /proc/meminfo."""
    rows = {
        "MemTotal": memory.total, "MemFree": memory.free, "MemAvailable": memory.available,
        "Buffers": memory.buffers, "Cached": memory.cached, "SwapCached": 0,
        "SwapTotal": memory.swap_total, "SwapFree": memory.swap_free, "Dirty": 0, "Writeback": 0,
        "AnonPages": memory.anonymous, "Mapped": memory.mapped, "Shmem": memory.shared,
        "Slab": memory.slab, "SReclaimable": 0, "SUnreclaim": memory.slab,
        "KernelStack": memory.kernel_stack, "PageTables": memory.page_tables,
    }  # fmt: skip
    return "".join(f"{key + ':':<16}{size >> 10:8} kB\n" for key, size in rows.items())


@dataclass(frozen=True)
class CpuInfo:
    """One CPU, as CPUID tells."""

    number: int
    vendor: str
    family: int
    model: int
    stepping: int
    name: str
    mhz: float
    cache_kib: int
    apic_id: int
    cpus: int
    flags: Sequence[str] = ()
    physical_bits: int = 40
    linear_bits: int = 48


def format_cpuinfo(cpus: Iterable[CpuInfo]) -> str:
    """Return /proc/cpuinfo."""
    return "".join(_cpu(cpu) for cpu in cpus)


def _cpu(cpu: CpuInfo) -> str:
    rows = [
        ("processor", cpu.number), ("vendor_id", cpu.vendor), ("cpu family", cpu.family),
        ("model", cpu.model), ("model name", cpu.name), ("stepping", cpu.stepping),
        ("cpu MHz", f"{cpu.mhz:.3f}"), ("cache size", f"{cpu.cache_kib} KB"),
        ("physical id", 0), ("siblings", cpu.cpus), ("core id", cpu.number),
        ("cpu cores", cpu.cpus), ("apicid", cpu.apic_id), ("initial apicid", cpu.apic_id),
        ("fpu", "yes"), ("fpu_exception", "yes"), ("wp", "yes"), ("flags", " ".join(cpu.flags)),
        ("bugs", ""), ("bogomips", f"{2 * cpu.mhz:.2f}"), ("clflush size", 64),
        ("cache_alignment", 64),
        ("address sizes", f"{cpu.physical_bits} bits physical, {cpu.linear_bits} bits virtual"),
        ("power management", ""),
    ]  # fmt: skip
    return "".join(_aligned(key, str(value)) for key, value in rows) + "\n"


def _aligned(key: str, value: str) -> str:
    tabs = "\t" * (2 - len(key) // 8)
    return f"{key}{tabs}: {value}".rstrip() + "\n" if value else f"{key}{tabs}:\n"


def format_uptime(up_ns: int, idle_ns: int) -> str:
    """Return /proc/uptime: seconds since boot, and idle seconds summed over all CPUs."""
    return f"{_seconds(up_ns)} {_seconds(idle_ns)}\n"


def _seconds(ns: int) -> str:
    return f"{ns // 1_000_000_000}.{ns // 10_000_000 % 100:02}"


def format_loadavg(loads: Sequence[float], runnable: int, threads: int, last_pid: int) -> str:
    """Return /proc/loadavg: three averages, runnable and all threads, the newest pid."""
    averages = " ".join(f"{load:.2f}" for load in loads)
    return f"{averages} {runnable}/{threads} {last_pid}\n"


@dataclass(frozen=True)
class CpuTimes:
    """Where the time of one CPU went, ns."""

    user: int = 0
    nice: int = 0
    system: int = 0
    idle: int = 0
    iowait: int = 0
    irq: int = 0
    softirq: int = 0

    def ticks(self) -> list[int]:
        """Return ten columns in USER_HZ; nothing is stolen, and there are no guests."""
        spent = [self.user, self.nice, self.system, self.idle, self.iowait, self.irq, self.softirq]
        return [ns // NS_PER_TICK for ns in spent] + [0, 0, 0]


@dataclass(frozen=True)
class SystemStat:
    """What /proc/stat tells; `boot_s` is realtime in s since the epoch."""

    cpus: Sequence[CpuTimes]
    interrupts: int = 0
    switches: int = 0
    boot_s: int = 0
    forks: int = 0
    running: int = 0
    blocked: int = 0
    softirqs: int = 0


def format_stat(stat: SystemStat) -> str:
    """Return /proc/stat."""
    each = [cpu.ticks() for cpu in stat.cpus]
    total = [sum(column) for column in zip(*each, strict=True)]
    lines = [f"cpu  {_words(total)}"]
    lines += [f"cpu{number} {_words(ticks)}" for number, ticks in enumerate(each)]
    lines += [
        f"intr {stat.interrupts}",
        f"ctxt {stat.switches}",
        f"btime {stat.boot_s}",
        f"processes {stat.forks}",
        f"procs_running {stat.running}",
        f"procs_blocked {stat.blocked}",
        f"softirq {stat.softirqs}",
    ]
    return "".join(f"{line}\n" for line in lines)


def _words(numbers: Iterable[int]) -> str:
    return " ".join(map(str, numbers))


def format_swaps(total: int, used: int) -> str:
    """Return /proc/swaps: the device that pages go to, sizes in bytes; 0: there is none."""
    head = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
    if not total:
        return head
    return f"{head}{'/dev/swap':<40}partition\t{total >> 10}\t\t{used >> 10}\t\t-2\n"


def format_vmstat(free: int, swapped_in: int, swapped_out: int, faults: int) -> str:
    """Return /proc/vmstat: pages, and how often something happened to one."""
    rows = {"nr_free_pages": free, "pswpin": swapped_in, "pswpout": swapped_out, "pgfault": faults}
    return "".join(f"{name} {count}\n" for name, count in rows.items())


@dataclass(frozen=True)
class InterruptLine:
    """One row of /proc/interrupts: how often each CPU took it."""

    name: str
    counts: Sequence[int]
    description: str = field(default="")


def format_interrupts(lines: Iterable[InterruptLine], cpus: int) -> str:
    """Return /proc/interrupts."""
    text = " " * 5 + "".join(f"{f'CPU{cpu}':>11}" for cpu in range(cpus)) + "\n"
    for line in lines:
        counts = "".join(f"{count:11}" for count in line.counts)
        text += f"{line.name:>4}:{counts}   {line.description}".rstrip() + "\n"
    return text


def format_mounts(ctx: FsContext) -> str:
    """Return /proc/mounts as a process sees it; what is out of its sight is left out."""
    lines = []
    for mount in ctx.mounts:
        try:
            where = path_of(ctx, mount.location())
        except SysError:
            continue
        words = [mount.source, where, mount.fs.type_name.encode(), mount.options.encode()]
        lines.append(b" ".join([*map(_octal, words), b"0 0\n"]))
    return b"".join(lines).decode("utf-8", "surrogateescape")


def _octal(word: bytes) -> bytes:
    """Return a word without white space, as getmntent(3) reads it."""
    return b"".join(b"\\%03o" % byte if byte in b" \t\n\\#" else bytes([byte]) for byte in word)


def format_filesystems(names: Iterable[str]) -> str:
    """Return /proc/filesystems; none of them needs a device."""
    return "".join(f"nodev\t{name}\n" for name in names)
