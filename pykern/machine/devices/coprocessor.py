"""How the PC/AT reports x87 errors: FERR# sets a latch on IRQ 13, port 0xF0 clears it.

Only software that leaves CR0.NE clear gets its errors here; the processor's half, FERR# and what
IGNNE# allows until the error is cleared, is `pykern_c/x87.pxd`.

Offsets::

    0  write: clear the latch    (0xF0)
    1  write: reset the coprocessor; clears the latch too    (0xF1)

References
----------
IBM PC/AT Technical Reference: Math Coprocessor, Programming Interface; SDM Vol. 1, MS-DOS
Compatibility Sub-mode.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.machine.devices.registers import ByteRegisters

if TYPE_CHECKING:
    from pykern.machine.irq import Line

__all__ = ["Coprocessor"]

_PORTS = 2


class Coprocessor(ByteRegisters):
    """The latch.

    Parameters
    ----------
    irq : IRQ 13
    """

    SAVED = ("_error",)

    def __init__(self, irq: Line) -> None:
        self._irq = irq
        self._error = False

    def reset(self) -> None:
        """Clear the latch."""
        self._set(error=False)

    def resume(self) -> None:
        """Drive IRQ 13 as loaded."""
        self._set(error=self._error)

    def assert_ferr(self) -> None:
        """Latch an error: the processor's FERR# has gone low."""
        self._set(error=True)

    def read_byte(self, _offset: int) -> int:
        """Nothing can be read."""
        return 0xFF

    def write_byte(self, offset: int, _value: int) -> None:
        """Clear the latch, whatever is written."""
        if offset < _PORTS:
            self._set(error=False)

    def _set(self, *, error: bool) -> None:
        self._error = error
        self._irq.set(error)
