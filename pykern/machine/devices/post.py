"""The diagnostic port of the PC/AT: firmware shows how far its power-on self-test has come.

Offset::

    0  write: a POST code; read: the last one written    (0x80)

References
----------
IBM PC/AT Technical Reference: Power-On Self-Test, manufacturing test port.
"""

from __future__ import annotations

from pykern.machine.devices.registers import ByteRegisters

__all__ = ["Post"]


class Post(ByteRegisters):
    """The port.

    Attributes
    ----------
    code : written last; many guests write it only to wait a microsecond
    """

    SAVED = ("code",)

    def __init__(self) -> None:
        self.code = 0

    def reset(self) -> None:
        """Clear the display."""
        self.code = 0

    def read_byte(self, offset: int) -> int:
        """Read the last code."""
        return 0xFF if offset else self.code

    def write_byte(self, offset: int, value: int) -> None:
        """Show a code."""
        if not offset:
            self.code = value
