"""Sockets: making, naming and joining them, and their options. There is AF_UNIX alone.

References
----------
POSIX.1-2017, socket, bind, connect, accept, getsockopt; Linux, socket(2), socket(7), unix(7).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.fs.flags import O_CLOEXEC, O_NONBLOCK
from pykern.kernel.fs.sockets import address as names
from pykern.kernel.fs.sockets.address import AF_UNIX, AF_UNSPEC
from pykern.kernel.fs.sockets.connection import ConnectionSocket, make_connection
from pykern.kernel.fs.sockets.datagram import DatagramSocket
from pykern.kernel.fs.sockets.message import SOCK_DGRAM, SOCK_SEQPACKET, SOCK_STREAM
from pykern.kernel.fs.sockets.options import get_option, set_option
from pykern.kernel.fs.sockets.socket import Socket
from pykern.kernel.syscalls.arguments import Fd, Int, UserPtr
from pykern.kernel.syscalls.entry import syscall

if TYPE_CHECKING:
    from pykern.kernel.task.thread import UserThread

_SOCK_RAW, _SOCK_PACKET = 3, 10
_KIND = 0xF
_SOL_SOCKET = 1
_LONGEST_ADDRESS = 128
_LONGEST_OPTION = 128


def socket_of(thread: UserThread, fd: int) -> Socket:
    """Return the socket of a descriptor.

    Raises
    ------
    SysError(EBADF, ENOTSOCK)
    """
    file = thread.process.files.get(fd)
    if not isinstance(file, Socket):
        raise SysError(Errno.ENOTSOCK)
    return file


def _make(thread: UserThread, domain: int, kind: int, protocol: int) -> tuple[Socket, bool]:
    """Return a new socket, and whether exec closes it."""
    flags, kind = kind & ~_KIND, kind & _KIND
    if flags & ~(O_CLOEXEC | O_NONBLOCK) or kind > _SOCK_PACKET:
        raise SysError(Errno.EINVAL)
    if domain != AF_UNIX:
        raise SysError(Errno.EAFNOSUPPORT)
    if protocol not in {0, AF_UNIX}:
        raise SysError(Errno.EPROTONOSUPPORT)
    vfs = thread.system.vfs
    if kind in {SOCK_DGRAM, _SOCK_RAW}:
        made: Socket = DatagramSocket(vfs, SOCK_DGRAM, flags)
    elif kind in {SOCK_STREAM, SOCK_SEQPACKET}:
        made = make_connection(vfs, kind, flags)
    else:
        raise SysError(Errno.ESOCKTNOSUPPORT)
    return made, bool(flags & O_CLOEXEC)


@syscall
def socket(thread: UserThread, domain: Int, type_: Int, protocol: Int) -> int:
    """Make a socket."""
    made, cloexec = _make(thread, domain, type_, protocol)
    return _install(thread, made, cloexec=cloexec)


def _install(thread: UserThread, made: Socket, *, cloexec: bool) -> int:
    try:
        return thread.process.files.install(made, cloexec=cloexec)
    except SysError:
        made.put()
        raise


@syscall
def socketpair(thread: UserThread, domain: Int, type_: Int, protocol: Int, sv: UserPtr) -> int:
    """Make two sockets that are joined."""
    ends = [_make(thread, domain, type_, protocol) for _ in range(2)]
    first, second = (made for made, _ in ends)
    caller = thread.system.vfs.caller()
    for made, other in ((first, second), (second, first)):
        made.peer_credentials = caller
        if isinstance(made, DatagramSocket):
            made.join(other)
    if isinstance(first, ConnectionSocket) and isinstance(second, ConnectionSocket):
        first.join(second)
    files, numbers = thread.process.files, []
    try:
        for made, cloexec in ends:
            numbers.append(files.install(made, cloexec=cloexec))
        thread.process.space.copy_out(sv, struct.pack("<ii", *numbers))
    except SysError:
        for number in numbers:
            files.close(number)
        for made, _ in ends[len(numbers) :]:
            made.put()
        raise
    return 0


# -- addresses


def read_address(thread: UserThread, uaddr: int, size: int) -> bytes:
    """Return a struct sockaddr of the caller.

    Raises
    ------
    SysError(EINVAL) : its size makes no sense
    """
    if not 0 <= size <= _LONGEST_ADDRESS:
        raise SysError(Errno.EINVAL)
    return thread.process.space.copy_in(uaddr, size)


def write_address(thread: UserThread, raw: bytes, uaddr: int, size_at: int) -> None:
    """Store a struct sockaddr, as much as there is room for, and its size."""
    if not uaddr:
        return
    space = thread.process.space
    (room,) = struct.unpack("<i", space.copy_in(size_at, 4))
    if room < 0:
        raise SysError(Errno.EINVAL)
    space.copy_out(uaddr, raw[:room])
    space.copy_out(size_at, struct.pack("<i", len(raw)))


@syscall
def bind(thread: UserThread, sockfd: Fd, addr: UserPtr, addrlen: Int) -> int:
    """Give a socket a name."""
    found = socket_of(thread, sockfd)
    raw = read_address(thread, addr, addrlen)
    names.bind(thread.process.fs, found, names.parse(raw))
    return 0


@syscall
async def connect(thread: UserThread, sockfd: Fd, addr: UserPtr, addrlen: Int) -> int:
    """Join a socket with the one of a name."""
    found = socket_of(thread, sockfd)
    raw = read_address(thread, addr, addrlen)
    if isinstance(found, DatagramSocket) and raw[:2] == AF_UNSPEC.to_bytes(2, "little"):
        found.join(None)
        return 0
    name = names.parse(raw)
    if len(raw) == len(names.pack(b"")):
        raise SysError(Errno.EINVAL)
    target = names.find(thread.process.fs, name, found.kind)
    if isinstance(found, ConnectionSocket):
        await found.connect(target)
    elif isinstance(found, DatagramSocket):
        found.join(target)
    return 0


@syscall
def listen(thread: UserThread, sockfd: Fd, backlog: Int) -> int:
    """Take connections from now on."""
    found = socket_of(thread, sockfd)
    if not isinstance(found, ConnectionSocket):
        raise SysError(Errno.EOPNOTSUPP)
    found.listen(backlog)
    return 0


@syscall
async def accept(thread: UserThread, sockfd: Fd, addr: UserPtr, addrlen: UserPtr) -> int:
    """Take the oldest connection that waits."""
    return await _accept(thread, sockfd, (addr, addrlen), 0)


@syscall
async def accept4(
    thread: UserThread, sockfd: Fd, addr: UserPtr, addrlen: UserPtr, flags: Int
) -> int:
    """Take the oldest connection that waits, with flags."""
    return await _accept(thread, sockfd, (addr, addrlen), flags)


async def _accept(thread: UserThread, fd: int, where: tuple[int, int], flags: int) -> int:
    if flags & ~(O_CLOEXEC | O_NONBLOCK):
        raise SysError(Errno.EINVAL)
    found = socket_of(thread, fd)
    if not isinstance(found, ConnectionSocket):
        raise SysError(Errno.EOPNOTSUPP)
    made = await found.accept()
    made.flags |= flags & O_NONBLOCK
    number = _install(thread, made, cloexec=bool(flags & O_CLOEXEC))
    try:
        theirs = made.peer.address if made.peer is not None else b""
        write_address(thread, names.pack(theirs), *where)
    except SysError:
        thread.process.files.close(number)
        raise
    return number


@syscall
def getsockname(thread: UserThread, sockfd: Fd, addr: UserPtr, addrlen: UserPtr) -> int:
    """Tell the name of a socket."""
    write_address(thread, names.pack(socket_of(thread, sockfd).address), addr, addrlen)
    return 0


@syscall
def getpeername(thread: UserThread, sockfd: Fd, addr: UserPtr, addrlen: UserPtr) -> int:
    """Tell the name of the other end."""
    peer = socket_of(thread, sockfd).peer
    if peer is None:
        raise SysError(Errno.ENOTCONN)
    write_address(thread, names.pack(peer.address), addr, addrlen)
    return 0


@syscall
def shutdown(thread: UserThread, sockfd: Fd, how: Int) -> int:
    """End receiving (0), sending (1), or both (2)."""
    found = socket_of(thread, sockfd)
    if how not in {0, 1, 2}:
        raise SysError(Errno.EINVAL)
    found.shutdown(how + 1)
    return 0


# -- options


@syscall
def getsockopt(
    thread: UserThread, sockfd: Fd, level: Int, optname: Int, optval: UserPtr, optlen: UserPtr
) -> int:
    """Tell an option."""
    found, space = socket_of(thread, sockfd), thread.process.space
    (room,) = struct.unpack("<i", space.copy_in(optlen, 4))
    if level != _SOL_SOCKET:
        raise SysError(Errno.EOPNOTSUPP)
    if room < 0:
        raise SysError(Errno.EINVAL)
    value = get_option(found, optname)[:room]
    space.copy_out(optval, value)
    space.copy_out(optlen, struct.pack("<i", len(value)))
    return 0


@syscall
def setsockopt(
    thread: UserThread, sockfd: Fd, level: Int, optname: Int, optval: UserPtr, optlen: Int
) -> int:
    """Set an option."""
    found = socket_of(thread, sockfd)
    if optlen < 0:
        raise SysError(Errno.EINVAL)
    if level != _SOL_SOCKET:
        raise SysError(Errno.EOPNOTSUPP)
    raw = thread.process.space.copy_in(optval, min(optlen, _LONGEST_OPTION))
    set_option(found, optname, raw)
    return 0
