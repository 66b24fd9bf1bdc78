"""The schedule: every nanosecond that a task ran is in the picture, and no other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pykern.report.data.schedule import IDLE, busiest, schedule
from pykern.report.data.timeline import Machine, Migration, Run, Timeline


@st.composite
def runs(draw):
    """Return runs of a few tasks on three processors, none at once with another there."""
    found = []
    for cpu in range(3):
        begin = 0
        for _ in range(draw(st.integers(0, 8))):
            begin += draw(st.integers(0, 50))
            end = begin + draw(st.integers(0, 60))
            found.append(Run(cpu, draw(st.sampled_from("abc")), begin, end))
            begin = end
    return found or [Run(0, "a", 0, 1)]


@given(runs(), st.integers(1, 40))
def test_lanes_show_all_time_that_tasks_had(every, parts):
    found = schedule(Timeline("run", runs=every), parts)
    for lane in found.lanes:
        assert len(lane.task) == len(lane.busy) == parts
        shown = sum(lane.busy) * found.part
        assert shown == pytest.approx(found.busy[lane.cpu], abs=1e-6 * found.end)
        for place, share in zip(lane.task, lane.busy, strict=True):
            assert place == IDLE or 0 <= place < len(found.tasks)
            assert share == pytest.approx(0, abs=1e-9) or place != IDLE
    assert [ns for _, ns in found.tasks] == sorted((ns for _, ns in found.tasks), reverse=True)


@given(runs(), st.integers(1, 40), st.integers(0, 200), st.integers(1, 200))
def test_a_window_shows_what_is_in_it(every, parts, begin, length):
    window = begin, begin + length
    found = schedule(Timeline("run", runs=every), parts, window)
    for lane in found.lanes:
        inside = sum(
            max(min(run.end, window[1]) - max(run.begin, window[0]), 0)
            for run in every
            if run.cpu == lane.cpu
        )
        assert sum(lane.busy) * found.part == pytest.approx(inside, abs=1e-6 * length)


def test_a_part_shows_who_had_most_of_it():
    every = [Run(1, "a", 0, 30), Run(1, "b", 30, 100), Run(1, "a", 100, 300)]
    found = schedule(Timeline("run", runs=every), 4)
    (lane,) = found.lanes
    names = [found.tasks[place][0] if place != IDLE else None for place in lane.task]
    assert names == ["b", "a", "a", "a"]
    assert found.tasks == (("a", 230), ("b", 70))


def test_processors_that_never_ran_anything_have_a_lane():
    machine = Machine("pykern", 3, 4096, 1, (0,), ())
    found = schedule(Timeline("run", machine, runs=[Run(1, "a", 0, 9)]), 3)
    assert [lane.cpu for lane in found.lanes] == [0, 1, 2]
    assert found.lanes[0].task == [IDLE] * 3


def test_the_busiest_part_is_where_tasks_change_most():
    every = [Run(0, "a", 0, 500), *(Run(0, "b", t, t + 1) for t in range(500, 510))]
    every.append(Run(0, "a", 510, 1000))
    assert busiest(Timeline("run", runs=every), 10) == (500, 600)


def test_waiting_and_what_happened():
    timeline = Timeline("run", runs=[Run(0, "a", 0, 100)], queues=[(5, 0, 2), (5, 1, 3), (9, 0, 0)])
    timeline.activity = {"faults": [1, 2, 99]}
    timeline.migrations = [Migration(10, 0, 20, 1), Migration(80, 1, 90, 0)]
    found = schedule(timeline, 2, (0, 50))
    assert found.waiting == ((5, 5), (9, 3))
    assert found.activity == {"faults": (2, 0)}
    assert found.migrations == (Migration(10, 0, 20, 1),)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["microkernel", "rmp", "pykern"])
def test_busy_times_are_those_of_the_metrics(name, request):
    """MEL-16: what the scheduler has accounted for each processor."""
    ran = request.getfixturevalue(name)
    found, metrics = schedule(ran.read("timeline")), ran.read("metrics")
    for cpu, (busy, idle) in enumerate(metrics.cpus):
        assert found.busy[cpu] == pytest.approx(busy, rel=0.02, abs=0.001 * (busy + idle))


@pytest.mark.slow
def test_five_tasks_on_four_processors_migrate_and_wait(pykern):
    found = schedule(pykern.read("timeline"))
    assert len([name for name, _ in found.tasks if name.startswith("spin (")]) == 5
    assert found.migrations
    assert max(waiting for _, waiting in found.waiting) >= 1
    assert {move.to_cpu for move in found.migrations} <= set(range(4))
