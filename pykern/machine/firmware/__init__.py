"""What a PC's firmware leaves in memory for the kernel: memory map, BIOS data area, ACPI tables."""

from __future__ import annotations

from typing import Protocol

from pykern.machine.firmware import acpi, bios_data

__all__ = ["PhysicalMemory", "install"]


class PhysicalMemory(Protocol):
    """What the firmware's data is written to."""

    def write(self, paddr: int, data: bytes) -> None:
        """Write physical memory."""


def install(memory: PhysicalMemory, platform: acpi.AcpiPlatform) -> int:
    """Leave in memory what a PC's firmware leaves there; return the address of the RSDP."""
    bios_data.install(memory)
    tables = acpi.build(platform)
    memory.write(tables.base, tables.data)
    return tables.rsdp
