"""Pacing, with a wall clock that the test moves."""

from __future__ import annotations

import pytest

from pykern.cli.host_clock import HostPacer


def test_lead_is_virtual_minus_wall_time():
    wall = 5_000_000_000
    pacer = HostPacer(lambda: wall)
    assert pacer.lead(0) == 0
    assert pacer.lead(10_000_000) == pytest.approx(0.01)
    wall += 4_000_000
    assert pacer.lead(10_000_000) == pytest.approx(0.006)


def test_time_that_was_lost_is_not_made_up_for():
    wall = 0
    pacer = HostPacer(lambda: wall)
    wall = 3_000_000_000
    assert pacer.lead(1_000_000_000) == 0
    assert pacer.lead(1_500_000_000) == pytest.approx(0.5)
