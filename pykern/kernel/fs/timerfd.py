"""timerfd: a timer as a file.

References
----------
Linux timerfd_create(2).
"""

from __future__ import annotations

from stat import S_IFREG
from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.core.wait import WaitQueue
from pykern.kernel.fs.file import File
from pykern.kernel.fs.flags import O_NONBLOCK, O_RDWR, READABLE
from pykern.kernel.fs.inode import Inode
from pykern.kernel.fs.location import Location

if TYPE_CHECKING:
    from pykern.kernel.core.clock import Clock, Timer
    from pykern.kernel.fs.buffer import Buffer
    from pykern.kernel.fs.context import Vfs

__all__ = ["TimerFile", "make_timerfd"]


class TimerFile(File):
    """A timer; a read takes how often it has expired since the last.

    Parameters
    ----------
    clock : virtual time since boot

    Attributes
    ----------
    realtime : whether absolute times are since the epoch: the caller of `set` converts them
    """

    def __init__(self, location: Location, flags: int, clock: Clock) -> None:
        super().__init__(location, flags)
        self.name_it = lambda: b"anon_inode:[timerfd]"
        self.realtime = False
        self._clock = clock
        self._timer: Timer | None = None
        self._next_ns = 0
        self._interval_ns = 0
        self._expired = 0
        self._changed = WaitQueue()

    def release(self) -> None:
        """Stop."""
        self._stop()

    def set(self, deadline_ns: int | None, interval_ns: int) -> None:
        """Expire at a time, and every `interval_ns` from then on.

        Parameters
        ----------
        deadline_ns : virtual time since boot; None: never
        interval_ns : 0: once
        """
        self._stop()
        self._expired = 0
        self._interval_ns = interval_ns
        if deadline_ns is not None:
            self._start(deadline_ns)

    def remaining(self) -> tuple[int, int]:
        """Return ns until it expires, 0 if it never does, and the interval."""
        if self._timer is None:
            return 0, self._interval_ns
        return max(self._next_ns - self._clock.now_ns, 1), self._interval_ns

    def _start(self, deadline_ns: int) -> None:
        self._next_ns = deadline_ns
        self._timer = self._clock.at(deadline_ns, self._expire)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expire(self) -> None:
        """Count what is due, which may be more than once where the clock has jumped."""
        self._timer = None
        self._expired += 1
        if self._interval_ns:
            late = max(self._clock.now_ns - self._next_ns, 0) // self._interval_ns
            self._expired += late
            self._start(self._next_ns + (late + 1) * self._interval_ns)
        self._changed.wake_all()

    async def read(self, dst: Buffer) -> int:
        """Take how often it has expired, waiting until it has.

        Raises
        ------
        SysError(EINVAL) : less than 8 bytes
        """
        if dst.remaining < 8:
            raise SysError(Errno.EINVAL)
        with self:
            while not self._expired:
                if self.flags & O_NONBLOCK:
                    raise SysError(Errno.EAGAIN)
                await self._changed.wait()
        dst.put(self._expired.to_bytes(8, "little"))
        self._expired = 0
        return 8

    def poll(self, events: int) -> int:
        """Return whether it has expired."""
        return events & READABLE if self._expired else 0

    @property
    def queues(self) -> tuple[WaitQueue, ...]:
        """What is woken when `poll` may answer differently."""
        return (self._changed,)


def make_timerfd(vfs: Vfs, clock: Clock, flags: int = 0) -> TimerFile:
    """Return a timer that is not set.

    Parameters
    ----------
    flags : O_NONBLOCK
    """
    location = Location(vfs.unnamed, Inode(vfs.unnamed.fs, S_IFREG | 0o600))
    return TimerFile(location, O_RDWR | flags & O_NONBLOCK, clock)
