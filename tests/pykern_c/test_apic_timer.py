"""Local APIC timer, exact to the nanosecond, against a model that ticks every nanosecond.

SDM Vol. 3A, APIC Timer; TSC-Deadline Mode.
"""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from pykern_c.events import Events
from pykern_c.interrupts import ApicBus

LVT, INITIAL, CURRENT, DIVIDE = 0x320, 0x380, 0x390, 0x3E0
ONE_SHOT, PERIODIC, DEADLINE = 0, 1 << 17, 2 << 17
MASKED = 1 << 16
TSC_DEADLINE = 0x6E0
# Divide Configuration Register values and their divisors (SDM's figure).
DIVISORS = {
    0b0000: 2,
    0b0001: 4,
    0b0010: 8,
    0b0011: 16,
    0b1000: 32,
    0b1001: 64,
    0b1010: 128,
    0b1011: 1,
}
M64 = (1 << 64) - 1


class Timer:
    """A bus with one enabled local APIC, and its time."""

    def __init__(self, lvt=None, divide=0xB):
        self.events = Events()
        self.bus = ApicBus(2, self.events)
        self.apic = self.bus.local[0]
        self.apic.write(0xF0, 4, 0x1FF)
        self.apic.write(DIVIDE, 4, divide)
        if lvt is not None:
            self.apic.write(LVT, 4, lvt)

    def to(self, time):
        self.events.advance(time)
        self.bus.fire_timers()

    def fired(self):
        """Return whether the timer interrupt was requested, and serve it."""
        if self.apic.intr is None:
            return False
        self.apic.acknowledge()
        self.apic.eoi()
        return True


@pytest.mark.parametrize(("code", "divisor"), DIVISORS.items())
def test_one_shot_is_exact_for_every_divisor(code, divisor):
    timer = Timer(ONE_SHOT | 0x40, code)
    timer.to(1000)
    timer.apic.write(INITIAL, 4, 10)
    assert timer.apic.timer_deadline == timer.bus.next_deadline == 1000 + 10 * divisor
    for count in range(10, 0, -1):
        start = 1000 + (10 - count) * divisor
        timer.to(start)
        assert timer.apic.read(CURRENT, 4) == count
        timer.to(start + divisor - 1)
        assert timer.apic.read(CURRENT, 4) == count
        assert not timer.fired()
    timer.to(1000 + 10 * divisor)
    assert timer.apic.read(CURRENT, 4) == 0
    assert timer.fired()
    assert timer.bus.next_deadline is None
    timer.to(100_000)
    assert not timer.fired()


def test_the_longest_count():
    timer = Timer(ONE_SHOT | 0x40, 0b1010)
    timer.apic.write(INITIAL, 4, 0xFFFFFFFF)
    assert timer.apic.timer_deadline == 0xFFFFFFFF * 128


def test_periodic_keeps_its_phase_when_it_is_served_late():
    timer = Timer(PERIODIC | 0x40)
    timer.apic.write(INITIAL, 4, 100)
    timer.to(100)
    assert timer.fired()
    timer.to(575)  # 200, 300, 400 and 500 merge into one request
    assert timer.fired()
    assert not timer.fired()
    assert timer.apic.timer_deadline == 600
    assert timer.apic.read(CURRENT, 4) == 25


def test_reading_the_count_late_does_not_lose_the_interrupt():
    timer = Timer(ONE_SHOT | 0x40)
    timer.apic.write(INITIAL, 4, 100)
    timer.events.advance(150)
    assert timer.apic.read(CURRENT, 4) == 0
    assert timer.fired()


def test_restarting_late_does_not_lose_the_interrupt():
    timer = Timer(ONE_SHOT | 0x40)
    timer.apic.write(INITIAL, 4, 100)
    timer.events.advance(150)
    timer.apic.write(INITIAL, 4, 100)
    assert timer.fired()
    assert timer.apic.timer_deadline == 250


def test_initial_count_zero_stops_the_timer():
    timer = Timer(PERIODIC | 0x40)
    timer.apic.write(INITIAL, 4, 100)
    timer.to(50)
    timer.apic.write(INITIAL, 4, 0)
    assert timer.bus.next_deadline is None
    assert timer.apic.read(CURRENT, 4) == 0


def test_a_masked_timer_counts_but_wakes_nobody():
    timer = Timer(PERIODIC | MASKED | 0x40)
    timer.apic.write(INITIAL, 4, 100)
    assert timer.bus.next_deadline is None
    timer.to(130)
    assert timer.apic.read(CURRENT, 4) == 70
    timer.apic.write(LVT, 4, PERIODIC | 0x40)
    assert not timer.fired()
    assert timer.bus.next_deadline == 200


