"""Tell who watches files of what happens to them; `inotify.py` is what programs see of it.

References
----------
Linux, inotify(7), include/linux/fsnotify.h.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pykern.kernel.fs.inode import Inode

__all__ = ["Watch", "moved", "tell", "tell_entry", "tell_gone", "tell_self"]

IN_ACCESS, IN_MODIFY, IN_ATTRIB, IN_CLOSE_WRITE = 1, 2, 4, 8
IN_CLOSE_NOWRITE, IN_OPEN, IN_MOVED_FROM, IN_MOVED_TO = 0x10, 0x20, 0x40, 0x80
IN_CREATE, IN_DELETE, IN_DELETE_SELF, IN_MOVE_SELF = 0x100, 0x200, 0x400, 0x800
IN_ALL_EVENTS = 0xFFF
IN_IGNORED, IN_ISDIR = 0x8000, 0x4000_0000


class _Listener(Protocol):
    def happened(self, watch: Watch, mask: int, cookie: int, name: bytes, /) -> None: ...


@dataclass(eq=False)
class Watch:
    """Somebody's interest in a file.

    Attributes
    ----------
    wd : its number there
    mask : events that are told
    """

    listener: _Listener
    inode: Inode
    wd: int
    mask: int

    def add(self) -> None:
        """Begin."""
        self.inode.watches = (*self.inode.watches, self)
        self.inode.fs.watching += 1

    def remove(self) -> None:
        """End; a second call does nothing."""
        if self in self.inode.watches:
            self.inode.watches = tuple(w for w in self.inode.watches if w is not self)
            self.inode.fs.watching -= 1


def _send(inode: Inode, event: int, name: bytes = b"", cookie: int = 0) -> None:
    for watch in inode.watches:
        if watch.mask & event & IN_ALL_EVENTS:
            watch.listener.happened(watch, event, cookie, name)


def tell(inode: Inode, event: int) -> None:
    """Tell what was done with a file: to those who watch its directory, and it."""
    if not inode.fs.watching:
        return
    event |= IN_ISDIR if inode.is_directory() else 0
    if inode.entry is not None:
        directory, name = inode.entry
        _send(directory, event, name)
    _send(inode, event)


def tell_self(inode: Inode, event: int) -> None:
    """Tell what has become of a file, but not to those who watch its directory."""
    if inode.fs.watching:
        _send(inode, event | (IN_ISDIR if inode.is_directory() and event != IN_ATTRIB else 0))


def tell_entry(directory: Inode, event: int, name: bytes, *, is_directory: bool) -> None:
    """Tell that a name has come or gone."""
    if directory.fs.watching:
        _send(directory, event | (IN_ISDIR if is_directory else 0), name)


def tell_gone(inode: Inode) -> None:
    """Tell that a file is no more: no name, and nobody has it open."""
    if not inode.fs.watching:
        return
    _send(inode, IN_DELETE_SELF)
    for watch in inode.watches:
        watch.listener.happened(watch, IN_IGNORED, 0, b"")


def moved(
    source: Inode, old: tuple[Inode, bytes], new: tuple[Inode, bytes], replaced: Inode | None
) -> None:
    """Tell that a file has another name; both events have the same number."""
    fs = source.fs
    if not fs.watching:
        return
    fs.moves += 1
    is_directory = IN_ISDIR if source.is_directory() else 0
    _send(old[0], IN_MOVED_FROM | is_directory, old[1], fs.moves)
    _send(new[0], IN_MOVED_TO | is_directory, new[1], fs.moves)
    if replaced is not None:
        tell_self(replaced, IN_ATTRIB)
    _send(source, IN_MOVE_SELF)
