"""The run queues of all CPUs: which threads are on them, and telling CPUs to look."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.kernel.sched.policy import Reason
from pykern.kernel.sched.run_queue import RunQueue
from pykern.kernel.sched.schedulable import LEGAL, State, refuse_transition

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pykern.kernel.core.clock import Clock
    from pykern.kernel.core.log import Log
    from pykern.kernel.sched.metrics import Metrics
    from pykern.kernel.sched.policy import PolicyFactory
    from pykern.kernel.sched.schedulable import Schedulable

__all__ = ["RunQueues"]

_RUNNABLE = State.RUNNABLE
_ASLEEP = (State.SLEEPING, State.BLOCKED, State.STOPPED)


class RunQueues:
    """What the scheduler, its balancer and its choice of a CPU work on.

    Attributes
    ----------
    this_cpu : the CPU on whose behalf the kernel acts; another one is told by an interrupt. Set by
        `tick` and `pick_next`, and by the kernel's loop before whatever else may wake a thread
    online : bit n is set while CPU n takes threads
    idle : bit n is set while CPU n has none, on line or not
    by_load : masks of the CPUs that 0, 1, 2 and so on threads want
    waiting : bit n is set while threads are queued on CPU n
    on_resched_ipi : tells another CPU to look at `need_resched`
    on_transition : told of every change of state, after it: thread, old, new
    """

    def __init__(
        self,
        cpus: int,
        policy_factory: PolicyFactory,
        clock: Clock,
        metrics: Metrics,
        log: Log | None,
        online: int | None,
    ) -> None:
        if cpus < 1:
            raise ValueError(f"a scheduler needs at least 1 CPU, not {cpus}")
        now_ns = clock.now_ns
        times = metrics.add_cpus(cpus)
        self.queues: Sequence[RunQueue] = tuple(
            RunQueue(cpu, policy_factory(), times[cpu], now_ns) for cpu in range(cpus)
        )
        self.clock = clock
        self.metrics = metrics
        self.this_cpu = 0
        self.idle = (1 << cpus) - 1
        self.online = self.idle if online is None else online
        self.by_load = [self.idle]
        self.waiting = 0
        self.on_resched_ipi: Callable[[int], None] = lambda _cpu: None
        self.on_transition: Callable[[Schedulable, State, State], None] | None = None
        self._log = log

    def current(self, cpu: int) -> Schedulable | None:
        """Return the thread that runs on a CPU; None: it is idle."""
        return self.queues[cpu].current

    @property
    def active(self) -> int:
        """How many threads run or could."""
        return sum(rq.load for rq in self.queues)

    def count(self, rq: RunQueue, more: int) -> None:
        """Take note that one thread more or less (-1) wants a CPU."""
        by_load = self.by_load
        by_load[rq.load] ^= rq.bit
        rq.load += more
        if rq.load == len(by_load):
            by_load.append(0)
        by_load[rq.load] |= rq.bit

    def least_loaded(self, cpus: int) -> int:
        """Return those of a mask of CPUs that fewest threads want."""
        return next(mask & cpus for mask in self.by_load if mask & cpus)

    def narrate(self, *, switches: int = 0, interrupts: int = 0, cpu: int | None = None) -> None:
        """Tell the log of so many of the next switches of, and interrupts to, a CPU, or each."""
        for rq in self.queues if cpu is None else [self.queues[cpu]]:
            rq.switches_to_tell = switches
            rq.interrupts_to_tell = interrupts

    def enqueue(self, thread: Schedulable, cpu: int, reason: Reason) -> None:
        """Put a runnable thread on a CPU's queue, and interrupt the CPU if it is to run at once."""
        rq = self.queues[cpu]
        if thread.cpu != cpu:
            self._note_cpu(thread, rq)
        current = rq.current
        if current is not None:
            rq.account(self.clock.now_ns)
        rq.policy.enqueue(thread, reason)
        self.count(rq, 1)
        self.idle &= ~rq.bit
        self.waiting |= rq.bit
        if current is None or rq.policy.preempts(thread, current):
            self.resched(rq)

    def take_off(self, thread: Schedulable) -> None:
        """Take a runnable thread off its queue."""
        rq = self.queues[thread.cpu]
        rq.policy.dequeue(thread)
        self.count(rq, -1)
        if not len(rq.policy):
            self.waiting &= ~rq.bit

    def migrate(self, thread: Schedulable, cpu: int) -> None:
        """Move a runnable thread to another CPU's queue."""
        self.take_off(thread)
        self.enqueue(thread, cpu, Reason.MIGRATED)

    def resched(self, rq: RunQueue) -> None:
        """Have a CPU choose anew; another one than this is interrupted."""
        if rq.need_resched:
            return
        rq.need_resched = True
        if rq.cpu == self.this_cpu:
            return
        self.metrics.resched_ipis += 1
        rq.times.resched_ipis += 1
        if rq.interrupts_to_tell and self._log is not None:
            rq.interrupts_to_tell -= 1
            self._log.subsystem("SCHED").log(f"send RESCHED IPI → core{rq.cpu}")
        self.on_resched_ipi(rq.cpu)

    def _note_cpu(self, thread: Schedulable, rq: RunQueue) -> None:
        if thread.cpu >= 0:
            thread.migrations += 1
            self.metrics.migrations += 1
            rq.times.migrations += 1
        thread.cpu = rq.cpu

    # --- states -------------------------------------------------------------------------------

    def transition(self, thread: Schedulable, new: State, now_ns: int) -> None:
        """Change a thread's state, and account for the time it spent in the old one.

        Raises
        ------
        KernelBug : there is no such way between states
        """
        old = thread.state
        if not LEGAL[old] >> new & 1:
            refuse_transition(thread, new)
        spent_ns = now_ns - thread.since_ns
        thread.state = new
        thread.since_ns = now_ns
        if old is _RUNNABLE:
            thread.wait_ns += spent_ns
        elif old in _ASLEEP:
            thread.sleep_ns += spent_ns
            thread.slept_ns = spent_ns
        if self.on_transition is not None:
            self.on_transition(thread, old, new)
