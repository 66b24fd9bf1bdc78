"""Output that is shown once, however often the run that makes it is repeated."""

from __future__ import annotations

from typing import Any


class Once:
    """A stream for writing that leaves out what has been written before.

    Parameters
    ----------
    stream : where it goes, text or binary

    Attributes
    ----------
    produced : length of what this run has written
    shown : length of what any run has
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.produced = self.shown = 0

    def write(self, data: Any) -> int:
        """Write what is new of it; return the length of it all."""
        new = data[max(0, self.shown - self.produced) :]
        self.produced += len(data)
        if new:
            self._stream.write(new)
            self.shown = self.produced
        return len(data)

    def __getattr__(self, name: str) -> Any:
        """Be the stream in everything else."""
        return getattr(self._stream, name)


class Outputs:
    """All streams of a program that are written once."""

    def __init__(self) -> None:
        self._streams: list[Once] = []

    def once(self, stream: Any) -> Once:
        """Return a stream that leaves out what has been written to it before."""
        self._streams.append(Once(stream))
        return self._streams[-1]

    def shown(self) -> list[int]:
        """Return how much has been shown of each."""
        return [stream.shown for stream in self._streams]

    def leave_out(self, shown: list[int]) -> None:
        """Leave out so much of each."""
        for stream, length in zip(self._streams, shown, strict=True):
            stream.shown = length

    def show_all(self) -> None:
        """Leave out nothing from here on: what comes is another future."""
        for stream in self._streams:
            stream.shown = stream.produced
