"""Build the SMBIOS structures: who made the machine, its processors and its memory.

Both entry points lie at the start of the block, where a kernel searches for their anchors in steps
of 16 bytes: the 2.8 one (_SM_) and the 3.0 one (_SM3_). Both lead to the same structures.

References
----------
System Management BIOS (SMBIOS) Reference Specification 3.0: Structure Table Entry Point, and
Structure definitions.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pykern.machine.firmware import smbios_structures as structures
from pykern.machine.firmware.e820 import EXTENDED_MEMORY_BASE

BASE = 0xF0000
ALIGNMENT = 16
_SM_CHECKSUM, _SM_INTERMEDIATE, _SM_INTERMEDIATE_CHECKSUM = 4, 0x10, 0x15
_SM3_CHECKSUM = 5
_NO_HANDLE = 0xFFFE  # "error information structure is not provided"
_KIB, _MIB, _GIB = 1 << 10, 1 << 20, 1 << 30
_LARGEST_16_BIT_MIB, _EXTENDED_SIZE = 0x7FFF, 0x7FFF
_LARGEST_KIB_32 = 1 << 31

VENDOR, PRODUCT, VERSION = "pykern", "pykern PC", "1"
_RELEASE = "01/01/2026"
_UUID = bytes.fromhex("70796b65726e 4d50 8a00 000000000001")


@dataclass(frozen=True)
class SmbiosPlatform:
    """What the structures say.

    Parameters
    ----------
    cpus : number of processors, each a socket of its own
    ram_ranges : (base, size) of system memory, bytes
    mhz : speed of a processor
    signature : CPUID leaf 1: EAX and EDX
    """

    cpus: int = 1
    ram_ranges: tuple[tuple[int, int], ...] = ((0, 512 << 20),)
    mhz: int = 1000
    signature: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class SmbiosImage:
    """The finished block.

    Parameters
    ----------
    base : physical address it has to lie at
    data : entry points and structures
    entry_32, entry_64 : physical addresses of the entry points
    table : physical address of the structures
    """

    base: int
    data: bytes
    entry_32: int
    entry_64: int
    table: int


@dataclass
class _Table:
    """Structures laid end to end."""

    data: bytearray = field(default_factory=bytearray)
    handles: list[int] = field(default_factory=list)
    largest: int = 0

    def add(self, kind: int, *strings: str, **fields: Any) -> int:
        """Append a structure; string fields hold the number of a string, from 1 on."""
        handle = len(self.handles)
        definition = structures.FORMATTED[kind]
        header = {"Type": kind, "Length": definition.sizeof(), "Handle": handle}
        formatted = definition.build({**header, **fields})
        text = b"".join(string.encode() + b"\0" for string in strings) or b"\0"
        self.data += formatted + text + b"\0"
        self.largest = max(self.largest, len(formatted) + len(text) + 1)
        self.handles.append(handle)
        return handle


def build(platform: SmbiosPlatform, base: int = BASE) -> SmbiosImage:
    """Build entry points and structures to lie at physical address `base`."""
    table = _structures(platform)
    entry_64 = base + -(-structures.ENTRY_POINT.sizeof() // ALIGNMENT) * ALIGNMENT
    start = entry_64 + -(-structures.ENTRY_POINT_64.sizeof() // ALIGNMENT) * ALIGNMENT
    if start + len(table.data) > EXTENDED_MEMORY_BASE:
        raise ValueError(f"SMBIOS structures for {platform.cpus} processors reach beyond 1 MiB")
    head = _entry_32(table, start).ljust(entry_64 - base, b"\0") + _entry_64(table, start)
    data = head.ljust(start - base, b"\0") + bytes(table.data)
    return SmbiosImage(base, data, base, entry_64, start)


def _entry_32(table: _Table, start: int) -> bytes:
    entry = bytearray(
        structures.ENTRY_POINT.build(
            {
                "Checksum": 0,
                "EntryPointLength": structures.ENTRY_POINT.sizeof(),
                "MajorVersion": 2,
                "MinorVersion": 8,
                "MaximumStructureSize": table.largest,
                "IntermediateChecksum": 0,
                "StructureTableLength": len(table.data),
                "StructureTableAddress": start,
                "NumberOfStructures": len(table.handles),
            }
        )
    )
    entry[_SM_INTERMEDIATE_CHECKSUM] = -sum(entry[_SM_INTERMEDIATE:]) & 0xFF
    entry[_SM_CHECKSUM] = -sum(entry) & 0xFF
    return bytes(entry)


def _entry_64(table: _Table, start: int) -> bytes:
    entry = bytearray(
        structures.ENTRY_POINT_64.build(
            {
                "Checksum": 0,
                "EntryPointLength": structures.ENTRY_POINT_64.sizeof(),
                "StructureTableMaximumSize": len(table.data),
                "StructureTableAddress": start,
            }
        )
    )
    entry[_SM3_CHECKSUM] = -sum(entry) & 0xFF
    return bytes(entry)


def _structures(platform: SmbiosPlatform) -> _Table:
    table = _Table()
    _add_identity(table)
    for number in range(platform.cpus):
        _add_processor(table, platform, number)
    _add_memory(table, platform)
    table.add(structures.SYSTEM_BOOT, BootStatus=0)
    table.add(structures.END_OF_TABLE)
    return table


def _add_identity(table: _Table) -> None:
    table.add(
        structures.BIOS,
        VENDOR,
        VERSION,
        _RELEASE,
        Vendor=1,
        BIOSVersion=2,
        BIOSStartingAddressSegment=0xE000,
        BIOSReleaseDate=3,
        BIOSROMSize=(128 * _KIB >> 16) - 1,
        BIOSCharacteristics=structures.PCI_SUPPORTED | structures.CD_BOOT | structures.EDD,
        BIOSCharacteristicsExtension=structures.ACPI_SUPPORTED | structures.VIRTUAL_MACHINE << 8,
    )
    table.add(
        structures.SYSTEM,
        VENDOR,
        PRODUCT,
        VERSION,
        Manufacturer=1,
        ProductName=2,
        Version=3,
        UUID=_UUID,
        WakeUpType=structures.POWER_SWITCH,
    )
    safe = structures.STATE_SAFE
    table.add(
        structures.CHASSIS,
        VENDOR,
        Manufacturer=1,
        ChassisType=structures.DESKTOP,
        BootUpState=safe,
        PowerSupplyState=safe,
        ThermalState=safe,
        SecurityStatus=structures.SECURITY_NONE,
    )


def _add_processor(table: _Table, platform: SmbiosPlatform, number: int) -> None:
    eax, edx = platform.signature
    table.add(
        structures.PROCESSOR,
        f"CPU {number}",
        VENDOR,
        VERSION,
        SocketDesignation=1,
        ProcessorType=structures.CENTRAL_PROCESSOR,
        ProcessorFamily=structures.FAMILY_OTHER,
        ProcessorManufacturer=2,
        ProcessorID=edx << 32 | eax,
        ProcessorVersion=3,
        MaxSpeed=platform.mhz,
        CurrentSpeed=platform.mhz,
        Status=structures.POPULATED_ENABLED,
        ProcessorUpgrade=structures.UPGRADE_OTHER,
        L1CacheHandle=0xFFFF,
        L2CacheHandle=0xFFFF,
        L3CacheHandle=0xFFFF,
        CoreCount=1,
        CoreEnabled=1,
        ThreadCount=1,
        ProcessorCharacteristics=structures.CAPABLE_64_BIT | structures.NO_EXECUTE,
        ProcessorFamily2=structures.FAMILY_OTHER,
    )


def _add_memory(table: _Table, platform: SmbiosPlatform) -> None:
    """Describe one array with one module, mapped to all ranges."""
    total = sum(size for _, size in platform.ram_ranges)
    kib = total // _KIB
    large = kib >= _LARGEST_KIB_32
    array = table.add(
        structures.MEMORY_ARRAY,
        Location=structures.SYSTEM_BOARD,
        Use=structures.SYSTEM_MEMORY,
        MemoryErrorCorrection=structures.ECC_NONE,
        MaximumCapacity=_LARGEST_KIB_32 if large else kib,
        MemoryErrorInformationHandle=_NO_HANDLE,
        NumberOfMemoryDevices=1,
        ExtendedMaximumCapacity=total if large else 0,
    )
    mib = total // _MIB
    table.add(
        structures.MEMORY_DEVICE,
        "DIMM 0",
        VENDOR,
        PhysicalMemoryArrayHandle=array,
        MemoryErrorInformationHandle=_NO_HANDLE,
        TotalWidth=64,
        DataWidth=64,
        Size=_EXTENDED_SIZE if mib >= _LARGEST_16_BIT_MIB else mib,
        FormFactor=structures.DIMM,
        DeviceLocator=1,
        MemoryType=structures.TYPE_RAM,
        TypeDetail=structures.DETAIL_OTHER,
        Manufacturer=2,
        ExtendedSize=mib if mib >= _LARGEST_16_BIT_MIB else 0,
    )
    for base, size in platform.ram_ranges:
        _add_range(table, array, base, base + size)


def _add_range(table: _Table, array: int, first: int, end: int) -> None:
    extended = end // _KIB >= 1 << 32
    table.add(
        structures.MAPPED_ADDRESS,
        StartingAddress=0xFFFFFFFF if extended else first // _KIB,
        EndingAddress=0xFFFFFFFF if extended else end // _KIB - 1,
        MemoryArrayHandle=array,
        PartitionWidth=1,
        ExtendedStartingAddress=first if extended else 0,
        ExtendedEndingAddress=end - 1 if extended else 0,
    )
