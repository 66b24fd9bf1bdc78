"""What all sockets share: a queue of messages, a name, options.

References
----------
POSIX.1-2024, Sockets; Linux, unix(7), socket(7), net/unix/af_unix.c.
"""

from __future__ import annotations

from collections import deque
from stat import S_IFSOCK
from typing import TYPE_CHECKING, NoReturn

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.core.wait import WaitQueue
from pykern.kernel.fs.file import File
from pykern.kernel.fs.flags import (
    O_NONBLOCK,
    O_RDWR,
    POLLERR,
    POLLHUP,
    POLLRDHUP,
    POLLWRBAND,
    READABLE,
    WRITABLE,
)
from pykern.kernel.fs.inode import Inode
from pykern.kernel.fs.location import Location
from pykern.kernel.fs.sockets.message import (
    MSG_DONTWAIT,
    MSG_NOSIGNAL,
    SHUT_BOTH,
    SHUT_READ,
    SHUT_WRITE,
    Credentials,
    Message,
    Received,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pykern.kernel.fs.buffer import Buffer
    from pykern.kernel.fs.context import Vfs
    from pykern.kernel.fs.file import IoctlArgument

__all__ = ["Socket"]

BUFFER = 212992
FIONREAD, SIOCOUTQ = 0x541B, 0x5411


class Socket(File):  # noqa: PLR0904 - one method per operation
    """An end of a connection, or a mailbox.

    Parameters
    ----------
    kind : SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET
    flags : O_NONBLOCK

    Attributes
    ----------
    address : what it is bound to: a path, a zero byte and an abstract name, or nothing
    named : the inode that a path leads to
    peer : where its messages go unless they are addressed
    peer_credentials : who made the connection's other end
    shut : SHUT_READ, SHUT_WRITE
    error : what the next call fails with
    in_flight : bytes of its buffer that are taken by messages which nobody has received
    passes_credentials : its receiver wants to know who sends (SO_PASSCRED)
    receive_ns, send_ns : how long it waits at most (SO_RCVTIMEO, SO_SNDTIMEO); 0: for ever
    readable_queue, writable_queue : woken by messages and room, and by all else that ends a wait
    """

    def __init__(self, vfs: Vfs, kind: int, flags: int = 0) -> None:
        inode = Inode(vfs.unnamed.fs, S_IFSOCK | 0o777)
        super().__init__(Location(vfs.unnamed, inode), O_RDWR | flags & O_NONBLOCK)
        self.vfs, self.kind = vfs, kind
        self.name_it = lambda: b"socket:[%d]" % inode.ino
        self.address = b""
        self.named: Inode | None = None
        self.peer: Socket | None = None
        self.peer_credentials: Credentials | None = None
        self.shut = 0
        self.error: Errno | None = None
        self.send_buffer = self.receive_buffer = BUFFER
        self.in_flight = 0
        self.passes_credentials = False
        self.options: dict[int, int] = {}
        self.receive_ns = self.send_ns = 0
        self.inbox: deque[Message] = deque()
        self.readable_queue, self.writable_queue = WaitQueue(), WaitQueue()

    # --- what kinds differ in -----------------------------------------------------------------

    @property
    def listening(self) -> bool:
        """Whether it takes connections."""
        return False

    @property
    def connected(self) -> bool:
        """Whether there is another end, or was one."""
        return self.peer is not None

    async def send(
        self,
        src: Buffer,
        how: int = 0,
        files: Sequence[File] = (),
        to: Socket | None = None,
        credentials: Credentials | None = None,
    ) -> int:
        """Send what a buffer holds; return the bytes.

        Parameters
        ----------
        how : MSG_DONTWAIT, MSG_NOSIGNAL
        files : they go with the first byte
        to : who is to get it; the peer unless given
        credentials : who sends; the caller unless given
        """
        raise NotImplementedError

    async def receive(self, dst: Buffer, how: int = 0) -> Received:
        """Receive into a buffer.

        Parameters
        ----------
        how : MSG_DONTWAIT, MSG_PEEK, MSG_WAITALL, MSG_TRUNC
        """
        raise NotImplementedError

    # --- as a file ----------------------------------------------------------------------------

    async def read(self, dst: Buffer) -> int:
        """Receive; files that come with the bytes are closed."""
        if not dst.remaining:
            return 0
        received = await self.receive(dst)
        received.drop()
        return received.size

    async def write(self, src: Buffer) -> int:
        """Send."""
        return await self.send(src)

    def poll(self, events: int) -> int:
        """Return what holds."""
        mask = POLLERR if self.error else 0
        if self.shut == SHUT_BOTH:
            mask |= POLLHUP
        if self.shut & SHUT_READ:
            mask |= POLLRDHUP | READABLE
        if self.inbox:
            mask |= READABLE
        if self.has_room():
            mask |= WRITABLE | POLLWRBAND
        return mask & (events | POLLERR | POLLHUP)

    @property
    def queues(self) -> tuple[WaitQueue, ...]:
        """What is woken when `poll` may answer differently."""
        return (self.readable_queue, self.writable_queue)

    async def ioctl(self, request: int, argument: IoctlArgument) -> int:
        """Tell how many bytes can be read (FIONREAD), and are not yet received (SIOCOUTQ)."""
        if request == SIOCOUTQ:
            size = self.in_flight
        elif request == FIONREAD:
            size = self.unread()
        else:
            return await super().ioctl(request, argument)
        argument.write(size.to_bytes(4, "little"))
        return 0

    def unread(self) -> int:
        """Return the bytes that a receiver finds."""
        return sum(len(message.data) for message in self.inbox)

    def release(self) -> None:
        """Give up the name and what nobody has received."""
        if self.address.startswith(b"\0"):
            self.vfs.abstract_sockets.pop(self.address, None)
        if self.named is not None:
            self.named.socket = None
            self.named.drop()
        for message in self.inbox:
            message.drop()
            message.source.received(message)
        self.inbox.clear()

    # --- messages -----------------------------------------------------------------------------

    def has_room(self) -> bool:
        """Tell whether poll says that it can be written to."""
        return self.in_flight * 4 <= self.send_buffer

    def deliver(self, message: Message) -> None:
        """Take a message into the inbox."""
        message.source.in_flight += message.cost
        self.inbox.append(message)
        self.readable_queue.wake_all()

    def consume(self, message: Message) -> None:
        """Take the first message off the inbox: it was received."""
        self.inbox.popleft()
        message.source.received(message)

    def received(self, message: Message) -> None:
        """Have the room back that a message took."""
        self.in_flight -= message.cost
        self.writable_queue.wake_all()

    def wake(self) -> None:
        """Let everybody look again."""
        self.readable_queue.wake_all()
        self.writable_queue.wake_all()

    def shutdown(self, how: int) -> None:
        """End receiving, sending, or both."""
        self.shut |= how
        self.wake()

    def take_error(self) -> None:
        """Fail with the error that has come up meanwhile, once."""
        if self.error is not None:
            error, self.error = self.error, None
            raise SysError(error)

    def hand_files(self, message: Message, received: Received, *, peek: bool) -> None:
        """Give the files of a message to its receiver, or copies."""
        received.files += [file.get() for file in message.files] if peek else message.files
        if not peek:
            message.files = []

    # --- waiting ------------------------------------------------------------------------------

    def impatient(self, how: int) -> bool:
        """Tell whether a call does not wait."""
        return bool(how & MSG_DONTWAIT or self.flags & O_NONBLOCK)

    def deadline(self, limit_ns: int) -> int | None:
        """Return when a call that begins now gives up."""
        return self.vfs.monotonic() + limit_ns if limit_ns else None

    async def wait(self, queue: WaitQueue, how: int, deadline_ns: int | None) -> None:
        """Sleep until something has changed.

        Raises
        ------
        SysError(EAGAIN) : the call does not wait, or not any longer
        Interrupted : a signal came first
        """
        if self.impatient(how) or not await queue.wait(deadline_ns=deadline_ns):
            raise SysError(Errno.EAGAIN)

    def broken(self, how: int) -> NoReturn:
        """Say that nobody will receive: SIGPIPE, and EPIPE."""
        if not how & MSG_NOSIGNAL:
            self.vfs.on_broken_pipe()
        raise SysError(Errno.EPIPE)

    def require_writable_end(self) -> None:
        """Fail where sending was ended; SysError(EPIPE)."""
        if self.shut & SHUT_WRITE:
            raise SysError(Errno.EPIPE)
