"""Priority levels with a bitmap: round robin (MIC-01), three levels (MEL-11), 128 (SCA-06)."""

from __future__ import annotations

from itertools import starmap

import pytest

from pykern.kernel.sched import Reason
from pykern.kernel.sched.policies.levels import SLICE_NS, LevelPolicy
from tests.contracts.policy import Thread


def filled(policy, *priorities: int):
    threads = list(starmap(Thread, enumerate(priorities)))
    for thread in threads:
        policy.enqueue(thread, Reason.NEW)
    return threads


def order(policy) -> list[int]:
    return [thread.tid for thread in iter(policy.pick_next, None)]


def test_the_highest_level_goes_first_and_in_order_of_arrival():
    policy = LevelPolicy(5)
    filled(policy, 1, 4, 0, 4, 1)
    assert [thread.tid for thread in policy] == [1, 3, 0, 4, 2]
    assert [thread.tid for thread in reversed(policy)] == [2, 4, 0, 3, 1]
    assert order(policy) == [1, 3, 0, 4, 2]


@pytest.mark.parametrize("priority", [-1, 5])
def test_a_level_that_is_not_there_is_refused_and_nothing_is_queued(priority):
    policy = LevelPolicy(5)
    with pytest.raises(ValueError, match=f"priority {priority}, expected 0 to 4"):
        filled(policy, priority)
    assert len(policy) == 0
    assert policy.pick_next() is None


def test_a_slice_may_end_half_a_tick_early_and_the_rest_is_carried_over():
    policy = LevelPolicy(1)
    first, _ = filled(policy, 0, 0)
    assert policy.pick_next() is first
    policy.charge(first, 7_000_000)
    assert policy.tick(first)
    policy.enqueue(first, Reason.PREEMPTED)
    assert first.slice_ns == SLICE_NS + 3_000_000


def test_time_overdrawn_is_paid_back_up_to_a_slice():
    policy = LevelPolicy(1)
    first, _ = filled(policy, 0, 0)
    policy.pick_next()
    policy.charge(first, 500_000_000)
    policy.enqueue(first, Reason.PREEMPTED)
    assert first.slice_ns == 0


def test_a_slice_is_renewed_where_nobody_waits():
    policy = LevelPolicy(2)
    high, _low = filled(policy, 1, 0)
    policy.pick_next()
    policy.charge(high, SLICE_NS)
    assert not policy.tick(high)
    assert high.slice_ns == SLICE_NS


def test_somebody_more_urgent_ends_a_slice_at_the_tick():
    policy = LevelPolicy(2)
    (low,) = filled(policy, 0)
    policy.pick_next()
    filled(policy, 1)
    assert policy.tick(low)
