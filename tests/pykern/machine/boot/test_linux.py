"""The Linux boot protocol, with images made here and with Debian's memtest86+."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pykern.machine.boot import BootError, BootModule, BootOptions, find
from pykern.machine.boot.linux import LinuxProtocol

MEMTEST = {
    name: Path(f"/boot/memtest86+{name}.bin")
    for name in ("x64", "ia32")
    if Path(f"/boot/memtest86+{name}.bin").exists()
}
KERNEL = bytes(range(256)) * 5


def bzimage(kernel: bytes = KERNEL, **changes: int) -> bytes:
    """An image of protocol 2.12 by the offsets of the documentation's table."""
    fields = {
        "setup_sects": (0x1F1, "B", 1),
        "syssize": (0x1F4, "I", -(-len(kernel) // 16)),
        "boot_flag": (0x1FE, "H", 0xAA55),
        "jump": (0x200, "H", 0x66EB),
        "header": (0x202, "I", 0x53726448),
        "version": (0x206, "H", 0x20C),
        "loadflags": (0x211, "B", 1),
        "code32_start": (0x214, "I", 0x100000),
        "initrd_addr_max": (0x22C, "I", 0x7FFFFFFF),
        "kernel_alignment": (0x230, "I", 0x200000),
        "relocatable_kernel": (0x234, "B", 0),
        "xloadflags": (0x236, "H", 1),
        "cmdline_size": (0x238, "I", 100),
        "pref_address": (0x258, "Q", 0x200000),
        "init_size": (0x260, "I", 0x10000),
    }
    image = bytearray(1024)
    for name, (offset, form, value) in fields.items():
        struct.pack_into("<" + form, image, offset, changes.get(name, value))
    return bytes(image) + kernel


def load(machine, image, **options):
    LinuxProtocol().load(image, machine, BootOptions(name="bzImage", **options))


def test_64_bit_entry(machine):
    load(machine, bzimage())
    cpu = machine.cpu
    assert cpu["rip"] == 0x200200
    assert machine.read(0x200000, len(KERNEL)) == KERNEL
    assert (cpu["cs"], cpu["ds"], cpu["es"], cpu["ss"]) == (0x10, 0x18, 0x18, 0x18)
    assert cpu["efer"] & 0x500 == 0x500
    assert machine.translate(cpu["rip"]) == cpu["rip"]
    assert machine.translate(cpu["rsi"]) == cpu["rsi"]
    assert cpu["rflags"] & 0x200 == 0


def test_32_bit_entry(machine):
    load(machine, bzimage(xloadflags=0))
    cpu = machine.cpu
    assert cpu["rip"] == 0x200000
    assert (cpu["cs"], cpu["cs.attr"]) == (0x10, 0xC09B)
    assert (cpu["ds"], cpu["es"], cpu["ss"]) == (0x18, 0x18, 0x18)
    assert cpu["cr0"] & 0x80000001 == 1
    assert (cpu["rbp"], cpu["rdi"], cpu["rbx"]) == (0, 0, 0)


def test_boot_params(machine):
    load(
        machine,
        bzimage(),
        command_line="console=ttyS0",
        modules=(BootModule("a", b"123"), BootModule("b", b"45")),
        rsdp=0xE0010,
    )
    params = machine.cpu["rsi"]
    zero_page = machine.read(params, 4096)
    assert zero_page[0x202:0x206] == b"HdrS"
    assert zero_page[0x210] == 0xFF  # type_of_loader
    assert machine.string(machine.u32(params + 0x228)) == "console=ttyS0"
    ramdisk, size = struct.unpack_from("<II", zero_page, 0x218)
    assert machine.read(ramdisk, size) == b"12345"
    assert ramdisk % 4096 == 0
    assert machine.u64(params + 0x70) == 0xE0010
    assert machine.u32(params + 0x214) == 0x200000
    assert (zero_page[6], zero_page[7], zero_page[0xE], zero_page[0xF]) == (3, 80, 25, 1)
    assert zero_page[0x1EF] == 0  # sentinel


def test_e820_table(machine):
    load(machine, bzimage())
    params = machine.cpu["rsi"]
    count = machine.read(params + 0x1E8, 1)[0]
    entries = [
        struct.unpack("<QQI", machine.read(params + 0x2D0 + 20 * i, 20)) for i in range(count)
    ]
    assert (0, 0x9FC00, 1) in entries
    assert (0x100000, 15 << 20, 1) in entries
    assert entries == sorted(entries)


def test_bytes_behind_the_setup_header_are_not_taken_for_fields(machine):
    """The header ends where the jump at 200h says; here before xloadflags."""
    image = bzimage(jump=0x30EB, version=0x20A)
    load(machine, image)
    zero_page = machine.read(machine.cpu["rsi"], 4096)
    assert zero_page[0x232:0x260] == bytes(0x2E)
    assert machine.cpu["cr0"] & 0x80000000 == 0


def test_relocatable_kernel_moves_where_there_is_room(make_machine):
    machine = make_machine(16 << 20)
    load(machine, bzimage(relocatable_kernel=1, pref_address=0x4000000, xloadflags=0))
    assert machine.cpu["rip"] == 0x200000
    with pytest.raises(BootError, match="bzImage: kernel occupies physical 0x4000000"):
        load(machine, bzimage(pref_address=0x4000000))


def test_initrd_stays_below_its_limit(machine):
    load(machine, bzimage(initrd_addr_max=0x5FFFFF), modules=(BootModule("i", bytes(5000)),))
    params = machine.cpu["rsi"]
    ramdisk, size = struct.unpack("<II", machine.read(params + 0x218, 8))
    assert ramdisk == 0x600000 - 0x2000
    assert ramdisk + size <= 0x600000


def test_zimage_is_entered_in_real_mode(machine):
    load(machine, bzimage(loadflags=0, version=0x202), command_line="x")
    cpu = machine.cpu
    assert (cpu["cs"], cpu["rip"]) == (0x9020, 0)
    assert cpu["ds"] == cpu["es"] == cpu["ss"] == 0x9000
    assert cpu["cs.base"] == 0x90200
    assert cpu["cr0"] & 1 == 0
    assert machine.read(0x10000, len(KERNEL)) == KERNEL
    assert machine.read(0x90211, 1)[0] & 0x80  # CAN_USE_HEAP
    assert machine.string(machine.u32(0x90228)) == "x"


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (bzimage(version=0x105), r"boot protocol 1\.05"),
        (bzimage(setup_sects=60), r"setup_sects 60 makes the setup 31232 bytes"),
        (bzimage()[:-32], r"syssize 0x50 announces 1280 bytes .* has 1248"),
        (bzimage(init_size=0x7FFFFFFF), r"not usable RAM"),
        (bzimage(bytes(600_000), loadflags=0), r"LOADED_HIGH is clear"),
    ],
)
def test_refused(machine, image, message):
    with pytest.raises(BootError, match=message):
        load(machine, image)


