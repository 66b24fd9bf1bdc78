"""memfd: a file in memory that never had a name.

References
----------
Linux memfd_create(2).
"""

from __future__ import annotations

from stat import S_IFREG
from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.fs.flags import O_RDWR
from pykern.kernel.fs.location import Location
from pykern.kernel.fs.mount import Mount
from pykern.kernel.fs.regular import RegularFile
from pykern.kernel.fs.types.tmpfs import TmpFs, TmpfsFile

if TYPE_CHECKING:
    from pykern.kernel.fs.context import Vfs

__all__ = ["make_memfd"]

NAME_MAX = 249


def make_memfd(vfs: Vfs, name: bytes) -> RegularFile:
    """Return a new, empty file.

    Parameters
    ----------
    name : shown in /proc/PID/fd; two files may have the same

    Raises
    ------
    SysError(EINVAL) : over 249 bytes
    """
    if len(name) > NAME_MAX:
        raise SysError(Errno.EINVAL)
    fs = TmpFs(vfs.next_dev(), vfs.now)
    inode = TmpfsFile(fs, S_IFREG | 0o777)
    inode.nlink = 0
    file = RegularFile(Location(Mount(fs, fs.root, None), inode), O_RDWR)
    file.name_it = lambda: b"/memfd:" + name
    return file
