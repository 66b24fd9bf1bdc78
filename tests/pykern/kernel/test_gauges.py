"""What the timeline shows of the whole machine is what the kernel has, and as often as agreed."""

import collections
import io
import itertools
import json

import pytest

from pykern.kernel.gauges import Gauges
from pykern.kernel.timeline import Timeline
from pykern.kernel.trace_events import TraceEvents, Track
from tests import booting


@pytest.fixture(scope="module")
def watched():
    out = io.StringIO()
    booted = booting.boot(
        booting.image("rmp"), cpus=4, numa=2, timeline=lambda machine: Timeline(machine, out)
    )
    booted.timeline.close()
    return booted, json.loads(out.getvalue())


def counters(events, name):
    return [event["args"] for event in events if event["ph"] == "C" and event["name"] == name]


def test_the_machine_is_introduced_once(watched):
    booted, events = watched
    (machine,) = [event["args"] for event in events if event.get("cat") == "machine"]
    assert machine["profile"] == "rmp"
    assert machine["nodes"] == [0, 1]
    assert machine["ram"] == sorted(map(list, booted.computer.machine.ram_ranges))


def test_queues_are_shown_when_they_change(watched):
    """RMP-10: the smoke test of priorities has four threads on the last processor."""
    _, events = watched
    most = {}
    for number in range(4):
        lengths = [shown["tasks"] for shown in counters(events, f"runnable, CPU {number}")]
        assert all(before != after for before, after in itertools.pairwise([0, *lengths]))
        assert not lengths or lengths[-1] == 0
        most[number] = max(lengths, default=0)
    assert most[3] == 4


def test_memory_adds_up(watched):
    booted, events = watched
    ram = sum(size for _, size in booted.computer.machine.ram_ranges) >> 10
    for sizes in counters(events, "memory (KiB)"):
        assert sum(sizes.values()) - sizes["swapped out"] == ram
    assert counters(events, "memory (KiB)")[-1]["free"] == booted.kernel.frames.free_bytes >> 10


def test_frames_between_nodes(watched):
    booted, events = watched
    last = counters(events, "frames between nodes")[-1]
    assert last == {
        f"{a} to {b}": n for (a, b), n in booted.kernel.frames.traffic_by_node().items()
    }
    assert sum(last.values()) == booted.kernel.frames.near + booted.kernel.frames.far


def test_twice_the_time_has_a_few_more_readings(watched):
    booted, _ = watched
    out = io.StringIO()
    gauges = Gauges(booted.kernel, TraceEvents(out), Track(1, 0))
    readings = collections.Counter()
    for ms in range(4000):
        gauges.read(ms * 1_000_000)
    for line in out.getvalue().splitlines():
        event = json.loads(line.rstrip(",")) if line != "[" else {}
        if event.get("cat") == "memory":
            readings[int(event["ts"] / 1000) // 1000] += 1
    assert sum(readings.values()) < 700
    assert readings[0] > 2 * readings[3] > 0
