"""Everybody in turn."""

from __future__ import annotations

from pykern.kernel.sched.policies.round_robin import RoundRobin
from tests.pykern.kernel.sched.policies.test_levels import filled, order


def test_priorities_do_not_count():
    """MIC-01."""
    policy = RoundRobin()
    filled(policy, 3, 99, -7)
    assert order(policy) == [0, 1, 2]
