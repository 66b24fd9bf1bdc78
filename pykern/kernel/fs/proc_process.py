"""The files of /proc/PID as Linux writes them.

References
----------
Linux proc(5); Documentation/filesystems/proc.rst; fs/proc/array.c.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["USER_HZ", "ProcessInfo", "format_stat", "format_statm", "format_status"]

USER_HZ = 100
NS_PER_TICK = 1_000_000_000 // USER_HZ
PAGE_SIZE = 4096

STATES = {
    "R": "running", "S": "sleeping", "D": "disk sleep", "T": "stopped", "t": "tracing stop",
    "Z": "zombie", "X": "dead", "I": "idle",
}  # fmt: skip


@dataclass(frozen=True)
class ProcessInfo:
    """Numbers of a process or thread.

    Attributes
    ----------
    state : one letter of `STATES`
    tty : device number of the controlling terminal; 0: none
    tpgid : foreground process group of that terminal; -1: none
    utime_ns, stime_ns : CPU time in user mode and in the kernel; with `c`: of reaped children
    start_ns : since boot
    priority : as in stat: 20 + nice, or negative for real-time
    vsize, data, stack, text : bytes of address space
    rss, shared : pages in memory
    pending, blocked, ignored, caught : signals, bit n - 1 for signal n
    cpus : mask of the CPUs it may run on
    """

    pid: int
    comm: str
    state: str = "R"
    ppid: int = 0
    pgid: int = 0
    sid: int = 0
    tgid: int = 0
    tty: int = 0
    tpgid: int = -1
    flags: int = 0
    minor_faults: int = 0
    major_faults: int = 0
    utime_ns: int = 0
    stime_ns: int = 0
    cutime_ns: int = 0
    cstime_ns: int = 0
    priority: int = 20
    nice: int = 0
    threads: int = 1
    start_ns: int = 0
    vsize: int = 0
    rss: int = 0
    shared: int = 0
    data: int = 0
    stack: int = 0
    text: int = 0
    start_code: int = 0
    end_code: int = 0
    start_stack: int = 0
    rip: int = 0
    rsp: int = 0
    pending: int = 0
    blocked: int = 0
    ignored: int = 0
    caught: int = 0
    cpu: int = 0
    cpus: int = 1
    rt_priority: int = 0
    policy: int = 0
    uid: int = 0
    gid: int = 0
    uids: tuple[int, ...] = (0, 0, 0, 0)
    gids: tuple[int, ...] = (0, 0, 0, 0)
    groups: tuple[int, ...] = ()
    queued: tuple[int, int] = (0, 0)
    own_pending: int = 0
    no_new_privileges: bool = False
    umask: int = 0o022
    fd_size: int = 0
    voluntary_switches: int = 0
    involuntary_switches: int = 0


def _ticks(ns: int) -> int:
    return ns // NS_PER_TICK


def format_stat(info: ProcessInfo) -> str:
    """Return /proc/PID/stat: 52 fields in one line."""
    signals = [mask & 0x7FFFFFFF for mask in (info.pending, info.blocked, info.ignored,
                                              info.caught)]  # fmt: skip
    unlimited = (1 << 64) - 1
    exit_signal = 17
    fields = [
        info.state, info.ppid, info.pgid, info.sid, info.tty, info.tpgid, info.flags,
        info.minor_faults, 0, info.major_faults, 0,
        _ticks(info.utime_ns), _ticks(info.stime_ns),
        _ticks(info.cutime_ns), _ticks(info.cstime_ns),
        info.priority, info.nice, info.threads, 0, _ticks(info.start_ns),
        info.vsize, info.rss, unlimited, info.start_code, info.end_code, info.start_stack,
        info.rsp, info.rip, *signals, 0, 0, 0, exit_signal, info.cpu, info.rt_priority,
        info.policy, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    ]  # fmt: skip
    return f"{info.pid} ({info.comm}) {' '.join(map(str, fields))}\n"


def format_statm(info: ProcessInfo) -> str:
    """Return /proc/PID/statm: pages of size, resident, shared, text, lib, data, dirty."""
    pages = [size // PAGE_SIZE for size in (info.vsize, info.text, info.data + info.stack)]
    return f"{pages[0]} {info.rss} {info.shared} {pages[1]} 0 {pages[2]} 0\n"


def format_status(info: ProcessInfo) -> str:
    """Return /proc/PID/status; a process without an address space has no Vm lines."""
    rows = [
        ("Name", info.comm), ("Umask", f"{info.umask:04o}"),
        ("State", f"{info.state} ({STATES[info.state]})"),
        ("Tgid", info.tgid or info.pid), ("Ngid", 0), ("Pid", info.pid), ("PPid", info.ppid),
        ("TracerPid", 0), ("Uid", "\t".join(map(str, info.uids))),
        ("Gid", "\t".join(map(str, info.gids))), ("FDSize", info.fd_size),
        ("Groups", " ".join(map(str, info.groups)) + " "),
        *_memory_rows(info),
        ("Threads", info.threads), ("SigQ", "{}/{}".format(*info.queued)),
        ("SigPnd", f"{info.own_pending:016x}"),
        ("ShdPnd", f"{info.pending:016x}"), ("SigBlk", f"{info.blocked:016x}"),
        ("SigIgn", f"{info.ignored:016x}"), ("SigCgt", f"{info.caught:016x}"),
        ("NoNewPrivs", int(info.no_new_privileges)),
        ("Cpus_allowed", f"{info.cpus:x}"), ("Cpus_allowed_list", cpu_list(info.cpus)),
        ("voluntary_ctxt_switches", info.voluntary_switches),
        ("nonvoluntary_ctxt_switches", info.involuntary_switches),
    ]  # fmt: skip
    return "".join(f"{key}:\t{value}\n" for key, value in rows)


def _memory_rows(info: ProcessInfo) -> list[tuple[str, str]]:
    if not info.vsize:
        return []
    rss = info.rss * PAGE_SIZE
    sizes = {
        "VmPeak": info.vsize, "VmSize": info.vsize, "VmLck": 0, "VmPin": 0, "VmHWM": rss,
        "VmRSS": rss, "RssAnon": rss - info.shared * PAGE_SIZE, "RssFile": 0,
        "RssShmem": info.shared * PAGE_SIZE, "VmData": info.data, "VmStk": info.stack,
        "VmExe": info.text, "VmLib": 0, "VmPTE": 0, "VmSwap": 0,
    }  # fmt: skip
    return [(key, f"{size >> 10:8} kB") for key, size in sizes.items()]


def cpu_list(mask: int) -> str:
    """Return a mask as ranges: 0b1011 is `0-1,3`."""
    ranges = []
    cpu = 0
    while mask >> cpu:
        first = cpu
        while mask >> cpu & 1:
            cpu += 1
        if cpu > first:
            ranges.append(str(first) if cpu == first + 1 else f"{first}-{cpu - 1}")
        cpu += 1
    return ",".join(ranges)
