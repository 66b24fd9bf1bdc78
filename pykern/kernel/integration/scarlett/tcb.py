"""A thread as Scarlett OS describes one (SCA-14)."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from pykern.kernel.sched import State

if TYPE_CHECKING:
    from pykern.kernel.task.thread import Thread
    from pykern_c.context import Context

NAME_SIZE = 32


class ThreadState(Enum):
    """The four states of Scarlett OS."""

    READY = "ready"
    RUNNING = "running"
    BLOCKED = "blocked"
    DEAD = "dead"


_STATES = {
    State.NEW: ThreadState.READY,
    State.RUNNABLE: ThreadState.READY,
    State.RUNNING: ThreadState.RUNNING,
    State.ZOMBIE: ThreadState.DEAD,
}


class Tcb(NamedTuple):
    """A thread control block.

    Attributes
    ----------
    name : at most 31 bytes
    cpu_context : its registers while it does not run
    kernel_stack : lowest address and size in bytes; (0, 0) once it is dead
    cpu_time : ns it has run
    """

    tid: int
    name: str
    state: ThreadState
    priority: int
    cpu_context: Context
    kernel_stack: tuple[int, int]
    cpu_time: int


def tcb(thread: Thread) -> Tcb:
    """Return the control block of a thread."""
    stack = thread.stack
    name = thread.name.encode()[: NAME_SIZE - 1].decode("utf-8", "ignore")
    return Tcb(
        thread.tid,
        name,
        _STATES.get(thread.state, ThreadState.BLOCKED),
        thread.priority,
        thread.context,
        (0, 0) if stack is None else (stack.bottom, stack.size),
        thread.cpu_ns,
    )
