"""Which CPU a thread that becomes runnable goes to."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pykern.kernel.sched.run_queue import RunQueue
    from pykern.kernel.sched.run_queues import RunQueues
    from pykern.kernel.sched.schedulable import Schedulable

__all__ = ["select_cpu"]


def select_cpu(run_queues: RunQueues, thread: Schedulable) -> int:
    """Choose a CPU that is on line and that the thread's affinity allows.

    In this order: its last one where idle, since its data may be in that cache; any idle one; one
    that runs something less urgent; the one with the least to do, its last one among equals.

    Raises
    ------
    ValueError : there is none
    """
    allowed = thread.affinity & run_queues.online
    if not allowed:
        raise ValueError(
            f"thread {thread.tid} may run on {thread.affinity:#x}, on line are"
            f" {run_queues.online:#x}"
        )
    last = thread.cpu
    idle = allowed & run_queues.idle
    if idle:
        return last if last >= 0 and idle >> last & 1 else lowest_bit(idle)
    if not allowed & (allowed - 1):
        return lowest_bit(allowed)
    rank = run_queues.queues[0].policy.rank(thread)
    if rank:  # most have none: they go before nobody
        for rq in _in_order(run_queues, allowed, last):
            if rq.current is not None and rank > rq.policy.rank(rq.current):
                return rq.cpu
    least = run_queues.least_loaded(allowed)
    return last if last >= 0 and least >> last & 1 else lowest_bit(least)


def _in_order(run_queues: RunQueues, allowed: int, last: int) -> Iterator[RunQueue]:
    """Yield the allowed queues, the last one used first."""
    queues = run_queues.queues
    if last >= 0 and allowed >> last & 1:
        yield queues[last]
        allowed ^= 1 << last
    while allowed:
        cpu = lowest_bit(allowed)
        yield queues[cpu]
        allowed &= allowed - 1


def lowest_bit(mask: int) -> int:
    """Return the number of the lowest bit that is set in a mask that is not 0."""
    return (mask & -mask).bit_length() - 1
