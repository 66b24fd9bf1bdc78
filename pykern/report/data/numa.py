"""Frames between nodes: on which node those lie that processors of a node have taken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pykern.report.data.files import Metrics

if TYPE_CHECKING:
    from pykern.report.data.timeline import Timeline

__all__ = ["Traffic", "traffic"]


@dataclass(frozen=True)
class Traffic:
    """What the picture shows.

    Attributes
    ----------
    frames : `frames[a][b]` were taken on node b for a processor of node a
    distances : as the SLIT has them; empty: it is not known
    history : (time in ns, local frames so far, remote ones)
    """

    nodes: tuple[int, ...]
    frames: tuple[tuple[int, ...], ...]
    distances: tuple[tuple[int, ...], ...]
    history: tuple[tuple[int, int, int], ...] = ()

    @property
    def local(self) -> int:
        """Frames that were taken where the processor is."""
        return sum(row[i] for i, row in enumerate(self.frames))

    @property
    def remote(self) -> int:
        """Frames that were taken elsewhere."""
        return sum(map(sum, self.frames)) - self.local


def traffic(source: Metrics | Timeline) -> Traffic | None:
    """Return the traffic of a run; None: there is but one node, or nothing is known."""
    if isinstance(source, Metrics):
        if len(source.nodes) < 2:
            return None
        return Traffic(source.nodes, source.frames, source.distances)
    machine = source.machine
    if machine is None or len(machine.nodes) < 2 or not source.traffic:
        return None
    history = [
        (
            time,
            local := sum(n for (a, b), n in counts.items() if a == b),
            sum(counts.values()) - local,
        )
        for time, counts in source.traffic
    ]
    last = source.traffic[-1][1]
    frames = tuple(tuple(last.get((a, b), 0) for b in machine.nodes) for a in machine.nodes)
    return Traffic(machine.nodes, frames, machine.distances, tuple(history))
