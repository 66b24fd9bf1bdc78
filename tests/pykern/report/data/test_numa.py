"""Frames between nodes: local and remote, as the allocator has counted them."""

import pytest

from pykern.report.data.numa import traffic
from pykern.report.data.timeline import Machine, Timeline

MACHINE = Machine("rmp", 2, 4096, 20, (0, 1), ((10, 20), (20, 10)))


def test_local_and_remote():
    timeline = Timeline(
        "run", MACHINE, traffic=[(3, {(0, 0): 5}), (7, {(0, 0): 6, (0, 1): 2, (1, 1): 4})]
    )
    found = traffic(timeline)
    assert found.frames == ((6, 2), (0, 4))
    assert (found.local, found.remote) == (10, 2)
    assert found.history == ((3, 5, 0), (7, 10, 2))
    assert found.distances == MACHINE.distances


@pytest.mark.parametrize("machine", [None, Machine("rmp", 2, 4096, 20, (0,), ())])
def test_one_node_has_no_traffic(machine):
    assert traffic(Timeline("run", machine, traffic=[(3, {(0, 0): 5})])) is None


def test_nothing_counted():
    assert traffic(Timeline("run", MACHINE)) is None


@pytest.mark.slow
@pytest.mark.parametrize("name", ["rmp", "pykern"])
def test_timeline_and_metrics_say_what_the_allocator_has_counted(name, request):
    """RMP-02, MEL-56: frames are taken from the node of the processor that asks."""
    ran = request.getfixturevalue(name)
    frames = ran.booted.kernel.frames
    from_timeline, from_metrics = traffic(ran.read("timeline")), traffic(ran.read("metrics"))
    assert from_timeline.frames == from_metrics.frames
    assert from_metrics.distances == ((10, 20), (20, 10))
    assert from_metrics.local + from_metrics.remote == frames.near + frames.far
    assert from_metrics.local > 100 * from_metrics.remote
    assert from_timeline.history[-1][1:] == (from_metrics.local, from_metrics.remote)


@pytest.mark.slow
def test_a_machine_without_nodes_has_none_to_draw(microkernel):
    assert traffic(microkernel.read("timeline")) is None
    assert traffic(microkernel.read("metrics")) is None
