"""Names of sockets: paths, and abstract names beside all paths.

References
----------
Linux, unix(7), Address format.
"""

from __future__ import annotations

from stat import S_IFSOCK, S_ISSOCK
from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.fs import entries
from pykern.kernel.fs.flags import W_OK
from pykern.kernel.fs.path import walk

if TYPE_CHECKING:
    from pykern.kernel.fs.context import FsContext
    from pykern.kernel.fs.sockets.socket import Socket

__all__ = ["AF_UNIX", "bind", "find", "pack", "parse"]

AF_UNSPEC, AF_UNIX = 0, 1
_FAMILY = 2
_LONGEST = 110


def parse(raw: bytes) -> bytes:
    """Return the address of a struct sockaddr_un; nothing if there is only a family.

    Raises
    ------
    SysError(EINVAL) : too short, too long, or another family
    """
    if not _FAMILY <= len(raw) <= _LONGEST or int.from_bytes(raw[:_FAMILY], "little") != AF_UNIX:
        raise SysError(Errno.EINVAL)
    name = raw[_FAMILY:]
    return name if name.startswith(b"\0") else name.split(b"\0", 1)[0]


def pack(address: bytes) -> bytes:
    """Return a struct sockaddr_un, as long as it has to be."""
    end = b"\0" if address and not address.startswith(b"\0") else b""
    return AF_UNIX.to_bytes(_FAMILY, "little") + address + end


def bind(fs: FsContext, socket: Socket, address: bytes) -> None:
    """Give a socket a name; without one, an abstract one that is free.

    Raises
    ------
    SysError(EINVAL) : it has one
    SysError(EADDRINUSE) : the name is taken
    """
    if socket.address and (not address or address.startswith(b"\0")):
        if not address:
            return
        raise SysError(Errno.EINVAL)
    names = fs.vfs.abstract_sockets
    if not address:
        address = next(name for n in range(1, 1 << 20) if (name := b"\0%05x" % n) not in names)
    if address.startswith(b"\0"):
        if address in names:
            raise SysError(Errno.EADDRINUSE)
        names[address] = socket
    else:
        _make_path(fs, socket, address)
    socket.address = address


def _make_path(fs: FsContext, socket: Socket, path: bytes) -> None:
    try:
        inode = entries.mknod(fs, path, S_IFSOCK | 0o777).inode
    except SysError as error:
        if error.errno is Errno.EEXIST:
            raise SysError(Errno.EADDRINUSE) from None
        raise
    if socket.address:  # a name that is taken comes before the socket's own
        entries.unlink(fs, path)
        raise SysError(Errno.EINVAL)
    inode.socket, socket.named = socket, inode
    inode.users += 1


def find(fs: FsContext, address: bytes, kind: int) -> Socket:
    """Return the socket that has a name.

    Raises
    ------
    SysError(ECONNREFUSED) : nobody has it, though there may be a file
    SysError(EPROTOTYPE) : it is of another kind
    SysError : as `walk`; EACCES: no permission to write
    """
    if address.startswith(b"\0"):
        found = fs.vfs.abstract_sockets.get(address)
    else:
        inode = walk(fs, address).inode
        fs.require(inode, W_OK)
        found = inode.socket if S_ISSOCK(inode.mode) else None
    if found is None:
        raise SysError(Errno.ECONNREFUSED)
    if found.kind != kind:
        raise SysError(Errno.EPROTOTYPE)
    return found
