"""What is left in memory before a kernel starts."""

from __future__ import annotations

from pykern.machine import firmware
from pykern.machine.firmware.acpi import AcpiPlatform


class Memory:
    def __init__(self):
        self.data = bytearray(1 << 20)

    def write(self, paddr, data):
        self.data[paddr : paddr + len(data)] = data

    def word(self, paddr):
        return int.from_bytes(self.data[paddr : paddr + 2], "little")


def installed():
    memory = Memory()
    return memory, firmware.install(memory, AcpiPlatform(cpus=2))


def test_rsdp_is_found_by_search():
    memory, left = installed()
    found = [a for a in range(0xE0000, 0x100000, 16) if memory.data[a : a + 8] == b"RSD PTR "]
    assert found == [left.rsdp]


def test_smbios_is_found_by_search():
    memory, left = installed()
    anchors = {b"_SM_": left.smbios_32, b"_SM3_": left.smbios_64}
    for anchor, paddr in anchors.items():
        places = range(0xF0000, 0x100000, 16)
        found = [a for a in places if memory.data[a : a + len(anchor)] == anchor]
        assert found == [paddr]


def test_an_interrupt_returns_and_a_fault_halts():
    memory, _ = installed()
    for vector in range(256):
        offset, segment = memory.word(vector * 4), memory.word(vector * 4 + 2)
        code = memory.data[segment * 16 + offset :][:2]
        if vector in {0, 6, 7, 12, 13}:
            assert code == b"\xfa\xf4"  # cli; hlt
        elif vector in {8, 9, 0x70, 0x74}:
            assert code == b"\x50\xb0"  # end of interrupt first
        else:
            assert code[0] == 0xCF  # iret


def test_bios_data_area():
    memory, _ = installed()
    assert memory.word(0x400) == 0x3F8
    assert memory.word(0x413) == 639
    assert memory.word(0x40E) << 4 == 639 << 10
    assert memory.data[memory.word(0x40E) << 4] == 1  # the EBDA's size in KiB
    assert (memory.data[0x449], memory.word(0x44A), memory.word(0x463)) == (3, 80, 0x3D4)
