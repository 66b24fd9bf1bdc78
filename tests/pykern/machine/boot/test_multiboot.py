"""Multiboot: the entry state and information structure are those of the specification's tables."""

from __future__ import annotations

import struct

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pykern.machine.boot import BootError, BootModule, BootOptions
from pykern.machine.boot.multiboot import Multiboot

CODE = b"\xfa\xf4\xeb\xfd"


def header(flags: int, *addresses: int) -> bytes:
    start = struct.pack("<III", 0x1BADB002, flags, -(0x1BADB002 + flags) & 0xFFFFFFFF)
    return start + struct.pack(f"<{len(addresses)}I", *addresses)


def load(machine, image, **options):
    Multiboot().load(image, machine, BootOptions(name="k.bin", **options))


def flat(code: bytes = CODE, **fields: int) -> bytes:
    """A flat kernel: header at 0, code at 20h, loaded at 1 MiB."""
    values = {
        "header_addr": 0x100000,
        "load_addr": 0x100000,
        "load_end_addr": 0,
        "bss_end_addr": 0,
        "entry_addr": 0x100020,
    } | fields
    return header(1 << 16, *values.values()).ljust(0x20, b"\0") + code


def test_machine_state(machine):
    load(machine, flat())
    cpu = machine.cpu
    assert cpu["rax"] == 0x2BADB002
    assert cpu["rip"] == 0x100020
    assert cpu["cr0"] & 0x80000001 == 1
    assert cpu["rflags"] & 0x20200 == 0
    assert (cpu["cs.base"], cpu["cs.limit"], cpu["cs.attr"]) == (0, 0xFFFFFFFF, 0xC09B)
    for name in ("ds", "es", "fs", "gs", "ss"):
        assert (cpu[f"{name}.base"], cpu[f"{name}.limit"]) == (0, 0xFFFFFFFF)
        assert cpu[f"{name}.attr"] == 0xC093
    assert machine.read(0x100020, len(CODE)) == CODE


def test_information_structure(machine):
    load(machine, flat(), command_line="root=/dev/ram", modules=(BootModule("initrd x", b"abc"),))
    info = machine.cpu["rbx"]
    flags, lower, upper = struct.unpack("<III", machine.read(info, 12))
    assert flags & 0x24D == 0x24D  # memory, cmdline, modules, mmap, boot loader name
    assert (lower, upper) == (639, 15 * 1024)
    assert machine.string(machine.u32(info + 16)) == "k.bin root=/dev/ram"
    assert machine.u32(info + 20) == 1
    start, end, string, reserved = struct.unpack("<IIII", machine.read(machine.u32(info + 24), 16))
    assert machine.read(start, end - start) == b"abc"
    assert start % 4096 == 0
    assert (machine.string(string), reserved) == ("initrd x", 0)
    assert machine.string(machine.u32(info + 64)) == "pykern"


def test_memory_map(machine):
    load(machine, flat())
    info = machine.cpu["rbx"]
    length, address = machine.u32(info + 44), machine.u32(info + 48)
    entries, position = [], 0
    while position < length:
        size, base, span, kind = struct.unpack("<IQQI", machine.read(address + position, 24))
        entries.append((base, span, kind))
        position += size + 4
    assert (0, 0x9FC00, 1) in entries
    assert (0x100000, 15 << 20, 1) in entries
    assert (0x9FC00, 0x400, 2) in entries


def test_elf_kernel_is_entered_at_its_physical_entry(machine, elf32):
    data = header(3) + CODE
    image = elf32.segment(0xC0100000, data, paddr=0x100000, memsz=0x5000).build(0xC010000C)
    load(machine, image)
    assert machine.cpu["rip"] == 0x10000C
    assert machine.read(0x100000, len(data)) == data


def test_elf64_kernel(machine, elf64):
    load(machine, elf64.segment(0x100000, header(0) + CODE).build(0x10000C))
    assert machine.cpu["rip"] == 0x10000C


def test_address_fields_cut_and_clear(machine):
    machine.write(0x100000, b"\xff" * 0x1000)
    load(machine, flat(CODE + b"junk", load_end_addr=0x100024, bss_end_addr=0x100800))
    assert machine.read(0x100020, 4) == CODE
    assert machine.read(0x100024, 0x7DC) == bytes(0x7DC)
    assert machine.read(0x100800, 1) == b"\xff"


@pytest.mark.parametrize("offset", [0, 4, 0x1000, 8192 - 12])
def test_header_is_found_anywhere_in_8192_bytes(offset):
    assert Multiboot().probe(bytes(offset) + header(0))


@pytest.mark.parametrize(
    "image",
    [
        bytes(2) + header(0),  # not aligned
        bytes(8192) + header(0),  # too late
        bytes(8192 - 8) + header(0),  # not wholly inside
        struct.pack("<III", 0x1BADB002, 0, 0),  # checksum
    ],
)
def test_header_is_not_found(image):
    assert not Multiboot().probe(image)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (header(1 << 5) + bytes(64), r"requires flags 0x20"),
        (header(0) + bytes(64), r"starts with 02 b0 ad 1b; .* has to be ELF"),
        (header(1 << 16) + bytes(4), r"needs address fields up to 0x20"),
        (flat(load_addr=0x100100), r"starts before the file"),
        (flat(load_addr=0xFFF00), r"starts before the file"),
        (flat(load_end_addr=0x200000), r"the file has 36 from there"),
        (flat(bss_end_addr=0x100001), r"bss_end_addr 0x100001"),
        (flat(header_addr=0x9000000, load_addr=0x9000000), r"not usable RAM"),
    ],
)
def test_refused(machine, image, message):
    with pytest.raises(BootError, match=message):
        load(machine, image)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 0xFFFFF), st.lists(st.integers(0, 0xFFFFFFFF), max_size=6), st.binary())
def test_any_header_is_a_boot_error_or_boots(make_machine, flags, addresses, rest):
    machine = make_machine(2 << 20)
    try:
        load(machine, header(flags, *addresses) + rest)
    except BootError as error:
        message = str(error)
    else:
        message = "k.bin: booted" * (machine.cpu["rax"] == 0x2BADB002)
    assert message.startswith("k.bin: ")


@given(st.binary(max_size=64))
def test_any_bytes_can_be_probed(image):
    assert Multiboot().probe(image) in {True, False}
