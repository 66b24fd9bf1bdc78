"""Sending and receiving through sockets, with addresses, open files and credentials.

References
----------
POSIX.1-2017, sendmsg, recvmsg; Linux, send(2), recv(2), unix(7), cmsg(3).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.core.wait import Interrupted
from pykern.kernel.fs.sockets import address as names
from pykern.kernel.fs.sockets.message import (
    MSG_CMSG_CLOEXEC,
    MSG_CTRUNC,
    MSG_DONTWAIT,
    MSG_OOB,
    SOCK_SEQPACKET,
    SOCK_STREAM,
    Credentials,
    Received,
)
from pykern.kernel.syscalls.arguments import Fd, Int, Size, UInt, UserPtr
from pykern.kernel.syscalls.entry import syscall
from pykern.kernel.syscalls.io import read_vector
from pykern.kernel.syscalls.sockets import read_address, socket_of, write_address
from pykern.kernel.syscalls.time import read_timespec

if TYPE_CHECKING:
    from pykern.kernel.fs.file import File
    from pykern.kernel.fs.sockets.socket import Socket
    from pykern.kernel.task.thread import UserThread

_MSGHDR = struct.Struct("<QI4xQQQQI4x")
_NAME_LENGTH, _CONTROL_LENGTH, _FLAGS = 8, 40, 48
_MMSGHDR_SIZE = 64
_CMSGHDR = struct.Struct("<QII")
_UCRED = struct.Struct("<iII")
_SOL_SOCKET, _SCM_RIGHTS, _SCM_CREDENTIALS = 1, 1, 2
_MOST_FILES = 253
_MOST_CONTROL = 20480
_MOST_BYTES = 1 << 24
_MOST_MESSAGES = 1024
_MSG_WAITFORONE = 0x10000


def _target(thread: UserThread, found: Socket, uaddr: int, size: int) -> Socket | None:
    """Return whom an address means; None: nobody but the peer."""
    if not uaddr or not size or found.kind == SOCK_SEQPACKET:
        return None
    raw = read_address(thread, uaddr, size)
    if found.kind == SOCK_STREAM:
        return found  # which refuses any address
    name = names.parse(raw)
    if not name:
        raise SysError(Errno.EINVAL)
    return names.find(thread.process.fs, name, found.kind)


@syscall
async def sendto(
    thread: UserThread,
    sockfd: Fd,
    buf: UserPtr,
    len_: Size,
    flags: UInt,
    dest_addr: UserPtr,
    addrlen: Int,
) -> int:
    """Send bytes."""
    found = socket_of(thread, sockfd)
    target = _target(thread, found, dest_addr, addrlen)
    ranges = [(buf, min(len_, _MOST_BYTES))] if len_ else []
    return await _send(thread, found, ranges, flags, target)


async def _send(
    thread: UserThread,
    found: Socket,
    ranges: list[tuple[int, int]],
    flags: int,
    target: Socket | None,
    extras: tuple[list[File], Credentials | None] = ([], None),
) -> int:
    if flags & MSG_OOB:
        raise SysError(Errno.EOPNOTSUPP)
    buffer = await thread.process.space.pin_vector(ranges, write=False)
    try:
        return await found.send(buffer, flags, extras[0], target, extras[1])
    finally:
        buffer.release()


@syscall
async def recvfrom(
    thread: UserThread,
    sockfd: Fd,
    buf: UserPtr,
    size: Size,
    flags: UInt,
    src_addr: UserPtr,
    addrlen: UserPtr,
) -> int:
    """Receive bytes, and who has sent them."""
    found = socket_of(thread, sockfd)
    ranges = [(buf, min(size, _MOST_BYTES))] if size else []
    received = await _receive(thread, found, ranges, flags)
    received.drop()
    write_address(thread, _name(received), src_addr, addrlen)
    return received.size


async def _receive(
    thread: UserThread, found: Socket, ranges: list[tuple[int, int]], flags: int
) -> Received:
    if flags & MSG_OOB:
        raise SysError(Errno.EOPNOTSUPP)
    buffer = await thread.process.space.pin_vector(ranges, write=True)
    try:
        return await found.receive(buffer, flags)
    finally:
        buffer.release()


def _name(received: Received) -> bytes:
    """Return the sender's address; nothing if it has none."""
    return names.pack(received.address) if received.address else b""


