"""Shares by weight (MEL-54)."""

from __future__ import annotations

import pytest

from pykern.kernel.sched import POLICIES, Metrics, Reason, Scheduler
from pykern.kernel.sched.policies.fair import NICE_0_WEIGHT, Fair, weight_of
from tests.contracts.policy import Thread
from tests.pykern.kernel.sched.simulation import MS, Simulation
from tests.virtual_time import VirtualClock

FAIR = POLICIES.get("fair")


def simulate(policy) -> Simulation:
    return Simulation(policy)


def test_fair_shares_follow_nice():
    """MEL-54: weights 1024 and 335 make shares of 75 and 25 %."""
    sim = simulate(FAIR)
    normal, nice = sim.spawn(), sim.spawn(nice=5)
    sim.run(10_000 * MS)
    assert sim.share(normal) == pytest.approx(1024 / (1024 + 335), abs=0.01)
    assert sim.share(nice) == pytest.approx(335 / (1024 + 335), abs=0.01)


def test_fair_lets_who_slept_go_first_and_no_further():
    """MEL-54: sleeping saves up no more than half a period."""
    sim = simulate(FAIR)
    hog = sim.spawn()
    sleeper = sim.spawn([("sleep", 1003 * MS), ("run", 1000 * MS)])
    sim.run(1100 * MS)
    awake = [at for at, _, tid in sim.ran if tid == sleeper.tid]
    assert awake[0] == 1014 * MS  # it went to sleep when the other's first slice was over
    assert 40 * MS <= len(awake) * MS <= 70 * MS
    assert hog.cpu_ns + sleeper.cpu_ns == 1100 * MS


def test_the_time_since_the_last_tick_counts_when_somebody_comes():
    clock = VirtualClock()
    scheduler = Scheduler(1, FAIR, clock, Metrics())
    for tid in (1, 2):
        scheduler.add(Thread(tid))
    assert scheduler.pick_next(0).tid == 1
    clock.advance(MS)
    scheduler.add(Thread(3))
    assert not scheduler.need_resched(0)
    clock.advance(8 * MS)  # no tick in between
    scheduler.add(Thread(4))
    assert scheduler.need_resched(0)


def test_weights_are_those_of_linux():
    """A step of nice is about 10 % of CPU time between two threads, a factor of 1.25."""
    assert weight_of(0) == NICE_0_WEIGHT
    assert (weight_of(-20), weight_of(19)) == (88761, 15)
    steps = [weight_of(nice) / weight_of(nice + 1) for nice in range(-20, 19)]
    assert all(1.15 < step < 1.35 for step in steps)


@pytest.mark.parametrize("nice", [-21, 20])
def test_there_is_no_other_nice(nice):
    thread = Thread(1)
    thread.nice = nice
    with pytest.raises(ValueError, match=f"nice {nice}, expected -20 to 19"):
        Fair().enqueue(thread, Reason.NEW)


def test_a_thread_that_moves_stays_as_far_behind_as_it_was():
    """Queues have virtual times of their own; only the distance counts."""
    here, there = Fair(), Fair()
    ahead, mover, resident = Thread(1), Thread(2), Thread(3)
    for thread in (ahead, mover):
        here.enqueue(thread, Reason.NEW)
    here.pick_next()
    here.charge(ahead, 500 * MS)
    here.enqueue(ahead, Reason.PREEMPTED)
    assert here.pick_next() is mover
    here.charge(mover, 30 * MS)
    there.enqueue(resident, Reason.NEW)
    there.pick_next()
    there.charge(resident, 7000 * MS)
    behind = mover.vruntime - here.min_vruntime
    here.dequeue(mover)
    there.enqueue(mover, Reason.MIGRATED)
    assert mover.vruntime - there.min_vruntime == behind


def test_many_that_come_and_go_leave_nothing_behind():
    """Entries of those that left are dropped, not kept for ever."""
    policy = Fair()
    threads = [Thread(tid) for tid in range(10)]
    for _ in range(1000):
        for thread in threads:
            policy.enqueue(thread, Reason.MIGRATED)
        for thread in threads:
            policy.dequeue(thread)
    assert len(policy._heap) < 200


def test_a_thread_that_left_and_came_back_stands_where_it_belongs_now():
    policy = Fair()
    early, late = Thread(1), Thread(2)
    for thread in (early, late):
        policy.enqueue(thread, Reason.NEW)
    policy.dequeue(early)
    early.vruntime += 50 * MS
    policy.enqueue(early, Reason.MIGRATED)
    assert [policy.pick_next(), policy.pick_next(), policy.pick_next()] == [late, early, None]


def test_who_yields_goes_behind_the_next_even_if_it_has_not_run():
    policy = Fair()
    first, second = Thread(1), Thread(2)
    policy.enqueue(first, Reason.NEW)
    assert policy.pick_next() is first
    second.vruntime = 5 * MS
    policy.enqueue(second, Reason.MIGRATED)
    policy.enqueue(first, Reason.YIELD)
    assert policy.pick_next() is second
