"""The ACPI tables: checked against the specification's rules and by Intel's own disassembler."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from pykern.machine.firmware import acpi, acpi_tables

if TYPE_CHECKING:
    from pathlib import Path


def table(image: acpi.AcpiImage, signature: str) -> bytes:
    offset = image.tables[signature] - image.base
    length = int.from_bytes(image.data[offset + 4 : offset + 8], "little")
    return image.data[offset : offset + length]


@pytest.fixture(params=[1, 4, 64])
def image(request: pytest.FixtureRequest) -> acpi.AcpiImage:
    return built(request.param)


def built(cpus: int) -> acpi.AcpiImage:
    """Build the tables of a machine with two nodes."""
    half = (cpus + 1) // 2
    nodes = (
        acpi.NumaNode(tuple(range(half)), ((0, 3 << 30),)),
        acpi.NumaNode(tuple(range(half, cpus)), ((4 << 30, 1 << 30), (8 << 30, 1 << 30))),
    )
    return acpi.build(acpi.AcpiPlatform(cpus=cpus, nodes=nodes))


STANDARD = ("RSDT", "XSDT", "FACP", "APIC", "HPET", "MCFG", "SRAT", "SLIT", "DSDT")
DEFINITIONS = {
    "RSDT": acpi_tables.RSDT,
    "XSDT": acpi_tables.XSDT,
    "FACP": acpi_tables.FADT,
    "APIC": acpi_tables.MADT,
    "HPET": acpi_tables.HPET,
    "MCFG": acpi_tables.MCFG,
    "SRAT": acpi_tables.SRAT,
    "SLIT": acpi_tables.SLIT,
    "DSDT": acpi_tables.DSDT,
}


@pytest.mark.parametrize("signature", STANDARD)
def test_checksum_and_signature(image: acpi.AcpiImage, signature: str) -> None:
    data = table(image, signature)
    assert data[:4] == signature.encode()
    assert sum(data) % 256 == 0


@pytest.mark.parametrize("signature", STANDARD)
def test_parse_and_build_round_trip(image: acpi.AcpiImage, signature: str) -> None:
    data = table(image, signature)
    definition = DEFINITIONS[signature]
    assert definition.build(definition.parse(data)) == data


def test_rsdp_is_found_where_a_kernel_looks(image: acpi.AcpiImage) -> None:
    assert 0xE0000 <= image.rsdp < 0x100000
    assert image.rsdp % 16 == 0
    data = image.data[image.rsdp - image.base :][:36]
    assert data[:8] == b"RSD PTR "
    assert sum(data[:20]) % 256 == 0
    assert sum(data) % 256 == 0
    rsdp = acpi_tables.RSDP.parse(data)
    assert rsdp.XsdtAddress == image.tables["XSDT"]
    assert rsdp.RsdtAddress == image.tables["RSDT"]


def test_everything_fits_below_the_bios() -> None:
    image = built(64)
    assert image.base + len(image.data) <= 0xF0000


def test_both_root_tables_name_the_same_tables(image: acpi.AcpiImage) -> None:
    expected = [image.tables[s] for s in ("FACP", "APIC", "HPET", "MCFG", "SRAT", "SLIT")]
    assert list(acpi_tables.RSDT.parse(table(image, "RSDT")).Entry) == expected
    assert list(acpi_tables.XSDT.parse(table(image, "XSDT")).Entry) == expected


def test_fadt_points_to_the_fixed_hardware(image: acpi.AcpiImage) -> None:
    fadt = acpi_tables.FADT.parse(table(image, "FACP"))
    assert len(table(image, "FACP")) == 244  # revision 3
    assert (fadt.PM1a_EVT_BLK, fadt.PM1a_CNT_BLK, fadt.PM_TMR_BLK) == (0x600, 0x604, 0x608)
    assert fadt.X_PM1a_CNT_BLK.Address == 0x604
    assert fadt.DSDT == fadt.X_DSDT == image.tables["DSDT"]
    assert image.tables["FACS"] == fadt.FIRMWARE_CTRL
    assert fadt.FIRMWARE_CTRL % 64 == 0
    assert fadt.RESET_REG.Address == 0xCF9


def test_madt_lists_every_processor_and_the_io_apic(image: acpi.AcpiImage) -> None:
    entries = acpi_tables.MADT.parse(table(image, "APIC")).InterruptControllerStructure
    cpus = [e.Body.APICID for e in entries if e.Type == acpi_tables.LOCAL_APIC]
    assert cpus == list(range(len(cpus)))
    (io_apic,) = [e for e in entries if e.Type == acpi_tables.IO_APIC]
    assert (io_apic.Body.IOAPICID, io_apic.Body.IOAPICAddress) == (len(cpus), 0xFEC00000)
    assert [e.Length for e in entries if e.Type == acpi_tables.INTERRUPT_SOURCE_OVERRIDE] == [
        10
    ] * 2


def test_srat_puts_processors_and_memory_into_nodes() -> None:
    entries = acpi_tables.SRAT.parse(table(built(4), "SRAT")).StaticResourceAllocationStructure
    cpus = [e for e in entries if e.Type == acpi_tables.PROCESSOR_AFFINITY]
    assert [(e.Length, e.Body.ProximityDomainLow, e.Body.APICID) for e in cpus] == [
        (16, 0, 0),
        (16, 0, 1),
        (16, 1, 2),
        (16, 1, 3),
    ]
    memory = [e for e in entries if e.Type == acpi_tables.MEMORY_AFFINITY]
    assert [
        (e.Length, e.Body.ProximityDomain, e.Body.BaseAddress, e.Body.Length) for e in memory
    ] == [
        (40, 0, 0, 3 << 30),
        (40, 1, 4 << 30, 1 << 30),
        (40, 1, 8 << 30, 1 << 30),
    ]
    assert all(e.Body.Flags == 1 for e in entries)


def test_slit_is_symmetrical_with_10_on_its_diagonal() -> None:
    slit = acpi_tables.SLIT.parse(table(built(4), "SLIT"))
    assert slit.NumberOfSystemLocalities == 2
    assert list(slit.Entry) == [10, 20, 20, 10]


def test_without_nodes_there_is_neither() -> None:
    assert {"SRAT", "SLIT"}.isdisjoint(acpi.build(acpi.AcpiPlatform()).tables)


@pytest.mark.skipif(shutil.which("iasl") is None, reason="acpica-tools is not installed")
@pytest.mark.parametrize("signature", [*STANDARD, "FACS"])
def test_iasl_disassembles(image: acpi.AcpiImage, signature: str, tmp_path: Path) -> None:
    path = tmp_path / f"{signature.lower()}.dat"
    path.write_bytes(table(image, signature))
    done = subprocess.run(
        ["iasl", "-d", path], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    text = done.stdout + done.stderr
    assert done.returncode == 0, text
    for complaint in ("Error", "Warning", "Invalid", "Incorrect", "nvalid length"):
        assert complaint not in text, text
    source = path.with_suffix(".dsl").read_text()
    assert "**** " not in source, source


@pytest.mark.skipif(shutil.which("iasl") is None, reason="acpica-tools is not installed")
def test_dsdt_compiles_back_to_the_same_aml(tmp_path: Path) -> None:
    """What iasl reads from our AML, it writes as our AML again."""
    image = acpi.build(acpi.AcpiPlatform())
    original = table(image, "DSDT")
    (tmp_path / "dsdt.dat").write_bytes(original)
    subprocess.run(["iasl", "-d", "dsdt.dat"], check=True, cwd=tmp_path, capture_output=True)
    done = subprocess.run(
        ["iasl", "-oa", "-p", "again", "dsdt.dsl"],
        check=False,
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "again.aml").read_bytes()[36:] == original[36:]
