"""epoll: a set of files, and those of it that are ready.

An item watches the queues of its file with a `Wait` that nobody sleeps on; a wake-up marks the item
and wakes whoever waits for the set. What is ready is asked of the file itself.

References
----------
Linux epoll(7), epoll_ctl(2), epoll_wait(2).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from stat import S_IFREG
from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.core.wait import Wait, WaitQueue
from pykern.kernel.fs.file import File
from pykern.kernel.fs.flags import O_RDWR, POLLERR, POLLHUP, READABLE
from pykern.kernel.fs.inode import Inode
from pykern.kernel.fs.location import Location

if TYPE_CHECKING:
    from pykern.kernel.fs.context import Vfs

__all__ = ["EpollFile", "make_epoll"]

EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD = 1, 2, 3
EPOLLEXCLUSIVE, EPOLLWAKEUP, EPOLLONESHOT, EPOLLET = 1 << 28, 1 << 29, 1 << 30, 1 << 31
MODIFIERS = EPOLLEXCLUSIVE | EPOLLWAKEUP | EPOLLONESHOT | EPOLLET
NESTING_MAX = 5


@dataclass(eq=False)
class Item:
    """One watched file.

    Attributes
    ----------
    events : asked for, with modifiers
    data : returned with each event
    woken : something happened since the last report (EPOLLET)
    """

    file: File
    events: int
    data: int
    woken: bool = True
    watch: Wait | None = field(default=None, repr=False)


class EpollFile(File):
    """A set of files; descriptors tell two items of one file apart."""

    def __init__(self, location: Location) -> None:
        super().__init__(location, O_RDWR)
        self.name_it = lambda: b"anon_inode:[eventpoll]"
        self._items: dict[tuple[int, File], Item] = {}
        self._changed = WaitQueue()

    def release(self) -> None:
        """Stop watching."""
        for item in self._items.values():
            _unwatch(item)
        self._items.clear()

    # --- the set ------------------------------------------------------------------------------

    def control(self, operation: int, fd: int, file: File, events: int, data: int) -> None:
        """Add, change or remove a file (epoll_ctl).

        Raises
        ------
        SysError(EEXIST) : to add, and it is there
        SysError(ENOENT) : to change or remove, and it is not
        SysError(EPERM) : a file that is always ready
        SysError(EINVAL) : the set itself, an unknown operation
        SysError(ELOOP) : a set that holds this one, or sets nested too deep
        """
        if file is self:
            raise SysError(Errno.EINVAL)
        if not file.queues:
            raise SysError(Errno.EPERM)
        self._drop_closed()
        item = self._items.get((fd, file))
        if operation == EPOLL_CTL_ADD:
            if item is not None:
                raise SysError(Errno.EEXIST)
            self._require_no_loop(file)
            item = self._items[fd, file] = Item(file, events, data)
        elif operation not in {EPOLL_CTL_DEL, EPOLL_CTL_MOD}:
            raise SysError(Errno.EINVAL)
        elif item is None:
            raise SysError(Errno.ENOENT)
        elif operation == EPOLL_CTL_DEL:
            _unwatch(self._items.pop((fd, file)))
            return
        item.events, item.data, item.woken = events, data, True
        self._watch(item)
        if self._mask(item):
            self._changed.wake_all()

    def _require_no_loop(self, file: File, depth: int = 1) -> None:
        if not isinstance(file, EpollFile):
            return
        if depth >= NESTING_MAX:
            raise SysError(Errno.ELOOP)
        for item in file._items.values():
            if item.file is self:
                raise SysError(Errno.ELOOP)
            self._require_no_loop(item.file, depth + 1)

    def _drop_closed(self) -> None:
        for key in [key for key in self._items if key[1].closed]:
            _unwatch(self._items.pop(key))

    def _watch(self, item: Item) -> None:
        """Watch the file's queues until the next wake-up, and so on."""
        _unwatch(item)
        watch = item.watch = Wait(item.file.queues, exclusive=False)
        watch.on_wake = lambda _: self._woken(item)
        for queue in watch.queues:
            queue.watch(watch)

    def _woken(self, item: Item) -> None:
        item.watch = None
        self._watch(item)
        item.woken = True
        self._changed.wake_all()

    # --- what is ready ------------------------------------------------------------------------

    async def wait(self, count: int, deadline_ns: int | None = None) -> list[tuple[int, int]]:
        """Sleep until something is ready; return events and data of at most `count` files.

        Parameters
        ----------
        deadline_ns : virtual time at which to give up; None: never

        Raises
        ------
        SysError(EINVAL) : `count` is not positive
        Interrupted : a signal came first
        """
        if count <= 0:
            raise SysError(Errno.EINVAL)
        with self:
            while not (found := self._collect(count)):
                if not await self._changed.wait(deadline_ns=deadline_ns):
                    return self._collect(count)
            return found

    def _collect(self, count: int) -> list[tuple[int, int]]:
        self._drop_closed()
        found = []
        for key, item in list(self._items.items()):
            mask = self._mask(item)
            if not mask:
                continue
            found.append((mask, item.data))
            item.woken = False
            if item.events & EPOLLONESHOT:
                item.events &= MODIFIERS
            # To the end of the line, so that those that are always ready leave room for others.
            self._items[key] = self._items.pop(key)
            if len(found) == count:
                break
        return found

    @staticmethod
    def _mask(item: Item) -> int:
        if item.events & EPOLLET and not item.woken:
            return 0
        wanted = item.events & ~MODIFIERS
        if not wanted:
            # A one-shot that was reported is silent, even about errors.
            return 0 if item.events & EPOLLONESHOT else item.file.poll(POLLERR | POLLHUP)
        return item.file.poll(wanted | POLLERR | POLLHUP)

    def poll(self, events: int) -> int:
        """Return whether something is ready: sets can be watched themselves."""
        self._drop_closed()
        return events & READABLE if any(map(self._mask, self._items.values())) else 0

    @property
    def queues(self) -> tuple[WaitQueue, ...]:
        """What is woken when `poll` may answer differently."""
        return (self._changed,)


def _unwatch(item: Item) -> None:
    if item.watch is not None:
        item.watch.on_wake = None
        item.watch.cancel()
        item.watch = None


def make_epoll(vfs: Vfs) -> EpollFile:
    """Return a new, empty set."""
    return EpollFile(Location(vfs.unnamed, Inode(vfs.unnamed.fs, S_IFREG | 0o600)))
