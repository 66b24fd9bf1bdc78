"""What a timeline says is what the kernel has counted; what it cannot say is refused."""

import copy
import itertools
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pykern.report.data import memory, numa, schedule
from pykern.report.data.checking import ReportError
from pykern.report.data.timeline import Migration, Run, read

EVENTS = [
    {"ph": "i", "cat": "machine", "name": "machine", "ts": 0, "tid": 0, "args": {
        "profile": "rmp", "cpus": 2, "page_size": 4096, "ram_frames": 10, "nodes": [0, 1],
        "distances": [[10, 20], [20, 10]]}},
    {"ph": "X", "cat": "run", "name": "sh", "ts": 1.5, "dur": 2, "tid": 0, "args": {"tid": 7}},
    {"ph": "s", "cat": "migration", "name": "migration", "ts": 3.5, "tid": 0, "id": 1},
    {"ph": "f", "cat": "migration", "name": "migration", "ts": 4, "tid": 1, "id": 1},
    {"ph": "X", "cat": "run", "name": "sh", "ts": 4, "dur": 6, "tid": 1, "args": {"tid": 7}},
    {"ph": "X", "cat": "syscall", "name": "read", "ts": 2, "dur": 1, "tid": 7, "args": {}},
    {"ph": "i", "cat": "ipc", "name": "send to port 3", "ts": 5, "tid": 7, "args": {"bytes": 4}},
    {"ph": "i", "cat": "ipc", "name": "receive from port 3", "ts": 6, "tid": 7, "args": {}},
    {"ph": "i", "cat": "fault", "name": "page_fault", "ts": 5, "tid": 7, "args": {}},
    {"ph": "C", "name": "runnable, CPU 1", "ts": 3, "tid": 0, "args": {"tasks": 2}},
    {"ph": "C", "name": "frames between nodes", "ts": 9, "tid": 0,
     "args": {"0 to 1": 3, "1 to 1": 4}},
    {"ph": "i", "cat": "memory", "name": "memory map", "ts": 8, "tid": 0, "args": {
        "frames": {"free": [4, 1], "sh (7)": [0, 5]}, "cell_frames": 5,
        "cells": [[1, "free"], [1, "sh (7)"]], "swapped": 2}},
]  # fmt: skip


def test_events_are_sorted_by_what_they_are_about():
    timeline = read("run", EVENTS)
    assert timeline.runs == [Run(0, "sh (7)", 1500, 3500), Run(1, "sh (7)", 4000, 10_000)]
    assert timeline.migrations == [Migration(3500, 0, 4000, 1)]
    assert timeline.queues == [(3000, 1, 2)]
    assert timeline.traffic == [(9000, {(0, 1): 3, (1, 1): 4})]
    assert timeline.calls == {"read": 1}
    assert timeline.activity == {"system calls": [2000], "messages sent": [5000], "faults": [5000]}
    (reading,) = timeline.memory
    assert reading.frames == {"free": [4, 1], "sh (7)": [0, 5]}
    assert (reading.swapped, reading.cells) == (2, [(1, "free"), (1, "sh (7)")])
    assert timeline.end == 10_000


@pytest.mark.parametrize(
    ("index", "path", "value", "said"),
    [
        (1, ("ts",), "x", "event 1, 'ts': 'x', expected a number"),
        (1, ("args", "tid"), -1, "event 1, 'tid': -1, expected a whole number"),
        (1, ("tid",), 5000, "event 1, 'tid': 5000"),
        (1, ("args",), [], "event 1, 'args': \\[\\], expected an object"),
        (2, ("id",), 2, "event 3: the migration ends that never began"),
        (9, ("name",), "runnable, CPU x", "' CPU x', expected CPU and a number"),
        (11, ("args", "cells"), [[1]], "expected a list of 2"),
        (11, ("args", "cells"), [[60_000, "a"], [60_000, "b"]], "more than 65536 parts"),
        (0, ("args", "page_size"), 0, "expected a whole number from 1"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(index, path, value, said):
    events = copy.deepcopy(EVENTS)
    *way, last = path
    inner = events[index]
    for key in way:
        inner = inner[key]
    inner[last] = value
    with pytest.raises(ReportError, match=said):
        read("run", events)


@pytest.mark.parametrize("events", [[], [{}], [{"ph": "X", "cat": 7}], EVENTS[2:4]])
def test_a_file_without_a_processor_is_no_timeline(events):
    with pytest.raises(ReportError, match="is it a timeline"):
        read("run", events)


PLACES = [
    (index, path)
    for index, event in enumerate(EVENTS)
    for path in itertools.chain(
        ((key,) for key in event),
        (("args", key) for key in event.get("args", ())),
    )
]
VALUES = (
    st.sampled_from(
        [None, True, 0, -1, 1, 2**31, 10**15, 1e15, 10**30, "", "x", [], {}, [[]], [0], [{}]]
    )
    | st.lists(st.lists(st.integers(-1, 70_000) | st.text(max_size=2), max_size=3), max_size=3)
    | st.dictionaries(st.text(max_size=5), st.lists(st.integers(0, 9), max_size=3), max_size=3)
)


@given(st.lists(st.tuples(st.sampled_from(PLACES), VALUES), min_size=1, max_size=3))
@example([((11, ("args", "frames")), {"free": [10, 0]})])
@example([((0, ("args", "nodes")), [])])
@example([((1, ("ts",)), 1e15)])
def test_hostile_events_are_refused_or_have_numbers(changes):
    events = copy.deepcopy(EVENTS)
    for (index, path), value in changes:
        inner = events[index]
        for key in path[:-1]:
            inner = inner.get(key) if isinstance(inner, dict) else None
        if isinstance(inner, dict):
            inner[path[-1]] = value
    try:
        timeline = read("run", json.loads(json.dumps(events)))
        found = memory.memory(timeline)
    except ReportError as error:
        said = str(error)
    else:
        said = "run: "
        numbers_hold(timeline, found)
    assert said.startswith("run: ")


def numbers_hold(timeline, found):
    whole = schedule.schedule(timeline)
    assert sum(ns for _, ns in whole.tasks) == sum(whole.busy.values())
    schedule.schedule(timeline, window=schedule.busiest(timeline))
    numa.traffic(timeline)
    if found is not None:
        assert {sum(column) for column in zip(*found.sizes, strict=True)} == {
            timeline.machine.ram_frames * timeline.machine.page_size
        }


@pytest.mark.slow
@pytest.mark.parametrize("name", ["microkernel", "rmp", "pykern"])
def test_it_says_what_the_kernel_has_counted(name, request):
    """Calls, interrupts, messages and times of a real run."""
    ran = request.getfixturevalue(name)
    timeline, kernel = ran.read("timeline"), ran.booted.kernel
    made = {call: n for call, n in kernel.metrics.syscall_count.items() if n}
    assert timeline.calls == made
    assert len(timeline.activity["system calls"]) == sum(made.values())
    assert len(timeline.activity["interrupts"]) == sum(kernel.traps.counts.values())
    assert len(timeline.activity.get("messages sent", ())) == kernel.metrics.ipc_sends
    assert len(timeline.activity["faults"]) >= kernel.metrics.page_faults
    assert len(timeline.migrations) <= kernel.metrics.migrations
    assert timeline.machine.profile == name
    assert timeline.machine.cpus == len(kernel.cpus)
    assert timeline.end <= kernel.machine.now
