"""The debug console of Bochs and QEMU: every byte written goes to the host.

Offset::

    0  write: a byte for the console; read: 0xE9, so the port is there    (0xE9, 0x402)

References
----------
Bochs, iodev/unmapped.cc (port E9 hack); QEMU, hw/char/debugcon.c.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.machine.devices.registers import ByteRegisters

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Debugcon"]

PRESENT = 0xE9


class Debugcon(ByteRegisters):
    """The port.

    Parameters
    ----------
    out : takes what the guest writes
    """

    def __init__(self, out: Callable[[bytes], None]) -> None:
        self._out = out

    def reset(self) -> None:
        """Have nothing to forget."""

    def read_byte(self, offset: int) -> int:
        """Tell that the port is there."""
        return 0xFF if offset else PRESENT

    def write_byte(self, offset: int, value: int) -> None:
        """Hand a byte to the host."""
        if not offset:
            self._out(bytes((value,)))
