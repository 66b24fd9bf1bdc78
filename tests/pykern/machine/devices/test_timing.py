"""Oscillators and timers in integers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pykern.machine.devices.timing import NS_PER_S, Oscillator, Timer
from tests.pykern.machine.fake_machine import FakeEvents


@given(st.sampled_from((1_193_182, 3_579_545, 32_768, 100_000_000)), st.integers(0, 1 << 60))
def test_a_deadline_is_the_first_nanosecond_of_its_tick(hz: int, tick: int) -> None:
    events = FakeEvents()
    clock = Oscillator(events, hz)
    deadline = clock.deadline(tick)
    events.now = deadline
    assert clock.ticks == tick
    if tick:
        events.now = deadline - 1
        assert clock.ticks == tick - 1


@pytest.mark.parametrize("hz", [1_193_182, 3_579_545, 32_768])
def test_a_second_has_exactly_so_many_ticks(hz: int) -> None:
    events = FakeEvents()
    events.now = 86_400 * NS_PER_S
    assert Oscillator(events, hz).ticks == 86_400 * hz


def test_a_timer_has_one_deadline_that_moves() -> None:
    events = FakeEvents()
    fired: list[int] = []
    timer = Timer(events, lambda: fired.append(events.now))
    timer.set(100)
    timer.set(50)
    assert events.pending == [50]
    events.advance(200)
    assert fired == [50]
    assert not timer.pending


def test_setting_the_same_deadline_keeps_its_place_in_the_queue() -> None:
    events = FakeEvents()
    order: list[str] = []
    timer = Timer(events, lambda: order.append("timer"))
    timer.set(10)
    events.at(10, lambda: order.append("other"))
    timer.set(10)
    events.advance(10)
    assert order == ["timer", "other"]


def test_a_timer_may_be_set_again_from_its_callback() -> None:
    events = FakeEvents()
    fired: list[int] = []

    def again() -> None:
        fired.append(events.now)
        timer.set(events.now + 10)

    timer = Timer(events, again)
    timer.set(10)
    events.advance(35)
    assert fired == [10, 20, 30]


def test_never_and_beyond_the_clock_are_no_events() -> None:
    events = FakeEvents()
    timer = Timer(events, lambda: None)
    timer.set(5)
    timer.set(None)
    timer.set(1 << 64)
    assert events.pending == []


def test_a_loaded_timer_takes_its_old_place_among_equals() -> None:
    events = FakeEvents()
    order: list[str] = []
    timer = Timer(events, lambda: order.append("timer"))
    timer.set(10)
    state = timer.save()
    timer.set(None)
    events.at(10, lambda: order.append("other"))
    timer.load(state)
    assert timer.save() == state
    events.advance(10)
    assert order == ["timer", "other"]
    assert timer.save() == {}
