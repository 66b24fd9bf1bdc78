"""The schedule of a run: who had which processor when, who waited, what happened meanwhile."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pykern.report.data.timeline import Migration, Run, Timeline

    Floats = np.ndarray[tuple[int], np.dtype[np.float64]]

__all__ = ["IDLE", "Lane", "Schedule", "busiest", "schedule"]

IDLE = -1


@dataclass(frozen=True)
class Lane:
    """One processor, in equal parts of the time.

    Attributes
    ----------
    task : of each part the task that had most of it, by its place in `Schedule.tasks`; or IDLE
    busy : of each part the share in which some task ran
    """

    cpu: int
    task: Sequence[int]
    busy: Sequence[float]


@dataclass(frozen=True)
class Schedule:
    """What the picture shows; times are ns.

    Attributes
    ----------
    begin, end : of the lanes
    tasks : name and time on processors in all of the run, who had most of it first
    busy : time that each processor had a task in all of the run
    waiting : (time, how many tasks waited for a processor from then on)
    activity : what happened → how often in each part of the time
    """

    begin: int
    end: int
    parts: int
    tasks: tuple[tuple[str, int], ...]
    busy: dict[int, int]
    lanes: tuple[Lane, ...]
    waiting: tuple[tuple[int, int], ...]
    migrations: tuple[Migration, ...]
    activity: dict[str, tuple[int, ...]]

    @property
    def part(self) -> float:
        """Length of a part, ns."""
        return (self.end - self.begin) / self.parts


def busiest(timeline: Timeline, share: int = 150) -> tuple[int, int]:
    """Return begin and end, ns, of the part of a run in which tasks changed most often.

    Parameters
    ----------
    share : it is this part of the run
    """
    end = max(timeline.end, 1)
    changes = _histogram((run.begin for run in timeline.runs), 0, end, share)
    most = changes.index(max(changes))
    return end * most // share, max(end * (most + 1) // share, end * most // share + 1)


def schedule(
    timeline: Timeline, parts: int = 1200, window: tuple[int, int] | None = None
) -> Schedule:
    """Return the schedule of a run in so many parts of its time, however long it was.

    Parameters
    ----------
    window : begin and end, ns, of what lanes, migrations and activity are about; None: all of it
    """
    begin, end = window or (0, max(timeline.end, 1))
    part = (end - begin) / parts
    times: Counter[str] = Counter()
    for run in timeline.runs:
        times[run.task] += run.end - run.begin
    tasks = tuple(sorted(times.items(), key=lambda item: (-item[1], item[0])))
    places = {name: place for place, (name, _) in enumerate(tasks)}
    by_cpu: dict[int, list[Run]] = defaultdict(list)
    for run in timeline.runs:
        by_cpu[run.cpu].append(run)
    known = range(timeline.machine.cpus if timeline.machine else 0)
    cpus = sorted({*known, *by_cpu})
    return Schedule(
        begin,
        end,
        parts,
        tasks,
        {cpu: sum(run.end - run.begin for run in by_cpu[cpu]) for cpu in cpus},
        tuple(_lane(cpu, _within(by_cpu[cpu], begin, end), places, part, parts) for cpu in cpus),
        _waiting(timeline.queues),
        tuple(move for move in timeline.migrations if begin <= move.end <= end),
        {what: _histogram(when, begin, end, parts) for what, when in timeline.activity.items()},
    )


def _waiting(queues: Iterable[tuple[int, int, int]]) -> tuple[tuple[int, int], ...]:
    """Return (time, how many wait on all processors from then on), the last of each time."""
    lengths: dict[int, int] = {}
    total = 0
    found: dict[int, int] = {}
    for time, cpu, length in queues:
        total += length - lengths.get(cpu, 0)
        lengths[cpu] = length
        found[time] = total
    return tuple(found.items())


def _within(runs: Iterable[Run], begin: int, end: int) -> list[Run]:
    """Return what of runs lies in a window, in times from its begin on."""
    return [
        run._replace(begin=max(run.begin, begin) - begin, end=min(run.end, end) - begin)
        for run in runs
        if run.begin < end and run.end >= begin
    ]


def _lane(cpu: int, runs: Iterable[Run], places: dict[str, int], part: float, parts: int) -> Lane:
    task = np.full(parts, IDLE)
    busy = np.zeros(parts)
    shared: dict[int, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    for run in runs:
        place = places[run.task]
        first, last = int(run.begin / part), min(int(run.end / part), parts - 1)
        first = min(first, last)
        # A part that one task has all of needs no comparison with others.
        task[first + 1 : last] = place
        busy[first + 1 : last] = 1.0
        for index in {first, last}:
            inside = min(run.end, (index + 1) * part) - max(run.begin, index * part)
            shared[index][place] += max(inside, 0)
            busy[index] += max(inside, 0) / part
    for index, times in shared.items():
        task[index] = min(times, key=partial(_rank, times))
    return Lane(cpu, task.tolist(), np.minimum(busy, 1.0).tolist())


def _rank(times: dict[int, float], place: int) -> tuple[float, int]:
    """Return what sorts tasks by their time, most first, then by their place."""
    return -times[place], place


def _histogram(times: Iterable[int], begin: int, end: int, parts: int) -> tuple[int, ...]:
    every = np.fromiter(times, dtype=np.float64)
    counts, _ = np.histogram(every, bins=parts, range=(begin, end))
    return tuple(counts.tolist())
