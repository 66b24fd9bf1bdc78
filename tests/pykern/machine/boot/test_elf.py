"""ELF kernels: the documented entry state, high-half mapping, PVH, and what is refused."""

from __future__ import annotations

import struct

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pykern.machine.boot import BootError, BootModule, BootOptions
from pykern.machine.boot.elf import ElfProtocol

HIGH = 0xFFFFFFFF80000000
CODE = b"\xf4\xeb\xfd"


def load(machine, image, **options):
    ElfProtocol().load(image, machine, BootOptions(name="kernel.elf", **options))


def test_plain_kernel_is_entered_in_long_mode(machine, elf64):
    load(machine, elf64.segment(0x100000, CODE, memsz=0x3000).build(0x100000))
    cpu = machine.cpu
    assert machine.read(0x100000, 3) == CODE
    assert cpu["rip"] == 0x100000
    assert cpu["cr0"] & 0x80000001 == 0x80000001
    assert cpu["cr4"] == 0x20
    assert cpu["efer"] == 0x500
    assert cpu["rflags"] == 2
    assert (cpu["cs.attr"] >> 13) & 1 == 1  # L
    assert (cpu["cs.attr"] >> 14) & 1 == 0  # D
    assert cpu["rsp"] % 16 == 8
    assert machine.u64(cpu["rsp"]) == 0


# 64-bit code: print what cmdline_paddr of the start info in RDI points to, up to its 0, and exit.
PRINT_COMMAND_LINE = bytes.fromhex("48 8b 77 18 66 ba f8 03 ac 84 c0 74 03 ee eb f8 e6 f4")


@pytest.mark.slow
def test_qemu_runs_a_high_half_kernel_from_our_entry_state(machine, elf64, on_qemu):
    elf64.segment(HIGH + 0x100000, PRINT_COMMAND_LINE, paddr=0x100000)
    load(machine, elf64.build(HIGH + 0x100000), command_line="from the high half")
    assert on_qemu(machine, b"high half") == b"from the high half"


def test_low_4_gib_are_identity_mapped(machine, elf64):
    load(machine, elf64.segment(0x100000, CODE).build(0x100000))
    for laddr in (0, 0x1000, 0xB8000, 0x100000, 0xFEE00123, 0xFFFFFFFF):
        assert machine.translate(laddr) == laddr
    assert machine.translate(1 << 32) is None


def test_gdt_descriptors_agree_with_the_cached_segments(machine, elf64):
    load(machine, elf64.segment(0x100000, CODE).build(0x100000))
    cpu = machine.cpu
    for name in ("cs", "ds", "ss"):
        low = machine.u64(cpu["gdtr.base"] + cpu[name])
        attributes = (low >> 40 & 0xFF) | (low >> 52 & 0xF) << 12
        assert attributes == cpu[f"{name}.attr"]
        assert (low >> 16 & 0xFFFFFF) | (low >> 56) << 24 == cpu[f"{name}.base"] == 0
        assert (low & 0xFFFF) | (low >> 48 & 0xF) << 16 == cpu[f"{name}.limit"] >> 12
        assert cpu[name] + 7 <= cpu["gdtr.limit"]


@pytest.mark.parametrize("paddr", [0x200000, 0x201000])
def test_high_half_segments_are_mapped(machine, elf64, paddr):
    data = bytes(range(256)) * 40
    elf64.segment(HIGH + paddr, data, paddr=paddr, memsz=5 << 20)
    load(machine, elf64.build(HIGH + paddr + 0x10))
    assert machine.cpu["rip"] == HIGH + paddr + 0x10
    for offset in (0, 0x10, 0xFFF, 0x1000, len(data) - 1, (5 << 20) - 1):
        assert machine.translate(HIGH + paddr + offset) == paddr + offset
    assert machine.translate(HIGH + paddr - 1) is None


def test_bss_is_cleared(machine, elf64):
    machine.write(0x100000, b"\xff" * 0x3000)
    load(machine, elf64.segment(0x100000, CODE, memsz=0x2000).build(0x100000))
    assert machine.read(0x100003, 0x1FFD) == bytes(0x1FFD)
    assert machine.read(0x102000, 1) == b"\xff"


def test_start_info_tells_command_line_modules_memory_and_rsdp(machine, elf64):
    load(
        machine,
        elf64.segment(0x100000, CODE, memsz=0x1800).build(0x100000),
        command_line="a=1 b",
        modules=(BootModule("first", b"one"), BootModule("second", b"twotwo")),
        rsdp=0xE0000,
    )
    info = machine.cpu["rdi"]
    assert info == machine.cpu["rbx"]
    assert machine.cpu["rsi"] == machine.u32(info) == 0x336EC578
    assert machine.u32(info + 4) == 1
    assert machine.string(machine.u64(info + 24)) == "a=1 b"
    assert machine.u64(info + 32) == 0xE0000
    modlist = machine.u64(info + 16)
    found = []
    for i in range(machine.u32(info + 12)):
        paddr, size, name = struct.unpack("<QQQ", machine.read(modlist + 32 * i, 24))
        assert paddr % 4096 == 0
        assert paddr >= 0x101800
        found.append((machine.string(name), machine.read(paddr, size)))
    assert found == [("first", b"one"), ("second", b"twotwo")]


