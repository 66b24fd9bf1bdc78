"""What a PC's firmware leaves in memory for the kernel: memory map, BIOS data area, ACPI tables."""
