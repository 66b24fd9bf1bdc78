"""The driver of the local APIC on the machine's local APIC."""

import pytest

from pykern.kernel.x86 import lapic
from pykern.kernel.x86.lapic import Register
from pykern_c import Machine


@pytest.fixture
def vcpu():
    return Machine(1 << 20, cpus=2).vcpus[0]


def test_enabling_opens_it_to_every_priority(vcpu):
    """MEL-09."""
    assert not lapic.read(vcpu, Register.SVR) & lapic.SOFTWARE_ENABLE
    lapic.enable(vcpu, spurious=0xFF, error=0xFE)
    assert lapic.read(vcpu, Register.SVR) & 0x1FF == lapic.SOFTWARE_ENABLE | 0xFF
    assert lapic.read(vcpu, Register.LVT_ERROR) & 0xFF == 0xFE
    assert lapic.read(vcpu, Register.LVT_LINT0) & lapic.MASKED
    assert lapic.read(vcpu, Register.TPR) == 0


@pytest.mark.parametrize("divisor", sorted(lapic.DIVIDERS))
def test_the_timer_counts_at_the_bus_clock_over_the_divisor(divisor):
    """MEL-10: 1 GHz over the divisor, of virtual time."""
    machine = Machine(1 << 20)
    vcpu = machine.vcpus[0]
    vcpu.write_register("rip", 0x1000)
    machine.write(0x1000, b"\xeb\xfe")
    lapic.enable(vcpu, spurious=0xFF, error=0xFE)
    lapic.start_timer(vcpu, vector=0x40, count=1_000_000, divisor=divisor)
    before = machine.now
    count = lapic.timer_count(vcpu)
    machine.charge(64_000)
    gone = count - lapic.timer_count(vcpu)
    assert gone == pytest.approx((machine.now - before) / divisor, abs=1)


def test_a_count_of_zero_stops_the_timer(vcpu):
    lapic.enable(vcpu, spurious=0xFF, error=0xFE)
    lapic.start_timer(vcpu, vector=0x40, count=1000, periodic=True)
    assert lapic.read(vcpu, Register.LVT_TIMER) == 0x40 | lapic.PERIODIC
    lapic.start_timer(vcpu, vector=0x40, count=0)
    assert lapic.timer_count(vcpu) == 0


def test_commands_name_their_target(vcpu):
    """MEL-03, MEL-05: what the ICR holds after each kind of IPI."""
    lapic.enable(vcpu, spurious=0xFF, error=0xFE)
    for send, low in (
        (lambda: lapic.send_init(vcpu, 1), 0x4500),
        (lambda: lapic.send_startup(vcpu, 1, 8), 0x4608),
        (lambda: lapic.send_fixed(vcpu, 1, 0xFD), 0x40FD),
    ):
        send()
        assert lapic.read(vcpu, Register.ICR_HIGH) >> 24 == 1
        assert lapic.read(vcpu, Register.ICR_LOW) & 0xCFFF == low


def test_init_and_startup_wake_a_waiting_processor():
    """MEL-03: it begins at the page that the start-up IPI's vector names."""
    machine = Machine(1 << 20, cpus=2)
    first, second = machine.vcpus
    machine.write(0x8000, b"\xeb\xfe")
    lapic.enable(first, spurious=0xFF, error=0xFE)
    assert second.activity == "wait-for-sipi"
    lapic.send_init(first, 1)
    lapic.send_startup(first, 1, 0x08)
    machine.write(0x1000, b"\xeb\xfe")
    first.write_register("cs.base", 0)
    first.write_register("rip", 0x1000)
    machine.run(until_ns=machine.now + 10_000)
    assert second.activity == "active"
    assert second.read_register("cs.base") + second.read_register("rip") == 0x8000
