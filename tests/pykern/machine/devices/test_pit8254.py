"""8254 against the datasheet's mode definitions, on a clock of exactly 1.193182 MHz."""

from __future__ import annotations

import random

import pytest

from pykern.machine.board import Board
from pykern.machine.devices.pit8254 import PIT_HZ, Pit8254, Port61
from pykern.machine.irq import IrqLine
from tests.pykern.machine.fake_machine import FakeEvents, FakeMachine, Recorder
from tests.pykern.machine.qemu_oracle import Script, needs_qemu

NS = 1_000_000_000
CONTROL = 3


def at_tick(tick: int) -> int:
    """Return the first nanosecond of a tick."""
    return -(-tick * NS // PIT_HZ)


class Bench:
    """The chip with a recorder on OUT 0."""

    def __init__(self) -> None:
        self.events = FakeEvents()
        self.line = IrqLine()
        self.pit = Pit8254(self.events, self.line)
        self.recorder = Recorder(self.events, self.line)
        self.port61 = Port61(self.pit)

    def to_tick(self, tick: int) -> None:
        self.events.advance_to(at_tick(tick))

    def out(self, offset: int, *values: int) -> None:
        for value in values:
            self.pit.write(offset, 1, value)

    def count(self, channel: int = 0) -> int:
        """Latch and read a two-byte count."""
        self.out(CONTROL, channel << 6)
        return self.pit.read(channel, 1) | self.pit.read(channel, 1) << 8

    def status(self, channel: int = 0) -> int:
        self.out(CONTROL, 0xE0 | 2 << channel)
        return self.pit.read(channel, 1)

    def program(self, channel: int, mode: int, count: int, *, bcd: bool = False) -> None:
        self.out(CONTROL, channel << 6 | 0x30 | mode << 1 | bcd)
        self.out(channel, count & 0xFF, count >> 8)

    @property
    def edges(self) -> list[tuple[int, bool]]:
        """The edges seen so far, in ticks."""
        return [(when * PIT_HZ // NS, level) for when, level in self.recorder.edges]


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_mode_0_rises_n_plus_1_clocks_after_the_write(bench: Bench) -> None:
    bench.program(0, 0, 1000)
    assert bench.events.pending == [at_tick(1001)]
    bench.to_tick(5000)
    assert bench.edges == [(1001, True)]


def test_mode_0_counts_on_below_zero(bench: Bench) -> None:
    bench.program(0, 0, 4)
    counts = []
    for tick in range(1, 8):
        bench.to_tick(tick)
        counts.append(bench.count())
    assert counts == [4, 3, 2, 1, 0, 0xFFFF, 0xFFFE]


def test_mode_0_first_byte_stops_and_lowers(bench: Bench) -> None:
    bench.program(0, 0, 10)
    bench.to_tick(20)
    assert bench.line.level
    bench.out(0, 5)
    assert not bench.line.level
    bench.to_tick(100)
    bench.out(0, 0)
    bench.to_tick(200)
    assert bench.edges == [(11, True), (20, False), (106, True)]


def test_mode_0_gate_stops_counting(bench: Bench) -> None:
    bench.program(2, 0, 100)
    assert bench.count(2) == 0
    bench.to_tick(1)
    assert bench.count(2) == 100, "the count is loaded although the gate is low"
    bench.to_tick(50)
    assert bench.count(2) == 100
    bench.port61.write(0, 1, 1)
    bench.to_tick(80)
    assert bench.count(2) == 70
    bench.port61.write(0, 1, 0)
    bench.to_tick(1000)
    assert bench.count(2) == 70
    bench.port61.write(0, 1, 1)
    bench.to_tick(1069)
    assert not bench.port61.read(0, 1) & 0x20
    bench.to_tick(1070)
    assert bench.port61.read(0, 1) & 0x20


def test_mode_1_one_shot_and_retrigger(bench: Bench) -> None:
    bench.program(2, 1, 100)
    out = bench.pit.counters[2]
    bench.to_tick(10)
    assert out.out
    assert bench.status(2) & 0x40, "no count is loaded before the trigger"
    bench.port61.write(0, 1, 1)
    assert out.out
    bench.to_tick(11)
    assert not out.out
    bench.to_tick(60)
    bench.port61.write(0, 1, 0)
    assert not out.out, "the falling gate has no effect"
    bench.port61.write(0, 1, 1)
    assert not out.out, "OUT stays low over a retrigger"
    bench.to_tick(160)
    assert not out.out
    bench.to_tick(161)
    assert out.out


def test_mode_2_divides_by_n(bench: Bench) -> None:
    bench.program(0, 2, 100)
    bench.to_tick(310)
    assert bench.edges == [
        *((0, True),),
        *((100, False), (101, True)),
        *((200, False), (201, True)),
        *((300, False), (301, True)),
    ]


def test_mode_2_counts_from_n_to_1(bench: Bench) -> None:
    bench.program(0, 2, 3)
    counts = []
    for tick in range(1, 8):
        bench.to_tick(tick)
        counts.append(bench.count())
    assert counts == [3, 2, 1, 3, 2, 1, 3]


def test_mode_2_new_count_waits_for_the_period(bench: Bench) -> None:
    bench.program(0, 2, 100)
    bench.to_tick(50)
    bench.out(0, 10, 0)
    assert bench.status() & 0x40, "NULL COUNT until it is loaded"
    bench.to_tick(101)
    assert not bench.status() & 0x40
    bench.to_tick(125)
    assert bench.edges[1:] == [
        (100, False),
        (101, True),
        (110, False),
        (111, True),
        (120, False),
        (121, True),
    ]


def test_mode_2_gate_low_raises_out_and_rising_reloads(bench: Bench) -> None:
    bench.program(2, 2, 100)
    bench.port61.write(0, 1, 1)
    bench.to_tick(100)
    assert not bench.pit.counters[2].out
    bench.port61.write(0, 1, 0)
    assert bench.pit.counters[2].out
    bench.to_tick(500)
    bench.port61.write(0, 1, 1)
    bench.to_tick(501)
    assert bench.count(2) == 100


def test_mode_3_even(bench: Bench) -> None:
    bench.program(0, 3, 10)
    bench.to_tick(22)
    assert bench.edges == [(0, True), (6, False), (11, True), (16, False), (21, True)]


def test_mode_3_odd_is_longer_high(bench: Bench) -> None:
    bench.program(0, 3, 5)
    bench.to_tick(12)
    assert bench.edges == [(0, True), (4, False), (6, True), (9, False), (11, True)]


@pytest.mark.parametrize(
    ("n", "expected"), [(6, [6, 4, 2, 6, 4, 2, 6]), (5, [4, 2, 0, 4, 2, 4, 2])]
)
def test_mode_3_counts_by_two(bench: Bench, n: int, expected: list[int]) -> None:
    bench.program(0, 3, n)
    counts = []
    for tick in range(1, 8):
        bench.to_tick(tick)
        counts.append(bench.count())
    assert counts == expected


def test_mode_3_new_count_waits_for_the_half_period(bench: Bench) -> None:
    bench.program(0, 3, 100)
    bench.to_tick(20)
    bench.out(0, 10, 0)
    bench.to_tick(70)
    assert bench.edges == [(0, True), (51, False), (56, True), (61, False), (66, True)]


def test_mode_4_strobes_once(bench: Bench) -> None:
    bench.program(0, 4, 10)
    bench.to_tick(100_000)
    assert bench.edges == [(0, True), (11, False), (12, True)]


def test_mode_5_strobes_after_the_trigger(bench: Bench) -> None:
    bench.program(2, 5, 10)
    out = bench.pit.counters[2]
    bench.to_tick(100)
    assert out.out
    bench.port61.write(0, 1, 1)
    levels = []
    for tick in range(108, 114):
        bench.to_tick(tick)
        levels.append(out.out)
    assert levels == [True, True, True, False, True, True]


def test_zero_counts_as_65536(bench: Bench) -> None:
    bench.program(0, 2, 0)
    bench.to_tick(70_000)
    assert bench.edges == [(0, True), (65_536, False), (65_537, True)]


def test_bcd(bench: Bench) -> None:
    bench.program(0, 2, 0x1000, bcd=True)
    bench.to_tick(2)
    assert bench.count() == 0x0999
    bench.to_tick(1002)
    assert bench.count() == 0x0999
    bench.program(0, 0, 0, bcd=True)
    bench.to_tick(1004)
    assert bench.count() == 0x9999, "zero is 10000 in BCD"


def test_latched_count_is_held_until_read(bench: Bench) -> None:
    bench.program(0, 2, 1000)
    bench.to_tick(101)
    bench.out(CONTROL, 0x00)
    bench.to_tick(500)
    bench.out(CONTROL, 0x00)  # ignored: the first is still held
    assert bench.pit.read(0, 1) | bench.pit.read(0, 1) << 8 == 900
    assert bench.pit.read(0, 1) | bench.pit.read(0, 1) << 8 == 501


def test_read_back_latches_status_before_count(bench: Bench) -> None:
    bench.program(0, 3, 1000)
    bench.to_tick(1)
    bench.out(CONTROL, 0xC2)
    assert bench.pit.read(0, 1) == 0xB6, "OUT high, loaded, two bytes, mode 3"
    assert bench.pit.read(0, 1) | bench.pit.read(0, 1) << 8 == 1000


def test_read_back_of_several_counters(bench: Bench) -> None:
    bench.program(0, 2, 500)
    bench.program(2, 0, 300)
    bench.to_tick(1)
    bench.out(CONTROL, 0xDA)  # counts of counters 0 and 2
    assert bench.pit.read(0, 1) | bench.pit.read(0, 1) << 8 == 500
    assert bench.pit.read(2, 1) | bench.pit.read(2, 1) << 8 == 300


@pytest.mark.parametrize(("rw", "expected"), [(1, 0x34), (2, 0x3400)])
def test_single_byte_access(bench: Bench, rw: int, expected: int) -> None:
    bench.out(CONTROL, rw << 4 | 2 << 1)
    bench.out(0, 0x34)
    bench.to_tick(1)
    bench.out(CONTROL, 0)
    assert bench.pit.read(0, 1) == (expected >> 8 if rw == 2 else expected)
    bench.to_tick(expected + 2)
    assert bench.edges[1:] == [(expected, False), (expected + 1, True)]


@pytest.mark.parametrize("mode", [6, 7])
def test_modes_6_and_7_are_2_and_3(bench: Bench, mode: int) -> None:
    bench.program(0, mode, 10)
    assert bench.status() >> 1 & 7 == mode - 4


def test_no_drift_over_two_minutes(bench: Bench) -> None:
    bench.program(0, 2, 11_932)  # 100 Hz
    bench.events.advance(120 * NS)
    rises = bench.recorder.rises[1:]
    assert len(rises) == (120 * PIT_HZ - 1) // 11_932
    assert rises[-1] == at_tick(1 + len(rises) * 11_932)


def test_port61_keeps_four_bits_and_toggles_refresh(bench: Bench) -> None:
    bench.port61.write(0, 1, 0xFF)
    assert bench.port61.read(0, 1) & 0x0F == 0x0F
    assert bench.port61.speaker_on
    seen = []
    for tick in (0, 18, 36, 54):
        bench.to_tick(tick)
        seen.append(bench.port61.read(0, 1) >> 4 & 1)
    assert seen == [0, 1, 0, 1]


@needs_qemu
def test_status_agrees_with_qemu() -> None:
    """NULL COUNT is left out, which QEMU has not, and OUT but for modes 0 and 3."""
    choose = random.Random(1)
    script = Script()
    masks = []
    for _ in range(300):
        channel, mode, rw = choose.randrange(3), choose.randrange(6), choose.choice((1, 2, 3))
        bcd = choose.random() < 0.3
        script.out(0x61, 1)
        script.out(0x43, channel << 6 | rw << 4 | mode << 1 | bcd)
        for _byte in range(2 if rw == 3 else 1):
            script.out(0x40 + channel, choose.choice((0x12, 0x99, 0x00, 0x55)))
        script.out(0x43, 0xE0 | 2 << channel)
        script.inp(0x40 + channel)
        long_enough = rw != 1
        masks.append(0xBF if mode in {0, 3} and long_enough else 0x3F)
    machine = FakeMachine()
    Board(machine)
    ours, theirs = script.on(machine), script.on_qemu()
    assert [a & m for a, m in zip(ours, masks, strict=True)] == [
        b & m for b, m in zip(theirs, masks, strict=True)
    ]
