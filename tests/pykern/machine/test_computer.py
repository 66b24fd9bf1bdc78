"""The joined computer: tables that say what the board has, and a start that can be repeated."""

from __future__ import annotations

from pykern.machine import boot
from pykern.machine.computer import Computer, Image, MachineConfig, platform
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
