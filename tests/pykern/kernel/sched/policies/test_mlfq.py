"""Feedback between five priorities (RMP-10)."""

from __future__ import annotations

from itertools import pairwise

from pykern.kernel.sched import POLICIES
from pykern.kernel.sched.policies.mlfq import SLICES_NS, Feedback
from tests.pykern.kernel.sched.simulation import MS, Simulation


def simulate() -> Simulation:
    return Simulation(POLICIES.get("mlfq"))


def test_higher_priorities_have_longer_slices():
    """RMP-10: Idle, Low, Normal, High, Realtime."""
    assert [level.name for level in Feedback] == ["IDLE", "LOW", "NORMAL", "HIGH", "REALTIME"]
    assert list(SLICES_NS) == sorted(set(SLICES_NS))
    assert SLICES_NS[Feedback.NORMAL] == 30 * MS


def test_who_uses_up_its_slices_sinks_and_who_sleeps_stays_up():
    sim = simulate()
    hogs = [sim.spawn(priority=Feedback.HIGH) for _ in range(2)]
    interactive = sim.spawn([("run", 2 * MS), ("sleep", 18 * MS)], repeat=True, priority=3)
    sim.run(600 * MS)
    assert [hog.level for hog in hogs] == [Feedback.LOW, Feedback.LOW]
    assert interactive.level == Feedback.HIGH
    assert interactive.wait_ns < 100 * MS


def test_who_sank_and_sleeps_rises_step_by_step():
    sim = simulate()
    sim.spawn(priority=Feedback.LOW)
    steps = [("run", 300 * MS)] + [("sleep", MS), ("run", MS)] * 2 + [("sleep", 1000 * MS)]
    thread = sim.spawn(steps, priority=Feedback.HIGH)
    levels = []
    while not thread.sleep_ns > 2 * MS and sim.clock.now_ns < 900 * MS:
        sim.run(MS)
        levels.append(int(thread.level))
        if thread.state.name == "SLEEPING" and len(set(levels)) == 3 and levels[-1] == 3:
            break
    collapsed = [levels[0]] + [b for a, b in pairwise(levels) if a != b]
    assert collapsed == [3, 2, 1, 2, 3]


def test_all_rise_once_a_second():
    sim = simulate()
    hogs = [sim.spawn(priority=Feedback.HIGH) for _ in range(2)]
    sim.run(990 * MS)
    assert {hog.level for hog in hogs} == {Feedback.LOW}
    sim.run(30 * MS)
    assert {hog.level for hog in hogs} == {Feedback.HIGH}


def test_who_sank_is_not_starved_by_newcomers():
    sim = simulate()
    sim.spawn([("run", 9 * MS), ("sleep", MS // 2)], repeat=True, priority=Feedback.HIGH)
    low = sim.spawn(priority=Feedback.HIGH)
    sim.run(5000 * MS)
    assert low.cpu_ns > 100 * MS


def test_idle_and_realtime_stay_where_they_are():
    sim = simulate()
    realtime = sim.spawn(priority=Feedback.REALTIME)
    idle = sim.spawn(priority=Feedback.IDLE)
    normal = sim.spawn(priority=Feedback.NORMAL)
    sim.run(3000 * MS)
    assert realtime.cpu_ns == 3000 * MS
    sim.scheduler.exit(realtime)
    sim.run(3000 * MS)
    assert normal.cpu_ns == 3000 * MS
    assert idle.cpu_ns == 0
