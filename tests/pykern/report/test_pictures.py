"""Pictures: each file has its own, the same file the same, and no hostile one stops them."""

from __future__ import annotations

import io

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from pykern.report.data import files, memory, numa, replacement, schedule
from pykern.report.data.files import PageTrace, Program
from pykern.report.data.timeline import Machine, MemoryReading, Migration, Run, Timeline
from pykern.report.pictures import sections

MACHINE = Machine("rmp", 2, 4096, 20, (0, 1), ((10, 20), (20, 10)))
SMALL = Timeline(
    "small",
    MACHINE,
    runs=[Run(0, "$a_$ (1)", 0, 400), Run(1, "<b> (2)", 200, 1000)],
    queues=[(100, 0, 1)],
    migrations=[Migration(400, 0, 500, 1)],
    memory=[
        MemoryReading(5, {"free": [9, 10], "a (1)": [1, 0]}, [(1, "free"), (1, "a (1)")], 10, 0),
        MemoryReading(900, {"free": [1, 0], "a (1)": [9, 10]}, [(2, "a (1)")], 10, 3),
    ],
    traffic=[(5, {(0, 0): 3}), (900, {(0, 0): 9, (0, 1): 1, (1, 1): 9})],
    activity={"faults": [5, 9, 10]},
)
LEAST = Timeline("least", runs=[Run(0, "a (1)", 0, 0)])
TRACE = PageTrace("trace", (Program(1, "a", tuple([*range(12)] * 3)),), True)


def picture(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


@pytest.fixture(scope="module")
def small():
    return sections([TRACE, SMALL])


def test_each_file_has_its_pictures(small):
    assert [section.kind for section in small] == ["schedule", "memory", "replacement", "numa"]
    assert [section.kind for section in sections([LEAST])] == ["schedule"]
    assert sections([]) == []


def test_the_same_files_have_the_same_bytes_whatever_the_users_settings(small, monkeypatch):
    monkeypatch.setitem(mpl.rcParams, "axes.facecolor", "red")
    monkeypatch.setitem(mpl.rcParams, "font.size", 30)
    assert sections([TRACE, SMALL]) == small
    assert mpl.rcParams["font.size"] == 30


def test_a_task_is_seen_in_its_colour(small):
    """One had its processor twice as long as the other one, and has twice the pixels."""
    upper = picture(small[0].png)[:200].reshape(-1, 3)
    colours, counts = np.unique(upper, axis=0, return_counts=True)
    seen = {tuple(colour): count for colour, count in zip(colours.tolist(), counts, strict=True)}
    first, second = seen[0x00, 0x72, 0xB2], seen[0xE6, 0x9F, 0x00]
    assert first / second == pytest.approx(2, abs=0.1)


@pytest.mark.slow
def test_many_of_everything():
    """64 processors, 2000 tasks, 40,000 runs: the picture is as large as of a few."""
    runs = [Run(i % 64, f"t ({i % 2000})", i * 10, i * 10 + 500) for i in range(40_000)]
    moves = [Migration(i, i % 64, i + 1, i % 63) for i in range(0, 400_000, 100)]
    many = Timeline("many", runs=runs, migrations=moves, queues=[(5, cpu, 3) for cpu in range(64)])
    (section,) = sections([many])
    assert picture(section.png).shape[0] < 5000
    assert len(section.rows) == 30


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("microkernel", ["schedule", "memory", "replacement", "counters"]),
        ("rmp", ["schedule", "memory", "numa", "counters"]),
        ("pykern", ["schedule", "memory", "numa", "counters"]),
    ],
)
def test_the_numbers_beside_a_picture_are_those_of_the_run(name, expected, request):
    """Issue 5: schedule, memory by owner, page faults and NUMA traffic of real runs."""
    ran = request.getfixturevalue(name)
    read = {option: ran.read(option) for option in ran.files}
    found = {section.kind: section for section in sections(list(read.values()))}
    assert list(found) == expected
    for kind, section in found.items():
        assert kind == "counters" or picture(section.png).std() > 10
    tasks = schedule.schedule(read["timeline"]).tasks
    assert found["schedule"].rows[0] == (tasks[0][0], tasks[0][1] // 1000)
    owners = memory.memory(read["timeline"])
    assert [row[0] for row in found["memory"].rows] == list(owners.owners)
    if name == "microkernel":
        (_, working_set) = replacement.curves(read["page_trace"])
        last = (
            "working_set (5 processes alike)",
            130,
            *(f[-1] for f in working_set.faults.values()),
        )
        assert found["replacement"].rows[-1] == last
    else:
        frames = numa.traffic(read["metrics"]).frames
        assert found["numa"].rows == tuple((f"node {i}", *row) for i, row in enumerate(frames))


def test_metrics_alone_have_numbers_and_traffic():
    metrics = files.Metrics(
        "m", "rmp", ((5000, 7000),), {"read": 3, "open": 0}, (0, 1), (), ((4, 1), (0, 2))
    )
    traffic, counters = sections([metrics])
    assert traffic.rows == (("node 0", 4, 1), ("node 1", 0, 2))
    assert counters.rows == (("CPU 0: busy, idle (µs)", 5, 7), ("system call read", 3, ""))
    assert not counters.png