def test_software_disabling_silences_the_timer():
    timer = Timer(PERIODIC | 0x40)
    timer.apic.write(INITIAL, 4, 100)
    timer.apic.write(0xF0, 4, 0xFF)
    assert timer.bus.next_deadline is None


def test_global_disabling_stops_the_timer():
    timer = Timer(PERIODIC | 0x40)
    timer.apic.write(INITIAL, 4, 100)
    timer.apic.write_msr(0x1B, 0xFEE00100)
    assert timer.bus.next_deadline is None


def test_the_divisor_can_change_while_counting():
    timer = Timer(ONE_SHOT | 0x40)
    timer.apic.write(INITIAL, 4, 100)
    timer.to(40)
    timer.apic.write(DIVIDE, 4, 0b0010)
    assert timer.apic.read(CURRENT, 4) == 60
    assert timer.apic.timer_deadline == 40 + 60 * 8


def test_one_shot_to_periodic_while_counting_reloads_at_zero():
    timer = Timer(ONE_SHOT | 0x40)
    timer.apic.write(INITIAL, 4, 100)
    timer.to(30)
    timer.apic.write(LVT, 4, PERIODIC | 0x40)
    timer.to(100)
    assert timer.fired()
    assert timer.apic.timer_deadline == 200


def test_a_new_deadline_calls_the_cpu_loop():
    timer = Timer(ONE_SHOT | 0x40)
    timer.apic.attention = False
    timer.apic.write(INITIAL, 4, 100)
    assert timer.apic.attention


def test_an_illegal_vector_is_an_error_and_no_interrupt():
    timer = Timer(ONE_SHOT | 0x0F)
    timer.apic.write(INITIAL, 4, 5)
    timer.to(5)
    assert timer.apic.irr == 0
    timer.apic.write(0x280, 4, 0)
    assert timer.apic.read(0x280, 4) == 0x40


# ---- TSC-deadline mode


def test_tsc_deadline_fires_when_the_tsc_gets_there():
    timer = Timer(DEADLINE | 0x40)
    timer.apic.write_msr(TSC_DEADLINE, 500)
    assert timer.bus.next_deadline == 500
    timer.to(499)
    assert not timer.fired()
    assert timer.apic.read_msr(TSC_DEADLINE) == 500
    timer.to(500)
    assert timer.fired()
    assert timer.apic.read_msr(TSC_DEADLINE) == 0
    assert timer.bus.next_deadline is None


@pytest.mark.parametrize("value", [1, 999, 1000])
def test_a_deadline_that_has_passed_fires_at_once(value):
    timer = Timer(DEADLINE | 0x40)
    timer.to(1000)
    timer.apic.write_msr(TSC_DEADLINE, value)
    assert timer.fired()
    assert timer.apic.read_msr(TSC_DEADLINE) == 0


def test_rearming_late_does_not_lose_the_interrupt():
    timer = Timer(DEADLINE | 0x40)
    timer.apic.write_msr(TSC_DEADLINE, 100)
    timer.events.advance(150)
    timer.apic.write_msr(TSC_DEADLINE, 300)
    assert timer.fired()
    assert timer.apic.timer_deadline == 300


def test_writing_zero_disarms():
    timer = Timer(DEADLINE | 0x40)
    timer.apic.write_msr(TSC_DEADLINE, 500)
    timer.apic.write_msr(TSC_DEADLINE, 0)
    timer.to(1000)
    assert not timer.fired()


@pytest.mark.parametrize("mode", [ONE_SHOT, PERIODIC])
def test_the_deadline_msr_is_ignored_in_the_other_modes(mode):
    timer = Timer(mode | 0x40)
    timer.apic.write_msr(TSC_DEADLINE, 500)
    assert timer.apic.read_msr(TSC_DEADLINE) == 0
    assert timer.bus.next_deadline is None


def test_initial_count_is_ignored_in_deadline_mode():
    timer = Timer(DEADLINE | 0x40)
    timer.apic.write(INITIAL, 4, 100)
    assert timer.bus.next_deadline is None
    timer.apic.write_msr(TSC_DEADLINE, 500)
    assert timer.apic.read(CURRENT, 4) == 0


@pytest.mark.parametrize(("before", "after"), [(DEADLINE, ONE_SHOT), (PERIODIC, DEADLINE)])
def test_changing_to_or_from_deadline_mode_disarms(before, after):
    timer = Timer(before | 0x40)
    timer.apic.write(INITIAL, 4, 100)
    timer.apic.write_msr(TSC_DEADLINE, 100)
    assert timer.bus.next_deadline == 100
    timer.apic.write(LVT, 4, after | 0x40)
    assert timer.bus.next_deadline is None
    timer.to(1000)
    assert not timer.fired()


