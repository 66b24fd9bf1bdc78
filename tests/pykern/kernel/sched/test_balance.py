"""CPUs keep equally busy: steal, push, pull and rotate (MEL-04)."""

from __future__ import annotations

import pytest

from pykern.kernel.sched import POLICIES
from pykern.kernel.sched.policies import TaskPriority
from tests.pykern.kernel.sched.simulation import MS, TICK_NS, Simulation

PRIORITY3 = POLICIES.get("priority3")


def simulate(cpus: int, **options) -> Simulation:
    return Simulation(PRIORITY3, cpus, **options)


def test_tasks_spawned_on_one_core_spread_over_all():
    """MEL-04: per-core queues, automatic balancing; migrations > 0."""
    sim = simulate(cpus=4)
    threads = [sim.spawn(cpu=0) for _ in range(16)]
    sim.run(300 * MS)
    assert [rq.load for rq in sim.scheduler.queues] == [4, 4, 4, 4]
    assert sim.metrics.migrations >= 12
    assert sum(thread.migrations for thread in threads) == sim.metrics.migrations
    assert {cpu for _, cpu, _ in sim.ran} == {0, 1, 2, 3}


def test_an_idle_cpu_steals():
    sim = simulate(cpus=2)
    sim.spawn([("run", 3 * MS)], cpu=1)
    for _ in range(2):
        sim.spawn(cpu=0)
    sim.run(4 * MS)
    assert {rq.load for rq in sim.scheduler.queues} == {1}


def test_the_longest_queue_is_stolen_from():
    sim = simulate(cpus=3, online=0b011)
    for cpu in (0, 0, 0, 1, 1, 1, 1, 1):
        sim.spawn(cpu=cpu)
    sim.settle()
    sim.scheduler.set_online(2, online=True)
    stolen = sim.scheduler.pick_next(2)
    assert [rq.load for rq in sim.scheduler.queues] == [3, 4, 1]
    assert stolen is sim.threads[4]


def test_a_cpu_that_has_stolen_is_content():
    sim = simulate(cpus=2, online=0b01)
    for _ in range(3):
        sim.spawn()
    sim.settle()
    sim.scheduler.set_online(1, online=True)
    assert sim.scheduler.pick_next(1) is sim.threads[1]
    assert not sim.scheduler.need_resched(1)


def test_an_idle_cpu_without_ticks_is_given_work():
    """A CPU that idles may have stopped its timer: the busy one gives to it."""
    sim = simulate(cpus=2)
    sim.spawn(cpu=0)
    pinned = sim.spawn(cpu=0, affinity=0b01)
    sim.run(MS)
    assert sim.scheduler.current(1) is None
    sim.scheduler.set_affinity(pinned, 0b11)
    sim.clock.advance(TICK_NS)
    sim.scheduler.tick(0)
    assert sim.interrupted == [1]
    assert sim.scheduler.pick_next(1) is pinned


@pytest.mark.parametrize("threads", [3, 5, 10])
def test_shares_are_equal_across_cpus_where_they_do_not_divide(threads):
    sim = simulate(cpus=4 if threads > 4 else 2, quantum_ns=TICK_NS)
    spawned = [sim.spawn() for _ in range(threads)]
    sim.run(40_000 * MS)
    fair = len(sim.cpus) * sim.clock.now_ns / threads
    assert all(abs(thread.cpu_ns - fair) < 0.05 * fair for thread in spawned)


def test_urgent_threads_that_queue_are_pulled_by_cpus_that_do_less_urgent_things():
    sim = simulate(cpus=2)
    for priority in (TaskPriority.LOW, TaskPriority.LOW):
        sim.spawn(cpu=1, priority=priority)
    for _ in range(2):
        sim.spawn(cpu=0, priority=TaskPriority.HIGH)
    sim.run(100 * MS)
    assert all(sim.scheduler.current(cpu).priority == TaskPriority.HIGH for cpu in (0, 1))
