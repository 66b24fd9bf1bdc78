"""Mailboxes: one queue of messages for each task, which is addressed by its pid.

References
----------
The microkernel's feature list, MIC-09: send(pid, buf, len), recv(buf, len), at most 256 bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.ipc.port import Message, Port

if TYPE_CHECKING:
    from pykern.kernel.ipc.port import IpcCounters, PortLimits, PortObserver

__all__ = ["Mailboxes"]


class Mailboxes:
    """The mailboxes of all tasks; each is made when it is first used.

    Parameters
    ----------
    limits : messages in one queue, bytes in one message
    counters : where sends and receives are counted

    Attributes
    ----------
    observer : hears of every message, by the task that it is for; None: nobody does
    """

    def __init__(self, limits: PortLimits, counters: IpcCounters) -> None:
        self.limits = limits
        self._counters = counters
        self.observer: PortObserver | None = None
        self._boxes: dict[int, Port] = {}

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._boxes)

    def check_size(self, size: int) -> None:
        """Refuse a message that is too long.

        Raises
        ------
        SysError(EMSGSIZE) : it is
        """
        if size > self.limits.message_size:
            raise SysError(Errno.EMSGSIZE, f"{size} bytes, at most {self.limits.message_size}")

    def send(self, pid: int, data: bytes, *, sender: int = 0) -> None:
        """Send to a task without blocking. Precondition: there is such a task.

        Raises
        ------
        SysError(EMSGSIZE) : more bytes than a message may have
        SysError(EAGAIN) : the queue is full
        """
        self.check_size(len(data))
        if not self._box(pid).put(Message(sender, bytes(data))):
            self._counters.ipc_queue_full += 1
            raise SysError(Errno.EAGAIN, f"task {pid} has {self.limits.messages} messages")
        self._counters.ipc_sends += 1
        if self.observer is not None:
            self.observer.sent(pid, len(data))

    async def receive(self, pid: int, capacity: int | None = None) -> Message:
        """Take a task's first message, waiting for one.

        Parameters
        ----------
        capacity : bytes that there is room for; None: any

        Raises
        ------
        SysError(EMSGSIZE) : the message is longer than `capacity`; it stays
        Interrupted : a signal came first; no message was taken
        """
        room = self.limits.message_size if capacity is None else capacity
        message = await self._box(pid).get(room)
        assert message is not None  # there is no deadline
        self._counters.ipc_recvs += 1
        if self.observer is not None:
            self.observer.received(pid)
        return message

    def release(self, pid: int) -> None:
        """Drop what a task that ends has not received."""
        box = self._boxes.pop(pid, None)
        if box is not None:
            box.close()
            if self.observer is not None:
                self.observer.closed(pid)

    def _box(self, pid: int) -> Port:
        if pid not in self._boxes:
            self._boxes[pid] = Port(pid, self.limits.messages, pid)
        return self._boxes[pid]
