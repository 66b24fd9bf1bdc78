"""From the power-on state to a boot record, and what happens without one."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pykern.machine import boot
from pykern.machine.board import BoardOptions
from pykern.machine.boot import BootOptions
from pykern.machine.computer import Computer, Image, MachineConfig
from pykern_c import Machine
from pykern_c.exits import ExitReason
from tests.pykern.machine.firmware.bios_services.conftest import Bios, assemble, source

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


MEMTEST = Path("/usr/lib/memtest86+/memtest86+x64.iso")
ISOLINUX = Path("/usr/lib/ISOLINUX/isolinux.bin")
LDLINUX = Path("/usr/lib/syslinux/modules/bios/ldlinux.c32")


def until(computer, *texts: str, seconds: int) -> list[str]:
    """Run until the screen shows some texts; return its lines."""
    for _ in range(20 * seconds):
        computer.machine.run(until_ns=computer.machine.now + SECOND // 20)
        screen = computer.board.vga.text()
        if all(any(text in line for line in screen) for text in texts):
            return screen
    raise AssertionError("\n".join(screen))


@pytest.mark.skipif(not MEMTEST.exists(), reason="memtest86+ is not installed")
def test_the_boot_loader_of_memtest86():
    computer, _, serial = booted(MEMTEST.read_bytes())
    until(computer, "Memtest86+ v", "Memory  :    4MB", seconds=3)
    assert serial.startswith(b"Loading Memtest86+....")


@pytest.mark.skipif(
    not (ISOLINUX.exists() and LDLINUX.exists() and shutil.which("xorriso")),
    reason="isolinux, syslinux-common or xorriso is not installed",
)
def test_isolinux(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    for path in (ISOLINUX, LDLINUX):
        shutil.copy(path, root)
    (root / "isolinux.cfg").write_text("SAY hello from isolinux\nPROMPT 1\nDEFAULT sector\n")
    (root / "sector.bin").write_bytes(
        bytes.fromhex("b8 41 0e cd 10 f4 eb fd").ljust(510, b"\0") + b"\x55\xaa"
    )
    options = "-no-emul-boot -boot-load-size 4 -boot-info-table -b isolinux.bin -c boot.cat"
    command = ["xorriso", "-as", "mkisofs", "-quiet", "-R", "-o", "a.iso", *options.split(), "root"]
    subprocess.run(command, cwd=tmp_path, check=True, stderr=subprocess.DEVNULL)
    computer, _, _ = booted((tmp_path / "a.iso").read_bytes())
    until(computer, "ISOLINUX 6", "boot:", seconds=2)
    computer.board.keyboard.type_text("sector.bin\n")
    until(computer, "boot: sector.bin", "A", seconds=2)


WORDS = st.one_of(
    st.integers(0, 0xFFFFFFFF), st.sampled_from([0, 1, 0x7FFF, 0xFFFF, 0xFFFFFFFF, 0x80, 0xE0])
)
SERVED = [0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x1A]


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(SERVED), WORDS, WORDS, WORDS, WORDS, WORDS, WORDS, st.integers(0, 0x60)
        ),
        min_size=1,
        max_size=20,
    ),
    st.lists(st.tuples(st.integers(0, 0xFF), st.integers(0, 0xFF)), max_size=6),
)
def test_no_call_makes_the_host_fail(tmp_path, calls, spoilt):
    """Any registers, any damage to the BIOS data area: the guest may suffer, nothing raises."""
    program = [
        Bios(vector, function << 8 | eax & 0xFF, *rest)
        for vector, eax, *rest, function in calls
        if (vector, function) != (0x15, 0x86)  # waits for up to an hour
    ]
    before = "".join(f"movb ${value}, {0x400 + offset}\n" for offset, value in spoilt)
    text = source([Bios(0x12, before=before), *program])
    computer, _, _ = booted(assemble(text, tmp_path, 64 << 10))
    assert computer.machine.run(until_ns=3_000_000)


@pytest.mark.parametrize("vector", [0x13, 0x15])
def test_a_stack_that_is_not_there(tmp_path, vector):
    """SS:SP behind the end of memory: the call comes to nothing."""
    before = "mov $0xFFFF, %ax\nmov %ax, %ss\nmov $0xFF00, %sp\n"
    text = source([Bios(vector, 0xFF00, before=before)])
    computer, _, _ = booted(assemble(text, tmp_path, 64 << 10))
    assert computer.machine.run(until_ns=3_000_000)
