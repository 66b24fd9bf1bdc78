"""MC146818A: time, formats, update cycle, interrupts."""

from __future__ import annotations

import datetime as dt
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pykern.machine.board import Board
from pykern.machine.devices.rtc146818 import Rtc146818
from pykern.machine.irq import IrqLine
from tests.pykern.machine.fake_machine import FakeEvents, FakeMachine, Recorder
from tests.pykern.machine.qemu_oracle import Script, needs_qemu

NS = 1_000_000_000
A, B, C, D, CENTURY = 0x0A, 0x0B, 0x0C, 0x0D, 0x32
SET, PIE, AIE, UIE, BINARY, H24 = 0x80, 0x40, 0x20, 0x10, 0x04, 0x02
TIME = (0, 2, 4, 6, 7, 8, 9, CENTURY)


class Bench:
    def __init__(self, start: dt.datetime) -> None:
        self.events = FakeEvents()
        self.irq = IrqLine()
        self.rtc = Rtc146818(self.events, self.irq, start)
        self.recorder = Recorder(self.events, self.irq)

    def __getitem__(self, index: int) -> int:
        self.rtc.write(0, 1, index)
        return self.rtc.read(1, 1)

    def __setitem__(self, index: int, value: int) -> None:
        self.rtc.write(0, 1, index)
        self.rtc.write(1, 1, value)

    def time(self) -> list[int]:
        return [self[index] for index in TIME]

    def set_time(self, *values: int) -> None:
        for index, value in zip(TIME, values, strict=True):
            self[index] = value


def bench(*start: int) -> Bench:
    year, month, day, hour, minute, second = start or (2026, 11, 20, 13, 45, 59)
    return Bench(dt.datetime(year, month, day, hour, minute, second, tzinfo=dt.UTC))


def test_starts_at_the_configured_date_in_bcd() -> None:
    it = bench()
    assert it.time() == [0x59, 0x45, 0x13, 6, 0x20, 0x11, 0x26, 0x20]  # a Friday


def test_binary_mode() -> None:
    it = bench()
    it[B] = BINARY | H24
    assert it.time() == [59, 45, 13, 6, 20, 11, 26, 20]


