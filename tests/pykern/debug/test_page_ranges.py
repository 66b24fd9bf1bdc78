"""Page tables as ranges, against the walk that the processor makes."""

from __future__ import annotations

import struct

from pykern.debug.page_ranges import ranges
from tests.guest import PML4, long_mode_machine, page_entry


def test_each_range_is_what_the_processor_finds():
    machine = long_mode_machine("hlt")
    machine.write(page_entry(0x3000), struct.pack("<Q", 0))
    machine.write(page_entry(0x5000), struct.pack("<Q", 0x9000 | 1 | 1 << 63))
    found = ranges(machine, machine.vcpus[0])
    assert [str(one) for one in found] == [
        "0000000000000000-0000000000003000 0000000000003000 -rwx 0x0",
        "0000000000004000-0000000000005000 0000000000001000 -rwx 0x4000",
        "0000000000005000-0000000000006000 0000000000001000 -r-- 0x9000",
        "0000000000006000-0000000000800000 00000000007fa000 -rwx 0x6000",
    ]
    assert found[2].as_info_mem == "0000000000005000-0000000000006000 0000000000001000 -r-"
    for one in found:
        for offset in (0, one.size - 1):
            walk = machine.vcpus[0].translate(one.laddr + offset)
            assert walk.paddr == one.paddr + offset
            assert (walk.writable, walk.executable) == ("w" in one.rights, "x" in one.rights)


def test_large_pages_and_the_upper_half():
    machine = long_mode_machine("hlt")
    pdpt = 0x40_0000
    machine.write(PML4 + 8 * 256, struct.pack("<Q", pdpt | 7))
    machine.write(pdpt, struct.pack("<2Q", 0x83, 0x4000_0000 | 0x83))
    last = ranges(machine, machine.vcpus[0])[-1]
    assert (last.laddr, last.size, last.rights) == (0xFFFF_8000_0000_0000, 2 << 30, "-rwx")


def test_32_bit_and_pae_paging():
    machine = long_mode_machine("hlt")
    cpu = machine.vcpus[0]
    cpu.write_register("efer", 0)
    machine.write(0x50_0000, struct.pack("<2I", 0x51_0000 | 7, 0x83))
    machine.write(0x51_0000, struct.pack("<2I", 0x1007, 0))
    cpu.write_register("cr3", 0x50_0000)
    cpu.write_register("cr4", 0x10)
    assert [str(one)[17:] for one in ranges(machine, cpu)] == [
        "0000000000001000 0000000000001000 urwx 0x1000",
        "0000000000800000 0000000000400000 -rwx 0x0",
    ]
    machine.write(0x50_0000, struct.pack("<4Q", 0x52_0001, 0, 0, 0))
    machine.write(0x52_0000, struct.pack("<Q", 0x20_0000 | 0x87))
    cpu.write_register("cr4", 0x20)
    assert [str(one)[17:] for one in ranges(machine, cpu)] == [
        "0000000000200000 0000000000200000 urwx 0x200000"
    ]


def test_without_paging_there_is_none():
    machine = long_mode_machine("hlt")
    machine.vcpus[0].write_register("cr0", 1)
    assert ranges(machine, machine.vcpus[0]) == []
