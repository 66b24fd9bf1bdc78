"""The tables that the firmware leaves, and damaged ones."""

from __future__ import annotations

import pytest

from pykern.kernel.drivers import acpi
from pykern.machine import firmware
from pykern.machine.computer import platform
from pykern.machine.firmware.smbios import SmbiosPlatform
from pykern_c import Machine

RSDP = 0xE0000


@pytest.fixture
def machine():
    made = Machine(4 << 20, cpus=3)
    firmware.install(made, platform(3), SmbiosPlatform(3, ((0, 4 << 20),)))
    return made


def test_processors_and_controllers_are_found(machine):
    """MEL-02."""
    found = acpi.read(machine, RSDP)
    assert found.apic_ids == (0, 1, 2)
    assert found.ioapics == ((0xFEC0_0000, 0),)
    assert found.overrides[0][0] == 2, "the PIT's line"
    assert found.fadt.PM1a_CNT_BLK
    assert acpi.s5_sleep_type(found.tables["DSDT"]) is not None


def test_checksums_are_right_and_wrong_ones_are_found(machine):
    """MEL-02: every byte of every table counts."""
    found = acpi.read(machine, RSDP)
    for name, paddr in (("RSDP", RSDP), *found.addresses.items()):
        byte = machine.read(paddr + 9, 1)
        machine.write(paddr + 9, bytes([byte[0] ^ 0x40]))
        with pytest.raises(acpi.AcpiError, match=f"{name}.*at {paddr:#x}"):
            acpi.read(machine, RSDP)
        machine.write(paddr + 9, byte)
    assert acpi.read(machine, RSDP) == found


def test_a_length_that_makes_no_sense_is_refused(machine):
    paddr = acpi.read(machine, RSDP).addresses["APIC"]
    for length in (0, 35, 1 << 31):
        machine.write(paddr + 4, length.to_bytes(4, "little"))
        with pytest.raises(acpi.AcpiError, match=f"'APIC' at {paddr:#x} is {length} bytes long"):
            acpi.read(machine, RSDP)


def test_a_root_that_is_none_is_refused(machine):
    with pytest.raises(acpi.AcpiError, match="expected 'RSD PTR '"):
        acpi.read(machine, 0x10_0000)
    with pytest.raises(acpi.AcpiError, match="not in memory"):
        acpi.read(machine, 1 << 40)


@pytest.mark.parametrize(
    ("package", "expected"),
    [
        (b"_S5_\x12\x06\x04\x0a\x05\x00", 5),
        (b"_S5_\x12\x06\x04\x00\x00", 0),
        (b"_S5_\x12\x06\x04\x01\x00", 1),
        (b"_S5_\x12\x46\x00\x04\x0a\x07", 7),
        (b"nothing", None),
    ],
)
def test_the_sleep_type_is_read_from_the_package(package, expected):
    r"""ACPI 6.4, \_Sx: DefPackage := PackageOp PkgLength NumElements elements."""
    assert acpi.s5_sleep_type(package) == expected
