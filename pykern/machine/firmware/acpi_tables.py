"""The ACPI tables as the specification lays them out.

Every definition parses what it builds; field names are those of the specification.

References
----------
ACPI Specification 6.5, ACPI Hardware Specification and ACPI Software Programming Model;
IA-PC HPET Specification 1.0a, The ACPI 2.0 HPET Description Table (HPET); PCI Firmware
Specification 3.3, MCFG Table Description.
"""

from __future__ import annotations

from typing import Any

from construct import (
    Bytes,
    Const,
    Construct,
    FixedSized,
    GreedyBytes,
    GreedyRange,
    Int8ul,
    Int16ul,
    Int24ul,
    Int32ul,
    Int64ul,
    Padding,
    Rebuild,
    Struct,
    Switch,
    this,
)

SYSTEM_MEMORY, SYSTEM_IO = 0, 1
BYTE_ACCESS, WORD_ACCESS, DWORD_ACCESS = 1, 2, 3

# IA-PC Boot Architecture Flags
LEGACY_DEVICES, I8042 = 1 << 0, 1 << 1
# Fixed Feature Flags of the FADT
WBINVD, PROC_C1 = 1 << 0, 1 << 2
PWR_BUTTON, SLP_BUTTON, FIX_RTC = 1 << 4, 1 << 5, 1 << 6
TMR_VAL_EXT, RESET_REG_SUP = 1 << 8, 1 << 10
# MADT
PCAT_COMPAT = 1 << 0
PROCESSOR_ENABLED = 1 << 0
ACTIVE_HIGH_LEVEL = 0b11 << 2 | 0b01  # MPS INTI flags: trigger mode level, polarity high
CONFORMS_TO_BUS = 0

GenericAddress = Struct(
    "AddressSpaceId" / Int8ul,
    "RegisterBitWidth" / Int8ul,
    "RegisterBitOffset" / Int8ul,
    "AccessSize" / Int8ul,
    "Address" / Int64ul,
)

RSDP = Struct(
    "Signature" / Const(b"RSD PTR "),
    "Checksum" / Int8ul,
    "OEMID" / Bytes(6),
    "Revision" / Int8ul,
    "RsdtAddress" / Int32ul,
    "Length" / Int32ul,
    "XsdtAddress" / Int64ul,
    "ExtendedChecksum" / Int8ul,
    Padding(3),
)
RSDP_V1_LENGTH = 20

DESCRIPTION_HEADER = Struct(
    "Signature" / Bytes(4),
    "Length" / Int32ul,
    "Revision" / Int8ul,
    "Checksum" / Int8ul,
    "OEMID" / Bytes(6),
    "OEMTableID" / Bytes(8),
    "OEMRevision" / Int32ul,
    "CreatorID" / Bytes(4),
    "CreatorRevision" / Int32ul,
)
CHECKSUM_OFFSET = 9

RSDT = Struct("Header" / DESCRIPTION_HEADER, "Entry" / GreedyRange(Int32ul))
XSDT = Struct("Header" / DESCRIPTION_HEADER, "Entry" / GreedyRange(Int64ul))
DSDT = Struct("Header" / DESCRIPTION_HEADER, "DefinitionBlock" / GreedyBytes)

FADT = Struct(
    "Header" / DESCRIPTION_HEADER,
    "FIRMWARE_CTRL" / Int32ul,
    "DSDT" / Int32ul,
    Padding(1),
    "Preferred_PM_Profile" / Int8ul,
    "SCI_INT" / Int16ul,
    "SMI_CMD" / Int32ul,
    "ACPI_ENABLE" / Int8ul,
    "ACPI_DISABLE" / Int8ul,
    "S4BIOS_REQ" / Int8ul,
    "PSTATE_CNT" / Int8ul,
    "PM1a_EVT_BLK" / Int32ul,
    "PM1b_EVT_BLK" / Int32ul,
    "PM1a_CNT_BLK" / Int32ul,
    "PM1b_CNT_BLK" / Int32ul,
    "PM2_CNT_BLK" / Int32ul,
    "PM_TMR_BLK" / Int32ul,
    "GPE0_BLK" / Int32ul,
    "GPE1_BLK" / Int32ul,
    "PM1_EVT_LEN" / Int8ul,
    "PM1_CNT_LEN" / Int8ul,
    "PM2_CNT_LEN" / Int8ul,
    "PM_TMR_LEN" / Int8ul,
    "GPE0_BLK_LEN" / Int8ul,
    "GPE1_BLK_LEN" / Int8ul,
    "GPE1_BASE" / Int8ul,
    "CST_CNT" / Int8ul,
    "P_LVL2_LAT" / Int16ul,
    "P_LVL3_LAT" / Int16ul,
    "FLUSH_SIZE" / Int16ul,
    "FLUSH_STRIDE" / Int16ul,
    "DUTY_OFFSET" / Int8ul,
    "DUTY_WIDTH" / Int8ul,
    "DAY_ALRM" / Int8ul,
    "MON_ALRM" / Int8ul,
    "CENTURY" / Int8ul,
    "IAPC_BOOT_ARCH" / Int16ul,
    Padding(1),
    "Flags" / Int32ul,
    "RESET_REG" / GenericAddress,
    "RESET_VALUE" / Int8ul,
    "ARM_BOOT_ARCH" / Int16ul,
    "FADT_Minor_Version" / Int8ul,
    "X_FIRMWARE_CTRL" / Int64ul,
    "X_DSDT" / Int64ul,
    "X_PM1a_EVT_BLK" / GenericAddress,
    "X_PM1b_EVT_BLK" / GenericAddress,
    "X_PM1a_CNT_BLK" / GenericAddress,
    "X_PM1b_CNT_BLK" / GenericAddress,
    "X_PM2_CNT_BLK" / GenericAddress,
    "X_PM_TMR_BLK" / GenericAddress,
    "X_GPE0_BLK" / GenericAddress,
    "X_GPE1_BLK" / GenericAddress,
)

