"""Virtual time, as the tests' own clock keeps it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.kernel.core.clock import NS_PER_MS, NS_PER_S, NS_PER_US
from tests.virtual_time import VirtualClock

if TYPE_CHECKING:
    from pykern.kernel.core.clock import Clock


def test_units():
    assert NS_PER_S == 1000 * NS_PER_MS == 1000 * 1000 * NS_PER_US == 10**9


def test_calls_come_in_order_of_time_then_of_asking():
    clock = VirtualClock()
    same: Clock = clock
    seen: list[tuple[str, int]] = []
    for name, deadline_ns in (("b", 20), ("a", 10), ("c", 20), ("late", 5)):
        same.at(deadline_ns, lambda name=name: seen.append((name, clock.now_ns)))
    clock.advance(100)
    assert seen == [("late", 5), ("a", 10), ("b", 20), ("c", 20)]
    assert clock.now_ns == 100


def test_a_cancelled_call_is_not_made():
    clock = VirtualClock()
    timer = clock.at(10, lambda: pytest_fail())
    timer.cancel()
    timer.cancel()
    clock.advance(100)
    assert clock.pending == 0


def pytest_fail() -> None:
    raise AssertionError("called")
