"""Reset control register of Intel's chip sets.

Offset::

    0  2 RST_CPU: a rising edge resets   1 SYS_RST: 1 = hard reset (read and write)    (0xCF9)

References
----------
Intel 82371AB (PIIX4) datasheet: RC, Reset Control Register; ACPI Specification 6.5: Reset Register.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.machine.device import StopReason
from pykern.machine.devices.registers import ByteRegisters

if TYPE_CHECKING:
    from pykern.machine.device import Stop

__all__ = ["RST_CPU", "ResetControl"]

RST_CPU, SYS_RST = 0x04, 0x02


class ResetControl(ByteRegisters):
    """The register.

    Parameters
    ----------
    stop : resets the machine
    """

    SAVED = ("_value",)

    def __init__(self, stop: Stop) -> None:
        self._stop = stop
        self._value = 0

    def reset(self) -> None:
        """Clear it."""
        self._value = 0

    def read_byte(self, offset: int) -> int:
        """Read back."""
        return 0xFF if offset else self._value

    def write_byte(self, offset: int, value: int) -> None:
        """Reset the machine when RST_CPU rises."""
        if offset:
            return
        rises = value & ~self._value & RST_CPU
        self._value = value & (RST_CPU | SYS_RST)
        if rises:
            self._stop(StopReason.RESET, 0)
