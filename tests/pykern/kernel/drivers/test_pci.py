"""MIC-17: the buses are found as the board has them."""

from __future__ import annotations

import pytest

from pykern.kernel.drivers import pci
from pykern.machine.computer import Computer, MachineConfig
from pykern.machine.devices.pci import PciFunction
from pykern_c import Machine
from tests.pykern.kernel import hosted


@pytest.fixture
def computer():
    computer = Computer(MachineConfig(1, 16 << 20), Machine)
    computer.machine.reset()
    return computer


def test_the_host_bridge(computer):
    """MIC-17: an Intel 440FX at 00:00.0."""
    found = pci.enumerate_functions(computer.machine.vcpus[0])
    assert [(f.bus, f.slot, f.number) for f in found] == [(0, 0, 0)]
    assert (found[0].vendor, found[0].device, found[0].class_code) == (0x8086, 0x1237, 0x060000)
    assert str(found[0]).startswith("00:00.0 host bridge [0600]: [8086:1237]")
    assert not any(found[0].bars)


def test_functions_and_their_sizes(computer):
    """MIC-17: several functions, I/O and memory; registers are as before."""
    board = computer.board.pci
    first = PciFunction(0x1AF4, 0x1000, 0x020000, revision=3, bars={0: (32, 1), 1: (4096, 0)})
    board.add(first, 5)
    board.add(PciFunction(0x1B36, 0x0010, 0x010802, bars={0: (0x4000, 0)}), 5, 2)
    for offset, byte in enumerate((0xFEB0_0000).to_bytes(4, "little")):
        first.write_config(0x14 + offset, byte)
    first.write_config(4, 7)
    before = bytes(first.read_config(r) & 0xFF for r in range(64))
    found = pci.enumerate_functions(computer.machine.vcpus[0])
    assert [(f.slot, f.number, f.vendor) for f in found[1:]] == [(5, 0, 0x1AF4), (5, 2, 0x1B36)]
    network, storage = found[1:]
    assert [bar.size if bar else 0 for bar in network.bars] == [32, 4096, 0, 0, 0, 0]
    assert network.bars[0].value & 1
    assert network.bars[1].value == 0xFEB0_0000
    assert storage.bars[0].size == 0x4000
    assert pci.class_name(storage.class_code) == "mass storage controller"
    assert bytes(first.read_config(r) & 0xFF for r in range(64)) == before


def test_a_program_can_read_them(kernel_image):
    """MIC-17: /proc/bus/pci/devices, as lspci reads it."""
    kernel = hosted.idle_system(kernel_image).kernel
    line = hosted.read_file(kernel, "/proc/bus/pci/devices", 4096).decode()
    words = line.split()
    assert words[:3] == ["0000", "80861237", "0"]
    assert len(words) == 17
