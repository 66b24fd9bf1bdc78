"""pidfd: a process as a file; it is ready to be read once the process has ended.

References
----------
Linux, pidfd_open(2), pidfd_send_signal(2).
"""

from __future__ import annotations

from stat import S_IFREG
from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.fs.file import File
from pykern.kernel.fs.flags import O_NONBLOCK, O_RDWR, READABLE
from pykern.kernel.fs.inode import Inode
from pykern.kernel.fs.location import Location

if TYPE_CHECKING:
    from pykern.kernel.core.wait import WaitQueue
    from pykern.kernel.fs.context import Vfs
    from pykern.kernel.fs.table import FileTable
    from pykern.kernel.task.process import Process
    from pykern.kernel.task.system import System

__all__ = ["PidFile", "make_pidfd", "process_of"]


class PidFile(File):
    """A process, also one that has ended and was waited for."""

    def __init__(self, location: Location, flags: int, process: Process) -> None:
        super().__init__(location, flags)
        self.process = process
        self.name_it = lambda: b"anon_inode:[pidfd]"

    def poll(self, events: int) -> int:
        """Return whether the process has ended."""
        return events & READABLE if self.process.status is not None else 0

    @property
    def queues(self) -> tuple[WaitQueue, ...]:
        """What is woken when `poll` may answer differently."""
        return (self.process.ended,)


def make_pidfd(vfs: Vfs, process: Process, flags: int = 0) -> PidFile:
    """Return a new file for a process.

    Parameters
    ----------
    flags : O_NONBLOCK
    """
    location = Location(vfs.unnamed, Inode(vfs.unnamed.fs, S_IFREG | 0o600))
    return PidFile(location, O_RDWR | flags & O_NONBLOCK, process)


def process_of(system: System, files: FileTable, fd: int) -> Process:
    """Return the process of a descriptor.

    Raises
    ------
    SysError(EBADF) : not open, or no pidfd
    SysError(ESRCH) : it has ended and was waited for
    """
    file = files.get(fd)
    if not isinstance(file, PidFile):
        raise SysError(Errno.EBADF)
    if system.processes.by_pid.get(file.process.pid) is not file.process:
        raise SysError(Errno.ESRCH)
    return file.process
