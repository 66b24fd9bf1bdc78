"""Which CPU a thread goes to."""

from __future__ import annotations

import pytest

from pykern.kernel.sched import POLICIES
from pykern.kernel.sched.policies import TaskPriority
from tests.pykern.kernel.sched.simulation import MS, Simulation

PRIORITY3 = POLICIES.get("priority3")


def simulate(cpus: int) -> Simulation:
    return Simulation(PRIORITY3, cpus)


def test_a_new_thread_goes_where_there_is_room():
    sim = simulate(cpus=4)
    assert [sim.spawn().cpu for _ in range(8)] == [0, 1, 2, 3, 0, 1, 2, 3]


def test_a_thread_that_wakes_goes_back_to_its_last_cpu_while_that_idles():
    sim = simulate(cpus=4)
    naps = (("sleep", nap * MS) for nap in (9, 14, 5, 7))
    threads = [sim.spawn([("run", MS), nap], repeat=True) for nap in naps]
    sim.run(200 * MS)
    assert [thread.cpu for thread in threads] == [0, 1, 2, 3]
    assert sim.metrics.migrations == 0


def test_a_more_urgent_thread_goes_where_a_less_urgent_one_runs():
    sim = simulate(cpus=2)
    sim.spawn(cpu=0, priority=TaskPriority.HIGH)
    sim.spawn(cpu=1, priority=TaskPriority.LOW)
    sim.run(MS)
    assert sim.spawn(priority=TaskPriority.HIGH).cpu == 1


def test_affinity_is_honoured():
    """MEL-56: a thread runs only where its mask allows."""
    sim = simulate(cpus=4)
    pinned = [sim.spawn(affinity=1 << number % 3) for number in range(6)]
    for _ in range(4):
        sim.spawn()
    sim.run(500 * MS)
    for thread in pinned:
        ran_on = {cpu for _, cpu, tid in sim.ran if tid == thread.tid}
        assert ran_on == {(thread.tid - 1) % 3}
        assert thread.migrations == 0


def test_a_running_and_a_waiting_thread_move_when_their_affinity_changes():
    sim = simulate(cpus=2)
    running, waiting = sim.spawn(cpu=0), sim.spawn(cpu=0, affinity=0b01)
    sim.run(MS)
    sim.scheduler.set_affinity(running, 0b10)
    sim.run(2 * MS)
    assert (running.cpu, sim.scheduler.current(1)) == (1, running)
    sim.scheduler.set_affinity(waiting, 0b10)
    sim.run(20 * MS)
    assert waiting.cpu == 1
    assert sim.scheduler.current(0) is None


def test_an_affinity_without_a_cpu_is_refused():
    sim = simulate(cpus=2)
    with pytest.raises(ValueError, match="affinity 0xc: on line are 0x3"):
        sim.scheduler.set_affinity(sim.spawn(), 0b1100)
    with pytest.raises(ValueError, match="may not run on CPU 0"):
        sim.spawn(cpu=0, affinity=0b10)
    with pytest.raises(ValueError, match="may run on 0x8, on line are 0x3"):
        sim.spawn(affinity=0b1000)
