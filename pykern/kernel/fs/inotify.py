"""inotify: hear of what happens to files and in directories.

Only file systems that say where their files stand (`Inode.entry`, tmpfs does) tell of what is done
with a file to those who watch its directory.

References
----------
Linux, inotify(7), include/uapi/linux/inotify.h.
"""

from __future__ import annotations

import struct
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.core.wait import WaitQueue
from pykern.kernel.fs.file import File
from pykern.kernel.fs.flags import O_NONBLOCK, O_RDONLY, READABLE
from pykern.kernel.fs.inode import Inode
from pykern.kernel.fs.location import Location
from pykern.kernel.fs.notify import IN_ALL_EVENTS, IN_IGNORED, Watch

if TYPE_CHECKING:
    from pykern.kernel.fs.buffer import Buffer
    from pykern.kernel.fs.context import Vfs
    from pykern.kernel.fs.file import IoctlArgument

__all__ = ["InotifyFile", "make_inotify"]

IN_MASK_CREATE, IN_MASK_ADD, IN_ONESHOT = 0x1000_0000, 0x2000_0000, 0x8000_0000
_IN_Q_OVERFLOW = 0x4000
_MOST_EVENTS = 16384
_HEAD = struct.Struct("<iIII")
_ALIGNMENT = 16
_FIONREAD = 0x541B


class _Event(NamedTuple):
    wd: int
    mask: int
    cookie: int
    name: bytes

    def pack(self) -> bytes:
        """Return a struct inotify_event."""
        size = -(-(len(self.name) + 1) // _ALIGNMENT) * _ALIGNMENT if self.name else 0
        return _HEAD.pack(self.wd, self.mask, self.cookie, size) + self.name.ljust(size, b"\0")


class InotifyFile(File):
    """A queue of events, and what is watched for them."""

    def __init__(self, location: Location, flags: int) -> None:
        super().__init__(location, flags)
        self.name_it = lambda: b"anon_inode:inotify"
        self._watches: dict[int, Watch] = {}
        self._last_wd = 0
        self._events: deque[_Event] = deque()
        self._arrived = WaitQueue()

    def watch(self, inode: Inode, mask: int) -> int:
        """Watch a file or a directory, or change what is told of it; return the watch's number.

        Raises
        ------
        SysError(EEXIST) : IN_MASK_CREATE, and it is watched already
        """
        wanted = mask & (IN_ALL_EVENTS | IN_ONESHOT)
        for watch in self._watches.values():
            if watch.inode is inode:
                if mask & IN_MASK_CREATE:
                    raise SysError(Errno.EEXIST)
                watch.mask = watch.mask | wanted if mask & IN_MASK_ADD else wanted
                return watch.wd
        self._last_wd += 1
        watch = Watch(self, inode, self._last_wd, wanted)
        watch.add()
        self._watches[watch.wd] = watch
        return watch.wd

    def unwatch(self, wd: int) -> None:
        """Stop watching.

        Raises
        ------
        SysError(EINVAL) : there is no such watch
        """
        watch = self._watches.pop(wd, None)
        if watch is None:
            raise SysError(Errno.EINVAL)
        watch.remove()
        self._add(_Event(wd, IN_IGNORED, 0, b""))

    def happened(self, watch: Watch, mask: int, cookie: int, name: bytes) -> None:
        """Take note of an event."""
        self._add(_Event(watch.wd, mask, cookie, name))
        if watch.mask & IN_ONESHOT or mask & IN_IGNORED:
            self._watches.pop(watch.wd, None)
            watch.remove()
            if not mask & IN_IGNORED:
                self._add(_Event(watch.wd, IN_IGNORED, 0, b""))

    def _add(self, event: _Event) -> None:
        if self._events and self._events[-1] == event:
            return
        if len(self._events) >= _MOST_EVENTS:
            event = _Event(-1, _IN_Q_OVERFLOW, 0, b"")
            if self._events[-1] == event:
                return
        self._events.append(event)
        self._arrived.wake_all()

    async def read(self, dst: Buffer) -> int:
        """Take as many events as there are and fit, at least one.

        Raises
        ------
        SysError(EINVAL) : no room for the first one
        """
        with self:
            while not self._events:
                if self.flags & O_NONBLOCK:
                    raise SysError(Errno.EAGAIN)
                await self._arrived.wait()
        size = 0
        while self._events:
            raw = self._events[0].pack()
            if len(raw) > dst.remaining:
                break
            dst.put(raw)
            size += len(raw)
            self._events.popleft()
        if not size:
            raise SysError(Errno.EINVAL)
        return size

    def poll(self, events: int) -> int:
        """Return whether there is an event."""
        return events & READABLE if self._events else 0

    @property
    def queues(self) -> tuple[WaitQueue, ...]:
        """What is woken when `poll` may answer differently."""
        return (self._arrived,)

    async def ioctl(self, request: int, argument: IoctlArgument) -> int:
        """Tell how many bytes can be read (FIONREAD)."""
        if request != _FIONREAD:
            return await super().ioctl(request, argument)
        argument.write(sum(len(event.pack()) for event in self._events).to_bytes(4, "little"))
        return 0

    def release(self) -> None:
        """Stop watching anything."""
        for watch in self._watches.values():
            watch.remove()
        self._watches.clear()


def make_inotify(vfs: Vfs, flags: int = 0) -> InotifyFile:
    """Return a queue that watches nothing yet.

    Parameters
    ----------
    flags : O_NONBLOCK
    """
    location = Location(vfs.unnamed, Inode(vfs.unnamed.fs, 0o600))
    return InotifyFile(location, O_RDONLY | flags & O_NONBLOCK)
