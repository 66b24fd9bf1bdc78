"""The file of `boot --metrics` is what the kernel has counted."""

import json

from pykern.kernel.run_metrics import run_metrics
from tests import booting


def test_counters_and_nodes():
    """MEL-16, MEL-56."""
    kernel = booting.boot(booting.image("rmp"), cpus=2, numa=2).kernel
    found = json.loads(run_metrics(kernel))
    numa = found.pop("numa")
    assert found.pop("profile") == "rmp"
    assert found.pop("virtual_ns") == kernel.machine.now
    assert found == kernel.metrics.as_dict()
    assert numa["nodes"] == [0, 1]
    assert numa["distances"] == [[10, 20], [20, 10]]
    assert sum(map(sum, numa["frames"])) == kernel.frames.near + kernel.frames.far
    for a, row in enumerate(numa["frames"]):
        assert row == [kernel.frames.traffic.get((a, b), 0) for b in (0, 1)]
