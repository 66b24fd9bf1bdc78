"""The SMBIOS structures as the specification lays them out, without their strings.

What has a default is a field that says nothing: no string, unknown, none.

References
----------
System Management BIOS (SMBIOS) Reference Specification 3.0: Structure Table Entry Point, and
Structure definitions.
"""

from __future__ import annotations

from construct import (
    Bytes,
    Const,
    Construct,
    Default,
    Int8ul,
    Int16ul,
    Int32ul,
    Int64ul,
    Struct,
)

BIOS, SYSTEM, CHASSIS, PROCESSOR = 0, 1, 3, 4
MEMORY_ARRAY, MEMORY_DEVICE, MAPPED_ADDRESS, SYSTEM_BOOT, END_OF_TABLE = 16, 17, 19, 32, 127

# BIOS characteristics and its two extension bytes
PCI_SUPPORTED, CD_BOOT, EDD = 1 << 7, 1 << 15, 1 << 19
ACPI_SUPPORTED, VIRTUAL_MACHINE = 1 << 0, 1 << 4
POWER_SWITCH = 6
DESKTOP, STATE_SAFE, SECURITY_NONE = 3, 3, 3
CENTRAL_PROCESSOR, FAMILY_OTHER, UPGRADE_OTHER = 3, 1, 1
POPULATED_ENABLED = 1 << 6 | 1
CAPABLE_64_BIT, NO_EXECUTE = 1 << 2, 1 << 5
SYSTEM_BOARD, SYSTEM_MEMORY, ECC_NONE = 3, 3, 3
DIMM, TYPE_RAM, DETAIL_OTHER = 9, 7, 1 << 1

ENTRY_POINT = Struct(
    "AnchorString" / Const(b"_SM_"),
    "Checksum" / Int8ul,
    "EntryPointLength" / Int8ul,
    "MajorVersion" / Int8ul,
    "MinorVersion" / Int8ul,
    "MaximumStructureSize" / Int16ul,
    "EntryPointRevision" / Const(0, Int8ul),
    "FormattedArea" / Const(bytes(5)),
    "IntermediateAnchorString" / Const(b"_DMI_"),
    "IntermediateChecksum" / Int8ul,
    "StructureTableLength" / Int16ul,
    "StructureTableAddress" / Int32ul,
    "NumberOfStructures" / Int16ul,
    "BCDRevision" / Const(0x28, Int8ul),
)

ENTRY_POINT_64 = Struct(
    "AnchorString" / Const(b"_SM3_"),
    "Checksum" / Int8ul,
    "EntryPointLength" / Int8ul,
    "MajorVersion" / Const(3, Int8ul),
    "MinorVersion" / Const(0, Int8ul),
    "Docrev" / Const(0, Int8ul),
    "EntryPointRevision" / Const(1, Int8ul),
    "Reserved" / Const(0, Int8ul),
    "StructureTableMaximumSize" / Int32ul,
    "StructureTableAddress" / Int64ul,
)

_HEADER = ("Type" / Int8ul, "Length" / Int8ul, "Handle" / Int16ul)


def _byte(value: int = 0) -> Construct:
    return Default(Int8ul, value)


def _word(value: int = 0) -> Construct:
    return Default(Int16ul, value)


