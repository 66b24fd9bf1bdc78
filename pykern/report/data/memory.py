"""Memory of a run: how much each owner had over time, and where in the RAM it was."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pykern.kernel.frame_owners import KERNEL_OWNERS
from pykern.report.data.checking import ReportError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pykern.report.data.timeline import MemoryReading, Timeline

__all__ = ["FREE", "OTHERS", "Memory", "memory"]

FREE = KERNEL_OWNERS[0]
OTHERS = "other processes"
_KERNEL = KERNEL_OWNERS[1:]
"""Owners that are no processes, in the order in which they are drawn, free memory last."""


@dataclass(frozen=True)
class Memory:
    """What the picture shows.

    Attributes
    ----------
    times : ns
    owners : the kernel's, processes by the most they ever had, those for which there is no colour
        together as `OTHERS`, and free memory
    sizes : `sizes[owner][time]`, bytes
    swapped : pages in swap space at each time, bytes
    cells : `cells[time][part]`, the owner of most of a part of the RAM, by its place in `owners`
    cell_size : bytes of a part
    fullest : the time with least free memory, by its place in `times`
    on_nodes : at that time, owner → bytes on each node
    nodes : their numbers
    """

    times: tuple[int, ...]
    owners: tuple[str, ...]
    sizes: tuple[tuple[int, ...], ...]
    swapped: tuple[int, ...]
    cells: tuple[tuple[int, ...], ...]
    cell_size: int
    fullest: int
    on_nodes: dict[str, tuple[int, ...]]
    nodes: tuple[int, ...]


def memory(timeline: Timeline, most_processes: int = 8) -> Memory | None:
    """Return the memory of a run; None: its file says nothing of it.

    Raises
    ------
    ReportError : what the file says does not fit together
    """
    machine, readings = timeline.machine, timeline.memory
    if machine is None or not readings:
        return None
    _check(timeline.name, readings, machine.ram_frames, len(machine.nodes))
    owners = _owners(readings, most_processes)
    names = set(owners)
    totals = [_totals(reading, names) for reading in readings]
    free = [total[FREE] for total in totals]
    fullest = free.index(min(free))
    page = machine.page_size
    place = {owner: i for i, owner in enumerate(owners)}
    others = place.get(OTHERS, 0)
    return Memory(
        tuple(reading.time for reading in readings),
        owners,
        tuple(tuple(total[owner] * page for total in totals) for owner in owners),
        tuple(reading.swapped * page for reading in readings),
        tuple(
            tuple(place.get(owner, others) for count, owner in r.cells for _ in range(count))
            for r in readings
        ),
        readings[0].cell_frames * page,
        fullest,
        _on_nodes(readings[fullest], names, len(machine.nodes), page),
        machine.nodes,
    )


def _check(name: str, readings: Sequence[MemoryReading], frames: int, nodes: int) -> None:
    size = readings[0].cell_frames
    parts = -(-frames // size)
    for reading in readings:
        where = f"{name}: memory at {reading.time} ns"
        found = sum(map(sum, reading.frames.values()))
        if found != frames:
            raise ReportError(f"{where}: owners have {found} frames, expected {frames}")
        if any(len(counts) != nodes for counts in reading.frames.values()):
            raise ReportError(f"{where}: expected a number for each of {nodes} nodes")
        shown = sum(count for count, _ in reading.cells)
        if shown != parts or reading.cell_frames != size:
            raise ReportError(f"{where}: {shown} parts of the RAM, expected {parts}")
        strangers = {owner for _, owner in reading.cells} - reading.frames.keys()
        if strangers:
            raise ReportError(f"{where}: {min(strangers)} has a part of the RAM but no frame")


def _owners(readings: Sequence[MemoryReading], most: int) -> tuple[str, ...]:
    peak: Counter[str] = Counter()
    for reading in readings:
        for owner, counts in reading.frames.items():
            peak[owner] = max(peak[owner], sum(counts))
    kernel = [owner for owner in _KERNEL if peak[owner]]
    processes = sorted(peak.keys() - {*_KERNEL, FREE}, key=lambda name: (-peak[name], name))
    others = [OTHERS] if len(processes) > most else []
    return (*kernel, *processes[:most], *others, FREE)


def _totals(reading: MemoryReading, owners: set[str]) -> Counter[str]:
    totals: Counter[str] = Counter()
    for owner, counts in reading.frames.items():
        totals[owner if owner in owners else OTHERS] += sum(counts)
    return totals


def _on_nodes(
    reading: MemoryReading, owners: set[str], nodes: int, page: int
) -> dict[str, tuple[int, ...]]:
    sizes: dict[str, list[int]] = {}
    for owner, counts in reading.frames.items():
        row = sizes.setdefault(owner if owner in owners else OTHERS, [0] * nodes)
        for node, count in enumerate(counts):
            row[node] += count * page
    return {owner: tuple(row) for owner, row in sizes.items()}
