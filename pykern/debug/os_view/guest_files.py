"""Files of the guest for gdb: programs with the symbols that the image has left out.

Reading leaves nothing behind: no access time, no page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.kernel.core.errno import SysError
from pykern.kernel.core.units import PAGE_SIZE
from pykern.kernel.fs.context import FsContext
from pykern.kernel.fs.path import walk

if TYPE_CHECKING:
    from collections.abc import Callable

    from pykern.debug.os_view.tasks import Tasks
    from pykern.kernel.core.memory import PhysicalMemory
    from pykern.kernel.fs.location import Location

    Unstripped = Callable[[bytes], bytes]

_ELF = b"\x7fELF"
_MOST_GENERATED = 1 << 24
"""Bytes of a file that does not know its size: of /proc."""


class GuestFiles:
    """The guest's file system, as its first process sees it.

    Parameters
    ----------
    tasks : of the kernel whose it is
    unstripped : returns, for the contents of a program, those of the same with symbols
    """

    def __init__(self, tasks: Tasks, unstripped: Unstripped) -> None:
        self._tasks = tasks
        self._unstripped = unstripped

    def read(self, path: str) -> bytes:
        """Return the contents of a file.

        Raises
        ------
        FileNotFoundError : there is no regular file of that name
        """
        kernel = self._tasks.kernel
        if not kernel.cpus or not hasattr(kernel, "vfs"):
            raise FileNotFoundError(path)
        fs = FsContext.at_root(kernel.vfs, kernel.mounts)
        try:
            place = walk(fs, path.encode("utf-8", "surrogateescape"))
            data = contents(place, kernel.machine)
        except SysError:
            raise FileNotFoundError(path) from None
        if data is None:
            raise FileNotFoundError(path)
        return self._unstripped(data) if data.startswith(_ELF) else data

    def link(self, path: str) -> str:
        """Return where a symbolic link leads.

        Raises
        ------
        FileNotFoundError : there is no link of that name
        """
        kernel = self._tasks.kernel
        if not kernel.cpus or not hasattr(kernel, "vfs"):
            raise FileNotFoundError(path)
        fs = FsContext.at_root(kernel.vfs, kernel.mounts)
        try:
            place = walk(fs, path.encode("utf-8", "surrogateescape"), follow=False)
            return place.inode.readlink().decode("utf-8", "surrogateescape")
        except SysError:
            raise FileNotFoundError(path) from None


def contents(place: Location, memory: PhysicalMemory) -> bytes | None:
    """Return what a regular file holds, as those see it that map it; None: it is none."""
    inode = place.inode
    if not inode.is_regular():
        return None
    if inode.pager is None:
        return inode.read_at(0, max(inode.size, _MOST_GENERATED))
    pages = (inode.pager.peek(at, memory) for at in range(0, inode.size, PAGE_SIZE))
    return b"".join(pages)[: inode.size]
