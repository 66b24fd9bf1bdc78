"""The file of `boot --timeline`, sorted by what its events are about."""

from __future__ import annotations

import operator
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from pykern.report.data.checking import ReportError, items, member, number, table, text, whole

if TYPE_CHECKING:
    from collections.abc import Callable

    from pykern.report.data.checking import Json

    Event = dict[str, Json]

__all__ = ["Machine", "MemoryReading", "Migration", "Run", "Timeline", "read"]

_MOST_CPUS, _MOST_NODES = 1024, 256
_MOST_CELLS = 1 << 16
_MOST_FRAMES, _LARGEST_PAGE = 1 << 31, 1 << 21
_NS_PER_US = 1000
ACTIVITIES = {"syscall": "system calls", "interrupt": "interrupts", "fault": "faults"}
"""Category of an event → what such events are called; those of messages are counted when sent."""
SENT = "messages sent"


class Run(NamedTuple):
    """A task that had a processor; ns."""

    cpu: int
    task: str
    begin: int
    end: int


class Migration(NamedTuple):
    """A task that went on elsewhere; ns."""

    begin: int
    from_cpu: int
    end: int
    to_cpu: int


class MemoryReading(NamedTuple):
    """Who had which frames at a time, ns.

    Attributes
    ----------
    frames : owner → frames on each node
    cells : runs of equal parts of the RAM with one owner each: (parts, owner)
    swapped : pages in swap space
    """

    time: int
    frames: dict[str, list[int]]
    cells: list[tuple[int, str]]
    cell_frames: int
    swapped: int


@dataclass(frozen=True)
class Machine:
    """What ran; `ram_frames` pages of `page_size` bytes are all of RAM."""

    profile: str
    cpus: int
    page_size: int
    ram_frames: int
    nodes: tuple[int, ...]
    distances: tuple[tuple[int, ...], ...]


@dataclass
class Timeline:
    """All that a report needs of one run; times are virtual, ns.

    Attributes
    ----------
    queues : (time, processor, tasks that wait there from then on)
    traffic : (time, (asker, node) → frames so far)
    activity : what happened → when
    calls : how often each system call was made
    """

    name: str
    machine: Machine | None = None
    runs: list[Run] = field(default_factory=list)
    queues: list[tuple[int, int, int]] = field(default_factory=list)
    migrations: list[Migration] = field(default_factory=list)
    memory: list[MemoryReading] = field(default_factory=list)
    traffic: list[tuple[int, dict[tuple[int, int], int]]] = field(default_factory=list)
    activity: dict[str, list[int]] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)

    @property
    def end(self) -> int:
        """Time of the last thing that is known."""
        times = [run.end for run in self.runs]
        times += [times_[-1] for times_ in self.activity.values()]
        times += [reading.time for reading in self.memory[-1:]]
        return max(times, default=0)


def read(name: str, value: Json) -> Timeline:
    """Return what the events of a file say.

    Parameters
    ----------
    name : of the file, for errors

    Raises
    ------
    ReportError : some event is not as `boot --timeline` writes it, or none is of a processor
    """
    reader = _Reader(name)
    for index, event in enumerate(items(value, name)):
        reader.take(table(event, f"{name}: event {index}"), f"{name}: event {index}")
    timeline = reader.timeline
    if not timeline.runs:
        raise ReportError(f"{name}: no event of a processor that runs a task; is it a timeline?")
    for times in timeline.activity.values():
        times.sort()
    timeline.memory.sort(key=lambda reading: reading.time)
    timeline.queues.sort(key=operator.itemgetter(0))
    timeline.traffic.sort(key=operator.itemgetter(0))
    return timeline


