"""What the kernel counts."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["CpuTimes", "Metrics"]

_COUNTERS = (
    "ctx_switches",
    "preemptions",
    "migrations",
    "resched_ipis",
    "ipc_sends",
    "ipc_recvs",
    "ipc_queue_full",
    "sleep_count",
    "wake_count",
    "timer_ticks",
    "page_faults",
    "swap_ins",
    "swap_outs",
)
_CPU_COUNTERS = ("busy_ns", "idle_ns", "ctx_switches", "migrations", "resched_ipis", "timer_ticks")


class CpuTimes:
    """What one CPU has done.

    Attributes
    ----------
    busy_ns, idle_ns : virtual time with and without a thread
    ctx_switches : changes of thread, to and from idle as well
    migrations : threads that came from another CPU
    resched_ipis : interrupts that told it to choose again
    timer_ticks : its own
    """

    __slots__ = _CPU_COUNTERS

    def __init__(self) -> None:
        self.busy_ns = 0
        self.idle_ns = 0
        self.ctx_switches = 0
        self.migrations = 0
        self.resched_ipis = 0
        self.timer_ticks = 0

    def as_dict(self) -> dict[str, int]:
        """Return the counters by name."""
        return {name: getattr(self, name) for name in _CPU_COUNTERS}


@dataclass(slots=True)
class Metrics:
    """The kernel's counters since boot; between two awaits nothing else runs, so all are atomic.

    Attributes
    ----------
    ctx_switches : changes of thread on any CPU, to and from idle as well
    preemptions : of those, the ones where a thread that could go on had to make room
    migrations : threads that became runnable, or were moved, on another CPU than their last
    resched_ipis : interrupts that told another CPU to choose again
    ipc_sends, ipc_recvs : messages accepted and delivered
    ipc_queue_full : messages refused because the port's queue was full
    sleep_count, wake_count : threads that went to sleep until a time, and those that awoke from it
    timer_ticks : of all CPUs
    page_faults : of programs, those that were served
    swap_ins, swap_outs : pages that got a frame back, and that lost one
    syscall_count : calls by name; those known beforehand stand first, in the order of their numbers
    cpus : by CPU
    """

    ctx_switches: int = 0
    preemptions: int = 0
    migrations: int = 0
    resched_ipis: int = 0
    ipc_sends: int = 0
    ipc_recvs: int = 0
    ipc_queue_full: int = 0
    sleep_count: int = 0
    wake_count: int = 0
    timer_ticks: int = 0
    page_faults: int = 0
    swap_ins: int = 0
    swap_outs: int = 0
    syscall_count: dict[str, int] = field(default_factory=dict)
    cpus: list[CpuTimes] = field(default_factory=list)

    def declare_syscalls(self, names: Iterable[str]) -> None:
        """Let calls show with 0 before they were ever made."""
        for name in names:
            self.syscall_count.setdefault(name, 0)

    def count_syscall(self, name: str) -> None:
        """Count one call."""
        self.syscall_count[name] = self.syscall_count.get(name, 0) + 1

    def add_cpus(self, count: int) -> list[CpuTimes]:
        """Have counters for CPUs 0 to `count` - 1 and return them."""
        self.cpus.extend(CpuTimes() for _ in range(count - len(self.cpus)))
        return self.cpus[:count]

    def as_dict(self) -> dict[str, object]:
        """Return all counters by name; what a JSON file holds."""
        counters: dict[str, object] = {name: getattr(self, name) for name in _COUNTERS}
        counters["syscall_count"] = dict(self.syscall_count)
        counters["cpus"] = [cpu.as_dict() for cpu in self.cpus]
        return counters

    def json(self) -> str:
        """Return all counters as JSON text."""
        return json.dumps(self.as_dict(), indent=2) + "\n"

    def text(self) -> str:
        """Return all counters as a file of /proc shows them: a name and a number per line."""
        lines = [f"{name} {getattr(self, name)}" for name in _COUNTERS]
        lines += [f"syscall_count[{name}] {count}" for name, count in self.syscall_count.items()]
        for number, cpu in enumerate(self.cpus):
            lines += [f"cpu{number}.{name} {value}" for name, value in cpu.as_dict().items()]
        return "\n".join(lines) + "\n"
