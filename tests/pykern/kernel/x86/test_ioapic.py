"""The driver of the I/O APIC on the board's I/O APIC."""

import pytest

from pykern.kernel.x86.ioapic import ACTIVE_LOW, LEVEL, MASKED, Ioapic
from pykern.machine.computer import Computer, MachineConfig
from pykern_c import Machine

BASE = 0xFEC0_0000


@pytest.fixture
def vcpu():
    return Computer(MachineConfig(memory=4 << 20), Machine).machine.vcpus[0]


def _entry(vcpu, number):
    halves = []
    for index in (0x10 + 2 * number, 0x11 + 2 * number):
        vcpu.physical_write(BASE, 4, index)
        halves.append(vcpu.physical_read(BASE + 0x10, 4))
    return halves[0] | halves[1] << 32


def test_it_has_24_inputs(vcpu):
    assert Ioapic(BASE, 0).inputs(vcpu) == 24


def test_a_route_names_vector_processor_and_line(vcpu):
    """82093AA datasheet, I/O Redirection Table Registers."""
    ioapic = Ioapic(BASE, 0)
    ioapic.mask_all(vcpu)
    assert all(_entry(vcpu, n) & MASKED for n in range(24))
    ioapic.route(vcpu, 9, vector=0x29, apic_id=3, flags=ACTIVE_LOW | LEVEL)
    status = 1 << 12 | 1 << 14  # delivery status, remote IRR: what the line does at the time
    assert _entry(vcpu, 9) & ~status == 3 << 56 | LEVEL | ACTIVE_LOW | 0x29
    assert _entry(vcpu, 8) & MASKED


def test_interrupts_are_counted_from_the_first_of_this_ioapic(vcpu):
    Ioapic(BASE, 16).route(vcpu, 20, vector=0x44, apic_id=0)
    assert _entry(vcpu, 4) & 0xFF == 0x44
