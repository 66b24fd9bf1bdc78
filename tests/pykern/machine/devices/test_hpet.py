"""HPET against IA-PC HPET Specification 1.0a."""

from __future__ import annotations

import pytest

from pykern.machine.devices.hpet import Hpet
from pykern.machine.irq import IrqLine
from tests.pykern.machine.fake_machine import FakeEvents, Recorder

CONFIG, STATUS, COUNTER, T0, T1 = 0x10, 0x20, 0xF0, 0x100, 0x120
COMPARATOR = 8
LEVEL, ENABLE, PERIODIC, SET, BITS32 = 0x02, 0x04, 0x08, 0x40, 0x100
ROUTE20 = 20 << 9


class Bench:
    def __init__(self) -> None:
        self.events = FakeEvents()
        self.irq0, self.irq8, self.legacy = IrqLine(), IrqLine(), IrqLine()
        self.routes = {gsi: IrqLine() for gsi in (20, 21)}
        self.hpet = Hpet(
            self.events, irq0=self.irq0, irq8=self.irq8, routes=self.routes, legacy=self.legacy
        )
        self.on20 = Recorder(self.events, self.routes[20])

    def __getitem__(self, offset: int) -> int:
        return self.hpet.read(offset, 8)

    def __setitem__(self, offset: int, value: int) -> None:
        self.hpet.write(offset, 8, value)


@pytest.fixture
def it() -> Bench:
    return Bench()


def test_capabilities(it: Bench) -> None:
    value = it[0]
    assert value >> 32 == 10_000_000, "10 ns in femtoseconds"
    assert value >> 16 & 0xFFFF == 0x8086
    assert value & 0xFFFF == 0xA201, "legacy, 64-bit, three timers, revision 1"
    assert it[T0] >> 32 == 3 << 20
    assert it[T0] & 0x30 == 0x30


def test_counter_runs_only_while_enabled(it: Bench) -> None:
    it.events.advance(1000)
    assert it[COUNTER] == 0
    it[CONFIG] = 1
    it.events.advance(1005)
    assert it[COUNTER] == 100
    it[CONFIG] = 0
    it.events.advance(1000)
    assert it[COUNTER] == 100
    it[COUNTER] = 5
    it[CONFIG] = 1
    it.events.advance(10)
    assert it[COUNTER] == 6


def test_counter_in_halves(it: Bench) -> None:
    it.hpet.write(COUNTER, 4, 0xFFFF_FFFF)
    it.hpet.write(COUNTER + 4, 4, 1)
    it[CONFIG] = 1
    it.events.advance(10)
    assert it.hpet.read(COUNTER, 4) == 0
    assert it.hpet.read(COUNTER + 4, 4) == 2


def test_one_shot_edge(it: Bench) -> None:
    it[T0] = ENABLE | ROUTE20
    it[T0 + COMPARATOR] = 100
    it[CONFIG] = 1
    it.events.advance(10**9)
    assert it.on20.rises == [1000]
    assert it[STATUS] == 0


def test_one_shot_behind_the_counter_waits_for_the_wrap(it: Bench) -> None:
    it[CONFIG] = 1
    it.events.advance(1000)
    it[T0] = ENABLE | ROUTE20 | BITS32
    it[T0 + COMPARATOR] = 50
    it.events.advance(60 * 10**9)
    assert it.on20.rises == [(50 + (1 << 32)) * 10]


def test_level_interrupt_until_cleared(it: Bench) -> None:
    it[T0] = ENABLE | LEVEL | ROUTE20
    it[T0 + COMPARATOR] = 100
    it[CONFIG] = 1
    it.events.advance(5000)
    assert it.routes[20].level
    assert it[STATUS] == 1
    it[STATUS] = 1
    assert not it.routes[20].level
    assert it[STATUS] == 0


def test_periodic_as_linux_programs_it(it: Bench) -> None:
    it[CONFIG] = 1
    it.events.advance(1000)
    it[T0] = ENABLE | PERIODIC | SET | BITS32 | ROUTE20
    it.hpet.write(T0 + COMPARATOR, 4, it[COUNTER] + 500)
    assert not it[T0] & SET
    it.hpet.write(T0 + COMPARATOR, 4, 300)
    it.events.advance_to(1000 + 5000 + 3 * 3000)
    assert it.on20.rises == [6000, 9000, 12000, 15000]
    assert it[T0 + COMPARATOR] == 1800


def test_periodic_with_one_write(it: Bench) -> None:
    it[T0] = ENABLE | PERIODIC | SET | ROUTE20
    it[T0 + COMPARATOR] = 200
    it[CONFIG] = 1
    it.events.advance(6000)
    assert it.on20.rises == [2000, 4000, 6000]


def test_legacy_replacement(it: Bench) -> None:
    on0, on8 = Recorder(it.events, it.irq0), Recorder(it.events, it.irq8)
    it[T0], it[T1] = ENABLE, ENABLE | ROUTE20
    it[T0 + COMPARATOR], it[T1 + COMPARATOR] = 10, 20
    it[CONFIG] = 3
    assert it.legacy.level
    it.events.advance(1000)
    assert on0.rises == [100]
    assert on8.rises == [200]
    assert it.on20.rises == []
    it[CONFIG] = 1
    assert not it.legacy.level


def test_a_route_that_is_not_allowed_is_not_taken(it: Bench) -> None:
    it[T0] = ROUTE20
    it[T0] = 5 << 9
    assert it[T0] >> 9 & 31 == 20


def test_disabled_timer_is_silent(it: Bench) -> None:
    it[T0] = ROUTE20
    it[T0 + COMPARATOR] = 100
    it[CONFIG] = 1
    it.events.advance(10_000)
    assert it.on20.rises == []


def test_small_or_unaligned_writes_are_ignored(it: Bench) -> None:
    it.hpet.write(CONFIG, 1, 1)
    it.hpet.write(COUNTER + 2, 4, 0xFF)
    assert it[CONFIG] == 0
    assert it[COUNTER] == 0


def test_a_64_bit_wrap_beyond_the_clock_is_no_event(it: Bench) -> None:
    it[T0] = ENABLE | ROUTE20
    it[T0 + COMPARATOR] = 0
    it[CONFIG] = 1
    assert it.events.pending == []


def test_periods_under_a_microsecond_are_merged(it: Bench) -> None:
    it[T0] = ENABLE | PERIODIC | SET | ROUTE20
    it[T0 + COMPARATOR] = 3
    it[CONFIG] = 1
    it.events.advance(1_000_000)
    assert 900 <= len(it.on20.rises) <= 1000
    assert all(when % 30 == 0 for when in it.on20.rises), "still at multiples of the period"
