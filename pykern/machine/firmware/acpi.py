"""Build the ACPI tables that describe the board.

RSDP → RSDT and XSDT → FADT (→ DSDT, FACS), MADT, HPET, MCFG, SRAT and SLIT. All of them lie in one
block, the RSDP at its start, in the range 0E0000h-0FFFFFh where a kernel searches for it.

References
----------
ACPI Specification 6.5, Root System Description Pointer, and System Description Tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pykern.machine.firmware import acpi_tables as acpi
from pykern.machine.firmware import aml
from pykern.machine.firmware.e820 import FIRMWARE_BASE

OEM_ID, OEM_TABLE_ID, CREATOR_ID = b"PYKERN", b"PYKERN  ", b"PYKN"
_ACPI_2_0 = 2
_FADT_REVISION, _MADT_REVISION, _DSDT_REVISION = 3, 3, 2  # DSDT 2: 64-bit AML integers
_SRAT_REVISION = 3
_LOCAL_DISTANCE, _REMOTE_DISTANCE = 10, 20  # 10 is defined as the distance to oneself
_ALL_PROCESSORS = 0xFF
_LEVEL_2_UNSUPPORTED, _LEVEL_3_UNSUPPORTED = 101, 1001  # latencies in µs that mean "no C2", "no C3"
_DESKTOP = 1
_FIXED_FEATURES = (
    acpi.WBINVD
    | acpi.PROC_C1
    | acpi.SLP_BUTTON  # there is no sleep button in the fixed hardware
    | acpi.FIX_RTC
    | acpi.TMR_VAL_EXT
    | acpi.RESET_REG_SUP
)


@dataclass(frozen=True)
class NumaNode:
    """Processors and memory that are near to each other.

    Parameters
    ----------
    cpus : their APIC ids
    memory : (base, size) of its ranges, bytes
    """

    cpus: tuple[int, ...]
    memory: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class AcpiPlatform:
    """What the tables have to say about the board: addresses, ports and interrupt lines.

    The defaults are the wiring of `pykern.machine.board`. Without nodes there is neither SRAT nor
    SLIT.
    """

    cpus: int = 1
    local_apic: int = 0xFEE00000
    io_apic: int = 0xFEC00000
    hpet: int = 0xFED00000
    hpet_block_id: int = 0x8086A201
    sci: int = 9
    smi_command: int = 0xB2
    acpi_enable: int = 0xF1
    acpi_disable: int = 0xF0
    pm1a_event: int = 0x600
    pm1a_control: int = 0x604
    pm_timer: int = 0x608
    gpe0: int = 0x620
    gpe0_length: int = 4
    reset_port: int = 0xCF9
    reset_value: int = 0x06
    soft_off_type: int = 0
    century: int = 0x32
    ecam: int = 0xE0000000
    last_bus: int = 0
    nodes: tuple[NumaNode, ...] = ()


@dataclass(frozen=True)
class AcpiImage:
    """The finished tables and where they belong."""

    base: int
    data: bytes
    tables: dict[str, int]
    """Signature -> physical address."""

    @property
    def rsdp(self) -> int:
        """Return the physical address of the Root System Description Pointer."""
        return self.tables["RSD PTR "]


def build(platform: AcpiPlatform, base: int = FIRMWARE_BASE) -> AcpiImage:
    """Build every table for the machine, linked to lie at physical address `base`."""
    block = _Block(base)
    rsdp_address = block.place("RSD PTR ", bytes(acpi.RSDP.sizeof()))
    facs = block.place("FACS", _facs(), acpi.FACS_ALIGNMENT)
    dsdt = block.place("DSDT", _dsdt(platform))
    tables = [
        block.place("FACP", _fadt(platform, dsdt, facs)),
        block.place("APIC", _madt(platform)),
        block.place("HPET", _hpet(platform)),
        block.place("MCFG", _mcfg(platform)),
    ]
    if platform.nodes:
        tables += [
            block.place("SRAT", _srat(platform.nodes)),
            block.place("SLIT", _slit(len(platform.nodes))),
        ]
    rsdt = block.place("RSDT", _table(acpi.RSDT, b"RSDT", 1, Entry=tables))
    xsdt = block.place("XSDT", _table(acpi.XSDT, b"XSDT", 1, Entry=tables))
    block.rewrite(rsdp_address, _rsdp(rsdt, xsdt))
    return AcpiImage(base, bytes(block.data), block.tables)


class _Block:
    """Tables laid end to end from `base` on."""

    def __init__(self, base: int) -> None:
        self.base = base
        self.data = bytearray()
        self.tables: dict[str, int] = {}

    def place(self, signature: str, table: bytes, alignment: int = 16) -> int:
        end = self.base + len(self.data)
        address = -(-end // alignment) * alignment
        self.data += bytes(address - end) + table
        self.tables[signature] = address
        return address

    def rewrite(self, address: int, table: bytes) -> None:
        offset = address - self.base
        self.data[offset : offset + len(table)] = table


def checksum(data: bytes | bytearray) -> int:
    """Return the byte that makes the sum of `data` and itself zero modulo 256."""
    return -sum(data) & 0xFF


def _table(definition: Any, signature: bytes, revision: int, **fields: Any) -> bytes:
    """Build a table with a standard header; its length and checksum come from the built bytes."""
    header = {
        "Signature": signature,
        "Length": 0,
        "Revision": revision,
        "Checksum": 0,
        "OEMID": OEM_ID,
        "OEMTableID": OEM_TABLE_ID,
        "OEMRevision": 1,
        "CreatorID": CREATOR_ID,
        "CreatorRevision": 1,
    }
    table = bytearray(definition.build({"Header": header, **fields}))
    table[4:8] = len(table).to_bytes(4, "little")
    table[acpi.CHECKSUM_OFFSET] = checksum(table)
    return bytes(table)


def _rsdp(rsdt: int, xsdt: int) -> bytes:
    length = acpi.RSDP.sizeof()
    fields = {
        "Checksum": 0,
        "OEMID": OEM_ID,
        "Revision": _ACPI_2_0,
        "RsdtAddress": rsdt,
        "Length": length,
        "XsdtAddress": xsdt,
        "ExtendedChecksum": 0,
    }
    fields["Checksum"] = checksum(acpi.RSDP.build(fields)[: acpi.RSDP_V1_LENGTH])
    fields["ExtendedChecksum"] = checksum(acpi.RSDP.build(fields))
    return bytes(acpi.RSDP.build(fields))


def _facs() -> bytes:
    fields = {
        "Length": acpi.FACS.sizeof(),
        "HardwareSignature": 0,
        "FirmwareWakingVector": 0,
        "GlobalLock": 0,
        "Flags": 0,
        "XFirmwareWakingVector": 0,
        "Version": 2,
        "OSPMFlags": 0,
    }
    return bytes(acpi.FACS.build(fields))


def _io_register(port: int, size: int) -> dict[str, int]:
    """Describe a port range of `size` bytes as a Generic Address Structure; port 0: absent."""
    if not port:
        return _generic_address(acpi.SYSTEM_MEMORY, 0, 0, 0)
    access = {1: acpi.BYTE_ACCESS, 2: acpi.WORD_ACCESS, 4: acpi.DWORD_ACCESS}[min(size, 4)]
    return _generic_address(acpi.SYSTEM_IO, size * 8, access, port)


def _generic_address(space: int, width: int, access: int, address: int) -> dict[str, int]:
    return {
        "AddressSpaceId": space,
        "RegisterBitWidth": width,
        "RegisterBitOffset": 0,
        "AccessSize": access,
        "Address": address,
    }


# Every fixed register block: field -> (port attribute or 0, bytes).
def _fixed_registers(platform: AcpiPlatform) -> dict[str, tuple[int, int]]:
    return {
        "PM1a_EVT_BLK": (platform.pm1a_event, 4),
        "PM1b_EVT_BLK": (0, 0),
        "PM1a_CNT_BLK": (platform.pm1a_control, 2),
        "PM1b_CNT_BLK": (0, 0),
        "PM2_CNT_BLK": (0, 0),
        "PM_TMR_BLK": (platform.pm_timer, 4),
        "GPE0_BLK": (platform.gpe0, platform.gpe0_length),
        "GPE1_BLK": (0, 0),
    }


def _fadt(platform: AcpiPlatform, dsdt: int, facs: int) -> bytes:
    registers = _fixed_registers(platform)
    # PM1 event registers are a status and an enable half, each accessed as a word.
    extended = {f"X_{name}": _io_register(port, size) for name, (port, size) in registers.items()}
    extended["X_PM1a_EVT_BLK"]["AccessSize"] = acpi.WORD_ACCESS
    extended["X_GPE0_BLK"]["AccessSize"] = acpi.BYTE_ACCESS
    return _table(
        acpi.FADT,
        b"FACP",
        _FADT_REVISION,
        FIRMWARE_CTRL=facs,
        DSDT=dsdt,
        Preferred_PM_Profile=_DESKTOP,
        SCI_INT=platform.sci,
        SMI_CMD=platform.smi_command,
        ACPI_ENABLE=platform.acpi_enable,
        ACPI_DISABLE=platform.acpi_disable,
        S4BIOS_REQ=0,
        PSTATE_CNT=0,
        **{name: port for name, (port, _) in registers.items()},
        PM1_EVT_LEN=4,
        PM1_CNT_LEN=2,
        PM2_CNT_LEN=0,
        PM_TMR_LEN=4,
        GPE0_BLK_LEN=platform.gpe0_length,
        GPE1_BLK_LEN=0,
        GPE1_BASE=0,
        CST_CNT=0,
        P_LVL2_LAT=_LEVEL_2_UNSUPPORTED,
        P_LVL3_LAT=_LEVEL_3_UNSUPPORTED,
        FLUSH_SIZE=0,
        FLUSH_STRIDE=0,
        DUTY_OFFSET=0,
        DUTY_WIDTH=0,
        DAY_ALRM=0,
        MON_ALRM=0,
        CENTURY=platform.century,
        IAPC_BOOT_ARCH=acpi.LEGACY_DEVICES | acpi.I8042,
        Flags=_FIXED_FEATURES,
        RESET_REG=_io_register(platform.reset_port, 1),
        RESET_VALUE=platform.reset_value,
        ARM_BOOT_ARCH=0,
        FADT_Minor_Version=0,
        X_FIRMWARE_CTRL=facs,
        X_DSDT=dsdt,
        **extended,
    )


def _madt(platform: AcpiPlatform) -> bytes:
    processors = [
        {"ACPIProcessorUID": i, "APICID": i, "Flags": acpi.PROCESSOR_ENABLED}
        for i in range(platform.cpus)
    ]
    controllers = [{"Type": acpi.LOCAL_APIC, "Body": body} for body in processors]
    controllers += [
        {
            "Type": acpi.IO_APIC,
            "Body": {
                "IOAPICID": platform.cpus,
                "IOAPICAddress": platform.io_apic,
                "GlobalSystemInterruptBase": 0,
            },
        },
        _override(0, 2, acpi.CONFORMS_TO_BUS),
        _override(platform.sci, platform.sci, acpi.ACTIVE_HIGH_LEVEL),
        {
            "Type": acpi.LOCAL_APIC_NMI,
            "Body": {"ACPIProcessorUID": _ALL_PROCESSORS, "Flags": 0, "LocalAPICLINT": 1},
        },
    ]
    return _table(
        acpi.MADT,
        b"APIC",
        _MADT_REVISION,
        LocalInterruptControllerAddress=platform.local_apic,
        Flags=acpi.PCAT_COMPAT,
        InterruptControllerStructure=controllers,
    )


def _override(irq: int, gsi: int, flags: int) -> dict[str, Any]:
    body = {"Bus": 0, "Source": irq, "GlobalSystemInterrupt": gsi, "Flags": flags}
    return {"Type": acpi.INTERRUPT_SOURCE_OVERRIDE, "Body": body}


def _hpet(platform: AcpiPlatform) -> bytes:
    return _table(
        acpi.HPET,
        b"HPET",
        1,
        EventTimerBlockID=platform.hpet_block_id,
        BASE_ADDRESS=_generic_address(acpi.SYSTEM_MEMORY, 64, 0, platform.hpet),
        HPETNumber=0,
        MainCounterMinimumClockTick=100,
        PageProtectionAndOEMAttribute=0,
    )


def _mcfg(platform: AcpiPlatform) -> bytes:
    allocation = {
        "BaseAddress": platform.ecam,
        "PCISegmentGroupNumber": 0,
        "StartBusNumber": 0,
        "EndBusNumber": platform.last_bus,
    }
    return _table(acpi.MCFG, b"MCFG", 1, ConfigurationSpaceBaseAddressAllocation=[allocation])


def _srat(nodes: tuple[NumaNode, ...]) -> bytes:
    structures: list[dict[str, Any]] = []
    for number, node in enumerate(nodes):
        for cpu in node.cpus:
            body = {
                "ProximityDomainLow": number & 0xFF,
                "APICID": cpu,
                "Flags": acpi.AFFINITY_ENABLED,
                "LocalSAPICEID": 0,
                "ProximityDomainHigh": number >> 8,
                "ClockDomain": 0,
            }
            structures.append({"Type": acpi.PROCESSOR_AFFINITY, "Body": body})
        for base, size in node.memory:
            body = {
                "ProximityDomain": number,
                "BaseAddress": base,
                "Length": size,
                "Flags": acpi.AFFINITY_ENABLED,
            }
            structures.append({"Type": acpi.MEMORY_AFFINITY, "Body": body})
    return _table(acpi.SRAT, b"SRAT", _SRAT_REVISION, StaticResourceAllocationStructure=structures)


def _slit(count: int) -> bytes:
    """Return the distances: every other node is as far away as any."""
    distances = [
        _LOCAL_DISTANCE if row == column else _REMOTE_DISTANCE
        for row in range(count)
        for column in range(count)
    ]
    return _table(acpi.SLIT, b"SLIT", 1, NumberOfSystemLocalities=count, Entry=distances)


def _dsdt(platform: AcpiPlatform) -> bytes:
    soft_off = [aml.integer(platform.soft_off_type)] * 2 + [aml.integer(0)] * 2
    terms = aml.scope("\\_SB", _pci_root()) + aml.name("\\_S5", aml.package(soft_off))
    return _table(acpi.DSDT, b"DSDT", _DSDT_REVISION, DefinitionBlock=terms)


def _pci_root() -> bytes:
    windows = aml.resource_template(
        aml.word_bus_number(0, 0xFF),
        aml.io(0xCF8, 8),
        aml.word_io(0x0000, 0x0CF7),
        aml.word_io(0x0D00, 0xFFFF),
        aml.dword_memory(0xA0000, 0xBFFFF),
        aml.dword_memory(0xC0000000, 0xFEBFFFFF),
    )
    return aml.device(
        "PCI0",
        aml.name("_HID", aml.eisa_id("PNP0A03")),
        aml.name("_UID", aml.integer(0)),
        aml.name("_CRS", windows),
        aml.name("_PRT", aml.package([])),
        _uart("COM1", 1, 0x3F8, 4),
        _uart("COM2", 2, 0x2F8, 3),
        aml.device(
            "RTC",
            aml.name("_HID", aml.eisa_id("PNP0B00")),
            aml.name("_CRS", aml.resource_template(aml.io(0x70, 2), aml.irq(8))),
        ),
        aml.device(
            "KBD",
            aml.name("_HID", aml.eisa_id("PNP0303")),
            aml.name("_CRS", aml.resource_template(aml.io(0x60, 1), aml.io(0x64, 1), aml.irq(1))),
        ),
        aml.device(
            "MOU",
            aml.name("_HID", aml.eisa_id("PNP0F13")),
            aml.name("_CRS", aml.resource_template(aml.irq(12))),
        ),
    )


def _uart(name: str, unit: int, port: int, line: int) -> bytes:
    return aml.device(
        name,
        aml.name("_HID", aml.eisa_id("PNP0501")),
        aml.name("_UID", aml.integer(unit)),
        aml.name("_CRS", aml.resource_template(aml.io(port, 8), aml.irq(line))),
    )