FORMATTED: dict[int, Construct] = {
    BIOS: Struct(
        *_HEADER,
        "Vendor" / Int8ul,
        "BIOSVersion" / Int8ul,
        "BIOSStartingAddressSegment" / Int16ul,
        "BIOSReleaseDate" / Int8ul,
        "BIOSROMSize" / Int8ul,
        "BIOSCharacteristics" / Int64ul,
        "BIOSCharacteristicsExtension" / Int16ul,
        "SystemBIOSMajorRelease" / _byte(1),
        "SystemBIOSMinorRelease" / _byte(0),
        "EmbeddedControllerMajorRelease" / _byte(0xFF),
        "EmbeddedControllerMinorRelease" / _byte(0xFF),
    ),
    SYSTEM: Struct(
        *_HEADER,
        "Manufacturer" / Int8ul,
        "ProductName" / Int8ul,
        "Version" / Int8ul,
        "SerialNumber" / _byte(),
        "UUID" / Bytes(16),
        "WakeUpType" / Int8ul,
        "SKUNumber" / _byte(),
        "Family" / _byte(),
    ),
    CHASSIS: Struct(
        *_HEADER,
        "Manufacturer" / Int8ul,
        "ChassisType" / Int8ul,
        "Version" / _byte(),
        "SerialNumber" / _byte(),
        "AssetTagNumber" / _byte(),
        "BootUpState" / Int8ul,
        "PowerSupplyState" / Int8ul,
        "ThermalState" / Int8ul,
        "SecurityStatus" / Int8ul,
        "OEMDefined" / Default(Int32ul, 0),
        "Height" / _byte(),
        "NumberOfPowerCords" / _byte(),
        "ContainedElementCount" / _byte(),
        "ContainedElementRecordLength" / _byte(),
        "SKUNumber" / _byte(),
    ),
    PROCESSOR: Struct(
        *_HEADER,
        "SocketDesignation" / Int8ul,
        "ProcessorType" / Int8ul,
        "ProcessorFamily" / Int8ul,
        "ProcessorManufacturer" / Int8ul,
        "ProcessorID" / Int64ul,
        "ProcessorVersion" / Int8ul,
        "Voltage" / _byte(),
        "ExternalClock" / _word(),
        "MaxSpeed" / Int16ul,
        "CurrentSpeed" / Int16ul,
        "Status" / Int8ul,
        "ProcessorUpgrade" / Int8ul,
        "L1CacheHandle" / Int16ul,
        "L2CacheHandle" / Int16ul,
        "L3CacheHandle" / Int16ul,
        "SerialNumber" / _byte(),
        "AssetTag" / _byte(),
        "PartNumber" / _byte(),
        "CoreCount" / Int8ul,
        "CoreEnabled" / Int8ul,
        "ThreadCount" / Int8ul,
        "ProcessorCharacteristics" / Int16ul,
        "ProcessorFamily2" / Int16ul,
        "CoreCount2" / _word(1),
        "CoreEnabled2" / _word(1),
        "ThreadCount2" / _word(1),
    ),
    MEMORY_ARRAY: Struct(
        *_HEADER,
        "Location" / Int8ul,
        "Use" / Int8ul,
        "MemoryErrorCorrection" / Int8ul,
        "MaximumCapacity" / Int32ul,
        "MemoryErrorInformationHandle" / Int16ul,
        "NumberOfMemoryDevices" / Int16ul,
        "ExtendedMaximumCapacity" / Int64ul,
    ),
    MEMORY_DEVICE: Struct(
        *_HEADER,
        "PhysicalMemoryArrayHandle" / Int16ul,
        "MemoryErrorInformationHandle" / Int16ul,
        "TotalWidth" / Int16ul,
        "DataWidth" / Int16ul,
        "Size" / Int16ul,
        "FormFactor" / Int8ul,
        "DeviceSet" / _byte(),
        "DeviceLocator" / Int8ul,
        "BankLocator" / _byte(),
        "MemoryType" / Int8ul,
        "TypeDetail" / Int16ul,
        "Speed" / _word(),
        "Manufacturer" / Int8ul,
        "SerialNumber" / _byte(),
        "AssetTag" / _byte(),
        "PartNumber" / _byte(),
        "Attributes" / _byte(),
        "ExtendedSize" / Int32ul,
        "ConfiguredMemoryClockSpeed" / _word(),
        "MinimumVoltage" / _word(),
        "MaximumVoltage" / _word(),
        "ConfiguredVoltage" / _word(),
    ),
    MAPPED_ADDRESS: Struct(
        *_HEADER,
        "StartingAddress" / Int32ul,
        "EndingAddress" / Int32ul,
        "MemoryArrayHandle" / Int16ul,
        "PartitionWidth" / Int8ul,
        "ExtendedStartingAddress" / Int64ul,
        "ExtendedEndingAddress" / Int64ul,
    ),
    SYSTEM_BOOT: Struct(*_HEADER, "Reserved" / Const(bytes(6)), "BootStatus" / Int8ul),
    END_OF_TABLE: Struct(*_HEADER),
}
