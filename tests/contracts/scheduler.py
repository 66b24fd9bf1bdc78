"""The contract of the scheduler with any policy: several CPUs, and whatever may happen to threads.

A test module derives from `Cpus` and says in `policy` which one it is. Threads are added, wake,
sleep, end, move, and change what they may and how urgent they are, in any order. All the while each
is in exactly one place; at the end each that is left gets to run.
"""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from pykern.kernel.sched import POLICIES, SchedClass, Schedulable, State
from tests.pykern.kernel.sched.simulation import MS, TICK_NS, Simulation

CPUS = 4
QUANTUM_NS = 5 * MS
numbers, masks = st.integers(0, 255), st.integers(1, (1 << CPUS) - 1)
cpus = st.integers(0, CPUS - 1)
urgencies = st.fixed_dictionaries(
    {
        "priority": st.integers(0, 4),
        "nice": st.integers(-20, 19),
        "sched_class": st.sampled_from([SchedClass.OTHER, SchedClass.FIFO, SchedClass.RR]),
        "rt_priority": st.integers(1, 99),
    }
)
_ASLEEP = (State.SLEEPING, State.BLOCKED, State.STOPPED)


class Cpus(RuleBasedStateMachine):
    """Four CPUs, and threads that want to run for ever."""

    policy = ""

    @initialize(online=masks)
    def power_up(self, online: int) -> None:
        self.sim = Simulation(POLICIES.get(self.policy), CPUS, QUANTUM_NS, online=online)
        self.scheduler = self.sim.scheduler
        self.held: list[int] = []

    def any_thread(self, number: int, *states: State) -> Schedulable | None:
        found = [thread for thread in self.sim.threads if thread.state in states]
        return found[number % len(found)] if found else None

    def is_held(self, thread: Schedulable) -> bool:
        """Return whether a thread keeps its CPU, whatever is asked of it."""
        return thread.state is State.RUNNING and thread.cpu in self.held

    # --- threads ------------------------------------------------------------------------------

    @rule(urgency=urgencies, affinity=masks, here=cpus)
    def add(self, urgency, affinity, here):
        self.scheduler.this_cpu = here
        if not affinity & self.scheduler.online:
            affinity = -1
        thread = self.sim.spawn(affinity=affinity, **urgency)
        assert thread.state is State.RUNNABLE

    @rule(number=numbers, here=cpus)
    def wake(self, number, here):
        self.scheduler.this_cpu = here
        thread = self.any_thread(number, *_ASLEEP)
        if thread is not None:
            assert self.scheduler.wake(thread)
            assert not self.scheduler.wake(thread), "woken twice"

    @rule(cpu=cpus, state=st.sampled_from(_ASLEEP))
    def sleep(self, cpu, state):
        thread = self.scheduler.current(cpu)
        if thread is not None and cpu not in self.held:
            self.scheduler.this_cpu = cpu
            self.scheduler.block(cpu, state)
            assert thread.state is state

    @rule(number=numbers)
    def exit(self, number):
        thread = self.any_thread(number, *_ASLEEP, State.RUNNABLE, State.RUNNING)
        if thread is not None and not self.is_held(thread):
            self.scheduler.exit(thread)

    @rule(number=numbers, mask=masks)
    def set_affinity(self, number, mask):
        thread = self.any_thread(number, *_ASLEEP, State.RUNNABLE, State.RUNNING)
        if thread is None or not mask & self.scheduler.online or self.is_held(thread):
            return
        self.scheduler.set_affinity(thread, mask)

    @rule(number=numbers, urgency=urgencies)
    def set_priority(self, number, urgency):
        thread = self.any_thread(number, *_ASLEEP, State.RUNNABLE, State.RUNNING)
        if thread is not None:
            self.scheduler.set_priority(thread, **urgency)

    @rule(number=numbers, cpu=cpus)
    def migrate(self, number, cpu):
        thread = self.any_thread(number, State.RUNNABLE)
        if thread is not None and thread.affinity & self.scheduler.online & 1 << cpu:
            self.scheduler.migrate(thread, cpu)

    # --- CPUs ---------------------------------------------------------------------------------

    @rule(cpu=cpus)
    def give_way(self, cpu):
        self.scheduler.yield_now(cpu)

    @rule(cpu=cpus, quanta=st.integers(0, 6))
    def tick(self, cpu, quanta):
        self.sim.clock.advance(quanta * QUANTUM_NS)
        self.scheduler.tick(cpu)

    @rule(cpu=cpus, online=st.booleans())
    def set_online(self, cpu, online):
        if online or self.scheduler.online & ~(1 << cpu):
            self.scheduler.set_online(cpu, online)

    @rule(cpu=cpus)
    def hold(self, cpu):
        self.scheduler.preempt_disable(cpu)
        self.held.append(cpu)

    @precondition(lambda self: self.held)
    @rule()
    def let_go(self):
        self.scheduler.preempt_enable(self.held.pop())

    @rule(quanta=st.integers(1, 10))
    def run(self, quanta):
        self.sim.run(quanta * QUANTUM_NS)

    # --- what holds ---------------------------------------------------------------------------

    @invariant()
    def everybody_is_in_one_place(self):
        self.sim.settle()  # which checks it

    @invariant()
    def the_most_urgent_runs(self):
        for rq in self.scheduler.queues:
            if rq.current is None or rq.preempt_count:
                continue
            for thread in rq.policy:
                assert rq.policy.rank(thread) <= rq.policy.rank(rq.current), (thread, rq.current)

    @invariant()
    def nobody_is_left_on_a_cpu_that_is_off_line(self):
        for rq in self.scheduler.queues:
            if rq.bit & self.scheduler.online or rq.preempt_count:
                continue
            assert rq.current is None, rq.current
            assert not len(rq.policy), list(rq.policy)

    def teardown(self):
        """Nobody was lost: each runs once those before it have ended, and no CPU stays idle."""
        if not hasattr(self, "sim"):
            return
        while self.held:
            self.let_go()
        for thread in self.sim.threads:
            if thread.state in _ASLEEP:
                self.scheduler.wake(thread)
        self.sim.settle()
        self.sim.run(4 * CPUS * CPUS * TICK_NS)
        self.nobody_waits_for_an_idle_cpu()
        while left := [t for t in self.sim.threads if t.state is not State.ZOMBIE]:
            self.sim.settle()
            running = [t for t in left if t.state is State.RUNNING]
            assert running, f"{left} wait for ever"
            for thread in running:
                self.scheduler.exit(thread)
        assert self.scheduler.active == 0

    def nobody_waits_for_an_idle_cpu(self):
        idle = self.scheduler.idle & self.scheduler.online
        for thread in self.sim.threads:
            if thread.state is State.RUNNABLE:
                assert not thread.affinity & idle, (thread, bin(idle))