@pytest.mark.parametrize(
    ("hour", "shown"), [(0, 0x12), (1, 0x01), (11, 0x11), (12, 0x92), (13, 0x81), (23, 0x91)]
)
def test_twelve_hour_mode(hour: int, shown: int) -> None:
    it = bench(2026, 1, 1, hour, 0, 0)
    it[B] = 0
    assert it[4] == shown
    it[4] = shown
    it[B] = H24
    assert it[4] == (hour // 10 << 4 | hour % 10)


def test_seconds_carry_up_to_the_century() -> None:
    it = bench(1999, 12, 31, 23, 59, 59)
    it.events.advance(NS)
    assert it.time() == [0, 0, 0, 7, 1, 1, 0, 0x20]  # Saturday 2000-01-01


def test_leap_years() -> None:
    it = bench(2024, 2, 28, 23, 59, 59)
    it.events.advance(NS)
    assert (it[7], it[8]) == (0x29, 0x02)
    it.events.advance(86_400 * NS)
    assert (it[7], it[8]) == (0x01, 0x03)


@settings(max_examples=200, derandomize=True, deadline=None)
@given(
    st.datetimes(dt.datetime(1980, 1, 1), dt.datetime(2099, 1, 1)),
    st.integers(0, 10 * 365 * 86_400),
)
def test_agrees_with_the_calendar(start: dt.datetime, seconds: int) -> None:
    it = Bench(start.replace(tzinfo=dt.UTC))
    it[B] = BINARY | H24
    it.events.advance(seconds * NS)
    now = start.replace(microsecond=0) + dt.timedelta(seconds=seconds)
    assert it.time() == [
        *(now.second, now.minute, now.hour, now.isoweekday() % 7 + 1),
        *(now.day, now.month, now.year % 100, now.year // 100),
    ]


def test_a_date_can_be_set_in_any_order() -> None:
    """With 31 January shown, writing month 2 first must not become 3 March."""
    it = bench(2026, 1, 31, 12, 0, 0)
    it[8] = 0x02
    it[7] = 0x15
    assert (it[7], it[8]) == (0x15, 0x02)


def test_set_stops_the_clock_and_clears_uie() -> None:
    it = bench()
    it[B] = H24 | UIE
    it[B] = SET | UIE | H24
    assert it[B] == SET | H24
    it.set_time(0x10, 0x20, 0x03, 2, 0x05, 0x06, 0x30, 0x20)
    it.events.advance(100 * NS)
    assert it.time() == [0x10, 0x20, 0x03, 2, 0x05, 0x06, 0x30, 0x20]
    it[B] = H24
    it.events.advance(5 * NS)
    assert it[0] == 0x15


def test_divider_reset_starts_the_second_after_half_a_second() -> None:
    it = bench(2026, 1, 1, 0, 0, 0)
    it[A] = 0x70
    it.events.advance(300_000_000)
    it[A] = 0x26
    it.events.advance(NS // 2 - 1)
    assert it[0] == 0
    it.events.advance(1)
    assert it[0] == 1


def test_uip_is_high_before_each_update() -> None:
    it = bench()
    assert not it[A] & 0x80
    it.events.advance_to(NS - 2_228_000 - 1)
    assert not it[A] & 0x80
    it.events.advance(1)
    assert it[A] & 0x80
    it.events.advance_to(NS - 1)
    assert it[A] & 0x80
    it.events.advance(1)
    assert not it[A] & 0x80


def test_no_uip_while_set() -> None:
    it = bench()
    it[B] = SET | H24
    it.events.advance_to(NS - 1000)
    assert not it[A] & 0x80


def test_update_interrupt_every_second() -> None:
    it = bench()
    it[B] = H24 | UIE
    for second in (1, 2, 3):
        it.events.advance_to(second * NS)
        assert it.irq.level
        assert it[C] == 0xD0, "PF is set too, as it runs without PIE"
        assert not it.irq.level
    assert it.recorder.rises == [NS, 2 * NS, 3 * NS]


@pytest.mark.parametrize(
    ("rate", "hz"), [(1, 256), (2, 128), (3, 8192), (6, 1024), (8, 256), (13, 8), (15, 2)]
)
def test_periodic_interrupt_rate(rate: int, hz: int) -> None:
    it = bench()
    it[A] = 0x20 | rate
    it[B] = H24 | PIE
    count = 0
    while it.events.now < NS:
        it.events.advance_to(min(it.events.pending[0], NS))
        if it.irq.level:
            count += 1
            assert it[C] & 0xC0 == 0xC0
    assert count == hz


def test_no_interrupt_until_register_c_is_read() -> None:
    it = bench()
    it[B] = H24 | PIE
    it.events.advance(NS)
    assert len(it.recorder.rises) == 1
    assert it.events.pending == []


def test_flags_are_set_without_being_enabled() -> None:
    it = bench()
    assert it[C] == 0
    it.events.advance(NS)
    assert it[C] == 0x50, "PF and UF, no IRQF"
    assert it[C] == 0


def test_alarm() -> None:
    it = bench(2026, 1, 1, 10, 0, 0)
    it[5], it[3], it[1] = 0x10, 0x01, 0x30
    it[B] = H24 | AIE
    it.events.advance(200 * NS)
    assert it.recorder.rises == [90 * NS]
    assert it[C] & 0xA0 == 0xA0
    it.events.advance_to((86_400 + 90) * NS)
    assert it.recorder.rises == [90 * NS, (86_400 + 90) * NS]


def test_alarm_wildcards() -> None:
    it = bench(2026, 1, 1, 10, 0, 0)
    it[5], it[3], it[1] = 0xC0, 0xFF, 0x05
    it[B] = H24 | AIE
    for minute in range(3):
        it.events.advance_to((60 * minute + 5) * NS)
        assert it.irq.level
        assert it[C] & 0x20
    it[1] = 0xC0
    it.events.advance(NS)
    assert it[C] & 0x20, "all wild: every second"


def test_an_impossible_alarm_never_comes() -> None:
    it = bench()
    it[5], it[3], it[1] = 0x99, 0x00, 0x00
    it[B] = H24 | AIE
    it.events.advance(3 * 86_400 * NS)
    assert it.recorder.rises == []


def test_reset_keeps_time_and_memory() -> None:
    it = bench()
    it[0x40] = 0x5A
    it[B] = H24 | UIE | PIE | AIE
    it.events.advance(NS)
    it.rtc.reset()
    assert not it.irq.level
    assert it[B] == H24
    assert it[0x40] == 0x5A
    assert it[0] == 0x00


def test_nmi_mask_and_index_share_a_port() -> None:
    it = bench()
    it.rtc.write(0, 1, 0x8D)
    assert it.rtc.nmi_disabled
    assert it.rtc.read(1, 1) == 0x80, "VRT"
    it.rtc.write(0, 1, 0x0D)
    assert not it.rtc.nmi_disabled
    assert it.rtc.read(0, 1) == 0xFF


def test_store_renews_the_checksum() -> None:
    it = bench()
    it.rtc.store(0x15, b"\x80\x02")
    assert it[0x2E] << 8 | it[0x2F] == 0x82


def test_nonsense_in_the_time_registers_is_survived() -> None:
    it = bench()
    it[B] = BINARY | H24
    it.set_time(*[0xFF] * 8)
    it.events.advance(3 * NS)
    assert all(0 <= value <= 0xFF for value in it.time())
    it.set_time(*[0] * 8)
    it.events.advance(3 * NS)
    assert all(0 <= value <= 0xFF for value in it.time())


class RtcScript:
    """Set and read the clock by its ports."""

    def __init__(self) -> None:
        self.script = Script()

    def write(self, index: int, value: int) -> None:
        self.script.out(0x70, index)
        self.script.out(0x71, value)

    def read(self, *indexes: int) -> None:
        for index in indexes:
            self.script.out(0x70, index)
            self.script.inp(0x71)

    def set_date(self, when: dt.datetime, mode: int) -> None:
        """Set the clock in the format that the bits of register B in `mode` choose."""

        def encode(value: int) -> int:
            return value if mode & BINARY else value // 10 << 4 | value % 10

        hour = encode(when.hour)
        if not mode & H24:
            hour = encode((when.hour + 11) % 12 + 1) | (0x80 if when.hour >= 12 else 0)
        self.write(B, SET | mode)
        values = (when.second, when.minute, when.isoweekday() % 7 + 1)
        for index, value in zip((0, 2, 6), values, strict=True):
            self.write(index, encode(value))
        self.write(4, hour)
        values = (when.day, when.month, when.year % 100, when.year // 100)
        for index, value in zip((7, 8, 9, CENTURY), values, strict=True):
            self.write(index, encode(value))
        self.read(B, *TIME)
        self.write(B, mode)

    def to_next_second(self) -> None:
        self.script.out(0x70, C)
        self.script.wait(0x71, 0, 0)
        self.script.wait(0x71, 0x10, 0x10)


@needs_qemu
def test_dates_in_all_formats_agree_with_qemu() -> None:
    choose = random.Random(1)
    it = RtcScript()
    it.write(A, 0x26)
    for _ in range(60):
        date = dt.datetime(2000, 1, 1, tzinfo=dt.UTC) + dt.timedelta(days=choose.randrange(36_000))
        time = dt.timedelta(seconds=choose.randrange(86_400 // 60) * 60)
        it.set_date(date + time, choose.choice((0, H24, BINARY, BINARY | H24)))
        it.read(2, *TIME[2:], B, D)
        it.write(0x40 + choose.randrange(0x40), choose.randrange(256))
        it.read(0x40 + choose.randrange(0x40))
    for year, month, day in ((2024, 2, 28), (2023, 2, 28), (2099, 12, 31), (2025, 4, 30)):
        it.set_date(dt.datetime(year, month, day, 23, 59, 59, tzinfo=dt.UTC), H24)
        it.to_next_second()
        it.read(*TIME)
    machine = FakeMachine()
    Board(machine)
    assert it.script.on(machine).hex(" ") == it.script.on_qemu().hex(" ")
