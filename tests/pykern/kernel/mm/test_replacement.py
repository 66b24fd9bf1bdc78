"""MIC-05, MIC-10: who loses a page."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import run_state_machine_as_test

from pykern.kernel.mm.replacement import (
    BASELINE,
    REPLACEMENTS,
    FirstIn,
    LastIn,
    LeastRecentlyUsed,
    Optimal,
    Replacement,
    count_faults,
)
from tests.contracts.implementations import implementations
from tests.contracts.replacement import TRACES, Pages, check_faults

BELADY = (1, 2, 3, 4, 1, 2, 5, 1, 2, 3, 4, 5)
SILBERSCHATZ = (7, 0, 1, 2, 0, 3, 0, 4, 2, 3, 0, 3, 2, 1, 2, 0, 1, 7, 0, 1)


MAKERS = {name: lambda _trace, make=make: make() for name, make in REPLACEMENTS.items()}
MAKERS["optimal"] = Optimal


@pytest.mark.parametrize("name", REPLACEMENTS.names())
def test_no_page_is_lost_or_made_up(name):
    """MIC-05: whatever happens in whatever order."""
    machine = type(f"Pages_{name}", (Pages,), {"make": lambda _self: REPLACEMENTS.get(name)()})
    run_state_machine_as_test(machine, settings=settings(max_examples=20, stateful_step_count=40))


def test_every_policy_is_tested():
    """A class that is a policy is registered, but for the one that has to know the future."""
    assert implementations(Replacement) == {*REPLACEMENTS, Optimal}


@pytest.mark.parametrize("name", MAKERS)
@given(trace=TRACES, frames=st.integers(1, 8))
def test_faults_lie_between_what_is_possible(name, trace, frames):
    """MIC-05: never better than the optimal policy, never worse than a fault each time."""
    check_faults(MAKERS[name], trace, frames)


@pytest.mark.parametrize(
    ("policy", "trace", "frames", "faults"),
    [
        # Belady's own string: with first in, first out more frames can be worse.
        (lambda _t: FirstIn(), BELADY, 3, 9),
        (lambda _t: FirstIn(), BELADY, 4, 10),
        (lambda _t: LeastRecentlyUsed(), BELADY, 3, 10),
        (lambda _t: LeastRecentlyUsed(), BELADY, 4, 8),
        (Optimal, BELADY, 3, 7),
        (Optimal, BELADY, 4, 6),
        # The string of Silberschatz, Operating System Concepts, Page Replacement.
        (lambda _t: FirstIn(), SILBERSCHATZ, 3, 15),
        (Optimal, SILBERSCHATZ, 3, 9),
        (lambda _t: LeastRecentlyUsed(), SILBERSCHATZ, 3, 12),
    ],
)
def test_the_textbooks_count_the_same(policy, trace, frames, faults):
    """MIC-05: published numbers of faults."""
    assert count_faults(policy(trace), trace, frames) == faults


@given(trace=TRACES, frames=st.integers(1, 7))
def test_more_frames_never_hurt_a_stack_algorithm(trace, frames):
    """MIC-05: LRU and the optimal policy have no anomaly as first in, first out has."""
    for make in (lambda: LeastRecentlyUsed(), lambda: Optimal(trace)):
        assert count_faults(make(), trace, frames + 1) <= count_faults(make(), trace, frames)


def test_least_recently_used_is_what_it_says():
    policy = LeastRecentlyUsed()
    for page in "abc":
        policy.admit(page)
    policy.touch("a")
    assert [policy.victim() for _ in range(3)] == ["b", "c", "a"]


def test_the_clock_gives_a_second_chance_once():
    policy = REPLACEMENTS.get("clock")()
    for page in "abc":
        policy.admit(page)
    policy.touch("a")
    assert [policy.victim() for _ in range(3)] == ["b", "c", "a"]
    policy.admit("d")
    policy.touch("d")
    assert policy.victim() == "d"


def working_set_trace(references=20_000, pages=128, hot=24, phase=1000):
    """Return references as programs make them: few pages most of the time, others in each phase."""
    numbers, first, trace = random.Random(5), 0, []
    for time in range(references):
        if time % phase == 0:
            first = numbers.randrange(pages)
        near = (first + numbers.randrange(hot)) % pages
        trace.append(near if numbers.randrange(16) else numbers.randrange(pages))
    return trace


def test_replacement_by_use_pays():
    """MIC-05: at least 37 % fewer faults than without replacement; the order of the policies."""
    trace = working_set_trace()
    faults = {name: count_faults(make(), trace, 48) for name, make in REPLACEMENTS.items()}
    faults["optimal"] = count_faults(Optimal(trace), trace, 48)
    assert faults["lru"] <= 0.63 * faults[BASELINE]
    assert faults["optimal"] < faults["lru"] < faults["fifo"] < faults[BASELINE]
    assert faults["clock"] == pytest.approx(faults["lru"], rel=0.05)
    assert faults["lru"] < faults["random"] < faults[BASELINE]
    assert isinstance(REPLACEMENTS.get(BASELINE)(), LastIn)
