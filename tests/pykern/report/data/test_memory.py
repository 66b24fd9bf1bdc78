"""Memory by owner: nothing is missing, nothing is there twice."""

import pytest

from pykern.report.data.checking import ReportError
from pykern.report.data.memory import FREE, OTHERS, memory
from pykern.report.data.timeline import Machine, MemoryReading, Timeline

MACHINE = Machine("rmp", 1, 4096, 20, (0, 1), ())


def reading(time, frames, cells=((1, "free"), (1, "a (1)")), swapped=0):
    return MemoryReading(time, frames, list(cells), 10, swapped)


def timeline(*readings):
    return Timeline("run", MACHINE, memory=list(readings))


FIRST = reading(5, {"free": [9, 9], "a (1)": [1, 1]})
SECOND = reading(9, {"free": [2, 2], "a (1)": [8, 2], "b (2)": [0, 6]}, swapped=3)


def test_sizes_over_time_and_at_the_fullest_moment():
    found = memory(timeline(FIRST, SECOND))
    assert found.times == (5, 9)
    sizes = dict(zip(found.owners, found.sizes, strict=True))
    page = 4096
    assert sizes == {
        "a (1)": (2 * page, 10 * page),
        "b (2)": (0, 6 * page),
        "free": (18 * page, 4 * page),
    }
    assert found.owners[-1] == FREE
    assert found.swapped == (0, 3 * page)
    assert found.fullest == 1
    assert found.on_nodes["a (1)"] == (8 * page, 2 * page)
    assert [found.owners[place] for place in found.cells[0]] == ["free", "a (1)"]
    assert found.cell_size == 10 * page


def test_small_processes_are_taken_together():
    found = memory(timeline(FIRST, SECOND), most_processes=1)
    assert found.owners == ("a (1)", OTHERS, FREE)
    assert found.sizes[1] == (0, 6 * 4096)
    assert found.on_nodes[OTHERS] == (0, 6 * 4096)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (reading(9, {"free": [1, 1]}), "owners have 2 frames, expected 20"),
        (reading(9, {"free": [20]}, [(2, "free")]), "expected a number for each of 2 nodes"),
        (reading(9, {"free": [20, 0]}, [(3, "free")]), "3 parts of the RAM, expected 2"),
        (reading(9, {"free": [20, 0]}), r"a \(1\) has a part of the RAM but no frame"),
    ],
)
def test_what_does_not_fit_together_is_refused(wrong, said):
    with pytest.raises(ReportError, match=f"run: memory at 9 ns: {said}"):
        memory(timeline(FIRST, wrong))


def test_without_readings_there_is_nothing():
    assert memory(timeline()) is None
    assert memory(Timeline("run", memory=[FIRST])) is None


@pytest.mark.slow
def test_the_last_reading_is_what_the_kernel_has(rmp):
    found, kernel = memory(rmp.read("timeline")), rmp.booted.kernel
    last = {owner: sizes[-1] for owner, sizes in zip(found.owners, found.sizes, strict=True)}
    assert last["free"] == kernel.frames.free_bytes
    assert last["kernel heap"] == kernel.heap.statistics().total
    assert sum(last.values()) == sum(size for _, size in kernel.machine.ram_ranges)


@pytest.mark.slow
def test_pages_go_to_swap_space_and_come_back(microkernel):
    """MIC-10: a task of 24 MB in 8 MB; the rest is in swap space, and at its end none of it."""
    found, kernel = memory(microkernel.read("timeline")), microkernel.booted.kernel
    sizes = dict(zip(found.owners, found.sizes, strict=True))
    (task,) = (owner for owner in sizes if owner.startswith("page_fault ("))
    most = 2048 * 4096
    assert 0.9 * most < max(sizes[task]) <= most
    assert 24 << 20 <= max(found.swapped) + most < 25 << 20
    assert max(found.swapped) <= kernel.metrics.swap_outs * 4096
    assert found.swapped[-1] == kernel.reclaimer.swap.used_bytes < 1 << 20
