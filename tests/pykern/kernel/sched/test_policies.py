"""Every registered policy keeps the contract."""

from __future__ import annotations

import pytest

from pykern.kernel.sched import POLICIES
from tests.contracts.policy import SLICE_NS, PolicyContract


def test_the_registry_lists_them():
    """MEL-11, MEL-54, SCA-05, RMP-10, MYR-16, MIC-01: one policy for each."""
    expected = {"cooperative", "fair", "mlfq", "priority3", "priority128", "realtime", "rr"}
    assert set(POLICIES.names()) == expected


class _Registered(PolicyContract):
    name = ""

    @pytest.fixture
    def factory(self):
        return POLICIES.get(self.name)


class TestRoundRobin(_Registered):
    name = "rr"


class TestPriority3(_Registered):
    name = "priority3"


class TestPriority128(_Registered):
    name = "priority128"


class TestMultilevelFeedback(_Registered):
    name = "mlfq"
    # Slices are up to 40 ms here, and each of the four seconds begins with a boost, which cuts a
    # round short.
    unfairness_ns = 4 * 4 * SLICE_NS


class TestFair(_Registered):
    name = "fair"


class TestRealTime(_Registered):
    name = "realtime"


class TestCooperative(_Registered):
    name = "cooperative"
    preemptive = False


def test_every_policy_is_tested_here():
    tested = {kind.name for kind in _Registered.__subclasses__()}
    assert tested == set(POLICIES.names())
