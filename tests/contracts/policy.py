"""The contract of every scheduling policy: what `pykern.kernel.sched.policy.Policy` promises.

A test class inherits `PolicyContract` and gives the fixture `factory`, which makes the policy of
one CPU. No thread is lost, none runs twice, and among equals all have the same share.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pykern.kernel.sched import Reason, SchedClass, Schedulable
from tests.call_count import calls_of

if TYPE_CHECKING:
    from pykern.kernel.sched import Policy

MS = 1_000_000
SLICE_NS = 10 * MS

# One test method, inherited: each class has a policy of its own, so examples are not shared.
_INHERITED = (HealthCheck.function_scoped_fixture, HealthCheck.differing_executors)

MANY = 40
"""Steps at least: with a few nobody runs while somebody else waits."""
STEP = st.tuples(
    st.sampled_from(
        ("new", "new", "pick", "pick", "sleep", "preempt", "give_way", "wake", "remove", "tick")
    ),
    st.integers(0, 63),
)


class Thread(Schedulable):
    """A thread with nothing but what a policy looks at."""

    def __init__(self, tid: int, priority: int = 3) -> None:
        self.tid = tid
        self.name = f"t{tid}"
        self.priority = priority


def any_thread(tid: int, number: int) -> Thread:
    """Make a thread whose every urgency is a number's, and legal with every policy."""
    thread = Thread(tid, number % 5)
    thread.nice = number % 40 - 20
    thread.sched_class = (SchedClass.OTHER, SchedClass.FIFO, SchedClass.RR)[number % 3]
    thread.rt_priority = 1 + number % 7
    return thread


class PolicyContract:
    """Inherited by the tests of each policy."""

    preemptive = True
    unfairness_ns = SLICE_NS

    @settings(suppress_health_check=_INHERITED)
    @given(st.lists(STEP, min_size=MANY, max_size=80))
    def test_no_thread_is_lost_or_doubled(self, factory, steps):
        cpu = _Cpu(factory())
        for kind, number in steps:
            getattr(cpu, kind)(number)
            cpu.check()
        cpu.drain()

    def test_equals_have_equal_shares(self, factory):
        """MEL-19: equal CPU time ± 1 slice, for any number of busy threads."""
        for count in (2, 3, 7):
            threads = [Thread(tid) for tid in range(count)]
            ran = self._share_out(factory(), threads, ticks=400)
            spread = max(ran.values()) - min(ran.values())
            assert spread <= self.unfairness_ns, (count, ran)
            assert sum(ran.values()) == 400 * SLICE_NS

    def _share_out(self, policy: Policy, threads: list[Thread], ticks: int) -> dict[int, int]:
        ran = {thread.tid: 0 for thread in threads}
        for thread in threads:
            policy.enqueue(thread, Reason.NEW)
        current = policy.pick_next()
        for _ in range(ticks):
            assert current is not None
            policy.charge(current, SLICE_NS)
            ran[current.tid] += SLICE_NS
            expired = policy.tick(current)
            if expired or not self.preemptive:
                policy.enqueue(current, Reason.PREEMPTED if self.preemptive else Reason.YIELD)
                current = policy.pick_next()
        return ran

    def test_a_rank_is_never_negative(self, factory):
        policy = factory()
        assert all(policy.rank(any_thread(number, number)) >= 0 for number in range(30))

    @pytest.mark.parametrize("number", range(12))
    def test_whoever_outranks_the_running_thread_gets_its_cpu(self, factory, number):
        """MEL-11, SCA-06, RMP-10: when it wakes, or else at the next tick."""
        for other in range(12):
            policy, current, woken = factory(), any_thread(0, number), any_thread(1, other)
            policy.enqueue(current, Reason.NEW)
            assert policy.pick_next() is current
            policy.enqueue(woken, Reason.WAKEUP)
            if policy.rank(woken) <= policy.rank(current):
                continue
            assert policy.preempts(woken, current)
            assert policy.tick(current)
            policy.enqueue(current, Reason.PREEMPTED)
            assert policy.pick_next() is woken

    def test_who_yields_goes_behind_its_equals(self, factory):
        policy = factory()
        threads = [Thread(tid) for tid in range(3)]
        for thread in threads:
            policy.enqueue(thread, Reason.NEW)
        order = []
        for _ in range(6):
            thread = policy.pick_next()
            order.append(thread.tid)
            policy.charge(thread, MS)
            policy.enqueue(thread, Reason.YIELD)
        assert order == [0, 1, 2, 0, 1, 2]

    def test_the_choice_costs_the_same_with_one_thread_and_with_thousands(self, factory):
        """MEL-11, MEL-40: O(1) selection, counted in calls, not in seconds."""
        assert _calls(factory(), 4000) <= _calls(factory(), 1) + 40

    def test_an_empty_policy_has_nobody(self, factory):
        policy = factory()
        assert policy.pick_next() is None
        assert len(policy) == 0
        assert list(policy) == list(reversed(policy)) == []


