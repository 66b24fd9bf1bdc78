"""From the power-on state to a boot record, and what happens without one."""

from __future__ import annotations

from pykern.machine import boot
from pykern.machine.board import BoardOptions
from pykern.machine.boot import BootOptions
from pykern.machine.computer import Computer, Image, MachineConfig
from pykern_c import Machine
from pykern_c.exits import ExitReason

SECOND = 1_000_000_000
SECTOR = b"\xeb\xfe".ljust(510, b"\0") + b"\x55\xaa"


def booted(medium: bytes, **options):
    serial = bytearray()
    computer = Computer(
        MachineConfig(memory=4 << 20, board=BoardOptions(com1=serial.extend), **options), Machine
    )
    image = Image(medium, boot.PROTOCOLS["bios"], BootOptions(name="medium"))
    computer.start(image)
    return computer, image, serial


def test_state_at_the_boot_sector():
    computer, _, _ = booted(SECTOR)
    computer.machine.run(until_ns=100_000)
    cpu = computer.machine.vcpus[0]
    read = cpu.read_register
    assert (read("cs"), read("rip"), read("rdx") & 0xFF) == (0, 0x7C00, 0x80)
    assert [read(name) for name in ("ds", "es", "ss")] == [0, 0, 0]
    assert read("rflags") & 0x200
    assert computer.machine.read(0x7C00, 512) == SECTOR
    assert computer.machine.read(0xE0000, 8) == b"RSD PTR "


def test_the_timer_ticks():
    halts = bytes.fromhex("f4 eb fd")
    computer, _, _ = booted(halts.ljust(510, b"\0") + b"\x55\xaa")
    computer.machine.run(until_ns=SECOND)
    ticks = computer.bios.read_bda(0x6C, 4)
    assert ticks in {18, 19}


def test_nothing_to_start():
    computer, _, serial = booted(bytes(512))
    computer.machine.run(until_ns=SECOND)
    assert serial.startswith(b"No bootable medium: expected an El Torito boot image or 55 AA")
    assert computer.machine.vcpus[0].activity == "halted"
    assert not computer.machine.vcpus[0].read_register("rflags") & 0x200


def test_a_reset_boots_again():
    reboots = bytes.fromhex("b0 fe e6 64 eb fe")  # pulse the reset line
    computer, image, _ = booted(reboots.ljust(510, b"\0") + b"\x55\xaa")
    for _ in range(40):  # more often than there are hooks
        assert computer.machine.run(until_ns=computer.machine.now + SECOND).what == "reset"
        computer.start(image)
    assert computer.machine.read(0x7C00, 6) == reboots


def test_an_int_19h_of_the_guest_loads_the_record_anew():
    code = bytes.fromhex("fe 06 00 05 c6 06 10 7c 00 cd 19")  # inc [500h]; spoil; int 19h
    computer, _, _ = booted(code.ljust(510, b"\0") + b"\x55\xaa")
    computer.machine.run(until_ns=200_000)
    assert computer.machine.read(0x500, 1)[0] > 2


def test_unknown_calls_are_counted():
    code = bytes.fromhex("b8 34 12 cd 17 b8 00 77 cd 15 f4")
    computer, _, _ = booted(code.ljust(510, b"\0") + b"\x55\xaa")
    computer.machine.run(until_ns=100_000)
    assert computer.bios.unknown == {(0x17, 0x1234): 1, (0x15, 0x7700): 1}


def test_a_fault_of_a_real_mode_program_stops_the_processor():
    computer, _, _ = booted(b"\x0f\x0b".ljust(510, b"\0") + b"\x55\xaa")
    ended = computer.machine.run(until_ns=SECOND)
    assert ended.reason is ExitReason.BUDGET
    assert computer.machine.vcpus[0].activity == "halted"
