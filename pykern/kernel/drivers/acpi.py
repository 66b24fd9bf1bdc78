"""What the kernel learns from ACPI: processors, interrupt controllers, how to turn off (MEL-02).

References
----------
ACPI 6.4, ACPI Software Programming Model: RSDP, XSDT, FADT, MADT; ACPI Hardware Specification: PM1
Control.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from construct import ConstructError

from pykern.machine.firmware import acpi_tables as at

if TYPE_CHECKING:
    from pykern.kernel.core.memory import PhysicalMemory

_LARGEST_TABLE = 1 << 20


class AcpiError(Exception):
    """A table is damaged; the message names it, where it is, and what was expected."""


@dataclass(frozen=True)
class Acpi:
    """The tables, checked and parsed.

    Attributes
    ----------
    tables : signature → the table's bytes, and DSDT
    addresses : signature → physical address
    apic_ids : of the processors that may be used, the boot processor first
    ioapics : (physical address, first global system interrupt)
    overrides : ISA interrupt → (global system interrupt, MPS INTI flags)
    """

    rsdp: int
    tables: dict[str, bytes]
    addresses: dict[str, int]
    apic_ids: tuple[int, ...] = (0,)
    ioapics: tuple[tuple[int, int], ...] = ()
    overrides: dict[int, tuple[int, int]] = field(default_factory=dict)

    @property
    def fadt(self) -> Any:
        """The FADT, parsed; None if there is none."""
        raw = self.tables.get("FACP")
        return at.FADT.parse(raw.ljust(at.FADT.sizeof(), b"\0")) if raw else None


def read(memory: PhysicalMemory, rsdp: int) -> Acpi:
    """Read the tables from guest memory.

    Parameters
    ----------
    rsdp : physical address of the root pointer

    Raises
    ------
    AcpiError : a checksum or a length is wrong, or there is no MADT
    """
    tables, addresses = _tables(memory, rsdp)
    if "APIC" not in tables:
        raise AcpiError(f"ACPI: no MADT among {', '.join(tables) or 'no tables'}")
    try:
        madt = at.MADT.parse(tables["APIC"])
    except ConstructError as error:
        raise AcpiError(f"ACPI: MADT at {addresses['APIC']:#x}: {error}") from None
    by_type: dict[int, list[Any]] = {}
    for entry in madt.InterruptControllerStructure:
        by_type.setdefault(entry.Type, []).append(entry.Body)
    return Acpi(
        rsdp,
        tables,
        addresses,
        tuple(
            cpu.APICID for cpu in by_type.get(at.LOCAL_APIC, []) if cpu.Flags & at.PROCESSOR_ENABLED
        ),
        tuple(
            (io.IOAPICAddress, io.GlobalSystemInterruptBase) for io in by_type.get(at.IO_APIC, [])
        ),
        {
            line.Source: (line.GlobalSystemInterrupt, line.Flags)
            for line in by_type.get(at.INTERRUPT_SOURCE_OVERRIDE, [])
        },
    )


def _tables(memory: PhysicalMemory, rsdp: int) -> tuple[dict[str, bytes], dict[str, int]]:
    raw = _read(memory, rsdp, at.RSDP.sizeof(), "RSDP")
    if raw[:8] != b"RSD PTR ":
        raise AcpiError(f"ACPI: RSDP at {rsdp:#x} begins with {raw[:8]!r}, expected 'RSD PTR '")
    _check_sum(raw[: at.RSDP_V1_LENGTH], "RSDP", rsdp)
    root = at.RSDP.parse(raw)
    extended = root.Revision >= 2 and root.XsdtAddress
    where = root.XsdtAddress if extended else root.RsdtAddress
    layout = at.XSDT if extended else at.RSDT
    entries = layout.parse(_table(memory, where)).Entry
    tables: dict[str, bytes] = {}
    addresses: dict[str, int] = {}
    for address in entries:
        table = _table(memory, address)
        name = table[:4].decode("latin-1")
        tables[name], addresses[name] = table, address
    if "FACP" in tables:
        fadt = at.FADT.parse(tables["FACP"].ljust(at.FADT.sizeof(), b"\0"))
        dsdt = fadt.X_DSDT or fadt.DSDT
        if dsdt:
            tables["DSDT"], addresses["DSDT"] = _table(memory, dsdt), dsdt
    return tables, addresses


def _table(memory: PhysicalMemory, paddr: int) -> bytes:
    """Return a whole table, its length and checksum good."""
    head = _read(memory, paddr, at.DESCRIPTION_HEADER.sizeof(), "table")
    length = at.DESCRIPTION_HEADER.parse(head).Length
    name = head[:4].decode("latin-1")
    if not len(head) <= length <= _LARGEST_TABLE:
        raise AcpiError(f"ACPI: {name!r} at {paddr:#x} is {length} bytes long")
    raw = _read(memory, paddr, length, name)
    _check_sum(raw, name, paddr)
    return raw


def _read(memory: PhysicalMemory, paddr: int, size: int, name: str) -> bytes:
    try:
        return memory.read(paddr, size)
    except ValueError:
        raise AcpiError(f"ACPI: {name} at {paddr:#x} is not in memory") from None


def _check_sum(raw: bytes, name: str, paddr: int) -> None:
    if sum(raw) & 0xFF:
        raise AcpiError(
            f"ACPI: {name} at {paddr:#x}: its bytes sum to {sum(raw) & 0xFF:#x}, expected 0"
        )


def s5_sleep_type(dsdt: bytes) -> int | None:
    r"""Return SLP_TYPa of `\_S5`, the state in which the machine is off; None: not there.

    The package is found by its name: DefName, PackageOp, its length and count, and the first
    element, an integer.
    """
    at_name = dsdt.find(b"_S5_\x12")
    if at_name < 0:
        return None
    place = at_name + 5
    place += (dsdt[place] >> 6) + 1  # PkgLength: its two top bits count the bytes that follow
    place += 1  # NumElements
    first = dsdt[place]
    byte_prefix, ones = 0x0A, 0xFF
    if first == byte_prefix:
        return dsdt[place + 1]
    return first if first in {0, 1} else None if first == ones else first
