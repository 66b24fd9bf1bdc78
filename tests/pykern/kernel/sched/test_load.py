"""Load averages against their definition."""

from __future__ import annotations

import math

import pytest

from pykern.kernel.sched import POLICIES
from pykern.kernel.sched.load import SAMPLE_NS, LoadAverage
from tests.pykern.kernel.sched.simulation import MS, TICK_NS, Simulation


@pytest.mark.parametrize("minutes", [1, 7, 30])
def test_averages_decay_exponentially(minutes):
    load = LoadAverage(0)
    load.sample(minutes * 60 * 10**9, 0)
    assert load.averages == (0, 0, 0)
    start = load.due_ns - SAMPLE_NS
    for at in range(start, start + minutes * 60 * 10**9, SAMPLE_NS):
        load.sample(at + SAMPLE_NS, 4)
    for average, span in zip(load.averages, (1, 5, 15), strict=True):
        assert average == pytest.approx(4 * (1 - math.exp(-minutes / span)), abs=0.05)


def test_a_steady_load_is_shown_in_full_and_none_as_none():
    load = LoadAverage(0)
    for number in range(3000):
        load.sample(number * SAMPLE_NS, 1)
    assert load.averages == (1, 1, 1)
    load.sample(6000 * SAMPLE_NS, 0)
    assert load.averages == (0, 0, 0)


def test_samples_missed_are_those_of_an_idle_machine():
    load = LoadAverage(0)
    load.sample(100 * SAMPLE_NS, 1)
    assert load.averages[0] == pytest.approx(1 - math.exp(-5 / 60), abs=0.01)


def test_the_scheduler_takes_its_samples():
    sim = Simulation(POLICIES.get("rr"), 2, quantum_ns=TICK_NS)
    for _ in range(3):
        sim.spawn()
    sim.run(20_000 * MS)
    assert sim.scheduler.active == 3
    assert sim.scheduler.load.averages[0] == pytest.approx(3 * (1 - math.exp(-20 / 60)), abs=0.02)
