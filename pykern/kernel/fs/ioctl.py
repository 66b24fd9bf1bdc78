"""ioctl: what can be asked of every descriptor; all else is the file's own.

References
----------
Linux fs/ioctl.c, include/uapi/asm-generic/ioctls.h.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.fs.flags import O_ASYNC, O_NONBLOCK, O_PATH

if TYPE_CHECKING:
    from pykern.kernel.fs.file import File, IoctlArgument
    from pykern.kernel.fs.table import FileTable

__all__ = ["ioctl"]

FIONREAD = 0x541B
FIONCLEX, FIOCLEX = 0x5450, 0x5451
STATUS = {0x5421: O_NONBLOCK, 0x5452: O_ASYNC}  # FIONBIO, FIOASYNC


async def ioctl(files: FileTable, fd: int, request: int, argument: IoctlArgument) -> int:
    """Do one request and return its result.

    Raises
    ------
    SysError(EBADF) : not open, or open with O_PATH
    SysError(ENOTTY) : nothing that this file can do
    """
    file = files.get(fd)
    if file.flags & O_PATH:
        raise SysError(Errno.EBADF)
    if request in {FIOCLEX, FIONCLEX}:
        files.set_cloexec(fd, cloexec=request == FIOCLEX)
    elif request in STATUS:
        _set_status(file, STATUS[request], argument)
    elif request == FIONREAD and file.inode.is_regular():
        left = max(file.inode.size - file.offset, 0)
        argument.write(min(left, 0x7FFFFFFF).to_bytes(4, "little"))
    else:
        return await file.ioctl(request, argument)
    return 0


def _set_status(file: File, flag: int, argument: IoctlArgument) -> None:
    wanted = any(argument.read(4))
    file.set_status(file.flags | flag if wanted else file.flags & ~flag)
