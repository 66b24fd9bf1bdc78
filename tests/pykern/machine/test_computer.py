"""The joined computer: tables that say what the board has, and a start that can be repeated."""

from __future__ import annotations

import itertools

import pytest

from pykern.machine import boot
from pykern.machine.board import BoardOptions, FramebufferOptions
from pykern.machine.computer import Computer, Image, MachineConfig, numa_nodes, platform
from pykern.machine.firmware.acpi import AcpiPlatform
from pykern_c import Machine


def computer(**options):
    return Computer(MachineConfig(memory=32 << 20, **options), Machine)


def image(protocol, data):
    return Image(data, boot.PROTOCOLS[protocol], boot.BootOptions())


def test_the_tables_repeat_the_wiring_of_the_board():
    assert platform(4) == AcpiPlatform(cpus=4)


def test_the_hpet_is_the_one_of_the_tables():
    board = computer().board
    assert board.hpet.read(0, 4) == platform(1).hpet_block_id


def test_start_leaves_tables_and_the_kernel():
    made = computer(cpus=2)
    made.start(image("bootsector", bytes(510) + b"\x55\xaa"))
    assert made.machine.read(0xE0000, 8) == b"RSD PTR "
    assert made.machine.read(0x7DFE, 2) == b"\x55\xaa"
    assert made.machine.vcpus[0].read_register("rip") == 0x7C00


def test_firmware_makes_its_own_tables_and_can_be_started_again():
    made = computer()
    rom = bytes(65536 - 16) + b"\xea".ljust(16, b"\0")
    for _ in range(20):
        made.start(image("firmware", rom))
    assert made.machine.read(0xE0000, 8) == bytes(8)
    assert made.machine.read(0xFFFF0, 1) == made.machine.read(0xFFFFFFF0, 1) == b"\xea"
    assert made.machine.vcpus[0].read_register("cs.base") == 0xFFFF0000


def test_the_display_is_the_text_screen():
    assert computer().display.render().size[1] == 400


def test_nodes_share_processors_and_ram():
    low, high = (0, 3 << 30), (4 << 30, 5 << 30)
    nodes = numa_nodes((low, high), 5, 2)
    assert [node.cpus for node in nodes] == [(0, 1), (2, 3, 4)]
    assert nodes[0].memory == (low, (4 << 30, 1 << 30))
    assert nodes[1].memory == ((5 << 30, 4 << 30),)
    (everything,) = numa_nodes((low, high), 1, 1)
    assert everything.memory == (low, high)


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_no_memory_is_left_out_of_the_nodes(count):
    ram = ((0, 10 << 20), (4 << 30, 4096 * 5))
    nodes = numa_nodes(ram, 8, count)
    spans = sorted(span for node in nodes for span in node.memory)
    assert sum(size for _, size in spans) == sum(size for _, size in ram)
    assert all(a + size <= b for (a, size), (b, _) in itertools.pairwise(spans))
    assert sorted(cpu for node in nodes for cpu in node.cpus) == list(range(8))


def test_more_nodes_than_processors():
    with pytest.raises(ValueError, match="3 NUMA nodes, expected 1 to 2"):
        numa_nodes(((0, 1 << 30),), 2, 3)


def test_a_framebuffer_is_no_system_memory():
    board = BoardOptions(framebuffer=FramebufferOptions(64, 48, pitch=256))
    made = computer(board=board)
    made.machine.write(0xFD000000, bytes((0x33, 0x22, 0x11, 0)))
    assert made.display.render().getpixel((0, 0)) == (0x11, 0x22, 0x33)
    assert made.board.system_ram == [(0, 32 << 20)]
    selected = made.board.fw_cfg
    selected.write(0, 2, 3)  # FW_CFG_RAM_SIZE
    assert bytes(selected.read(1, 1) for _ in range(8)) == (32 << 20).to_bytes(8, "little")
