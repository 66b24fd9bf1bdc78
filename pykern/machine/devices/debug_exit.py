"""QEMU's isa-debug-exit: a guest under test ends the machine with a status of its own.

Offset::

    0-3  write v: stop with exit status (v << 1) | 1, so never 0; read: 0    (0xF4 or 0x501)

References
----------
QEMU, hw/misc/debugexit.c.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.machine.device import StopReason
from pykern.machine.devices.registers import SavedFields, all_ones

if TYPE_CHECKING:
    from pykern.machine.device import Stop

__all__ = ["DebugExit"]


class DebugExit(SavedFields):
    """The exit port.

    Parameters
    ----------
    stop : ends the machine
    """

    def __init__(self, stop: Stop) -> None:
        self._stop = stop

    def reset(self) -> None:
        """Have nothing to forget."""

    def read(self, offset: int, size: int) -> int:
        """Read as zero."""
        return 0 if 0 <= offset < 4 else all_ones(size)

    def write(self, offset: int, size: int, value: int) -> None:
        """Stop the machine."""
        if 0 <= offset < 4:
            value &= all_ones(size)
            self._stop(StopReason.DEBUG_EXIT, value << 1 | 1)