FACS = Struct(
    "Signature" / Const(b"FACS"),
    "Length" / Int32ul,
    "HardwareSignature" / Int32ul,
    "FirmwareWakingVector" / Int32ul,
    "GlobalLock" / Int32ul,
    "Flags" / Int32ul,
    "XFirmwareWakingVector" / Int64ul,
    "Version" / Int8ul,
    Padding(3),
    "OSPMFlags" / Int32ul,
    Padding(24),
)
FACS_ALIGNMENT = 64

LOCAL_APIC, IO_APIC, INTERRUPT_SOURCE_OVERRIDE, LOCAL_APIC_NMI = 0, 1, 2, 4

_CONTROLLERS: dict[int, Construct] = {
    LOCAL_APIC: Struct("ACPIProcessorUID" / Int8ul, "APICID" / Int8ul, "Flags" / Int32ul),
    IO_APIC: Struct(
        "IOAPICID" / Int8ul,
        Padding(1),
        "IOAPICAddress" / Int32ul,
        "GlobalSystemInterruptBase" / Int32ul,
    ),
    INTERRUPT_SOURCE_OVERRIDE: Struct(
        "Bus" / Int8ul,
        "Source" / Int8ul,
        "GlobalSystemInterrupt" / Int32ul,
        "Flags" / Int16ul,
    ),
    LOCAL_APIC_NMI: Struct(
        "ACPIProcessorUID" / Int8ul, "Flags" / Int16ul, "LocalAPICLINT" / Int8ul
    ),
}

_TYPE_AND_LENGTH_SIZE = 2


def _structure_length(context: Any) -> int:
    known = _CONTROLLERS.get(context.Type)
    return _TYPE_AND_LENGTH_SIZE + (known.sizeof() if known else len(context.Body))


InterruptController = Struct(
    "Type" / Int8ul,
    "Length" / Rebuild(Int8ul, _structure_length),
    "Body"
    / FixedSized(
        this.Length - _TYPE_AND_LENGTH_SIZE, Switch(this.Type, _CONTROLLERS, default=GreedyBytes)
    ),
)

MADT = Struct(
    "Header" / DESCRIPTION_HEADER,
    "LocalInterruptControllerAddress" / Int32ul,
    "Flags" / Int32ul,
    "InterruptControllerStructure" / GreedyRange(InterruptController),
)

MCFG = Struct(
    "Header" / DESCRIPTION_HEADER,
    Padding(8),
    "ConfigurationSpaceBaseAddressAllocation"
    / GreedyRange(
        Struct(
            "BaseAddress" / Int64ul,
            "PCISegmentGroupNumber" / Int16ul,
            "StartBusNumber" / Int8ul,
            "EndBusNumber" / Int8ul,
            Padding(4),
        )
    ),
)

HPET = Struct(
    "Header" / DESCRIPTION_HEADER,
    "EventTimerBlockID" / Int32ul,
    "BASE_ADDRESS" / GenericAddress,
    "HPETNumber" / Int8ul,
    "MainCounterMinimumClockTick" / Int16ul,
    "PageProtectionAndOEMAttribute" / Int8ul,
)

PROCESSOR_AFFINITY, MEMORY_AFFINITY = 0, 1
AFFINITY_ENABLED = 1 << 0

_AFFINITIES: dict[int, Construct] = {
    PROCESSOR_AFFINITY: Struct(
        "ProximityDomainLow" / Int8ul,
        "APICID" / Int8ul,
        "Flags" / Int32ul,
        "LocalSAPICEID" / Int8ul,
        "ProximityDomainHigh" / Int24ul,
        "ClockDomain" / Int32ul,
    ),
    MEMORY_AFFINITY: Struct(
        "ProximityDomain" / Int32ul,
        Padding(2),
        "BaseAddress" / Int64ul,
        "Length" / Int64ul,
        Padding(4),
        "Flags" / Int32ul,
        Padding(8),
    ),
}


def _affinity_length(context: Any) -> int:
    return int(_TYPE_AND_LENGTH_SIZE + _AFFINITIES[context.Type].sizeof())


SRAT = Struct(
    "Header" / DESCRIPTION_HEADER,
    "Revision1" / Const(1, Int32ul),
    Padding(8),
    "StaticResourceAllocationStructure"
    / GreedyRange(
        Struct(
            "Type" / Int8ul,
            "Length" / Rebuild(Int8ul, _affinity_length),
            "Body" / Switch(this.Type, _AFFINITIES),
        )
    ),
)

SLIT = Struct(
    "Header" / DESCRIPTION_HEADER,
    "NumberOfSystemLocalities" / Int64ul,
    "Entry" / GreedyRange(Int8ul),
)
