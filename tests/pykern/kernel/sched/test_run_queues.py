"""Threads come on and off queues, and each CPU is told once."""

from __future__ import annotations

import pytest

from pykern.kernel.core.bug import KernelBug
from pykern.kernel.sched import POLICIES, Metrics, Reason, State
from pykern.kernel.sched.run_queues import RunQueues
from tests.contracts.policy import Thread
from tests.virtual_time import VirtualClock


@pytest.fixture
def queues() -> RunQueues:
    return RunQueues(3, POLICIES.get("rr"), VirtualClock(), Metrics(), None, None)


def test_masks_follow_the_queues(queues):
    thread = Thread(1)
    queues.enqueue(thread, 1, Reason.NEW)
    assert (queues.idle, queues.waiting, queues.active) == (0b101, 0b010, 1)
    queues.migrate(thread, 2)
    assert (queues.waiting, thread.cpu) == (0b100, 2)
    queues.take_off(thread)
    assert (queues.waiting, queues.active) == (0, 0)


def test_loads_are_counted(queues):
    for tid, cpu in enumerate((0, 1, 1, 2, 2, 2), 1):
        queues.enqueue(Thread(tid), cpu, Reason.NEW)
    assert [rq.load for rq in queues.queues] == [1, 2, 3]
    assert [queues.least_loaded(mask) for mask in (0b111, 0b110, 0b100)] == [1, 2, 4]
    queues.migrate(next(iter(queues.queues[2].policy)), 0)
    assert queues.least_loaded(0b111) == 0b111
    assert queues.active == 6


def test_a_first_queue_is_no_migration(queues):
    thread = Thread(1)
    queues.enqueue(thread, 0, Reason.NEW)
    assert queues.metrics.migrations == 0
    queues.migrate(thread, 2)
    assert queues.metrics.migrations == thread.migrations == queues.metrics.cpus[2].migrations == 1


def test_a_cpu_is_interrupted_once_until_it_has_looked(queues):
    told: list[int] = []
    queues.on_resched_ipi = told.append
    for cpu in (0, 1, 1, 2, 1):
        queues.resched(queues.queues[cpu])
    assert told == [1, 2]
    assert queues.metrics.resched_ipis == 2


def test_times_of_states(queues):
    thread = Thread(1)
    for state, ns in (
        (State.RUNNABLE, 5),
        (State.RUNNING, 7),
        (State.BLOCKED, 11),
        (State.RUNNABLE, 13),
        (State.RUNNING, 0),
    ):
        queues.transition(thread, state, queues.clock.now_ns)
        queues.clock.advance(ns)
    assert (thread.wait_ns, thread.sleep_ns, thread.slept_ns) == (18, 11, 11)
    with pytest.raises(KernelBug, match=r"thread 1 \(t1\): RUNNING → NEW"):
        queues.transition(thread, State.NEW, 0)
