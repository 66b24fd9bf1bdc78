"""Messages with a structure: typed, numbered, small ones inline, large ones in a buffer (SCA-09).

They travel through the same ports as all others. In the memory of a program a message is::

    +0    sender_tid    u64
    +8    msg_id        u64   chosen by the kernel where it is 0
    +16   type          u32
    +20   inline_data   64 bytes, the fast path
    +88   buffer        pointer; 0: the message is inline
    +96   buffer_size   u64

The receiver says with `buffer` and `buffer_size` where a large one may go, and how large.
"""

from __future__ import annotations

import itertools
import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from construct import Bytes, Int32ul, Int64ul, Padding, Struct

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.core.wait import WaitQueue

if TYPE_CHECKING:
    from pykern.kernel.ipc.port import Message, PortTable

__all__ = ["INLINE_SIZE", "IPC_MESSAGE", "IpcMessage", "MessageType", "Messages"]

INLINE_SIZE = 64
IPC_MESSAGE = Struct(
    "sender_tid" / Int64ul,
    "msg_id" / Int64ul,
    "type" / Int32ul,
    "inline_data" / Bytes(INLINE_SIZE),
    Padding(4),
    "buffer" / Int64ul,
    "buffer_size" / Int64ul,
)
_HEADER = struct.Struct("<QI")


class MessageType(IntEnum):
    """What a message is; programs may have types of their own above these."""

    DATA = 1
    REQUEST = 2
    REPLY = 3


@dataclass(frozen=True)
class IpcMessage:
    """One message, wherever its bytes lie.

    Attributes
    ----------
    msg_id : unique; that of a reply is that of its request
    sender_tid : 0 is the kernel
    """

    data: bytes = b""
    type: int = MessageType.DATA
    msg_id: int = 0
    sender_tid: int = 0

    @property
    def inline(self) -> bool:
        """Whether it goes the fast path, without a buffer."""
        return len(self.data) <= INLINE_SIZE


class Messages:
    """Structured messages through ports: sending that waits for room, calls and replies.

    Parameters
    ----------
    ports : through which they go

    Attributes
    ----------
    fast, slow : messages that were sent inline, and with a buffer
    """

    def __init__(self, ports: PortTable) -> None:
        self._ports = ports
        self._numbers = itertools.count(1)
        self._room: dict[int, WaitQueue] = {}
        self._calls: dict[int, tuple[int, WaitQueue]] = {}
        self.fast = self.slow = 0
        ports.on_close = self._closed

    @property
    def largest(self) -> int:
        """Bytes that a message may have."""
        return self._ports.limits.message_size - _HEADER.size

    def ipc_create_port(self, owner: int | None = None) -> int:
        """Make a port; return its number."""
        return self._ports.create(owner=owner)

    async def ipc_send(self, port: int, message: IpcMessage, sender: int = 0) -> int:
        """Send, waiting while the port's queue is full; return the message's number.

        Raises
        ------
        SysError : EINVAL, ENOENT: no such port; EMSGSIZE; Interrupted by a signal
        """
        number = message.msg_id or next(self._numbers)
        data = _HEADER.pack(number, message.type) + message.data
        while not self._try_send(port, data, sender):
            await self._room.setdefault(port, WaitQueue()).wait()
        if message.inline:
            self.fast += 1
        else:
            self.slow += 1
        return number

    def _try_send(self, port: int, data: bytes, sender: int) -> bool:
        try:
            self._ports.send(port, data, sender=sender)
        except SysError as error:
            if error.errno != Errno.EAGAIN:
                raise
            return False
        return True

    async def ipc_receive(self, port: int, room: int | None = None) -> IpcMessage:
        """Take the oldest message, waiting for one.

        Parameters
        ----------
        room : bytes that the receiver has for a large one; None: any

        Raises
        ------
        SysError : EINVAL, ENOENT: no such port; EMSGSIZE: it stays; EIDRM: the port was closed
        """
        message = await self._ports.receive(port, _capacity(room))
        return self._taken(port, message)

    def ipc_try_receive(self, port: int, room: int | None = None) -> IpcMessage | None:
        """Take the oldest message; None: there is none."""
        message = self._ports.try_receive(port, _capacity(room))
        return None if message is None else self._taken(port, message)

    def _taken(self, port: int, message: Message) -> IpcMessage:
        if port in self._room:
            self._room[port].wake()
        number, kind = _HEADER.unpack_from(message.data)
        return IpcMessage(message.data[_HEADER.size :], kind, number, message.sender)

    async def ipc_call(self, port: int, request: IpcMessage, sender: int = 0) -> IpcMessage:
        """Send a request and wait for its reply.

        Raises
        ------
        SysError(EPIPE) : the port was closed before anybody replied
        SysError : what sending raises
        """
        number, answered = next(self._numbers), WaitQueue()
        self._calls[number] = port, answered
        asked = IpcMessage(request.data, MessageType.REQUEST, number)
        try:
            await self.ipc_send(port, asked, sender)
            place = answered.join()
            await place
        finally:
            self._calls.pop(number, None)
        if place.value is None:
            raise SysError(Errno.EPIPE, f"port {port} was closed before it replied")
        reply: IpcMessage = place.value
        return reply

    def ipc_reply(self, msg_id: int, data: bytes, sender: int = 0) -> None:
        """Answer a request.

        Raises
        ------
        SysError(ESRCH) : nobody waits for an answer to that
        """
        waiting = self._calls.get(msg_id)
        reply = IpcMessage(data, MessageType.REPLY, msg_id, sender)
        if waiting is None or not waiting[1].hand_over(reply):
            raise SysError(Errno.ESRCH, f"no call {msg_id} waits for a reply")

    def request_port(self, msg_id: int) -> int | None:
        """Return the port that a call was made to; None: nobody waits for that reply."""
        waiting = self._calls.get(msg_id)
        return None if waiting is None else waiting[0]

    def _closed(self, port: int) -> None:
        """Wake whom a closed port leaves waiting: for room in it, or for its owner's reply."""
        if port in self._room:
            self._room.pop(port).wake_all()
        for called, answered in list(self._calls.values()):
            if called == port:
                answered.wake_all()


def _capacity(room: int | None) -> int | None:
    return None if room is None else max(room, INLINE_SIZE) + _HEADER.size
