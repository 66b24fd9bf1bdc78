"""Ports: numbered queues of messages.

Sending never blocks: where somebody waits the message is handed to whoever waited longest, else it
is queued, else the sender is told that the queue is full. Every operation is O(1).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.core.wait import WaitQueue

if TYPE_CHECKING:
    from collections.abc import Callable

    from pykern.kernel.core.wait import Wait

__all__ = ["IpcCounters", "Message", "Port", "PortLimits", "PortStatistics", "PortTable"]


@dataclass(frozen=True)
class PortLimits:
    """The sizes, which differ between profiles.

    Attributes
    ----------
    ports : how many; numbers go from 0
    messages : in one queue
    message_size : bytes in one message, at most
    """

    ports: int = 256
    messages: int = 16
    message_size: int = 4096


class Message(NamedTuple):
    """What a receiver gets.

    Attributes
    ----------
    sender : tid of who sent it; 0 is the kernel
    data : a copy of the sender's bytes
    """

    sender: int
    data: bytes


class IpcCounters(Protocol):
    """Where the table counts; the kernel's metrics are one."""

    ipc_sends: int
    ipc_recvs: int
    ipc_queue_full: int


class PortStatistics(NamedTuple):
    """One port, for people.

    Attributes
    ----------
    queued, waiting : messages and receivers now
    sent, received : messages since the port was made
    refused : messages that found the queue full
    deepest : the longest that the queue has been
    """

    number: int
    owner: int | None
    queued: int
    waiting: int
    sent: int
    received: int
    refused: int
    deepest: int


class Port:
    """One queue of messages, and who waits for one.

    Attributes
    ----------
    number : its own
    owner : pid it is closed with; None: it stays
    readable : who waits for a message; poll() watches it
    """

    def __init__(self, number: int, capacity: int, owner: int | None) -> None:
        self.number = number
        self.owner = owner
        self.readable = WaitQueue(self._take_back)
        self._capacity = capacity
        self._queue: deque[Message] = deque()
        self._sent = 0
        self._received = 0
        self._refused = 0
        self._deepest = 0

    def __len__(self) -> int:
        """Return how many messages are queued."""
        return len(self._queue)

    @property
    def statistics(self) -> PortStatistics:
        """Return the present figures."""
        return PortStatistics(
            number=self.number,
            owner=self.owner,
            queued=len(self._queue),
            waiting=len(self.readable),
            sent=self._sent,
            received=self._received,
            refused=self._refused,
            deepest=self._deepest,
        )

    def put(self, message: Message) -> bool:
        """Hand a message to the first receiver, or queue it; False: the queue is full."""
        if not self.readable.hand_over(message):
            if len(self._queue) >= self._capacity:
                self._refused += 1
                return False
            self._queue.append(message)
            self._deepest = max(self._deepest, len(self._queue))
            self.readable.wake(0)  # those that poll
        self._sent += 1
        return True

    def try_get(self, capacity: int) -> Message | None:
        """Take the first message; None: there is none.

        Raises
        ------
        SysError(EMSGSIZE) : it is longer than `capacity` bytes; it stays where it is
        """
        if not self._queue:
            return None
        _check_fits(self._queue[0], capacity)
        self._received += 1
        return self._queue.popleft()

    async def get(
        self, capacity: int, deadline_ns: int | None = None, *, killable: bool = False
    ) -> Message | None:
        """Take the first message, or wait for one; None: the deadline passed.

        Raises
        ------
        SysError(EMSGSIZE) : it is longer than `capacity` bytes; it is the next receiver's
        SysError(EIDRM) : the port was closed meanwhile
        Interrupted : a signal came first; no message was taken
        """
        message = self.try_get(capacity)
        if message is not None:
            return message
        place = self.readable.join(killable=killable, deadline_ns=deadline_ns)
        if not await place:
            return None
        if place.value is None:
            raise SysError(Errno.EIDRM, f"port {self.number} was closed")
        try:
            _check_fits(place.value, capacity)
        except SysError:
            self._take_back(place)
            raise
        self._received += 1
        return Message(*place.value)

    def close(self) -> None:
        """Drop what is queued and turn away who waits."""
        self._queue.clear()
        self.readable.wake_all()

    def _take_back(self, wait: Wait) -> None:
        """Give the message of a receiver that cannot take it to the next, or queue it in front."""
        message = wait.value
        if message is not None and not self.readable.hand_over(message):
            self._queue.appendleft(message)


class PortObserver(Protocol):
    """Looks at what goes through ports."""

    def sent(self, port: int, size: int, /) -> None:
        """Note a message of so many bytes."""

    def received(self, port: int, /) -> None:
        """Note that a port's first message has been taken."""

    def closed(self, port: int, /) -> None:
        """Note that a port is gone, with what was in it."""


