"""Sockets without connections: mailboxes for datagrams.

References
----------
POSIX.1-2024, sendto(), recvfrom(); Linux, unix(7).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.fs.sockets.packets import is_full, receive_packet, send_packet
from pykern.kernel.fs.sockets.socket import Socket

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pykern.kernel.core.wait import WaitQueue
    from pykern.kernel.fs.buffer import Buffer
    from pykern.kernel.fs.file import File
    from pykern.kernel.fs.sockets.message import Credentials, Received

__all__ = ["DatagramSocket"]


class DatagramSocket(Socket):
    """A mailbox; `peer` is where it sends, and who alone may send to it."""

    def join(self, other: Socket | None) -> None:
        """Send to another one from now on, or to nobody in particular.

        Raises
        ------
        SysError(EPERM) : that one is joined with somebody else
        """
        if other is not None:
            self._require_open_to_me(other)
        self.peer = other
        self.wake()

    def _require_open_to_me(self, other: Socket) -> None:
        if other.peer is not None and other.peer is not self:
            raise SysError(Errno.EPERM)

    async def send(
        self,
        src: Buffer,
        how: int = 0,
        files: Sequence[File] = (),
        to: Socket | None = None,
        credentials: Credentials | None = None,
    ) -> int:
        """Send a datagram.

        Raises
        ------
        SysError(ENOTCONN) : to whom?
        SysError(ECONNREFUSED) : the peer is gone
        """
        target = to or self.peer
        if target is None:
            raise SysError(Errno.ENOTCONN)
        if target.closed and target is self.peer:
            self.peer = None
            raise SysError(Errno.ECONNREFUSED)
        self._require_open_to_me(target)
        return await send_packet(self, target, src, how, files, credentials)

    async def receive(self, dst: Buffer, how: int = 0) -> Received:
        """Receive a datagram."""
        return await receive_packet(self, dst, how)

    def has_room(self) -> bool:
        """Tell whether poll says that it can be written to."""
        blocked = self.peer is not None and not self.peer.closed and is_full(self.peer, self)
        return super().has_room() and not blocked

    @property
    def queues(self) -> tuple[WaitQueue, ...]:
        """What is woken when `poll` may answer differently: by the peer's room, too."""
        theirs = () if self.peer is None else (self.peer.writable_queue,)
        return (*super().queues, *theirs)

    def unread(self) -> int:
        """Return the bytes of the first datagram."""
        return len(self.inbox[0].data) if self.inbox else 0

    def release(self) -> None:
        """Close it; who sends to it finds out when it does."""
        super().release()
        self.peer = None
        self.wake()