class _Reader:
    """Takes events one by one."""

    def __init__(self, name: str) -> None:
        self.timeline = Timeline(name)
        self._begun: dict[int, tuple[int, int]] = {}
        self._takers: dict[tuple[str, str], Callable[[Event, str], None]] = {
            ("X", "run"): self._run,
            ("X", "syscall"): self._call,
            ("s", "migration"): self._migration_begins,
            ("f", "migration"): self._migration_ends,
            ("i", "interrupt"): self._happened,
            ("i", "fault"): self._happened,
            ("i", "ipc"): self._message,
            ("i", "machine"): self._machine,
            ("i", "memory"): self._memory,
            ("C", "runnable"): self._queues,
            ("C", "frames between nodes"): self._traffic,
        }

    def take(self, event: Event, where: str) -> None:
        """Sort an event in; those that no report shows are left out."""
        phase = event.get("ph")
        about = event.get("name" if phase == "C" else "cat", "")
        if isinstance(phase, str) and isinstance(about, str):
            taker = self._takers.get((phase, about.partition(",")[0]))
            if taker is not None:
                taker(event, where)

    def _run(self, event: Event, where: str) -> None:
        begin = _ns(event, "ts", where)
        arguments = table(*member(event, "args", where))
        tid = whole(*member(arguments, "tid", where))
        task = f"{text(*member(event, 'name', where))} ({tid})"
        end = begin + _ns(event, "dur", where)
        self.timeline.runs.append(Run(_cpu(event, where), task, begin, end))

    def _call(self, event: Event, where: str) -> None:
        self.timeline.calls[text(*member(event, "name", where))] += 1
        self._happened(event, where)

    def _happened(self, event: Event, where: str) -> None:
        self._note(ACTIVITIES[str(event["cat"])], event, where)

    def _message(self, event: Event, where: str) -> None:
        if text(*member(event, "name", where)).startswith("send"):
            self._note(SENT, event, where)

    def _note(self, what: str, event: Event, where: str) -> None:
        self.timeline.activity.setdefault(what, []).append(_ns(event, "ts", where))

    def _migration_begins(self, event: Event, where: str) -> None:
        number_ = whole(*member(event, "id", where))
        self._begun[number_] = _ns(event, "ts", where), _cpu(event, where)

    def _migration_ends(self, event: Event, where: str) -> None:
        begun = self._begun.pop(whole(*member(event, "id", where)), None)
        if begun is None:
            raise ReportError(f"{where}: the migration ends that never began")
        end = _ns(event, "ts", where), _cpu(event, where)
        self.timeline.migrations.append(Migration(*begun, *end))

    def _machine(self, event: Event, where: str) -> None:
        args = table(*member(event, "args", where))
        nodes = items(*member(args, "nodes", where))
        rows = items(*member(args, "distances", where))
        self.timeline.machine = Machine(
            text(*member(args, "profile", where)),
            whole(*member(args, "cpus", where), _MOST_CPUS),
            whole(*member(args, "page_size", where), _LARGEST_PAGE, 1),
            whole(*member(args, "ram_frames", where), _MOST_FRAMES, 1),
            tuple(whole(node, f"{where}, nodes", _MOST_NODES) for node in nodes),
            tuple(distances(row, where) for row in rows),
        )

    def _memory(self, event: Event, where: str) -> None:
        args = table(*member(event, "args", where))
        found, where_frames = member(args, "frames", where)
        frames = {
            text(owner, where_frames): [
                whole(count, where_frames, _MOST_FRAMES)
                for count in items(counts, f"{where_frames}, {ascii(owner)[:40]}")
            ]
            for owner, counts in table(found, where_frames).items()
        }
        runs, where_cells = member(args, "cells", where)
        cells = [_cell_run(run, where_cells) for run in items(runs, where_cells)]
        if sum(count for count, _ in cells) > _MOST_CELLS:
            raise ReportError(f"{where_cells}: more than {_MOST_CELLS} parts of the RAM")
        self.timeline.memory.append(
            MemoryReading(
                _ns(event, "ts", where),
                frames,
                cells,
                whole(*member(args, "cell_frames", where), _MOST_FRAMES, 1),
                whole(*member(args, "swapped", where), _MOST_FRAMES),
            )
        )

    def _queues(self, event: Event, where: str) -> None:
        name = str(event["name"])
        cpu = _numbered(name.partition(",")[2], " CPU ", f"{where}, 'name'")
        length = whole(*member(table(*member(event, "args", where)), "tasks", where))
        self.timeline.queues.append((_ns(event, "ts", where), cpu, length))

    def _traffic(self, event: Event, where: str) -> None:
        counts = table(*member(event, "args", where))
        frames = {_pair(name, where): whole(count, where) for name, count in counts.items()}
        self.timeline.traffic.append((_ns(event, "ts", where), frames))


def distances(row: Json, where: str) -> tuple[int, ...]:
    """Return a row of a SLIT."""
    return tuple(whole(each, f"{where}, distances", 255) for each in items(row, where))


def _cell_run(value: Json, where: str) -> tuple[int, str]:
    count, owner = items(value, where, 2)
    return whole(count, where, _MOST_CELLS), text(owner, where)


def _ns(event: Event, key: str, where: str) -> int:
    return round(number(*member(event, key, where)) * _NS_PER_US)


def _cpu(event: Event, where: str) -> int:
    return whole(*member(event, "tid", where), _MOST_CPUS - 1)


def _numbered(name: str, prefix: str, where: str) -> int:
    digits = name.removeprefix(prefix)
    if not digits.isascii() or not digits.isdigit() or len(digits) > 4:
        raise ReportError(f"{where}: {ascii(name)[:40]}, expected {prefix.strip()} and a number")
    return whole(int(digits), where, _MOST_CPUS - 1)


def _pair(name: str, where: str) -> tuple[int, int]:
    asker, _, node = name.partition(" to ")
    return _numbered(asker, "", where), _numbered(node, "", where)
