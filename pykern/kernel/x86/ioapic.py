"""Driver of the I/O APIC: which vector on which processor an interrupt line raises.

References
----------
Intel 82093AA I/O APIC datasheet, I/O Redirection Table Registers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pykern_c import Vcpu

_SELECT, _WINDOW = 0x00, 0x10
_VERSION, _REDIRECTION = 0x01, 0x10
ACTIVE_LOW, LEVEL, MASKED = 1 << 13, 1 << 15, 1 << 16


class Ioapic:
    """One I/O APIC.

    Parameters
    ----------
    base : physical address of its registers
    first_gsi : global system interrupt of its input 0
    """

    def __init__(self, base: int, first_gsi: int) -> None:
        self.base = base
        self.first_gsi = first_gsi

    def inputs(self, vcpu: Vcpu) -> int:
        """Return how many inputs it has."""
        return (self._read(vcpu, _VERSION) >> 16 & 0xFF) + 1

    def route(self, vcpu: Vcpu, gsi: int, *, vector: int, apic_id: int, flags: int = 0) -> None:
        """Send an interrupt to a processor.

        Parameters
        ----------
        flags : ACTIVE_LOW, LEVEL, MASKED as the line asks for
        """
        index = _REDIRECTION + 2 * (gsi - self.first_gsi)
        self._write(vcpu, index + 1, apic_id << 24)
        self._write(vcpu, index, vector | flags)

    def mask_all(self, vcpu: Vcpu) -> None:
        """Let no input interrupt."""
        for number in range(self.inputs(vcpu)):
            self._write(vcpu, _REDIRECTION + 2 * number, MASKED)

    def _read(self, vcpu: Vcpu, index: int) -> int:
        vcpu.physical_write(self.base + _SELECT, 4, index)
        return vcpu.physical_read(self.base + _WINDOW, 4)

    def _write(self, vcpu: Vcpu, index: int, value: int) -> None:
        vcpu.physical_write(self.base + _SELECT, 4, index)
        vcpu.physical_write(self.base + _WINDOW, 4, value)
