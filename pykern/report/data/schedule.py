"""The schedule of a run: who had which processor when, who waited, what happened meanwhile."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pykern.report.data.timeline import Migration, Run, Timeline

    Floats = np.ndarray[tuple[int], np.dtype[np.float64]]

__all__ = ["IDLE", "Lane", "Schedule", "schedule"]

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
    tasks : name and time on processors, who had most of it first
    busy : time that each processor had a task
    waiting : (time, how many tasks waited for a processor from then on)
    activity : what happened → how often in each part of the time
    """

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
        return self.end / self.parts


def schedule(timeline: Timeline, parts: int = 1200) -> Schedule:
    """Return the schedule of a run in so many parts of its time, however long it was."""
    end = max(timeline.end, 1)
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
        end,
        parts,
        tasks,
        {cpu: sum(run.end - run.begin for run in by_cpu[cpu]) for cpu in cpus},
        tuple(_lane(cpu, by_cpu[cpu], places, end / parts, parts) for cpu in cpus),
        tuple((time, sum(lengths.values())) for time, lengths in timeline.queues),
        tuple(timeline.migrations),
        {what: _histogram(when, end, parts) for what, when in timeline.activity.items()},
    )


def _lane(cpu: int, runs: Iterable[Run], places: dict[str, int], part: float, parts: int) -> Lane:
    task = np.full(parts, IDLE)
    busy = np.zeros(parts)
    shared: dict[int, Counter[int]] = defaultdict(Counter)
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
        task[index] = max(times, key=lambda place: (times[place], -place))
    return Lane(cpu, task.tolist(), np.minimum(busy, 1.0).tolist())


def _histogram(times: Iterable[int], end: int, parts: int) -> tuple[int, ...]:
    counts, _ = np.histogram(np.fromiter(times, dtype=np.float64), bins=parts, range=(0, end))
    return tuple(counts.tolist())
