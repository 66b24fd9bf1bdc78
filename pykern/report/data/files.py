"""Which of the files of a run one is, and what is in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pykern.report.data import timeline
from pykern.report.data.checking import ReportError, items, member, parse, table, text, whole

if TYPE_CHECKING:
    from pykern.report.data.checking import Json

__all__ = ["Metrics", "PageTrace", "Program", "read"]

_MOST_NODES = 256
_LARGEST_PAGE = 1 << 52


@dataclass(frozen=True)
class Program:
    """The pages that one program used, in order."""

    pid: int
    name: str
    pages: tuple[int, ...]


@dataclass(frozen=True)
class PageTrace:
    """The file of `boot --page-trace`; `complete`: until the end of the run."""

    name: str
    programs: tuple[Program, ...]
    complete: bool


@dataclass(frozen=True)
class Metrics:
    """What a report needs of the file of `boot --metrics`.

    Attributes
    ----------
    cpus : busy and idle time of each processor, ns
    calls : how often each system call was made
    frames : `frames[a][b]` were taken on the b-th node for a processor of the a-th
    """

    name: str
    profile: str
    cpus: tuple[tuple[int, int], ...]
    calls: dict[str, int]
    nodes: tuple[int, ...]
    distances: tuple[tuple[int, ...], ...]
    frames: tuple[tuple[int, ...], ...]


def read(name: str, data: bytes) -> timeline.Timeline | Metrics | PageTrace:
    """Return what a file of a run says; which one it is, its content tells.

    Parameters
    ----------
    name : for errors

    Raises
    ------
    ReportError : it is none of them, or broken
    """
    value = parse(name, data)
    if isinstance(value, list):
        return timeline.read(name, value)
    if isinstance(value, dict) and "page_trace" in value:
        return _page_trace(name, value)
    if isinstance(value, dict) and "cpus" in value:
        return _metrics(name, value)
    raise ReportError(
        f"{name}: neither timeline, metrics nor page trace of pykern boot, "
        "expected a list of events, or an object with 'cpus' or 'page_trace'"
    )


def _page_trace(name: str, value: dict[str, Json]) -> PageTrace:
    programs, where = member(value, "page_trace", name)
    complete, _ = member(value, "complete", name)
    return PageTrace(
        name,
        tuple(_program(each, f"{where}[{i}]") for i, each in enumerate(items(programs, where))),
        complete is True,
    )


def _program(value: Json, where: str) -> Program:
    fields = table(value, where)
    pages, where_pages = member(fields, "pages", where)
    return Program(
        whole(*member(fields, "pid", where)),
        text(*member(fields, "name", where)),
        tuple(whole(page, where_pages, _LARGEST_PAGE) for page in items(pages, where_pages)),
    )


def _metrics(name: str, value: dict[str, Json]) -> Metrics:
    cpus, where_cpus = member(value, "cpus", name)
    counted, where_calls = member(value, "syscall_count", name)
    calls = table(counted, where_calls)
    numa = table(*member(value, "numa", name))
    nodes = items(*member(numa, "nodes", name))
    return Metrics(
        name,
        text(*member(value, "profile", name)),
        tuple(_times(cpu, f"{where_cpus}[{i}]") for i, cpu in enumerate(items(cpus, where_cpus))),
        {text(call, where_calls): whole(count, where_calls) for call, count in calls.items()},
        tuple(whole(node, f"{name}, 'nodes'", _MOST_NODES) for node in nodes),
        tuple(timeline.distances(row, name) for row in items(*member(numa, "distances", name))),
        _matrix(*member(numa, "frames", name), len(nodes)),
    )


def _times(value: Json, where: str) -> tuple[int, int]:
    times = table(value, where)
    return whole(*member(times, "busy_ns", where)), whole(*member(times, "idle_ns", where))


def _matrix(value: Json, where: str, size: int) -> tuple[tuple[int, ...], ...]:
    return tuple(
        tuple(whole(count, where) for count in items(row, where, size))
        for row in items(value, where, size)
    )
