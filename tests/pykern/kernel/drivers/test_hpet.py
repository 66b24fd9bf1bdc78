"""The driver of the HPET on the machine's device."""

from __future__ import annotations

import pytest

from pykern.kernel.drivers import acpi, hpet
from pykern.machine.board import HPET_BASE, HPET_ROUTES
from pykern.machine.computer import Computer, MachineConfig
from pykern_c import Machine


@pytest.fixture
def machine():
    computer = Computer(MachineConfig(memory=4 << 20), Machine)
    computer.machine.write(0x1000, b"\xeb\xfe")
    vcpu = computer.machine.vcpus[0]
    vcpu.write_register("cs.base", 0)
    vcpu.write_register("rip", 0x1000)
    return computer.machine


@pytest.fixture
def timer(machine):
    made = hpet.Hpet(HPET_BASE, lambda: machine.vcpus[0])
    made.start()
    return made


def test_what_it_can_do(timer):
    """SCA-25: 100 MHz, three comparators or more, which may raise these lines."""
    assert timer.period_fs == 10_000_000
    assert timer.comparators >= 3
    assert timer.routes(0) == HPET_ROUTES


def test_it_counts_virtual_time(timer, machine):
    before = timer.counter
    machine.run(until_ns=machine.now + 1_000_000)
    assert timer.counter - before == pytest.approx(100_000, abs=10)


@pytest.mark.parametrize(("ns", "counts"), [(0, 0), (1, 1), (10, 1), (11, 2), (1_000_000, 100_000)])
def test_times_are_rounded_up(timer, ns, counts):
    """SCA-25: never too early."""
    assert timer.counts(ns) == counts


def test_a_count_that_has_passed_is_not_waited_for(timer, machine):
    """SCA-25: the comparator would match when the counter has wrapped, in thousands of years."""
    machine.run(until_ns=machine.now + 1000)
    assert not timer.arm(0, 20, timer.counter - 1)
    assert timer.arm(0, 20, timer.counter + 1000)


def test_a_machine_without_one():
    """SCA-25."""
    tables = acpi.Acpi(0, {}, {})
    assert hpet.find(tables, lambda: None) is None
