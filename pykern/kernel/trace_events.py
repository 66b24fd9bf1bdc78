"""Writes a file in the Trace Event Format, which Perfetto and Chrome's about:tracing show.

Events go out as they come, one a line, so that a long run needs no memory; a file that was cut off
is still read.

References
----------
Google, Trace Event Format: JSON Array Format, Event Descriptions.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TextIO

_NS_PER_US = 1000


class Track(NamedTuple):
    """A line of the picture: those of one process stand together."""

    process: int
    thread: int


class TraceEvents:
    """One file.

    Parameters
    ----------
    out : takes the text
    """

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._named: dict[Track, str] = {}
        self._processes: dict[int, str] = {}
        out.write("[\n")

    def _write(self, phase: str, track: Track, name: str, ns: int, **more: object) -> None:
        event = {"ph": phase, "pid": track.process, "tid": track.thread, "name": name}
        event["ts"] = ns / _NS_PER_US
        self._out.write(json.dumps(event | more) + ",\n")

    def name_process(self, process: int, name: str, order: int) -> None:
        """Say what a group of tracks is called, and where it stands; what is said last counts."""
        if self._processes.get(process) != name:
            self._processes[process] = name
            track = Track(process, 0)
            self._write("M", track, "process_name", 0, args={"name": name})
            self._write("M", track, "process_sort_index", 0, args={"sort_index": order})

    def name_track(self, track: Track, name: str) -> None:
        """Say what a track is called."""
        if self._named.get(track) != name:
            self._named[track] = name
            self._write("M", track, "thread_name", 0, args={"name": name})

    def span(
        self, track: Track, name: str, begin_ns: int, end_ns: int, category: str, **args: object
    ) -> None:
        """Draw something that took time."""
        length = (end_ns - begin_ns) / _NS_PER_US
        self._write("X", track, name, begin_ns, dur=length, cat=category, args=args)

    def instant(self, track: Track, name: str, ns: int, category: str, **args: object) -> None:
        """Draw something that happened."""
        self._write("i", track, name, ns, s="t", cat=category, args=args)

    def counter(self, track: Track, name: str, ns: int, values: Mapping[str, int]) -> None:
        """Draw numbers that hold from now on, above each other."""
        self._write("C", track, name, ns, args=values)

    def arrow(
        self, name: str, number: int, begin: tuple[Track, int], end: tuple[Track, int]
    ) -> None:
        """Draw an arrow from a track and time to another.

        Parameters
        ----------
        number : its own, among arrows of that name
        """
        for phase, (track, ns), more in (("s", begin, {}), ("f", end, {"bp": "e"})):
            self._write(phase, track, name, ns, id=number, cat=name, **more)

    def close(self) -> None:
        """End the file as JSON wants it."""
        self._out.write('{"ph": "M", "pid": 0, "tid": 0, "name": "end", "ts": 0}\n]\n')
