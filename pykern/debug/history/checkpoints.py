"""Checkpoints: copies of the emulator that sleep until somebody wants to go on from there.

A copy that wakes makes another one of itself and sleeps on, so it can be used any number of times.
It ends when nobody holds the other end of its channel any more.
"""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pykern.debug.history.channel import Channel, ChannelClosed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pykern.debug.history.position import Position
    from pykern.debug.history.processes import Keeper

MOST = 64
"""Checkpoints there may be; each has its page tables, whatever it shares."""
_PSS = re.compile(r"^Pss:\s+(\d+) kB", re.MULTILINE)


@dataclass
class Checkpoint:
    """A sleeping copy.

    Attributes
    ----------
    position : where it stands
    pid : its process
    channel : wakes it
    size : bytes of memory that are there for it alone, or its share of those it shares
    """

    position: Position
    pid: int
    channel: Channel
    size: int = 0

    def wake(self, errand: Any) -> Channel:
        """Let a copy of it begin an errand; return the channel to that one.

        Raises
        ------
        ChannelClosed : it has gone
        """
        ours, theirs = Channel.pair()
        try:
            self.channel.send(errand, (theirs.fileno(),))
        finally:
            theirs.close()
        return ours

    def measure(self) -> None:
        """Look how much memory it takes."""
        with contextlib.suppress(OSError):
            text = Path(f"/proc/{self.pid}/smaps_rollup").read_text(encoding="ascii")
            found = _PSS.search(text)
            self.size = int(found[1]) << 10 if found else self.size


def sleep(keeper: Keeper, channel: Channel) -> tuple[Any, Channel]:
    """Be a checkpoint. Returns in a copy only: with its errand, and the channel to who wants it."""
    while True:
        try:
            errand, files = channel.receive()
        except ChannelClosed:
            os._exit(0)
        try:
            pid = keeper.fork()
        except OSError:
            pid = -1
        if pid == 0:
            break
        for descriptor in files:
            os.close(descriptor)
    channel.close()
    return errand, Channel.of(files[0])


class Checkpoints:
    """All checkpoints of one history, in order.

    Parameters
    ----------
    bound : bytes of memory they may take together
    """

    def __init__(self, bound: int) -> None:
        self.bound = bound
        self._all: list[Checkpoint] = []

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[Checkpoint]:
        return iter(self._all)

    @property
    def first(self) -> Checkpoint | None:
        """The oldest one: where history begins."""
        return self._all[0] if self._all else None

    @property
    def size(self) -> int:
        """Bytes of memory they take, when they were last measured."""
        return sum(checkpoint.size for checkpoint in self._all)

    def add(self, new: Checkpoint) -> None:
        """Have one more, and fewer others if they become too many, or too large."""
        self._all.append(new)
        self._all.sort(key=lambda checkpoint: checkpoint.position.order)
        if len(self._all) > MOST:
            self._drop(self._least_missed())
        if len(self._all) % 8 == 0:
            self._fit()

    def before(self, position: Position) -> list[Checkpoint]:
        """Return those from which a run comes to a position, the newest first."""
        return [c for c in reversed(self._all) if c.position.before(position)]

    def forget_after(self, position: Position) -> None:
        """Drop those that stand in a future that will not be."""
        for checkpoint in [c for c in self._all if position.before(c.position)]:
            self._drop(checkpoint)

    def discard(self, checkpoint: Checkpoint) -> None:
        """Drop one that does not answer."""
        if checkpoint in self._all:
            self._drop(checkpoint)

    def clear(self) -> None:
        """Drop all."""
        while self._all:
            self._drop(self._all[-1])

    def _fit(self) -> None:
        for checkpoint in self._all:
            checkpoint.measure()
        while self.size > self.bound and len(self._all) > 2:
            self._drop(self._least_missed())

    def _least_missed(self) -> Checkpoint:
        """Return the one whose absence costs least beside its age: the older, the sparser."""
        now = self._all[-1].position.now + 1

        def cost(i: int) -> float:
            gap = self._all[i + 1].position.now - self._all[i - 1].position.now
            return gap / (now - self._all[i].position.now)

        return self._all[min(range(1, len(self._all) - 1), key=cost)]

    def _drop(self, checkpoint: Checkpoint) -> None:
        self._all.remove(checkpoint)
        checkpoint.channel.close()
