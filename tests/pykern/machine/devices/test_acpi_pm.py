"""ACPI fixed hardware."""

from __future__ import annotations

import pytest

from pykern.machine.device import StopReason
from pykern.machine.devices.acpi_pm import PM_TIMER_HZ, AcpiPm, SmiCommand
from pykern.machine.irq import IrqLine
from tests.pykern.machine.fake_machine import FakeEvents, Recorder

STATUS, ENABLE, CONTROL, TIMER, GPE_STATUS, GPE_ENABLE = 0x00, 0x02, 0x04, 0x08, 0x20, 0x22
SCI_EN, SLP_EN = 1, 1 << 13
TMR, PWRBTN = 1, 1 << 8
NS = 1_000_000_000


class Bench:
    def __init__(self, timer_bits: int = 24) -> None:
        self.events = FakeEvents()
        self.sci = IrqLine()
        self.recorder = Recorder(self.events, self.sci)
        self.stops: list[tuple[str, int]] = []
        self.pm = AcpiPm(
            self.events,
            self.sci,
            lambda reason, code: self.stops.append((reason, code)),
            timer_bits=timer_bits,
        )
        self.smi = SmiCommand(self.pm)

    def __getitem__(self, offset: int) -> int:
        return self.pm.read(offset, 4 if offset == TIMER else 2)

    def __setitem__(self, offset: int, value: int) -> None:
        self.pm.write(offset, 2, value)


@pytest.fixture
def it() -> Bench:
    return Bench()


@pytest.mark.parametrize("bits", [24, 32])
def test_timer_counts_at_3_579545_mhz(bits: int) -> None:
    it = Bench(bits)
    it.events.advance(NS)
    assert it[TIMER] == PM_TIMER_HZ
    it.events.advance(2000 * NS)
    assert it[TIMER] == 2001 * PM_TIMER_HZ % (1 << bits)


def test_timer_is_read_only(it: Bench) -> None:
    it.pm.write(TIMER, 4, 0x1234)
    assert it[TIMER] == 0


def test_timer_status_at_each_change_of_the_top_bit(it: Bench) -> None:
    half = -(-(1 << 23) * NS // PM_TIMER_HZ)
    it.events.advance_to(half - 1)
    assert not it[STATUS] & TMR
    it.events.advance_to(half)
    assert it[STATUS] & TMR
    it[STATUS] = TMR
    assert not it[STATUS] & TMR
    it.events.advance_to(2 * half)
    assert it[STATUS] & TMR


def test_timer_interrupt(it: Bench) -> None:
    it[CONTROL] = SCI_EN
    it[ENABLE] = TMR
    it.events.advance(3 * NS)
    assert it.recorder.rises == [-(-(1 << 23) * NS // PM_TIMER_HZ)]
    it[STATUS] = TMR
    assert not it.sci.level


def test_power_button(it: Bench) -> None:
    it[ENABLE] = PWRBTN
    it.pm.press_power_button()
    assert it[STATUS] & PWRBTN
    assert not it.sci.level, "no SCI in legacy mode"
    it[CONTROL] = SCI_EN
    assert it.sci.level
    it.pm.write(STATUS + 1, 1, PWRBTN >> 8)
    assert not it.sci.level


def test_general_purpose_events(it: Bench) -> None:
    it[CONTROL] = SCI_EN
    it[GPE_ENABLE] = 1 << 5
    it.pm.raise_gpe(4)
    assert not it.sci.level
    it.pm.raise_gpe(5)
    assert it.sci.level
    it[GPE_STATUS] = 1 << 5
    assert not it.sci.level
    assert it[GPE_STATUS] == 1 << 4


def test_soft_off(it: Bench) -> None:
    it[CONTROL] = SLP_EN
    assert it.stops == [(StopReason.POWER_OFF, 0)]
    assert not it[CONTROL] & SLP_EN, "SLP_EN is write-only"


def test_soft_off_by_bytes(it: Bench) -> None:
    it.pm.write(CONTROL + 1, 1, 0x20)
    assert it.stops == [(StopReason.POWER_OFF, 0)]


def test_other_sleep_types_do_nothing(it: Bench) -> None:
    it[CONTROL] = SLP_EN | 1 << 10
    assert it.stops == []


def test_smi_command_switches_acpi_mode(it: Bench) -> None:
    it.smi.write(0, 1, 0xF1)
    assert it[CONTROL] & SCI_EN
    it.smi.write(0, 1, 0xF0)
    assert not it[CONTROL] & SCI_EN
    assert it.smi.read(0, 1) == 0xF0


def test_only_defined_enable_bits_stick(it: Bench) -> None:
    it[ENABLE] = 0xFFFF
    assert it[ENABLE] == 0x0721
