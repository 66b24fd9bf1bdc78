"""What two kernels say to each other while a process moves, over any stream of bytes.

A message is a type, a number (an address, mostly), and bytes::

    +0  type  u8
    +1  number  u64
    +9  length  u32
    +13 bytes

The stream is the host's. Whoever runs the machine may wake what waits for it between two slices, as
for a key that was typed; otherwise it is polled in virtual time. A run in which a process moves is
therefore not repeated bit by bit.

Everything that comes is taken for hostile: a message that is none, or is longer than its type may
be, is `BadMessage`, before any of it is looked at.
"""

from __future__ import annotations

import contextlib
import struct
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple, Protocol

from pykern.kernel.core.units import PAGE_SIZE
from pykern.kernel.core.wait import sleep_until

if TYPE_CHECKING:
    import socket

    from pykern.kernel.core.wait import WaitQueue
    from pykern.kernel.task.system import System

__all__ = [
    "BadMessage",
    "Link",
    "LinkClosed",
    "Message",
    "SocketLink",
    "Type",
    "Wire",
    "pack",
    "parse",
]

_HEAD = struct.Struct("<BQI")
_POLL_NS = 50_000
_CHUNK = 1 << 16
_MOST_AT_ONCE = 1 << 18
"""Bytes that are taken before others get their turn: who sends without end holds up nobody."""


class LinkClosed(Exception):  # noqa: N818 - an event, not an error
    """The other side is gone."""


class BadMessage(Exception):  # noqa: N818 - what has come, not what went wrong here
    """What has come is no message, or not one that can come now."""


class Type(IntEnum):
    """What a message says."""

    PAGE = 1
    STATE = 2
    READY = 3
    COMMIT = 4
    RUNNING = 5
    PULL = 6
    END = 7
    ABORT = 8


_MOST_STATE = 16 << 20
_MOST = {Type.PAGE: PAGE_SIZE, Type.STATE: _MOST_STATE, Type.ABORT: 1024}
"""Bytes that a message may have; of the others none has any."""


class Message(NamedTuple):
    """One message."""

    type: Type
    number: int = 0
    data: bytes = b""


def pack(kind: Type, number: int = 0, data: bytes = b"") -> bytes:
    """Return a message as bytes."""
    return _HEAD.pack(kind, number, len(data)) + data


def parse(data: bytes | bytearray, at: int = 0) -> tuple[Message, int] | None:
    """Return the message at an offset and the offset behind it; None: not all of it is there.

    Raises
    ------
    BadMessage : there is no such type, or none of its messages is so long
    """
    if len(data) < at + _HEAD.size:
        return None
    number_of_type, number, length = _HEAD.unpack_from(data, at)
    try:
        kind = Type(number_of_type)
    except ValueError:
        raise BadMessage(f"message of type {number_of_type}, expected 1 to {max(Type)}") from None
    most = _MOST.get(kind, 0)
    if length > most or (kind is Type.PAGE and length != PAGE_SIZE):
        raise BadMessage(f"{kind.name} of {length} bytes, expected {most}")
    start = at + _HEAD.size
    if len(data) < start + length:
        return None
    return Message(kind, number, bytes(data[start : start + length])), start + length


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
    arrived : woken when something may have come, or gone; None: nobody says so

    Attributes
    ----------
    sent : bytes
    """

    def __init__(
        self, system: System, link: Link, ns_per_byte: int = 1, arrived: WaitQueue | None = None
    ) -> None:
        self._system, self._link, self._ns_per_byte = system, link, ns_per_byte
        self._woken = arrived
        self._arrived = bytearray()
        self._idle_from_ns = 0
        self._taken = 0
        self.sent = 0

    def send(self, kind: Type, number: int = 0, data: bytes = b"") -> None:
        """Send a message.

        Raises
        ------
        LinkClosed : the other side is gone
        """
        raw = pack(kind, number, data)
        self._link.send(raw)
        self.sent += len(raw)
        begins_ns = max(self._idle_from_ns, self._system.clock.now_ns)
        self._idle_from_ns = begins_ns + len(raw) * self._ns_per_byte

    def poll(self) -> Message | None:
        """Return the next message; None: none has arrived yet.

        Raises
        ------
        LinkClosed : the other side is gone
        BadMessage : what has come is none, or the other side has given up
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
        found = parse(self._arrived)
        if found is None:
            return None
        message, end = found
        del self._arrived[:end]
        if message.type is Type.ABORT:
            raise BadMessage(f"the other side gave up: {_plain(message.data)}")
        return message

    async def _wait(self) -> None:
        if self._woken is None or not self._link.flush():
            await sleep_until(self._system.clock.now_ns + _POLL_NS)
        else:
            await self._woken.wait(uninterruptible=True)

    async def receive(self) -> Message:
        """Return the next message, waiting for it.

        Raises
        ------
        LinkClosed : the other side is gone
        """
        while (message := self.poll()) is None:
            await self._wait()
        self._taken += _HEAD.size + len(message.data)
        if self._taken >= _MOST_AT_ONCE:
            taken, self._taken = self._taken, 0
            await sleep_until(self._system.clock.now_ns + taken * self._ns_per_byte)
        return message

    def abort(self, why: str) -> None:
        """Say that nothing will come of it, and be gone."""
        with contextlib.suppress(LinkClosed):
            self.send(Type.ABORT, 0, why.encode()[: _MOST[Type.ABORT]])
        self.close()

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
        LinkClosed : the other side is gone
        BadMessage : it says something else
        """
        message = await self.receive()
        if message.type is not kind:
            raise BadMessage(f"{message.type.name} came, expected {kind.name}")
        return message


def _plain(data: bytes) -> str:
    """Return text from elsewhere without anything that a terminal would obey."""
    text = data.decode("utf-8", "replace")
    return "".join(letter if letter.isprintable() else "?" for letter in text)
