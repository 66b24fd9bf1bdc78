"""Several CPUs with every registered policy: nobody lost, nobody twice, the urgent first.

A policy that is registered is tested here without being named. Cites MEL-04, MEL-11, MEL-17,
SCA-05, RMP-10, MYR-16.
"""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from pykern.kernel.sched import POLICIES, SchedClass
from tests.contracts.scheduler import Cpus
from tests.pykern.kernel.sched.simulation import MS, TICK_NS, Simulation


@pytest.mark.parametrize("policy", POLICIES.names())
def test_nobody_is_lost_whatever_happens(policy):
    machine = type(f"Cpus_{policy}", (Cpus,), {"policy": policy})
    run_state_machine_as_test(machine, settings=settings(max_examples=25, stateful_step_count=30))


UNFAIR = {"cooperative"}
"""Policies that let a thread keep its CPU as long as it likes."""
URGENCIES = (
    {"priority": 1},
    {"priority": 2},
    {"priority": 3},
    {"sched_class": SchedClass.RR, "rt_priority": 5},
)


@pytest.mark.parametrize("policy", sorted(set(POLICIES.names()) - UNFAIR))
@pytest.mark.parametrize(("cpus", "count"), [(2, 3), (3, 4), (4, 6)])
def test_equals_share_several_cpus(policy, cpus, count):
    """Each has at least three quarters of its share, though it cannot be had without moving.

    With slices of 40 ms one of three threads used to be moved from queue to queue every 40 ms, and
    never had a turn.
    """
    for urgency in URGENCIES:
        sim = Simulation(POLICIES.get(policy), cpus, quantum_ns=TICK_NS)
        threads = [sim.spawn(**urgency) for _ in range(count)]
        sim.run(4000 * MS)
        share = 4000 * MS * cpus // count
        had = [thread.cpu_ns / share for thread in threads]
        assert sum(had) == pytest.approx(count)
        assert min(had) > 0.75, (urgency, had)
        assert max(had) < 1.3, (urgency, had)


@pytest.mark.parametrize("policy", sorted(UNFAIR))
def test_a_thread_that_gives_way_lets_the_others_share(policy):
    """MYR-16."""
    sim = Simulation(POLICIES.get(policy), 2, quantum_ns=TICK_NS)
    threads = [sim.spawn([("run", TICK_NS), ("yield",)], repeat=True) for _ in range(5)]
    sim.run(1000 * MS)
    had = [thread.cpu_ns for thread in threads]
    assert sum(had) == 2000 * MS
    assert min(had) > 300 * MS
