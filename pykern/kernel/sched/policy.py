"""What a scheduling policy is: which of the threads of one CPU runs next, and for how long."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Protocol, TypeAlias

from pykern.kernel.core.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pykern.kernel.sched.schedulable import Schedulable

__all__ = ["POLICIES", "Policy", "PolicyFactory", "Reason"]


class Reason(Enum):
    """Why a thread is put on a run queue."""

    NEW = "new"
    WAKEUP = "wake-up"
    PREEMPTED = "preempted"  # it was running on this CPU; its slice may have ended or not
    YIELD = "yield"
    MIGRATED = "migrated"
    CHANGED = "changed"  # it was on this queue; its priority is another now


class Policy(Protocol):
    """The order of one CPU's runnable threads.

    A thread belongs to the policy from `enqueue` until `dequeue`; while it runs it is not queued
    but belongs all the same. The words are those of Linux's sched_class.
    """

    def enqueue(self, thread: Schedulable, reason: Reason, /) -> None:
        """Queue a thread that is not queued.

        Raises
        ------
        ValueError : its priority is none that this policy has
        """

    def dequeue(self, thread: Schedulable, /) -> None:
        """Let go of a thread, queued or running: it sleeps, ends, moves or changes."""

    def pick_next(self) -> Schedulable | None:
        """Take the thread that is to run off the queue."""

    def set_next(self, thread: Schedulable, /) -> None:
        """Take one queued thread off the queue because it is the one that runs."""

    def charge(self, thread: Schedulable, ran_ns: int, /) -> None:
        """Account `ran_ns` of CPU time to the running thread."""

    def tick(self, current: Schedulable, /) -> bool:
        """Return whether the running thread has to make room, at a timer tick."""

    def preempts(self, woken: Schedulable, current: Schedulable, /) -> bool:
        """Return whether a thread just queued is to replace the running one at once."""

    def rank(self, thread: Schedulable, /) -> int:
        """Return 0 or more: who has more goes first wherever both are. For the choice of a CPU."""

    def __len__(self) -> int:
        """Return how many threads are queued."""

    def __iter__(self) -> Iterator[Schedulable]:
        """Return the queued threads, roughly those first that would run first."""

    def __reversed__(self) -> Iterator[Schedulable]:
        """Return the queued threads, roughly those first that would run last."""


PolicyFactory: TypeAlias = "Callable[[], Policy]"

POLICIES: Registry[PolicyFactory] = Registry("scheduler policy")
