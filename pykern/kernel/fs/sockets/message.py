"""What goes through a socket, and what a receiver gets.

References
----------
POSIX.1-2024, <sys/socket.h>; Linux, include/linux/socket.h, unix(7).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pykern.kernel.fs.file import File
    from pykern.kernel.fs.sockets.socket import Socket

__all__ = ["Credentials", "Message", "Received"]

SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET = 1, 2, 5
MSG_OOB, MSG_PEEK, MSG_CTRUNC, MSG_TRUNC = 1, 2, 8, 0x20
MSG_DONTWAIT, MSG_EOR, MSG_WAITALL, MSG_NOSIGNAL = 0x40, 0x80, 0x100, 0x4000
MSG_CMSG_CLOEXEC = 0x4000_0000
SHUT_READ, SHUT_WRITE, SHUT_BOTH = 1, 2, 3
OVERHEAD = 768
"""Bytes that a message takes of its sender's buffer beside its data, about as in Linux."""


class Credentials(NamedTuple):
    """Who sends, or is at the other end (struct ucred)."""

    pid: int
    uid: int
    gid: int


@dataclass(eq=False)
class Message:
    """Bytes on their way.

    Attributes
    ----------
    source : whose buffer they take room in
    address : of the sender
    files : open files that come with them, each counted once for the message
    """

    data: bytes
    source: Socket
    address: bytes
    credentials: Credentials
    files: list[File] = field(default_factory=list)

    @property
    def cost(self) -> int:
        """Bytes of the sender's buffer."""
        return len(self.data) + OVERHEAD

    def drop(self) -> None:
        """Let go of the files: nobody will get them."""
        for file in self.files:
            file.put()
        self.files = []


@dataclass
class Received:
    """What one call has received, beside the bytes in its buffer.

    Attributes
    ----------
    size : bytes, as the call returns it
    flags : MSG_TRUNC
    address : of the sender; None: nothing came
    files : counted for the receiver
    """

    size: int = 0
    flags: int = 0
    address: bytes | None = None
    credentials: Credentials | None = None
    files: list[File] = field(default_factory=list)

    def drop(self) -> None:
        """Let go of the files: there is no room for them."""
        for file in self.files:
            file.put()
        self.files = []
