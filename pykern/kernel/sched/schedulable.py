"""What the scheduler knows of a thread, and the states it may be in.

            add              pick_next
    NEW ----------> RUNNABLE ---------> RUNNING ------> ZOMBIE
                      ^  ^                | | |   exit
                      |  +----------------+ | |
                      |    preempt, yield   | | block
                      |                     v v
                      +------ SLEEPING, BLOCKED, STOPPED
                        wake

A thread that is destroyed where it stands goes from any state to ZOMBIE.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NoReturn, Protocol

from pykern.kernel.core.bug import KernelBug

__all__ = ["ANY_CPU", "LEGAL", "SchedClass", "Schedulable", "State", "refuse_transition"]

ANY_CPU = -1
"""The affinity mask in which every bit is set."""


class State(IntEnum):
    """Where a thread is in its life."""

    NEW = 0
    RUNNABLE = 1
    RUNNING = 2
    SLEEPING = 3  # until a time
    BLOCKED = 4  # until something happens
    STOPPED = 5  # by job control
    ZOMBIE = 6


_TO_ZOMBIE = 1 << State.ZOMBIE
_TO_RUNNABLE = 1 << State.RUNNABLE | _TO_ZOMBIE

LEGAL = (
    _TO_RUNNABLE,
    1 << State.RUNNING | _TO_ZOMBIE,
    _TO_RUNNABLE | 1 << State.SLEEPING | 1 << State.BLOCKED | 1 << State.STOPPED,
    _TO_RUNNABLE,
    _TO_RUNNABLE,
    _TO_RUNNABLE,
    0,
)
"""By state: the set of states that may follow, as a bit mask."""


class SchedClass(IntEnum):
    """The scheduling policy of one thread, as sched_setscheduler(2) numbers it.

    References
    ----------
    Linux include/uapi/linux/sched.h; POSIX.1-2017, Scheduling Policies.
    """

    OTHER = 0
    FIFO = 1
    RR = 2
    BATCH = 3
    IDLE = 5


class Schedulable(Protocol):
    """A thread, as far as it is scheduled; `task.Thread` inherits from it.

    Attributes
    ----------
    tid : unique identifier
    name : for people
    priority : on the policy's own scale; higher is more urgent
    nice : -20 (most urgent) to 19, for the fair policy
    sched_class : real-time or not, for policies that have both
    rt_priority : 1 to 99, higher is more urgent, for real-time classes
    affinity : bit n is set where the thread may run on CPU n

    Notes
    -----
    The rest belongs to the scheduler: `state` and `cpu` (the one it runs on, or last ran on; -1
    before the first), `since_ns` (when it entered its state), the times spent running, runnable and
    asleep, `slept_ns` (its last sleep), how often it was put on a CPU, taken off against its will
    and moved, and `rotated_at`, how often it had been put on a CPU when it last went round.
    `level`, `slice_ns` and `vruntime` belong to its policy.
    """

    tid: int
    name: str
    priority: int = 0
    nice: int = 0
    sched_class: SchedClass = SchedClass.OTHER
    rt_priority: int = 0
    affinity: int = ANY_CPU

    state: State = State.NEW
    cpu: int = -1
    since_ns: int = 0
    cpu_ns: int = 0
    wait_ns: int = 0
    sleep_ns: int = 0
    slept_ns: int = 0
    switches: int = 0
    preemptions: int = 0
    migrations: int = 0
    rotated_at: int = -1

    level: int = 0
    slice_ns: int = 0
    vruntime: int = 0


def refuse_transition(thread: Schedulable, new: State) -> NoReturn:
    """Report a change of state that the picture above does not have.

    Raises
    ------
    KernelBug : names the thread and both states
    """
    raise KernelBug(f"thread {thread.tid} ({thread.name}): {thread.state.name} → {new.name}")
