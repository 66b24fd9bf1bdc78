"""From the files of runs to sections of a report: a picture each, and the numbers in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pykern.report.data import memory, numa, replacement, schedule
from pykern.report.data.files import Metrics, PageTrace
from pykern.report.data.timeline import Timeline
from pykern.report.drawing import memory as memory_drawing
from pykern.report.drawing import numa as numa_drawing
from pykern.report.drawing import replacement as replacement_drawing
from pykern.report.drawing import schedule as schedule_drawing
from pykern.report.drawing import style

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    File = Timeline | Metrics | PageTrace
    Row = Sequence[str | int]

__all__ = ["Section", "sections"]

_KINDS = ("schedule", "memory", "replacement", "numa", "counters")
_MOST_ROWS = 30
_NS_PER_US, _KIB = 1000, 1024


@dataclass(frozen=True)
class Section:
    """A picture.

    Attributes
    ----------
    kind : one of `_KINDS`
    title : with the name of the file
    png : empty: there are numbers only
    head, rows : a table of the numbers
    """

    kind: str
    title: str
    png: bytes
    head: tuple[str, ...]
    rows: tuple[Row, ...]


def sections(files: Sequence[File]) -> list[Section]:
    """Return what the files have to show.

    Raises
    ------
    ReportError : what one says does not fit together
    """
    known = {
        found.frames
        for file in files
        if isinstance(file, Timeline) and (found := numa.traffic(file))
    }
    with style.styled():
        every = [section for file in files for section in _of_file(file, known)]
    return sorted(every, key=lambda section: _KINDS.index(section.kind))


def _of_file(file: File, known: set[tuple[tuple[int, ...], ...]]) -> Iterator[Section]:
    """Draw one file; `known` is the traffic of timelines, which the same run's metrics have too."""
    if isinstance(file, PageTrace):
        yield from _replacement(file)
    elif isinstance(file, Metrics):
        yield _counters(file)
        if file.frames not in known:
            yield from _numa(file, numa.traffic(file), None)
    else:
        yield _schedule(file)
        found = memory.memory(file)
        if found is not None:
            yield _memory(file, found)
        yield from _numa(file, numa.traffic(file), found)


def _title(file: Timeline) -> str:
    machine = file.machine
    if machine is None:
        return file.name
    ram = machine.ram_frames * machine.page_size >> 20
    cpus = style.count(machine.cpus, "CPU")
    return f"{file.name} (profile {machine.profile}, {cpus}, {ram:,} MiB with framebuffer)"


def _schedule(file: Timeline) -> Section:
    found = schedule.schedule(file)
    detail = schedule.schedule(file, window=schedule.busiest(file))
    png = style.png(schedule_drawing.draw(_title(file), found, detail))
    rows = tuple((task, ns // _NS_PER_US) for task, ns in found.tasks[:_MOST_ROWS])
    return Section("schedule", f"Schedule: {file.name}", png, ("task", "time, µs"), rows)


def _memory(file: Timeline, found: memory.Memory) -> Section:
    png = style.png(memory_drawing.draw(_title(file), found))
    rows = tuple(
        (owner, sizes[found.fullest] // _KIB, max(sizes) // _KIB)
        for owner, sizes in zip(found.owners, found.sizes, strict=True)
    )
    head = ("owner", "KiB at the fullest moment", "KiB at most")
    return Section("memory", f"Memory by owner: {file.name}", png, head, rows)


def _replacement(file: PageTrace) -> Iterator[Section]:
    found = replacement.curves(file)
    if not found:
        return
    png = style.png(replacement_drawing.draw(file.name, found))
    head = ("program", "frames", *found[0].faults)
    rows: tuple[Row, ...] = tuple(
        (curve.program, frames, *(faults[i] for faults in curve.faults.values()))
        for curve in found
        for i, frames in enumerate(curve.frames)
    )
    yield Section("replacement", f"Page replacement: {file.name}", png, head, rows)


def _numa(
    file: Timeline | Metrics, found: numa.Traffic | None, resident: memory.Memory | None
) -> Iterator[Section]:
    if found is None:
        return
    name = file.name if isinstance(file, Metrics) else _title(file)
    png = style.png(numa_drawing.draw(name, found, resident))
    head = ("frames taken by", *(f"on node {node}" for node in found.nodes))
    rows: tuple[Row, ...] = tuple(
        (f"node {node}", *row) for node, row in zip(found.nodes, found.frames, strict=True)
    )
    yield Section("numa", f"NUMA traffic: {file.name}", png, head, rows)


def _counters(file: Metrics) -> Section:
    calls = sorted(file.calls.items(), key=lambda item: (-item[1], item[0]))
    rows: list[Row] = [
        (f"CPU {cpu}: busy, idle (µs)", busy // _NS_PER_US, idle // _NS_PER_US)
        for cpu, (busy, idle) in enumerate(file.cpus)
    ]
    rows += [(f"system call {name}", count, "") for name, count in calls[:_MOST_ROWS] if count]
    return Section("counters", f"Counters: {file.name}", b"", ("what", "", ""), tuple(rows))