def test_moving_the_tsc_moves_the_deadline():
    timer = Timer(DEADLINE | 0x40)
    timer.apic.write_msr(TSC_DEADLINE, 1000)
    timer.apic.set_tsc_offset(300)
    assert timer.bus.next_deadline == 700
    timer.to(600)
    timer.apic.set_tsc_offset(100)
    assert timer.bus.next_deadline == 900
    timer.apic.set_tsc_offset(400)
    assert timer.fired()
    assert timer.bus.next_deadline is None


def test_a_deadline_at_the_end_of_time():
    timer = Timer(DEADLINE | 0x40)
    timer.to(10)
    timer.apic.set_tsc_offset(-10)
    timer.apic.write_msr(TSC_DEADLINE, M64)
    assert timer.bus.next_deadline == M64 - 1
    assert not timer.fired()


class TimerModel(RuleBasedStateMachine):
    """A down-counter with a prescaler that is clocked every nanosecond."""

    def __init__(self):
        super().__init__()
        self.timer = Timer(MASKED | 0x40)
        self.mode, self.masked = ONE_SHOT, True
        self.divisor = 1
        self.initial = self.count = self.prescale = 0
        self.offset = self.deadline = 0

    @property
    def now(self):
        return self.timer.events.now

    def expire(self):
        self.deadline = 0
        self.count = self.initial if self.mode == PERIODIC else 0
        return not self.masked

    def expired_deadline(self, now):
        return self.deadline and (now + self.offset) & M64 >= self.deadline

    def tick(self, now):
        """Clock once; return whether the timer interrupt is requested."""
        if self.mode == DEADLINE:
            return self.expire() if self.expired_deadline(now) else False
        if not self.count:
            return False
        self.prescale += 1
        if self.prescale < self.divisor:
            return False
        self.prescale = 0
        self.count -= 1
        return self.expire() if not self.count else False

    @rule(mode=st.sampled_from([ONE_SHOT, PERIODIC, DEADLINE]), masked=st.booleans())
    def write_lvt(self, mode, masked):
        self.timer.apic.write(LVT, 4, mode | masked << 16 | 0x40)
        if mode != self.mode and DEADLINE in {mode, self.mode}:
            self.initial = self.count = self.deadline = 0
        self.mode, self.masked = mode, masked

    @rule(count=st.integers(0, 5))
    def write_initial(self, count):
        self.timer.apic.write(INITIAL, 4, count)
        if self.mode != DEADLINE:
            self.initial = self.count = count
            self.prescale = 0

    @rule(code=st.sampled_from([0b1011, 0b0000, 0b0001, 0b0010]))
    def write_divide(self, code):
        self.timer.apic.write(DIVIDE, 4, code)
        self.divisor, self.prescale = DIVISORS[code], 0

    @rule(ahead=st.integers(-10, 60))
    def write_deadline(self, ahead):
        value = (self.now + self.offset + ahead) & M64
        self.timer.apic.write_msr(TSC_DEADLINE, value)
        if self.mode != DEADLINE:
            return
        self.deadline = value
        requested = bool(self.expired_deadline(self.now)) and self.expire()
        assert self.timer.fired() == requested

    @rule(offset=st.integers(0, 1000))
    def move_tsc(self, offset):
        self.timer.apic.set_tsc_offset(offset)
        self.offset = offset
        requested = bool(self.expired_deadline(self.now)) and self.expire()
        assert self.timer.fired() == requested

    @rule(steps=st.integers(1, 40))
    def run(self, steps):
        for _ in range(steps):
            expected = self.tick(self.now + 1)
            due = self.timer.bus.next_deadline == self.now + 1
            assert due == expected
            self.timer.to(self.now + 1)
            assert self.timer.fired() == expected
            assert self.timer.apic.read(CURRENT, 4) == self.count

    @rule(steps=st.integers(1, 100))
    def jump(self, steps):
        expected = [self.tick(self.now + 1 + n) for n in range(steps)]
        self.timer.events.advance(self.now + steps)
        self.timer.apic.fire_timer()
        assert self.timer.fired() == any(expected)

    @invariant()
    def agrees(self):
        assert self.timer.apic.read(CURRENT, 4) == self.count
        assert self.timer.apic.read(INITIAL, 4) == self.initial
        assert self.timer.apic.read_msr(TSC_DEADLINE) == self.deadline


TestTimerModel = TimerModel.TestCase
TestTimerModel.settings = settings(
    max_examples=80, stateful_step_count=40, deadline=None, derandomize=True
)
