"""INT 15h beside SeaBIOS's, and the memory map it reports."""

from __future__ import annotations

import itertools
import struct

from tests.pykern.machine.firmware.bios_services.conftest import BUFFER, Bios

SMAP = 0x534D4150


def test_beside_seabios(agree):
    descriptor = b"\xff\xff\x00\x7c\x00\x93\0\0" + b"\xff\xff\x40\x50\x00\x93\0\0"
    agree(
        Bios(0x15, 0x2402),
        Bios(0x15, 0x2400),
        Bios(0x15, 0x2402),
        Bios(0x15, 0x2401),
        Bios(0x15, 0x2402),
        Bios(0x15, 0x2403),
        Bios(0x15, 0x2404),
        Bios(0x15, 0x8800, ignore="eax"),  # SeaBIOS keeps 128 KiB at the end for itself
        Bios(0x15, 0xE801, ignore="eax ebx ecx edx"),
        Bios(0x15, 0xE820, edx=SMAP, ecx=20, dump=20),
        Bios(0x15, 0xE820, edx=SMAP, ecx=19),
        Bios(0x15, 0xE820, edx=0, ecx=20),
        Bios(0x15, 0xE820, edx=SMAP, ecx=20, ebx=500),
        Bios(0x15, 0x4F1E),
        Bios(0x15, 0x8600, edx=1000),
        Bios(0x15, 0x8700, ecx=8, at=bytes(16) + descriptor + bytes(16), ignore="data"),
        Bios(0x15, 0xC000, ignore="ebx"),
        Bios(0x15, 0xC100),
        Bios(0x15, 0x9999),
    )


def test_a20_can_be_closed_and_opened(host):
    for function, level in ((0x2400, False), (0x2401, True)):
        state = host.run(Bios(0x15, function), Bios(0x15, 0x2402))[1]
        assert (state.al, host.computer.board.a20.level) == (int(level), level)


def test_the_gate_is_the_processors(host):
    wraps = """
    mov $0xFFFF, %ax
    mov %ax, %fs
    movw $0x1234, 0x500
    movl %fs:0x510, %eax        # 100500h, or 500h
    mov %eax, 0x5000
    """
    results = host.run(
        Bios(0x15, 0x2400),
        Bios(0x11, before=wraps, dump=2),
        Bios(0x15, 0x2401),
        Bios(0x11, before=wraps, dump=2),
    )
    assert results[1].data == b"\x34\x12"
    assert results[3].data == b"\0\0"


def test_the_whole_map(host):
    calls = [Bios(0x15, 0xE820, edx=SMAP, ecx=20, ebx=number, dump=20) for number in range(9)]
    results = host.run(*calls)
    found = []
    for result in results:
        found.append(struct.unpack("<QQI", result.data))
        assert (result.eax, result.ecx, result.carry) == (SMAP, 20, False)
        if not result.ebx:
            break
    assert found == sorted(found)
    assert (0, 0x9FC00, 1) in found
    assert (0x100000, 63 << 20, 1) in found
    assert all(b >= base + size for (base, size, _), (b, _, _) in itertools.pairwise(found))


def test_sizes(host):
    small, sizes = host.run(Bios(0x15, 0x8800), Bios(0x15, 0xE801))
    assert small.eax == 63 << 10
    assert (sizes.eax, sizes.ebx) == (sizes.ecx, sizes.edx) == (15 << 10, 48 << 20 >> 16)


def test_a_block_is_moved_above_1_mib(host):
    there = b"\xff\xff\x00\x7e\x00\x93\0\0" + b"\xff\xff\x00\x00\x20\x93\0\0"
    (result,) = host.run(Bios(0x15, 0x8700, ecx=256, at=bytes(16) + there))
    assert (result.ah, result.carry) == (0, False)
    machine = host.computer.machine
    assert machine.read(0x200000, 512) == machine.read(0x7E00, 512)


def test_waiting_takes_its_time(host):
    def elapsed(*calls):
        host.run(*calls)
        return host.computer.machine.now

    base = elapsed(Bios(0x12))
    for us in (100, 20_000, 1_000_000):
        took = elapsed(Bios(0x15, 0x8600, ecx=us >> 16, edx=us & 0xFFFF)) - base
        assert us * 1000 <= took <= us * 1000 + 1_000_000


def test_addresses_of_tables(host):
    table, ebda = host.run(Bios(0x15, 0xC000), Bios(0x15, 0xC100))
    machine = host.computer.machine
    assert machine.read(table.es * 16 + table.ebx, 4) == b"\x08\0\xfc\0"
    assert machine.read(ebda.es * 16, 1) == b"\1"
    assert BUFFER < 0x7C00
