"""Real-time threads above all others (MEL-54)."""

from __future__ import annotations

import pytest

from pykern.kernel.sched import POLICIES, Reason, SchedClass
from pykern.kernel.sched.policies.realtime import RealTime
from tests.contracts.policy import Thread
from tests.pykern.kernel.sched.simulation import MS, Simulation

REALTIME = POLICIES.get("realtime")


def simulate(policy) -> Simulation:
    return Simulation(policy)


def test_a_real_time_thread_keeps_its_deadlines_whatever_the_load():
    """MEL-54: 3 ms of work every 10 ms, each done within 4 ms of its release."""
    sim = simulate(REALTIME)
    for _ in range(20):
        sim.spawn(nice=-20)
    done: list[int] = []
    step = [("sleep", 7 * MS), ("run", 3 * MS), ("call", lambda: done.append(sim.clock.now_ns))]
    sim.spawn(step, repeat=True, sched_class=SchedClass.FIFO, rt_priority=50)
    sim.run(1000 * MS)
    assert len(done) >= 98
    assert all(done_ns == (number + 1) * 10 * MS for number, done_ns in enumerate(done))


def test_fifo_keeps_the_cpu_and_rr_shares_it():
    for sched_class, running in ((SchedClass.FIFO, 1), (SchedClass.RR, 2)):
        sim = simulate(REALTIME)
        for _ in range(2):
            sim.spawn(sched_class=sched_class, rt_priority=10)
        sim.spawn()
        sim.run(500 * MS)
        assert len({tid for _, _, tid in sim.ran}) == running


def test_a_thread_changes_its_class_while_it_runs_and_while_it_waits():
    sim = simulate(REALTIME)
    a, b = sim.spawn(), sim.spawn()
    sim.run(MS)
    sim.scheduler.set_priority(a, sched_class=SchedClass.FIFO, rt_priority=1)
    sim.run(100 * MS)
    assert sim.scheduler.current(0) is a
    sim.scheduler.set_priority(b, sched_class=SchedClass.FIFO, rt_priority=2)
    sim.run(MS)
    assert sim.scheduler.current(0) is b
    sim.scheduler.set_priority(b, sched_class=SchedClass.OTHER, nice=5)
    sim.run(MS)
    assert sim.scheduler.current(0) is a
    sim.scheduler.set_priority(a, sched_class=SchedClass.OTHER)
    sim.run(5000 * MS)
    assert 0.15 < sim.share(b) < 0.35


@pytest.mark.parametrize("priority", [0, 100])
def test_real_time_priorities_are_1_to_99(priority):
    """sched(7)."""
    thread = Thread(1)
    thread.sched_class, thread.rt_priority = SchedClass.FIFO, priority
    with pytest.raises(ValueError, match=f"priority {priority}, expected 1 to 99"):
        RealTime().enqueue(thread, Reason.NEW)


def test_a_higher_real_time_priority_goes_first():
    policy = RealTime()
    for tid, priority in enumerate((5, 99, 1)):
        thread = Thread(tid)
        thread.sched_class, thread.rt_priority = SchedClass.FIFO, priority
        policy.enqueue(thread, Reason.NEW)
    policy.enqueue(Thread(3), Reason.NEW)
    assert [policy.pick_next().tid for _ in range(4)] == [1, 0, 2, 3]


def test_a_real_time_thread_that_waits_ends_any_other_turn():
    policy = RealTime()
    policy.enqueue(Thread(1), Reason.NEW)
    current = policy.pick_next()
    urgent = Thread(2)
    urgent.sched_class, urgent.rt_priority = SchedClass.RR, 1
    policy.enqueue(urgent, Reason.NEW)
    assert policy.preempts(urgent, current)
    assert policy.tick(current)


@pytest.mark.parametrize("vruntime", [0, 10_000 * MS])
def test_kinds_preempt_by_rank_and_not_by_share(vruntime):
    """MEL-54: whoever wakes and has a share of its own waits for a real-time thread."""
    policy, ordinary, urgent = RealTime(), Thread(1), Thread(2)
    urgent.sched_class, urgent.rt_priority, urgent.vruntime = SchedClass.FIFO, 1, vruntime
    assert policy.preempts(urgent, ordinary)
    assert not policy.preempts(ordinary, urgent)
    assert policy.rank(urgent) > policy.rank(ordinary)
    assert policy.rank(ordinary) <= policy.rank(urgent)
