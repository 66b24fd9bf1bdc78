"""Scarlett's priorities (SCA-05, SCA-06)."""

from __future__ import annotations

import random

import pytest

from pykern.kernel.sched.policies.priority128 import Band, Priority128
from tests.pykern.kernel.sched.policies.test_levels import filled, order


@pytest.mark.parametrize(
    ("first", "last", "band"),
    [
        (0, 0, Band.IDLE),
        (1, 31, Band.LOW),
        (32, 95, Band.NORMAL),
        (96, 126, Band.HIGH),
        (127, 127, Band.REALTIME),
    ],
)
def test_bands(first, last, band):
    """SCA-06."""
    assert {Band.of(priority) for priority in range(first, last + 1)} == {band}
    assert Band.NORMAL == 64


@pytest.mark.parametrize("priority", [-1, 128])
def test_there_are_128(priority):
    with pytest.raises(ValueError, match=f"priority {priority}, expected 0 to 127"):
        Band.of(priority)
    with pytest.raises(ValueError, match=f"priority {priority}, expected 0 to 127"):
        filled(Priority128(), priority)


def test_all_of_them_are_told_apart():
    priorities = list(range(128))
    random.Random(1).shuffle(priorities)
    policy = Priority128()
    filled(policy, *priorities)
    assert [priorities[tid] for tid in order(policy)] == list(range(127, -1, -1))
