"""What two kernels say to each other while a process moves, over any stream of bytes.

A message is a type, a number (an address, mostly), and bytes::

    +0  type  u8
    +1  number  u64
    +9  length  u32
    +13 bytes

The stream is the host's, so it is polled in virtual time; a run in which a process moves is
therefore not repeated bit by bit.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple, Protocol

from pykern.kernel.core.wait import sleep_until

if TYPE_CHECKING:
    import socket

    from pykern.kernel.task.system import System

__all__ = ["Link", "LinkClosed", "Message", "SocketLink", "Type", "Wire"]

_HEAD = struct.Struct("<BQI")
_POLL_NS = 50_000
_CHUNK = 1 << 16


class LinkClosed(Exception):  # noqa: N818 - an event, not an error
    """The other side is gone."""


class Type(IntEnum):
    """What a message says."""

    PAGE = 1
    STATE = 2
    READY = 3
    COMMIT = 4
    RUNNING = 5
    PULL = 6
    END = 7


class Message(NamedTuple):
    """One message."""

    type: Type
    number: int = 0
    data: bytes = b""


class Link(Protocol):
    """A stream of bytes to another machine."""

    def send(self, data: bytes, /) -> None:
        """Send all of it, now or later; LinkClosed if nobody is there."""

    def flush(self) -> bool:
        """Return whether all has been sent."""

    def receive(self) -> bytes:
        """Return what has arrived, without waiting; LinkClosed at its end."""

    def close(self) -> None:
        """Be gone for the other side."""


class SocketLink:
    """A connected socket of the host; what it does not take at once is kept until it does.

    Parameters
    ----------
    connection : is made non-blocking
    """

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._socket.setblocking(False)
        self._waiting = bytearray()

    def send(self, data: bytes) -> None:
        """Send it, or keep it until there is room."""
        self._waiting += data
        self.flush()

    def flush(self) -> bool:
        """Send what is kept; return whether nothing is any more."""
        try:
            while self._waiting:
                del self._waiting[: self._socket.send(self._waiting)]
        except BlockingIOError:
            return False
        except OSError as error:
            raise LinkClosed from error
        return True

    def receive(self) -> bytes:
        """Return what has arrived."""
        self.flush()
        try:
            data = self._socket.recv(_CHUNK)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise LinkClosed from error
        if not data:
            raise LinkClosed
        return data

    def close(self) -> None:
        """Be gone for the other side."""
        self._socket.close()


class Wire:
    """Messages over a link.

    Parameters
    ----------
    system : in whose time is waited
    link : the stream
    ns_per_byte : virtual time that a byte is on its way; who sends goes on meanwhile

    Attributes
    ----------
    sent : bytes
    """

    def __init__(self, system: System, link: Link, ns_per_byte: int = 1) -> None:
        self._system, self._link, self._ns_per_byte = system, link, ns_per_byte
        self._arrived = b""
        self._idle_from_ns = 0
        self.sent = 0

    def send(self, kind: Type, number: int = 0, data: bytes = b"") -> None:
        """Send a message.

        Raises
        ------
        LinkClosed : the other side is gone
        """
        raw = _HEAD.pack(kind, number, len(data)) + data
        self._link.send(raw)
        self.sent += len(raw)
        begins_ns = max(self._idle_from_ns, self._system.clock.now_ns)
        self._idle_from_ns = begins_ns + len(raw) * self._ns_per_byte

    def poll(self) -> Message | None:
        """Return the next message; None: none has arrived yet.

        Raises
        ------
        LinkClosed : the other side is gone
        """
        while True:
            message = self._parse()
            if message is not None:
                return message
            data = self._link.receive()
            if not data:
                return None
            self._arrived += data

    def _parse(self) -> Message | None:
        if len(self._arrived) < _HEAD.size:
            return None
        kind, number, length = _HEAD.unpack_from(self._arrived)
        end = _HEAD.size + length
        if len(self._arrived) < end:
            return None
        data, self._arrived = self._arrived[_HEAD.size : end], self._arrived[end:]
        return Message(Type(kind), number, data)

    async def receive(self) -> Message:
        """Return the next message, waiting for it.

        Raises
        ------
        LinkClosed : the other side is gone
        """
        while (message := self.poll()) is None:
            await sleep_until(self._system.clock.now_ns + _POLL_NS)
        return message

    def close(self) -> None:
        """Be gone for the other side."""
        self._link.close()

    async def drain(self) -> None:
        """Wait until all has been sent, in virtual time and by the host.

        Raises
        ------
        LinkClosed : the other side is gone
        """
        await sleep_until(self._idle_from_ns)
        while not self._link.flush():
            await sleep_until(self._system.clock.now_ns + _POLL_NS)

    async def expect(self, kind: Type) -> Message:
        """Return the next message, which is of a type.

        Raises
        ------
        LinkClosed : the other side is gone, or says something else
        """
        message = await self.receive()
        if message.type is not kind:
            raise LinkClosed(f"{message.type.name} came, expected {kind.name}")
        return message
