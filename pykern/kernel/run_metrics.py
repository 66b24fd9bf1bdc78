"""What a run leaves in numbers: `boot --metrics FILE.json`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pykern.kernel.kernel import Kernel

__all__ = ["run_metrics"]


def run_metrics(kernel: Kernel) -> str:
    """Return the kernel's counters, and where its frames were taken, as JSON text.

    Precondition: the kernel knows its memory.

    `numa` has a row for each node: `frames[a][b]` were taken on node b for a processor of node a.
    """
    nodes, traffic = kernel.topology.nodes, kernel.frames.traffic_by_node()
    numa = {
        "nodes": list(nodes),
        "distances": [list(row) for row in kernel.topology.distances],
        "frames": [[traffic.get((asker, node), 0) for node in nodes] for asker in nodes],
    }
    counted = {"profile": kernel.profile.name, "virtual_ns": kernel.machine.now}
    return json.dumps(counted | kernel.metrics.as_dict() | {"numa": numa}, indent=2) + "\n"
