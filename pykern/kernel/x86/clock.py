"""Virtual time for the kernel: timers and the scheduler's tick, by the local APIC's timer.

Each processor has its own timers, in a heap, and one hardware timer that is set to whatever is due
first: a timer, or the tick where a thread runs. An idle processor has no tick.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

from pykern.kernel.x86 import lapic

if TYPE_CHECKING:
    from collections.abc import Callable

    from pykern.kernel.x86.processor import Processor
    from pykern_c import Machine

_NS_PER_S = 1_000_000_000
_LONGEST_COUNT = (1 << 32) - 1


class KernelTimer:
    """A call at a time to come."""

    __slots__ = ("cancelled", "deadline_ns", "function", "order")

    def __init__(self, deadline_ns: int, order: int, function: Callable[[], None]) -> None:
        self.deadline_ns = deadline_ns
        self.order = order
        self.function = function
        self.cancelled = False

    def cancel(self) -> None:
        """Take the call back."""
        self.cancelled = True

    def __lt__(self, other: KernelTimer) -> bool:
        """Order by deadline, then by age."""
        return (self.deadline_ns, self.order) < (other.deadline_ns, other.order)


class _CpuTimers:
    """The timers of one processor."""

    __slots__ = ("armed_ns", "heap", "tick_due_ns", "ticks")

    def __init__(self, *, ticks: bool) -> None:
        self.ticks = ticks
        self.heap: list[KernelTimer] = []
        self.armed_ns: int | None = None
        self.tick_due_ns: int | None = None


class KernelClock:
    """The clock of the whole kernel.

    Parameters
    ----------
    machine : whose virtual time it is
    vector : of the timer's interrupt
    tick_ns : time between two ticks

    Attributes
    ----------
    this_cpu : the processor on whose behalf the kernel acts; timers that are set are its
    ticks_per_second : of the APIC timer's clock, as `calibration` has measured it;
        0: not yet, no timer can be set
    resolution_hz : how finely the timer is set; times are rounded up to it
    """

    def __init__(self, machine: Machine, vector: int, tick_ns: int) -> None:
        self._machine = machine
        self._vector = vector
        self._cpus: dict[int, _CpuTimers] = {}
        self._count = 0
        self.tick_ns = tick_ns
        self.this_cpu: Processor | None = None
        self.ticks_per_second = 0
        self.resolution_hz = _NS_PER_S

    @property
    def now_ns(self) -> int:
        """Nanoseconds of virtual time since power-up."""
        return self._machine.now

    @property
    def ready(self) -> bool:
        """Whether the processor that acts now can have timers."""
        return self.this_cpu is not None and self.this_cpu.number in self._cpus

    @property
    def pending(self) -> bool:
        """Whether any timer is set."""
        return self.timers > 0

    @property
    def timers(self) -> int:
        """How many timers are set."""
        return sum(not t.cancelled for timers in self._cpus.values() for t in timers.heap)

    def add_cpu(self, cpu: Processor, *, ticks: bool = True) -> None:
        """Let a processor have timers, and perhaps ticks; its local APIC is enabled."""
        self._cpus[cpu.number] = _CpuTimers(ticks=ticks)
        self._arm(cpu)

    def at(self, deadline_ns: int, function: Callable[[], None], /) -> KernelTimer:
        """Call `function` at a time, in an interrupt of the processor that acts now."""
        cpu = self.this_cpu
        if cpu is None:
            raise ValueError("no processor acts: a timer needs one")
        self._count += 1
        timer = KernelTimer(deadline_ns, self._count, function)
        timers = self._cpus[cpu.number]
        heapq.heappush(timers.heap, timer)
        if timers.armed_ns is None or deadline_ns < timers.armed_ns:
            self._arm(cpu)
        return timer

    def start_tick(self, cpu: Processor) -> None:
        """Let a processor have ticks; it has a thread to run."""
        timers = self._cpus[cpu.number]
        if timers.ticks and timers.tick_due_ns is None:
            timers.tick_due_ns = (self.now_ns // self.tick_ns + 1) * self.tick_ns
            if timers.armed_ns is None or timers.tick_due_ns < timers.armed_ns:
                self._arm(cpu)

    def expire(self, cpu: Processor, *, busy: bool) -> bool:
        """Do what is due, at a processor's timer interrupt; return whether a tick was.

        Parameters
        ----------
        busy : a thread runs; its next tick is due in a while
        """
        timers, now = self._cpus[cpu.number], self.now_ns
        while timers.heap and (timers.heap[0].cancelled or timers.heap[0].deadline_ns <= now):
            timer = heapq.heappop(timers.heap)
            if not timer.cancelled:
                timer.cancelled = True
                timer.function()
        ticked = timers.tick_due_ns is not None and timers.tick_due_ns <= now
        if ticked:
            timers.tick_due_ns = (now // self.tick_ns + 1) * self.tick_ns if busy else None
        self._arm(cpu)
        return ticked

    def _arm(self, cpu: Processor) -> None:
        """Set the hardware to what is due first."""
        timers = self._cpus[cpu.number]
        while timers.heap and timers.heap[0].cancelled:
            heapq.heappop(timers.heap)
        due = [timers.heap[0].deadline_ns] if timers.heap else []
        if timers.tick_due_ns is not None:
            due.append(timers.tick_due_ns)
        timers.armed_ns = min(due, default=None)
        count = 0
        if timers.armed_ns is not None:
            step_ns = _NS_PER_S // self.resolution_hz
            wait_ns = -(-max(timers.armed_ns - self.now_ns, 1) // step_ns) * step_ns
            wanted = -(-wait_ns * self.ticks_per_second // _NS_PER_S)
            count = min(wanted, _LONGEST_COUNT)
        lapic.start_timer(cpu.vcpu, vector=self._vector, count=count)