class PortTable:
    """All ports of a kernel.

    Parameters
    ----------
    limits : how many and how large
    counters : where sends and receives are counted

    Attributes
    ----------
    observer : hears of every message; None: nobody does
    on_close : called with the number of a port that was closed
    """

    def __init__(self, limits: PortLimits, counters: IpcCounters) -> None:
        self.limits = limits
        self.on_close: Callable[[int], object] = lambda _number: None
        self._counters = counters
        self._ports: dict[int, Port] = {}
        self._free = (1 << limits.ports) - 1
        self.observer: PortObserver | None = None

    def create(self, number: int | None = None, *, owner: int | None = None) -> int:
        """Make a port, with the lowest free number unless one is given; return its number.

        Raises
        ------
        SysError(EINVAL) : there is no such number
        SysError(EEXIST) : that port exists
        SysError(ENOSPC) : all ports exist
        """
        if number is None:
            number = (self._free & -self._free).bit_length() - 1
            if number < 0:
                raise SysError(Errno.ENOSPC, f"all {self.limits.ports} ports are in use")
        self._check_number(number)
        if number in self._ports:
            raise SysError(Errno.EEXIST, f"port {number} exists")
        self._free &= ~(1 << number)
        self._ports[number] = Port(number, self.limits.messages, owner)
        return number

    def close(self, number: int) -> None:
        """Remove a port; who waits for a message gets EIDRM.

        Raises
        ------
        SysError(EINVAL), SysError(ENOENT) : no such port
        """
        port = self.get(number)
        del self._ports[number]
        self._free |= 1 << number
        port.close()
        if self.observer is not None:
            self.observer.closed(number)
        self.on_close(number)

    def release(self, owner: int) -> int:
        """Close the ports of a process that ends; return how many."""
        numbers = [port.number for port in self._ports.values() if port.owner == owner]
        for number in numbers:
            self.close(number)
        return len(numbers)

    def get(self, number: int) -> Port:
        """Return a port.

        Raises
        ------
        SysError(EINVAL) : there is no such number
        SysError(ENOENT) : the port was not created
        """
        self._check_number(number)
        if number not in self._ports:
            raise SysError(Errno.ENOENT, f"port {number} was not created")
        return self._ports[number]

    def send(self, number: int, data: bytes, *, sender: int = 0) -> None:
        """Send without blocking.

        Raises
        ------
        SysError(EINVAL), SysError(ENOENT) : no such port
        SysError(EMSGSIZE) : more bytes than a message may have
        SysError(EAGAIN) : the queue is full
        """
        port = self.get(number)
        if len(data) > self.limits.message_size:
            raise SysError(Errno.EMSGSIZE, f"{len(data)} bytes, at most {self.limits.message_size}")
        if not port.put(Message(sender, bytes(data))):
            self._counters.ipc_queue_full += 1
            raise SysError(Errno.EAGAIN, f"port {number} holds {self.limits.messages} messages")
        self._counters.ipc_sends += 1
        if self.observer is not None:
            self.observer.sent(number, len(data))

    async def receive(
        self, number: int, capacity: int | None = None, *, deadline_ns: int | None = None
    ) -> Message:
        """Take the first message, waiting for one.

        Parameters
        ----------
        capacity : bytes that the receiver has room for; None: any
        deadline_ns : virtual time at which to give up

        Raises
        ------
        SysError(EINVAL), SysError(ENOENT) : no such port
        SysError(EMSGSIZE) : the message is longer than `capacity`; it stays
        SysError(EIDRM) : the port was closed meanwhile
        SysError(ETIMEDOUT) : the deadline passed
        Interrupted : a signal came first; no message was taken
        """
        room = self.limits.message_size if capacity is None else capacity
        message = await self.get(number).get(room, deadline_ns)
        if message is None:
            raise SysError(Errno.ETIMEDOUT)
        self._note_received(number)
        return message

    def try_receive(self, number: int, capacity: int | None = None) -> Message | None:
        """Take the first message; None: there is none.

        Raises
        ------
        SysError(EINVAL), SysError(ENOENT) : no such port
        SysError(EMSGSIZE) : the message is longer than `capacity`; it stays
        """
        room = self.limits.message_size if capacity is None else capacity
        message = self.get(number).try_get(room)
        if message is not None:
            self._note_received(number)
        return message

    def _note_received(self, number: int) -> None:
        self._counters.ipc_recvs += 1
        if self.observer is not None:
            self.observer.received(number)

    def statistics(self) -> list[PortStatistics]:
        """Return the figures of all ports, by number."""
        return [self._ports[number].statistics for number in sorted(self._ports)]

    def _check_number(self, number: int) -> None:
        if not 0 <= number < self.limits.ports:
            raise SysError(Errno.EINVAL, f"port {number}, expected 0 to {self.limits.ports - 1}")


def _check_fits(message: Message, capacity: int) -> None:
    if len(message.data) > capacity:
        raise SysError(Errno.EMSGSIZE, f"{len(message.data)} bytes, room for {capacity}")