def _calls(policy: Policy, count: int) -> int:
    """Return how many calls ten choices take with so many threads."""
    for tid in range(count):
        policy.enqueue(Thread(tid), Reason.NEW)

    def choose() -> None:
        thread = policy.pick_next()
        policy.charge(thread, SLICE_NS)
        policy.tick(thread)
        policy.enqueue(thread, Reason.PREEMPTED)

    return calls_of(lambda: [choose() for _ in range(10)])


class _Cpu:
    """A policy with the thread that runs, and a model beside it: who is queued."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.queued: set[Schedulable] = set()
        self.asleep: list[Schedulable] = []
        self.current: Schedulable | None = None
        self.born = 0

    def new(self, number: int) -> None:
        thread = any_thread(self.born, number)
        self.born += 1
        self._enqueue(thread, Reason.NEW)

    def _enqueue(self, thread: Schedulable, reason: Reason) -> None:
        self.policy.enqueue(thread, reason)
        self.queued.add(thread)

    def pick(self, _number: int) -> None:
        if self.current is not None:
            self.preempt(0)
        self.current = self.policy.pick_next()
        assert (self.current is None) == (not self.queued)
        if self.current is not None:
            assert self.current in self.queued, "runs although it is not queued"
            self.queued.remove(self.current)
            assert not self.outranked(), "runs before one more urgent"

    def outranked(self) -> bool:
        """Return whether somebody who waits is more urgent than who runs."""
        assert self.current is not None
        return any(
            self.policy.rank(thread) > self.policy.rank(self.current) for thread in self.queued
        )

    def preempt(self, number: int) -> None:
        self._put_back(Reason.PREEMPTED, number)

    def give_way(self, number: int) -> None:
        self._put_back(Reason.YIELD, number)

    def _put_back(self, reason: Reason, number: int) -> None:
        if self.current is not None:
            self.policy.charge(self.current, number * MS)
            self._enqueue(self.current, reason)
            self.current = None

    def sleep(self, number: int) -> None:
        if self.current is not None:
            self.policy.charge(self.current, number * MS)
            self.policy.dequeue(self.current)
            self.asleep.append(self.current)
            self.current = None

    def wake(self, number: int) -> None:
        if self.asleep:
            thread = self.asleep.pop(number % len(self.asleep))
            thread.slept_ns = number * MS
            reason = Reason.WAKEUP if number % 2 else Reason.MIGRATED
            self._enqueue(thread, reason)
            if self.current is not None:
                goes_first = self.policy.preempts(thread, self.current)
                assert goes_first or self.policy.rank(thread) <= self.policy.rank(self.current)

    def remove(self, number: int) -> None:
        if self.queued:
            thread = sorted(self.queued, key=lambda thread: thread.tid)[number % len(self.queued)]
            self.policy.dequeue(thread)
            self.queued.remove(thread)
            self.asleep.append(thread)

    def tick(self, number: int) -> None:
        if self.current is not None:
            self.policy.charge(self.current, number * MS)
            must_go = self.policy.tick(self.current)
            assert not must_go or self.queued, "makes room for nobody"
            assert must_go or not self.outranked(), "stays before one more urgent"

    def check(self) -> None:
        assert len(self.policy) == len(self.queued)
        assert sorted(t.tid for t in self.policy) == sorted(t.tid for t in self.queued)
        assert sorted(t.tid for t in reversed(self.policy)) == sorted(t.tid for t in self.policy)

    def drain(self) -> None:
        """Everybody that is queued gets to run, once."""
        if self.current is not None:
            self.sleep(0)
        while self.queued:
            self.pick(0)
            self.sleep(0)
        assert self.policy.pick_next() is None