# -- messages with headers


@syscall
async def sendmsg(thread: UserThread, sockfd: Fd, msg: UserPtr, flags: UInt) -> int:
    """Send a message with a header."""
    return await _sendmsg(thread, sockfd, msg, flags)


async def _sendmsg(thread: UserThread, fd: int, msg: int, flags: int) -> int:
    found, space = socket_of(thread, fd), thread.process.space
    name, name_size, iov, count, control, control_size, _ = _MSGHDR.unpack(
        space.copy_in(msg, _MSGHDR.size)
    )
    target = _target(thread, found, name, min(name_size, 128))
    ranges = _ranges(thread, iov, count)
    if control_size > _MOST_CONTROL:
        raise SysError(Errno.ENOBUFS)
    raw = space.copy_in(control, control_size) if control and control_size else b""
    return await _send(thread, found, ranges, flags, target, _extras(thread, raw))


def _ranges(thread: UserThread, iov: int, count: int) -> list[tuple[int, int]]:
    if count > 1024:
        raise SysError(Errno.EMSGSIZE)
    return read_vector(thread, iov, count)


def _extras(thread: UserThread, raw: bytes) -> tuple[list[File], Credentials | None]:
    """Return the files and credentials of control messages."""
    files: list[File] = []
    credentials = None
    at = 0
    while at + _CMSGHDR.size <= len(raw):
        size, level, kind = _CMSGHDR.unpack_from(raw, at)
        if size < _CMSGHDR.size or at + size > len(raw):
            raise SysError(Errno.EINVAL)
        body = raw[at + _CMSGHDR.size : at + size]
        if level == _SOL_SOCKET:
            if kind == _SCM_RIGHTS:
                files += _files(thread, body)
            elif kind == _SCM_CREDENTIALS and len(body) == _UCRED.size:
                credentials = _credentials(thread, Credentials(*_UCRED.unpack(body)))
            else:
                raise SysError(Errno.EINVAL)
        at += (size + 7) & ~7
    if len(files) > _MOST_FILES:
        raise SysError(Errno.EINVAL)
    return files, credentials


def _files(thread: UserThread, body: bytes) -> list[File]:
    if len(body) // 4 > _MOST_FILES:
        raise SysError(Errno.EINVAL)
    numbers = struct.unpack(f"<{len(body) // 4}i", body[: len(body) & -4])
    return [thread.process.files.get(number) for number in numbers]


def _credentials(thread: UserThread, claimed: Credentials) -> Credentials:
    """Check that the caller is who it says; user 0 may say anything."""
    process = thread.process
    who = process.credentials
    honest = claimed.pid == process.pid and claimed.uid in who.user and claimed.gid in who.group
    if not honest and not who.privileged:
        raise SysError(Errno.EPERM)
    if claimed.pid not in thread.system.processes.by_pid:
        raise SysError(Errno.ESRCH)
    return claimed


@syscall
async def recvmsg(thread: UserThread, sockfd: Fd, msg: UserPtr, flags: UInt) -> int:
    """Receive a message with a header."""
    return await _recvmsg(thread, sockfd, msg, flags)


async def _recvmsg(thread: UserThread, fd: int, msg: int, flags: int) -> int:
    found, space = socket_of(thread, fd), thread.process.space
    name, room, iov, count, control, control_size, _ = _MSGHDR.unpack(
        space.copy_in(msg, _MSGHDR.size)
    )
    received = await _receive(thread, found, _ranges(thread, iov, count), flags)
    told = received.flags | (flags & MSG_CMSG_CLOEXEC)
    try:
        used, more = _write_extras(
            thread, found, received, (control, control_size if control else 0), flags
        )
        if name:
            raw = _name(received)
            space.copy_out(name, raw[:room])
            space.copy_out(msg + _NAME_LENGTH, struct.pack("<I", len(raw)))
        space.copy_out(msg + _FLAGS, struct.pack("<I", told | more))
        space.copy_out(msg + _CONTROL_LENGTH, struct.pack("<Q", used))
    finally:
        received.drop()
    return received.size