def test_command_line_too_long(machine):
    with pytest.raises(BootError, match=r"101 bytes; bzImage takes at most 100"):
        load(machine, bzimage(), command_line="x" * 101)


@pytest.mark.parametrize("name", MEMTEST)
def test_memtest(make_machine, name):
    machine = make_machine(32 << 20)
    image = MEMTEST[name].read_bytes()
    protocol = find(image, MEMTEST[name].name)
    assert protocol.name == "linux"
    protocol.load(image, machine, BootOptions(command_line="console=ttyS0,115200", rsdp=0xE0000))
    cpu = machine.cpu
    assert cpu["rip"] == (0x100200 if name == "x64" else 0x100000)
    setup_size = (image[0x1F1] + 1) * 512
    assert machine.read(0x100000, len(image) - setup_size) == image[setup_size:]


@pytest.mark.slow
@pytest.mark.parametrize("name", MEMTEST)
def test_qemu_runs_memtest_from_our_entry_state(make_machine, on_qemu, name):
    machine = make_machine(32 << 20)
    load(machine, MEMTEST[name].read_bytes(), command_line="console=ttyS0,115200")
    screen = on_qemu(machine, b"Status: Testing")
    assert b"Memtest86+ v6.10" in screen
    assert b"32MB" in screen


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0x1F1, 0x270), st.binary(min_size=1, max_size=8))))
def test_any_damage_is_a_boot_error_or_boots(make_machine, patches):
    image = bytearray(bzimage())
    for offset, data in patches:
        image[offset : offset + len(data)] = data
    machine = make_machine(4 << 20)
    try:
        load(machine, bytes(image), command_line="x", modules=(BootModule("i", b"i"),))
    except BootError as error:
        outcome = str(error)
    else:
        outcome = "rip" in machine.cpu.registers
    assert outcome
