"""Interrupt controllers and task state in words."""

from __future__ import annotations

import struct

from pykern.debug import interrupt_state
from tests.guest import long_mode_machine


def test_the_local_apic():
    machine = long_mode_machine("hlt")
    local = machine.apics.local[0]
    local.write(0xF0, 4, 0x1FF)
    local.write(0x320, 4, 0x2_0040)
    local.accept(0x51)
    lines = interrupt_state.apic(machine, machine.vcpus[0]).splitlines()
    assert "  IRR 0x51" in lines
    assert "  LVT timer       vector 0x40 periodic" in lines
    assert "  TPR 0x0, SVR 0x1ff, errors 0x0" in lines


def test_the_io_apic():
    machine = long_mode_machine("hlt")
    chip = machine.apics.ioapic
    for index, value in ((0x14, 0xA035), (0x15, 3 << 24)):
        chip.write(0, 4, index)
        chip.write(0x10, 4, value)
    lines = interrupt_state.ioapic(machine).splitlines()
    assert len(lines) == 24
    assert lines[2] == "pin  2  vector 0x35 fixed, to APIC 0x3, level, active low"
    assert lines[3].endswith("masked")


def test_the_task_state_segment():
    machine = long_mode_machine("hlt")
    cpu = machine.vcpus[0]
    machine.write(0x4000, struct.pack("<I10Q", 0, 0x1000, 2, 3, 0, 0x5000, 0, 0, 0, 0, 0))
    machine.write(0x4066, struct.pack("<H", 0x68))
    for name, value in (("tr", 0x28), ("tr.base", 0x4000), ("tr.limit", 0x67)):
        cpu.write_register(name, value)
    text = interrupt_state.tss(cpu)
    assert text.startswith("TR 0028: TSS at 0x4000, limit 0x67\n  RSP0 0000000000001000\n")
    assert "  IST1 0000000000005000\n" in text
    assert text.endswith("I/O permission bitmap at 0x68\n")
    cpu.write_register("tr.limit", 0x20)
    assert "too small" in interrupt_state.tss(cpu)
