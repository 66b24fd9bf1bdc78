"""What happens to processes and threads: the events that a stop may be about.

A target puts one into `Stop.event`. gdb is told only of those it has asked for, or says it knows.

References
----------
Debugging with GDB, Stop Reply Packets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from gdbstub.target import ThreadId


@dataclass(frozen=True)
class Forked:
    """A process has made another one.

    Attributes
    ----------
    child : its first thread
    shares_memory : until it executes a program or ends, and the parent waits for that (vfork)
    """

    child: ThreadId
    shares_memory: bool = False


@dataclass(frozen=True)
class VforkDone:
    """The child of a vfork has its own memory, or none any more."""


@dataclass(frozen=True)
class Executed:
    """A process executes another program.

    Attributes
    ----------
    path : its absolute name
    """

    path: str


@dataclass(frozen=True)
class ThreadCreated:
    """The thread is new."""


@dataclass(frozen=True)
class SystemCall:
    """A thread has entered a system call, or is about to return from it."""

    number: int
    returns: bool = False


Event = Forked | VforkDone | Executed | ThreadCreated | SystemCall


def words(event: Event, thread_text: Callable[[ThreadId], bytes]) -> bytes:
    """Return the part of a stop reply that tells of an event."""
    match event:
        case Forked(child, shares_memory):
            return (b"vfork:" if shares_memory else b"fork:") + thread_text(child)
        case VforkDone():
            return b"vforkdone:"
        case Executed(path):
            return b"exec:" + path.encode().hex().encode()
        case ThreadCreated():
            return b"create:"
        case SystemCall(number, returns):
            return b"%b:%x" % (b"syscall_return" if returns else b"syscall_entry", number)
