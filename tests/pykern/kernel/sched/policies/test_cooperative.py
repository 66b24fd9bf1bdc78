"""Nobody is made to give way (MYR-16)."""

from __future__ import annotations

from pykern.kernel.sched import POLICIES
from tests.pykern.kernel.sched.simulation import MS, Simulation


def test_no_tick_takes_the_cpu_away():
    sim = Simulation(POLICIES.get("cooperative"))
    order = []
    for name in "abc":
        sim.spawn([("run", 50 * MS), ("call", lambda name=name: order.append(name))])
    sim.run_until_done()
    assert order == ["a", "b", "c"]
    assert sim.metrics.preemptions == 0


def test_threads_give_way_by_themselves():
    sim = Simulation(POLICIES.get("cooperative"))
    order = []
    for name in "ab":
        step = [("run", 30 * MS), ("call", lambda name=name: order.append(name)), ("yield",)]
        sim.spawn(step * 2)
    sim.run_until_done()
    assert order == ["a", "b", "a", "b"]
