"""The scheduler: run queues, one per CPU, and who is on them.

It knows no machine. The kernel's loop tells it which CPU it acts for (`this_cpu`), calls `tick` at
timer interrupts, asks `need_resched` before it goes back to the guest, and `pick_next` if so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.kernel.core.bug import KernelBug
from pykern.kernel.sched.balance import Balancer
from pykern.kernel.sched.load import LoadAverage
from pykern.kernel.sched.placement import select_cpu
from pykern.kernel.sched.policy import Reason
from pykern.kernel.sched.run_queues import RunQueues
from pykern.kernel.sched.schedulable import ANY_CPU, State

if TYPE_CHECKING:
    from pykern.kernel.core.clock import Clock
    from pykern.kernel.core.log import Log
    from pykern.kernel.sched.metrics import Metrics
    from pykern.kernel.sched.policy import PolicyFactory
    from pykern.kernel.sched.run_queue import RunQueue
    from pykern.kernel.sched.schedulable import SchedClass, Schedulable

__all__ = ["Scheduler"]

_RUNNABLE, _RUNNING, _SLEEPING = State.RUNNABLE, State.RUNNING, State.SLEEPING
_ASLEEP = (State.SLEEPING, State.BLOCKED, State.STOPPED)
_ON_QUEUE = (State.RUNNABLE, State.RUNNING)
_PREEMPTED, _YIELD = Reason.PREEMPTED, Reason.YIELD


class Scheduler(RunQueues):
    """Decide which thread runs on which CPU.

    Parameters
    ----------
    cpus : how many CPUs there are
    policy_factory : makes the policy of one CPU
    clock : virtual time
    metrics : counts
    log : where the first choices are told
    narrated : how many of each CPU, see `narrate`
    online : mask of the CPUs that take threads from the start; None: all

    Attributes
    ----------
    load : averages over minutes
    """

    def __init__(
        self,
        cpus: int,
        policy_factory: PolicyFactory,
        clock: Clock,
        metrics: Metrics,
        *,
        log: Log | None = None,
        narrated: int = 0,
        online: int | None = None,
    ) -> None:
        super().__init__(cpus, policy_factory, clock, metrics, log, online)
        self.load = LoadAverage(clock.now_ns)
        self._balancer = Balancer(self)
        self.narrate(switches=narrated, interrupts=narrated)

    # --- threads come and go ------------------------------------------------------------------

    def add(self, thread: Schedulable, cpu: int | None = None) -> int:
        """Make a new thread runnable, on `cpu` or where there is most room; return which CPU.

        Raises
        ------
        KernelBug : the thread is not new
        ValueError : its affinity allows no CPU that is on line, or not `cpu`
        """
        if thread.state is not State.NEW:
            raise KernelBug(f"thread {thread.tid} ({thread.name}) was added before")
        if cpu is None:
            cpu = select_cpu(self, thread)
        elif not thread.affinity & self.online & 1 << cpu:
            raise ValueError(f"thread {thread.tid} may not run on CPU {cpu}")
        self.transition(thread, _RUNNABLE, self.clock.now_ns)
        self.enqueue(thread, cpu, Reason.NEW)
        return cpu

    def wake(self, thread: Schedulable) -> bool:
        """Make a sleeping, blocked or stopped thread runnable; False when it is already.

        Raises
        ------
        KernelBug : the thread is new or has ended
        """
        old = thread.state
        if old is _RUNNABLE or old is _RUNNING:
            return False
        if old not in _ASLEEP:
            raise KernelBug(f"wake-up of thread {thread.tid} ({thread.name}), a {old.name} one")
        self.transition(thread, _RUNNABLE, self.clock.now_ns)
        if old is _SLEEPING:
            self.metrics.wake_count += 1
        self._let_run_somewhere(thread)
        self.enqueue(thread, select_cpu(self, thread), Reason.WAKEUP)
        return True

    def _let_run_somewhere(self, thread: Schedulable) -> None:
        """Let a thread whose CPUs have all gone off line run on any: better there than never."""
        if not thread.affinity & self.online:
            thread.affinity = ANY_CPU

    def block(self, cpu: int, state: State) -> None:
        """Take the running thread off its CPU: it sleeps, is blocked or stopped.

        Raises
        ------
        KernelBug : `cpu` is idle, or preemption is disabled on it
        """
        rq = self.queues[cpu]
        thread = rq.current
        if thread is None:
            raise KernelBug(f"CPU {cpu} is idle: no thread to make {state.name}")
        if state not in _ASLEEP:
            raise KernelBug(f"thread {thread.tid} ({thread.name}) cannot wait as {state.name}")
        self._leave(rq, thread, state)
        if state is _SLEEPING:
            self.metrics.sleep_count += 1

    def exit(self, thread: Schedulable) -> None:
        """End a thread, wherever it stands.

        Raises
        ------
        KernelBug : it has ended before, or it runs with preemption disabled
        """
        if thread.state is _RUNNING:
            self._leave(self.queues[thread.cpu], thread, State.ZOMBIE)
            return
        was_queued = thread.state is _RUNNABLE
        self.transition(thread, State.ZOMBIE, self.clock.now_ns)
        if was_queued:
            self.take_off(thread)

    def _leave(self, rq: RunQueue, thread: Schedulable, state: State) -> None:
        if rq.preempt_count:
            raise KernelBug(
                f"thread {thread.tid} ({thread.name}) would be {state.name} with preemption"
                f" disabled {rq.preempt_count} times on CPU {rq.cpu}"
            )
        now_ns = self.clock.now_ns
        rq.account(now_ns)
        self.transition(thread, state, now_ns)
        rq.policy.dequeue(thread)
        rq.current = None
        self.count(rq, -1)
        rq.yielding = False
        self.resched(rq)

    # --- the choice ---------------------------------------------------------------------------

    def need_resched(self, cpu: int) -> bool:
        """Return whether `pick_next` is to be called for a CPU before it goes on."""
        rq = self.queues[cpu]
        return rq.need_resched and not rq.preempt_count

    def pick_next(self, cpu: int) -> Schedulable | None:
        """Choose who runs on a CPU from now on; None: it idles until it is interrupted.

        Where preemption is disabled, the answer is the thread that runs, and the wish to switch
        is kept.
        """
        self.this_cpu = cpu
        rq = self.queues[cpu]
        previous = rq.current
        if rq.preempt_count:
            return previous
        now_ns = self.clock.now_ns
        rq.account(now_ns)
        rq.need_resched = False
        preempted = not rq.yielding
        if previous is not None:
            if not len(rq.policy) and previous.affinity & self.online & rq.bit:
                rq.yielding = False
                return previous
            self._put_back(rq, previous, now_ns)
        thread = rq.policy.pick_next() or self._balancer.steal(rq)
        if not len(rq.policy):
            self.waiting &= ~rq.bit
        rq.current = thread
        if thread is None:
            self.idle |= rq.bit
        else:
            self.transition(thread, _RUNNING, now_ns)
        if thread is not rq.loaded:
            if previous is not None and preempted:
                self.metrics.preemptions += 1
                previous.preemptions += 1
            self._note_switch(rq, thread)
        return thread

    def _put_back(self, rq: RunQueue, thread: Schedulable, now_ns: int) -> None:
        self.transition(thread, _RUNNABLE, now_ns)
        rq.current = None
        if thread.affinity & self.online & rq.bit:
            rq.policy.enqueue(thread, _YIELD if rq.yielding else _PREEMPTED)
        else:
            rq.policy.dequeue(thread)
            self.count(rq, -1)
            self.enqueue(thread, select_cpu(self, thread), Reason.MIGRATED)
        rq.yielding = False

    def _note_switch(self, rq: RunQueue, thread: Schedulable | None) -> None:
        rq.loaded = thread
        self.metrics.ctx_switches += 1
        rq.times.ctx_switches += 1
        if thread is None:
            return
        thread.switches += 1
        if rq.switches_to_tell and self._log is not None:
            rq.switches_to_tell -= 1
            self._log.subsystem("SCHED", f"core{rq.cpu}").log(f"run {thread.name}")

    def tick(self, cpu: int) -> None:
        """Act on a timer interrupt of a CPU."""
        self.this_cpu = cpu
        rq = self.queues[cpu]
        self.metrics.timer_ticks += 1
        rq.times.timer_ticks += 1
        now_ns = self.clock.now_ns
        rq.account(now_ns)
        current = rq.current
        if current is not None and rq.policy.tick(current):
            rq.need_resched = True
        if now_ns >= self.load.due_ns:
            self.load.sample(now_ns, self.active)
        if self.waiting:
            self._balancer.tick(rq)

    def load_averages(self) -> tuple[float, float, float]:
        """Return how many threads ran or could have run, over 1, 5 and 15 minutes."""
        self.load.sample(self.clock.now_ns, self.active)
        return self.load.averages

    def yield_now(self, cpu: int) -> None:
        """Let the running thread go behind those as urgent as itself."""
        rq = self.queues[cpu]
        rq.yielding = rq.current is not None
        rq.need_resched = True

    # --- preemption ---------------------------------------------------------------------------

    def preempt_disable(self, cpu: int) -> None:
        """Keep the running thread on its CPU until as many `preempt_enable` have come."""
        self.queues[cpu].preempt_count += 1

    def preempt_enable(self, cpu: int) -> bool:
        """Take one reason back; return whether `pick_next` is due now.

        Raises
        ------
        KernelBug : preemption is not disabled
        """
        rq = self.queues[cpu]
        if not rq.preempt_count:
            raise KernelBug(f"preempt_enable on CPU {cpu} without preempt_disable")
        rq.preempt_count -= 1
        return rq.need_resched and not rq.preempt_count

    # --- changes ------------------------------------------------------------------------------

    def set_affinity(self, thread: Schedulable, mask: int) -> None:
        """Allow a thread the CPUs of a mask, and move it if it is elsewhere.

        Raises
        ------
        ValueError : none of them is on line
        """
        if not mask & self.online:
            raise ValueError(f"affinity {mask:#x}: on line are {self.online:#x}")
        thread.affinity = mask
        if thread.cpu < 0 or mask >> thread.cpu & 1:
            return
        if thread.state is _RUNNABLE:
            self.migrate(thread, select_cpu(self, thread))
        elif thread.state is _RUNNING:
            self.resched(self.queues[thread.cpu])

    def set_priority(
        self,
        thread: Schedulable,
        *,
        priority: int | None = None,
        nice: int | None = None,
        sched_class: SchedClass | None = None,
        rt_priority: int | None = None,
    ) -> None:
        """Change how urgent a thread is; what is None stays.

        Precondition: the values are in the policy's range; the system call has checked them.
        """
        rq = self.queues[thread.cpu] if thread.state in _ON_QUEUE else None
        if rq is not None:
            rq.account(self.clock.now_ns)
            rq.policy.dequeue(thread)
        thread.priority = thread.priority if priority is None else priority
        thread.nice = thread.nice if nice is None else nice
        thread.sched_class = thread.sched_class if sched_class is None else sched_class
        thread.rt_priority = thread.rt_priority if rt_priority is None else rt_priority
        if rq is not None:
            rq.policy.enqueue(thread, Reason.CHANGED)
            if thread is rq.current:
                rq.policy.set_next(thread)
            self.resched(rq)

    def set_online(self, cpu: int, online: bool) -> None:
        """Have a CPU take threads from now on, or no more; then its threads go to the others.

        A thread that may run on no CPU that is left may run on any from then on, when it is next
        runnable.

        Raises
        ------
        ValueError : no CPU would be left
        """
        rq = self.queues[cpu]
        if online:
            self.online |= rq.bit
            return
        if not self.online & ~rq.bit:
            raise ValueError(f"CPU {cpu} is the last one on line")
        self.online &= ~rq.bit
        for thread in (*rq.policy, *filter(None, (rq.current,))):
            self._let_run_somewhere(thread)
            if thread is not rq.current:
                self.migrate(thread, select_cpu(self, thread))
        self.resched(rq)
