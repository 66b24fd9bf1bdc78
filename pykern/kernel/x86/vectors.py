"""Interrupt vectors of the kernel (MEL-39)."""

from __future__ import annotations

FIRST_ISA = 0x20
"""ISA interrupt line 0; the others follow. Line 0 is the PIT's, line 1 the keyboard's."""
SYSTEM_CALL = 0x80
TIMER = 0xEC
RESCHEDULE = 0xFD
APIC_ERROR = 0xFE
SPURIOUS = 0xFF
