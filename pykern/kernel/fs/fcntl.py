"""fcntl: what can be asked of a descriptor and of the open file behind it.

References
----------
POSIX.1-2024, fcntl(); Linux fcntl(2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.fs.flags import (
    F_DUPFD,
    F_DUPFD_CLOEXEC,
    F_GETFD,
    F_GETFL,
    F_GETPIPE_SZ,
    F_SETFD,
    F_SETFL,
    F_SETPIPE_SZ,
    FD_CLOEXEC,
    O_LARGEFILE,
    O_PATH,
)
from pykern.kernel.fs.pipe import PipeFile

if TYPE_CHECKING:
    from pykern.kernel.fs.table import FileTable

__all__ = ["fcntl"]

# What an O_PATH descriptor answers.
OF_DESCRIPTORS = {F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL}


def fcntl(files: FileTable, fd: int, command: int, argument: int) -> int:
    """Do one command and return its result.

    Raises
    ------
    SysError(EBADF) : not open, or open with O_PATH and the command is about content
    SysError(EINVAL) : an unknown command, or a number beyond the limit
    SysError(EMFILE) : no number is free
    """
    file = files.get(fd)
    if file.flags & O_PATH and command not in OF_DESCRIPTORS:
        raise SysError(Errno.EBADF)
    if command in {F_DUPFD, F_DUPFD_CLOEXEC}:
        return files.dup(fd, minimum=argument, cloexec=command == F_DUPFD_CLOEXEC)
    if command == F_GETFD:
        return FD_CLOEXEC if files.cloexec(fd) else 0
    if command == F_SETFD:
        files.set_cloexec(fd, cloexec=bool(argument & FD_CLOEXEC))
        return 0
    if command == F_GETFL:
        return file.flags | O_LARGEFILE
    if command == F_SETFL:
        file.set_status(argument)
        return 0
    return _of_pipe(files, fd, command, argument)


def _of_pipe(files: FileTable, fd: int, command: int, argument: int) -> int:
    if command not in {F_GETPIPE_SZ, F_SETPIPE_SZ}:
        raise SysError(Errno.EINVAL)
    file = files.get(fd)
    if not isinstance(file, PipeFile):
        raise SysError(Errno.EBADF)
    if command == F_SETPIPE_SZ:
        file.pipe.resize(argument)
    return file.pipe.capacity
