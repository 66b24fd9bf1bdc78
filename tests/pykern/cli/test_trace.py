"""What --trace writes."""

from __future__ import annotations

import pytest

from pykern.cli.trace import TracedDevice, next_instruction, tracing_machine


class Device:
    def __init__(self):
        self.written = []

    def read(self, offset, size):
        return 0xFFFFFFFFFFFFFFA5 + offset

    def write(self, offset, size, value):
        self.written.append((offset, size, value))


def test_a_traced_device_still_answers():
    lines, device = [], Device()
    traced = TracedDevice(device, "port", 0x3F8, lines.append)
    assert traced.read(1, 1) == 0xFFFFFFFFFFFFFFA6
    traced.write(0, 2, 0x41)
    assert device.written == [(0, 2, 0x41)]
    assert lines == ["port 0x3f9 1 -> 0xa6", "port 0x3f8 2 <- 0x41"]


def test_addresses_are_those_of_the_board():
    mapped, lines = [], []

    class Machine:
        def map_mmio(self, paddr, size, device):
            mapped.append(device)

        def map_ports(self, port, count, device, *, base=0):
            mapped.append(device)

    machine = tracing_machine(Machine, lines.append)()
    machine.map_mmio(0xFED00000, 0x400, Device())
    machine.map_ports(0x64, 1, Device(), base=4)
    mapped[0].read(0xF0, 8)
    mapped[1].write(4, 1, 0xFE)
    assert [line.split()[:2] for line in lines] == [["mmio", "0xfed000f0"], ["port", "0x64"]]


class Cpu:
    """Only the first `mapped` bytes of the linear addresses can be read."""

    def __init__(self, bits, base=0, mapped=1 << 64):
        self.registers = {"cs.base": base}
        self.code_bits = bits
        self.mapped = mapped

    def read_register(self, name):
        return self.registers[name]

    def read_linear(self, laddr, size):
        if laddr + size > self.mapped:
            raise ValueError(laddr)
        return bytes(size)


def fake(code, address, bits):
    return 1, f"{len(code)} {address:x} {bits}"


@pytest.mark.parametrize(
    ("cpu", "rip", "text"),
    [
        (Cpu(64), 0xFFFFFFFF80000000, "15 ffffffff80000000 64"),
        (Cpu(32, base=0x1000), 0x10, "15 10 32"),
        (Cpu(16, base=0xF0000), 0xFFF0, "15 fff0 16"),
        (Cpu(64, mapped=0x2000), 0x1FFE, "2 1ffe 64"),
        (Cpu(64, mapped=0x2000), 0x3000, "(not mapped)"),
    ],
)
def test_next_instruction(cpu, rip, text):
    assert next_instruction(cpu, rip, fake) == text
