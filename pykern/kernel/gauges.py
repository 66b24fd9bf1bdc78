"""What a timeline shows of the whole machine: run queues, memory by owner, frames between nodes.

They are read where something happens anyway, so that reading them changes nothing. Memory is read
at intervals of virtual time that double with each `_READINGS` readings: a run that is twice as long
has a few more, not twice as many.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.kernel.core.units import PAGE_SIZE
from pykern.kernel.frame_owners import KERNEL_OWNERS, FrameOwners

if TYPE_CHECKING:
    from pykern.kernel.frame_owners import Snapshot
    from pykern.kernel.kernel import Kernel
    from pykern.kernel.trace_events import TraceEvents, Track

__all__ = ["Gauges"]

_READINGS = 128
_INTERVAL_NS = 1_000_000
_KIB_PER_PAGE = PAGE_SIZE >> 10


class Gauges:
    """The gauges of one kernel.

    Parameters
    ----------
    kernel : whose
    events : takes what they show
    track : where queues are shown; memory is shown beside them
    """

    def __init__(self, kernel: Kernel, events: TraceEvents, track: Track) -> None:
        self._kernel, self._events, self._track = kernel, events, track
        self._owners: FrameOwners | None = None
        self._queues: list[int] = []
        self._traffic: dict[str, int] = {}
        self._readings = 0
        self._interval_ns = _INTERVAL_NS
        self._due_ns = 0

    def read(self, now_ns: int) -> None:
        """Show what has changed, memory if it is time. Precondition: there is a scheduler."""
        queues = [len(rq.policy) for rq in self._kernel.scheduler.queues]
        if queues != self._queues:
            self._show_queues(queues, now_ns)
        if now_ns >= self._due_ns:
            self.read_memory(now_ns)

    def _show_queues(self, queues: list[int], now_ns: int) -> None:
        """Show those that have changed: a machine may have many."""
        before = self._queues or [0] * len(queues)
        for number, (old, new) in enumerate(zip(before, queues, strict=True)):
            if old != new:
                name = f"runnable, CPU {number}"
                self._events.counter(self._track, name, now_ns, {"tasks": new})
        self._queues = queues

    def read_memory(self, now_ns: int) -> None:
        """Show who has which memory, and where frames were taken."""
        if self._owners is None:
            self._owners = FrameOwners(self._kernel)
            self._introduce(self._owners, now_ns)
        self._show(self._owners.look(), now_ns)
        traffic = self._traffic_between_nodes()
        if traffic != self._traffic:
            self._traffic = traffic
            self._events.counter(self._track, "frames between nodes", now_ns, traffic)
        self._readings += 1
        if not self._readings % _READINGS:
            self._interval_ns *= 2
        self._due_ns = now_ns + self._interval_ns

    def _introduce(self, owners: FrameOwners, now_ns: int) -> None:
        """Say what machine it is."""
        kernel = self._kernel
        self._events.instant(
            self._track,
            "machine",
            now_ns,
            "machine",
            profile=kernel.profile.name,
            cpus=len(kernel.scheduler.queues),
            page_size=PAGE_SIZE,
            ram=[list(part) for part in sorted(kernel.machine.ram_ranges)],
            ram_frames=owners.ram_frames,
            nodes=list(owners.nodes),
            distances=[list(row) for row in kernel.topology.distances],
        )

    def _show(self, found: Snapshot, now_ns: int) -> None:
        first = len(KERNEL_OWNERS)
        pages = [sum(each) for each in found.frames]
        by_owner = dict(zip(found.owners[:first], pages, strict=False))
        by_owner["processes"] = sum(pages[first:])
        kib = {name: count * _KIB_PER_PAGE for name, count in by_owner.items()}
        kib["swapped out"] = found.swapped * _KIB_PER_PAGE
        self._events.counter(self._track, "memory (KiB)", now_ns, kib)
        named = dict(zip(found.owners, found.frames, strict=True))
        self._events.instant(
            self._track,
            "memory map",
            now_ns,
            "memory",
            frames={name: counts for name, counts in named.items() if any(counts)},
            cell_frames=found.cell_frames,
            cells=[[count, found.owners[owner]] for count, owner in found.cells],
            swapped=found.swapped,
        )

    def _traffic_between_nodes(self) -> dict[str, int]:
        """Return how many frames processors of a node have taken from each, since the start."""
        return {
            f"{asker} to {node}": count
            for (asker, node), count in sorted(self._kernel.frames.traffic_by_node().items())
        }
