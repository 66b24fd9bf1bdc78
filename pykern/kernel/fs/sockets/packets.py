"""Sending and receiving messages whose bounds are kept: datagrams, and packets of a connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.fs.sockets.message import (
    MSG_PEEK,
    MSG_TRUNC,
    SHUT_READ,
    SOCK_SEQPACKET,
    Message,
    Received,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pykern.kernel.fs.buffer import Buffer
    from pykern.kernel.fs.file import File
    from pykern.kernel.fs.sockets.message import Credentials
    from pykern.kernel.fs.sockets.socket import Socket

__all__ = ["receive_packet", "send_packet"]

QUEUE_LENGTH = 10
"""Messages of strangers that may wait in an inbox, less one (net.unix.max_dgram_qlen)."""
_RESERVED = 32


async def send_packet(
    source: Socket,
    target: Socket,
    src: Buffer,
    how: int,
    files: Sequence[File],
    credentials: Credentials | None,
) -> int:
    """Put a message into the inbox of another socket, as soon as there is room; return its size.

    Raises
    ------
    SysError(EMSGSIZE) : it never fits
    SysError(EPIPE) : one of both has ended that direction
    SysError(ECONNREFUSED) : the other one was closed meanwhile
    """
    size, deadline = src.remaining, source.deadline(source.send_ns)
    if size > source.send_buffer - _RESERVED:
        raise SysError(Errno.EMSGSIZE)
    with source:
        while True:
            source.require_writable_end()
            if target.closed:
                lost = source.kind == SOCK_SEQPACKET
                raise SysError(Errno.EPIPE if lost else Errno.ECONNREFUSED)
            if target.shut & SHUT_READ:
                raise SysError(Errno.EPIPE)
            if source.in_flight >= source.send_buffer:
                await source.wait(source.writable_queue, how, deadline)
            elif is_full(target, source):
                await source.wait(target.writable_queue, how, deadline)
            else:
                break
    held = [file.get() for file in files]
    who = credentials or source.vfs.caller()
    target.deliver(Message(src.take(size), source, source.address, who, held))
    return size


def is_full(target: Socket, source: Socket) -> bool:
    """Tell whether an inbox has no room for what a stranger sends."""
    stranger = target is not source and target.peer is not source
    return stranger and len(target.inbox) > QUEUE_LENGTH


async def receive_packet(socket: Socket, dst: Buffer, how: int) -> Received:
    """Receive the first message of an inbox; what does not fit is lost."""
    deadline = socket.deadline(socket.receive_ns)
    with socket:
        while not socket.inbox:
            socket.take_error()
            ended = socket.shut & SHUT_READ
            if ended and (socket.kind == SOCK_SEQPACKET or not socket.impatient(how)):
                return Received()
            await socket.wait(socket.readable_queue, how, deadline)
    message = socket.inbox[0]
    size = min(dst.remaining, len(message.data))
    dst.put(message.data[:size])
    cut = size < len(message.data)
    out = Received(
        len(message.data) if how & MSG_TRUNC else size,
        MSG_TRUNC if cut else 0,
        message.address,
        message.credentials,
    )
    socket.hand_files(message, out, peek=bool(how & MSG_PEEK))
    if not how & MSG_PEEK:
        socket.consume(message)
        socket.writable_queue.wake_all()
    return out
