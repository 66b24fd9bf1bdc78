"""What a PC's firmware leaves in memory for the kernel.

Interrupt vectors, BIOS data area, ACPI tables, SMBIOS structures.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from pykern.machine.firmware import acpi, bios_data, smbios

__all__ = ["Installed", "PhysicalMemory", "install"]


class PhysicalMemory(Protocol):
    """What the firmware's data is written to."""

    def write(self, paddr: int, data: bytes) -> None:
        """Write physical memory."""


@dataclass(frozen=True)
class Installed:
    """Where to find what has been left, physical addresses.

    Parameters
    ----------
    rsdp : ACPI Root System Description Pointer
    smbios_32, smbios_64 : SMBIOS 2.1 and 3.0 entry points
    """

    rsdp: int
    smbios_32: int
    smbios_64: int


def install(
    memory: PhysicalMemory,
    platform: acpi.AcpiPlatform,
    described: smbios.SmbiosPlatform | None = None,
) -> Installed:
    """Leave in memory what a PC's firmware leaves there; say where."""
    bios_data.install(memory)
    tables = acpi.build(platform)
    memory.write(tables.base, tables.data)
    described = described or smbios.SmbiosPlatform(cpus=platform.cpus)
    structures = smbios.build(described)
    memory.write(structures.base, structures.data)
    return Installed(tables.rsdp, structures.entry_32, structures.entry_64)
