"""Sockets with connections: streams, and sequences of packets.

References
----------
POSIX.1-2024, listen(), accept(), connect(); Linux, unix(7), net/unix/af_unix.c.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.core.wait import Interrupted
from pykern.kernel.fs.flags import POLLERR, POLLHUP, READABLE
from pykern.kernel.fs.sockets.message import (
    MSG_PEEK,
    MSG_WAITALL,
    SHUT_BOTH,
    SHUT_READ,
    SHUT_WRITE,
    SOCK_STREAM,
    Message,
    Received,
)
from pykern.kernel.fs.sockets.packets import receive_packet, send_packet
from pykern.kernel.fs.sockets.socket import Socket

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pykern.kernel.fs.buffer import Buffer
    from pykern.kernel.fs.context import Vfs
    from pykern.kernel.fs.file import File
    from pykern.kernel.fs.sockets.message import Credentials

__all__ = ["ConnectionSocket", "StreamSocket"]

_CHUNK = 32768
_MOST_BACKLOG = 4096


class ConnectionSocket(Socket):
    """An end of a connection, or what waits for connections; this one carries packets."""

    def __init__(self, vfs: Vfs, kind: int, flags: int = 0) -> None:
        super().__init__(vfs, kind, flags)
        self._backlog: deque[ConnectionSocket] = deque()
        self._most_backlog: int | None = None
        self._was_connected = False

    @property
    def listening(self) -> bool:
        """Whether it takes connections."""
        return self._most_backlog is not None

    @property
    def connected(self) -> bool:
        """Whether there is another end, or was one."""
        return self._was_connected

    # --- making connections -------------------------------------------------------------------

    def join(self, other: ConnectionSocket) -> None:
        """Make both the ends of one connection (socketpair, accept)."""
        self.peer, other.peer = other, self
        self._was_connected = other._was_connected = True

    def listen(self, backlog: int) -> None:
        """Take connections from now on.

        Parameters
        ----------
        backlog : how many may wait to be accepted, less one

        Raises
        ------
        SysError(EINVAL) : it has no name, or is connected
        """
        if not self.address or self._was_connected:
            raise SysError(Errno.EINVAL)
        self._most_backlog = min(backlog & 0xFFFF_FFFF, _MOST_BACKLOG)
        self.peer_credentials = self.vfs.caller()
        self.writable_queue.wake_all()

    async def connect(self, listener: Socket) -> None:
        """Make a connection with who listens.

        Raises
        ------
        SysError(EISCONN) : there is one
        SysError(EINVAL) : it listens itself
        SysError(ECONNREFUSED) : the other one does not listen
        SysError(EAGAIN) : too many wait there, and the call does not
        """
        deadline = self.deadline(self.send_ns)
        while True:
            if not isinstance(listener, ConnectionSocket) or not listener.takes_connections:
                raise SysError(Errno.ECONNREFUSED)
            if self._was_connected:
                raise SysError(Errno.EISCONN)
            if self.listening:
                raise SysError(Errno.EINVAL)
            if listener.has_backlog():
                break
            await self.wait(listener.writable_queue, 0, deadline)
        other = type(self)(self.vfs, self.kind)
        other.address = listener.address
        self.peer_credentials = listener.peer_credentials
        other.peer_credentials = self.vfs.caller()
        self.join(other)
        listener._backlog.append(other)
        listener.readable_queue.wake_all()

    @property
    def takes_connections(self) -> bool:
        """Whether somebody may connect."""
        return self.listening and not self.closed and not self.shut & SHUT_READ

    def has_backlog(self) -> bool:
        """Tell whether one more may wait to be accepted."""
        return len(self._backlog) <= (self._most_backlog or 0)

    async def accept(self) -> ConnectionSocket:
        """Return the other end of the oldest connection that nobody has accepted.

        Raises
        ------
        SysError(EINVAL) : it does not listen
        """
        if not self.listening:
            raise SysError(Errno.EINVAL)
        deadline = self.deadline(self.receive_ns)
        with self:
            while not self._backlog:
                if self.shut & SHUT_READ:
                    raise SysError(Errno.EINVAL)
                await self.wait(self.readable_queue, 0, deadline)
        self.writable_queue.wake_all()
        return self._backlog.popleft()

    # --- ending them --------------------------------------------------------------------------

    def shutdown(self, how: int) -> None:
        """End receiving, sending, or both; the other end learns of it."""
        super().shutdown(how)
        if self.peer is None:
            return
        theirs = (SHUT_WRITE if how & SHUT_READ else 0) | (SHUT_READ if how & SHUT_WRITE else 0)
        self.peer.shut |= theirs
        self.peer.wake()

    def release(self) -> None:
        """Close this end; the other one hears whether something was not received."""
        lost = bool(self.inbox)
        super().release()
        for waiting in self._backlog:
            waiting.error = Errno.ECONNRESET  # as if it had not received something
            waiting.put()
        self._backlog.clear()
        peer, self.peer = self.peer, None
        if peer is not None:
            peer.shut = SHUT_BOTH
            if lost or self.error is Errno.ECONNRESET:
                peer.error = Errno.ECONNRESET
            peer.wake()
        self.wake()

    # --- packets ------------------------------------------------------------------------------

    def has_room(self) -> bool:
        """Tell whether poll says that it can be written to."""
        return not self.listening and super().has_room()

    def poll(self, events: int) -> int:
        """Return what holds; what has no connection yet counts as hung up."""
        mask = super().poll(events)
        if self._backlog:
            mask |= READABLE & events
        if not self._was_connected and not self.listening:
            mask |= POLLHUP
        return mask & (events | POLLERR | POLLHUP)

    async def send(
        self,
        src: Buffer,
        how: int = 0,
        files: Sequence[File] = (),
        to: Socket | None = None,
        credentials: Credentials | None = None,
    ) -> int:
        """Send a packet.

        Raises
        ------
        SysError(ENOTCONN) : there is no connection
        SysError(EPIPE) : there is none any more
        """
        if not self._was_connected:
            raise SysError(Errno.ENOTCONN)
        self.take_error()
        if self.peer is None:
            raise SysError(Errno.EPIPE)
        return await send_packet(self, self.peer, src, how, files, credentials)

    async def receive(self, dst: Buffer, how: int = 0) -> Received:
        """Receive a packet; nothing once the other end is closed.

        Raises
        ------
        SysError(ENOTCONN) : there is no connection
        """
        if not self._was_connected:
            raise SysError(Errno.ENOTCONN)
        return await receive_packet(self, dst, how)


class StreamSocket(ConnectionSocket):
    """An end of a connection that carries bytes."""

    async def send(
        self,
        src: Buffer,
        how: int = 0,
        files: Sequence[File] = (),
        to: Socket | None = None,
        credentials: Credentials | None = None,
    ) -> int:
        """Send bytes, waiting for room until all are sent.

        Raises
        ------
        SysError(EISCONN, EOPNOTSUPP) : it is addressed
        SysError(ENOTCONN) : there is no connection
        SysError(EPIPE) : nobody will receive it; SIGPIPE as well
        """
        if to is not None:
            raise SysError(Errno.EISCONN if self._was_connected else Errno.EOPNOTSUPP)
        if not self._was_connected:
            raise SysError(Errno.ENOTCONN)
        total, deadline = src.remaining, self.deadline(self.send_ns)
        who = credentials or self.vfs.caller()
        files = list(files)
        try:
            with self:
                while src.remaining:
                    await self._make_room(how, deadline)
                    data = src.take(min(self.send_buffer - self.in_flight, _CHUNK))
                    held = [file.get() for file in files]
                    files = []
                    assert self.peer is not None
                    self.peer.deliver(Message(data, self, self.address, who, held))
        except (SysError, Interrupted):
            if src.remaining == total:
                raise
        return total - src.remaining

    async def _make_room(self, how: int, deadline_ns: int | None) -> None:
        """Sleep until there is room for something, and somebody to receive it."""
        while True:
            if self.shut & SHUT_WRITE or self.peer is None or self.peer.shut & SHUT_READ:
                self.broken(how)
            if self.in_flight < self.send_buffer:
                return
            await self.wait(self.writable_queue, how, deadline_ns)

    async def receive(self, dst: Buffer, how: int = 0) -> Received:
        """Receive bytes: what is there, or with MSG_WAITALL as many as were asked for.

        Bytes that came with files are not joined with those behind them.

        Raises
        ------
        SysError(EINVAL) : there is no connection
        SysError(ECONNRESET) : the other end was closed with bytes in it that it did not receive
        """
        if not self._was_connected:
            raise SysError(Errno.EINVAL)
        out, deadline, peeked = Received(), self.deadline(self.receive_ns), 0
        target = dst.remaining if how & MSG_WAITALL else 1
        with self:
            while True:
                if peeked >= len(self.inbox):
                    if out.size >= max(target, 1) or not await self._more(out, how, deadline):
                        return out
                    continue
                message = self.inbox[peeked]
                if self._differs(out, message):
                    return out
                ends = self._take(message, dst, out, peek=bool(how & MSG_PEEK))
                peeked += bool(how & MSG_PEEK)
                if ends or not dst.remaining:
                    return out

    async def _more(self, out: Received, how: int, deadline_ns: int | None) -> bool:
        """Sleep until something comes; False: nothing will, or something is there already."""
        try:
            if not out.size:
                self.take_error()
            if self.shut & SHUT_READ:
                return False
            if how & MSG_PEEK and out.size:
                return False
            await self.wait(self.readable_queue, how, deadline_ns)
        except (SysError, Interrupted):
            if not out.size:
                raise
            return False
        return True

    def _differs(self, out: Received, message: Message) -> bool:
        """Tell whether a message is of another sender than the one before, which matters."""
        return (
            self.passes_credentials
            and out.credentials is not None
            and out.credentials != message.credentials
        )

    def _take(self, message: Message, dst: Buffer, out: Received, *, peek: bool) -> bool:
        """Receive from one message; return whether nothing may follow."""
        size = min(dst.remaining, len(message.data))
        dst.put(message.data[:size])
        out.size += size
        out.address = message.address if out.address is None else out.address
        out.credentials = message.credentials
        had_files = bool(message.files)
        self.hand_files(message, out, peek=peek)
        if not peek and size == len(message.data):
            self.consume(message)
        elif not peek:
            message.source.in_flight -= size
            message.data = message.data[size:]
        return had_files


def make_connection(vfs: Vfs, kind: int, flags: int) -> ConnectionSocket:
    """Return a socket that has no connection yet."""
    make = StreamSocket if kind == SOCK_STREAM else ConnectionSocket
    return make(vfs, kind, flags)