def _write_extras(
    thread: UserThread, found: Socket, received: Received, room: tuple[int, int], flags: int
) -> tuple[int, int]:
    """Store control messages; return their bytes, and MSG_CTRUNC if some did not fit."""
    space, (at, left) = thread.process.space, room
    more, before = 0, left
    if found.passes_credentials and received.credentials is not None:
        body = _UCRED.pack(*received.credentials)
        raw = _CMSGHDR.pack(_CMSGHDR.size + len(body), _SOL_SOCKET, _SCM_CREDENTIALS) + body
        if left < _CMSGHDR.size:
            more = MSG_CTRUNC
        else:
            if left < len(raw):
                more, raw = MSG_CTRUNC, struct.pack("<Q", left) + raw[8:left]
            space.copy_out(at, raw)
            step = min((len(raw) + 7) & ~7, left)
            at, left = at + step, left - step
    if not received.files:
        return before - left, more
    most = max(left - _CMSGHDR.size, 0) // 4
    numbers = _install(thread, received, most, cloexec=bool(flags & MSG_CMSG_CLOEXEC))
    if numbers:
        body = struct.pack(f"<{len(numbers)}i", *numbers)
        space.copy_out(at, _CMSGHDR.pack(_CMSGHDR.size + len(body), _SOL_SOCKET, 1) + body)
        left -= min((_CMSGHDR.size + len(body) + 7) & ~7, left)
    return before - left, MSG_CTRUNC if received.files else more


def _install(thread: UserThread, received: Received, most: int, *, cloexec: bool) -> list[int]:
    """Give the first files that came descriptors, as many as there is room for."""
    numbers: list[int] = []
    while received.files and len(numbers) < most:
        try:
            numbers.append(thread.process.files.install(received.files[0], cloexec=cloexec))
        except SysError:
            break
        del received.files[0]
    return numbers


# -- several at once


@syscall
async def sendmmsg(thread: UserThread, sockfd: Fd, msgvec: UserPtr, vlen: UInt, flags: UInt) -> int:
    """Send several messages; the result is how many."""
    done = 0
    for at in _vector(msgvec, vlen):
        try:
            size = await _sendmsg(thread, sockfd, at, flags)
        except (SysError, Interrupted):
            if not done:
                raise
            break
        thread.process.space.copy_out(at + _MSGHDR.size, struct.pack("<I", size))
        done += 1
    return done


@syscall
async def recvmmsg(
    thread: UserThread, sockfd: Fd, msgvec: UserPtr, vlen: UInt, flags: UInt, timeout: UserPtr
) -> int:
    """Receive several messages; the result is how many. The timeout is looked at between them."""
    clock, done = thread.system.clock, 0
    deadline = clock.now_ns + read_timespec(thread, timeout) if timeout else None
    how = flags & ~_MSG_WAITFORONE
    for at in _vector(msgvec, vlen):
        try:
            size = await _recvmsg(thread, sockfd, at, how)
        except (SysError, Interrupted):
            if not done:
                raise
            break
        thread.process.space.copy_out(at + _MSGHDR.size, struct.pack("<I", size))
        done += 1
        if flags & _MSG_WAITFORONE:
            how |= MSG_DONTWAIT
        if deadline is not None and clock.now_ns >= deadline:
            break
    return done


def _vector(msgvec: int, count: int) -> range:
    """Return the addresses of an array of struct mmsghdr."""
    return range(msgvec, msgvec + min(count, _MOST_MESSAGES) * _MMSGHDR_SIZE, _MMSGHDR_SIZE)