def test_memory_map_reserves_the_loader_s_own_data(machine, elf64):
    load(machine, elf64.segment(0x100000, CODE).build(0x100000))
    cpu = machine.cpu
    info = cpu["rdi"]
    memmap, count = machine.u64(info + 40), machine.u32(info + 48)
    ranges = [struct.unpack("<QQI", machine.read(memmap + 24 * i, 20)) for i in range(count)]
    for address in (info, cpu["cr3"], cpu["rsp"], cpu["gdtr.base"], memmap):
        (kind,) = [kind for base, size, kind in ranges if base <= address < base + size]
        assert kind == 2
    assert (0x100000, (16 << 20) - 0x100000, 1) in ranges


@pytest.mark.parametrize("bits", [32, 64])
def test_pvh_note_enters_protected_mode(machine, request, bits):
    builder = request.getfixturevalue(f"elf{bits}")
    builder.segment(0x100000, CODE).note(b"Xen", 18, struct.pack("<I", 0x100001))
    load(machine, builder.build(0x123456))
    cpu = machine.cpu
    assert cpu["rip"] == 0x100001
    assert cpu["cr0"] & 0x80000001 == 1
    assert cpu["cr4"] == 0
    assert machine.u32(cpu["rbx"]) == 0x336EC578
    assert (cpu["cs.attr"], cpu["cs.base"], cpu["cs.limit"]) == (0xC09B, 0, 0xFFFFFFFF)
    assert (cpu["tr.attr"], cpu["tr.base"], cpu["tr.limit"]) == (0x8B, 0, 0x67)
    assert cpu["rflags"] & 0x20300 == 0


def test_a_plain_32_bit_kernel_is_refused(machine, elf32):
    with pytest.raises(BootError, match=r"kernel\.elf: EI_CLASS is 1.*Multiboot"):
        load(machine, elf32.segment(0x100000, CODE).build(0x100000))


def test_header_beyond_the_end_of_the_file(machine, elf64):
    image = bytearray(elf64.segment(0x100000, CODE).build(0x100000))
    image[0x20:0x28] = struct.pack("<Q", 0x12345)
    with pytest.raises(
        BootError, match=rf"kernel\.elf: e_phoff 0x12345 .*end of file \({len(image)} bytes\)"
    ):
        load(machine, bytes(image))


@pytest.mark.parametrize(
    ("offset", "value", "message"),
    [
        (4, 7, "EI_CLASS is 7"),
        (5, 2, "EI_DATA is 2"),
        (0x10, 1, "e_type is 1"),
        (0x12, 40, "e_machine is 40"),
        (0x36, 1, "e_phentsize is 1"),
        (0x38, 0, "e_phnum is 0"),
        (0x40 + 0x20, 0xFF, "beyond end of file"),  # p_filesz
        (0x40 + 0x28, 0, "exceeds p_memsz"),
        (0x40 + 0x18 + 3, 1, "not usable RAM"),  # p_paddr + 16 MiB
    ],
)
def test_damaged_fields(machine, elf64, offset, value, message):
    image = bytearray(elf64.segment(0x100000, CODE).build(0x100000))
    image[offset] = value
    with pytest.raises(BootError, match=message):
        load(machine, bytes(image))


def test_headers_just_below_1_mib_are_taken_as_qemu_takes_them(machine, elf64):
    """`ld -Ttext=0x100000` puts them there."""
    elf64.segment(0xFF000, b"headers").segment(0x100000, CODE)
    load(machine, elf64.build(0x100000))
    assert machine.read(0xFF000, 7) == b"headers"
    with pytest.raises(BootError, match=r"0xe8000-0xe8001, which is not usable"):
        load(machine, elf64.segment(0xE8000, b"no").build(0x100000))


@pytest.mark.parametrize(
    ("vaddr", "paddr", "message"),
    [
        (0x400000, 0x100000, "below 4 GiB"),
        (HIGH + 0x100010, 0x100000, "another offset"),
        (0x0000900000000000, 0x100000, "canonical"),
    ],
)
def test_impossible_mappings(machine, elf64, vaddr, paddr, message):
    with pytest.raises(BootError, match=message):
        load(machine, elf64.segment(vaddr, CODE, paddr=paddr).build(vaddr))


def test_overlapping_segments(machine, elf64):
    elf64.segment(0x100000, CODE).segment(0x100001, CODE)
    with pytest.raises(BootError, match=r"segment 1 .* overlaps"):
        load(machine, elf64.build(0x100000))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.integers(0, 200), st.binary(min_size=1, max_size=8)), max_size=4),
    st.booleans(),
)
def test_any_damage_is_a_boot_error_or_boots(make_machine, elf64, patches, with_note):
    elf64.segments.clear()
    elf64.segment(0x100000, CODE, memsz=0x2000)
    if with_note:
        elf64.note(b"Xen", 18, struct.pack("<I", 0x100000))
    image = bytearray(elf64.build(0x100000))
    for offset, data in patches:
        image[offset : offset + len(data)] = data
    machine = make_machine(4 << 20)
    try:
        load(machine, bytes(image))
    except BootError as error:
        message = str(error)
    else:
        message = "kernel.elf: booted" * ("rip" in machine.cpu.registers)
    assert message.startswith("kernel.elf: ") or "start info" in message
