"""Intel 8237A DMA controllers of the PC/AT with their page registers: the registers, no transfers.

No device of this board requests DMA, so channels can be programmed and read back and never run.

Offsets of `Dma8237` (first controller at 0x00, step 1; second at 0xC0, step 2; in units of the
step)::

    0, 2, 4, 6  address of channel 0-3, low byte first (flip-flop)
    1, 3, 5, 7  count of channel 0-3
    8  read: status  7-4 requests, 3-0 terminal counts; write: command
    9  write: request    A  write: mask one channel  2 mask  1-0 channel    B  write: mode
    C  write: clear flip-flop   D  read: temporary; write: master clear
    E  write: clear mask        F  write: mask of all channels; read: the same

Offset of `DmaPages`::

    0-F  latches; the first is the POST port on its own                             (0x80-0x8F)

References
----------
Intel 8237A datasheet (231466): Register Description, Programming; IBM PC/AT Technical Reference:
DMA Page Registers.
"""

from __future__ import annotations

from pykern.machine.devices.registers import ByteRegisters

__all__ = ["Dma8237", "DmaPages"]

STATUS, MASTER_CLEAR, MASK_ALL = 8, 13, 15


class Dma8237(ByteRegisters):
    """One controller.

    Parameters
    ----------
    step : distance of its registers on the bus
    """

    SAVED = ("_base", "_current", "_modes", "_command", "_requests", "_mask", "_high_next")

    def __init__(self, step: int = 1) -> None:
        self._step = step
        self.reset()

    def reset(self) -> None:
        """Do a master clear and forget addresses, counts and modes too."""
        self._base = [0] * 8
        self._current = [0] * 8
        self._modes = [0] * 4
        self._master_clear()

    def _master_clear(self) -> None:
        self._command = 0
        self._requests = 0
        self._mask = 0x0F
        self._high_next = False

    def _take_half(self) -> int:
        """Return the shift of the next byte and turn the flip-flop."""
        shift = 8 if self._high_next else 0
        self._high_next = not self._high_next
        return shift

    def read_byte(self, offset: int) -> int:
        """Read an address, a count, the status or the mask."""
        register, rest = divmod(offset, self._step)
        if rest or not 0 <= register < 16:
            return 0xFF
        if register < 8:
            return self._current[register] >> self._take_half() & 0xFF
        if register == STATUS:
            return self._requests << 4
        if register == MASK_ALL:
            return self._mask | 0xF0
        return 0x00 if register == MASTER_CLEAR else 0xFF

    def write_byte(self, offset: int, value: int) -> None:
        """Write a register."""
        register, rest = divmod(offset, self._step)
        if rest or not 0 <= register < 16:
            return
        if register < 8:
            shift = self._take_half()
            self._base[register] = self._base[register] & ~(0xFF << shift) | value << shift
            self._current[register] = self._base[register]
        else:
            self._write_control(register, value)

    def _write_control(self, register: int, value: int) -> None:
        bit = 1 << (value & 3)
        match register:
            case 8:
                self._command = value
            case 9:
                self._requests = self._requests | bit if value & 4 else self._requests & ~bit
            case 10:
                self._mask = self._mask | bit if value & 4 else self._mask & ~bit
            case 11:
                self._modes[value & 3] = value & 0xFC
            case 12:
                self._high_next = False
            case 13:
                self._master_clear()
            case 14:
                self._mask = 0
            case 15:
                self._mask = value & 0x0F


class DmaPages(ByteRegisters):
    """The page registers: sixteen latches."""

    SAVED = ("_pages",)

    def __init__(self) -> None:
        self._pages = bytearray(16)

    def reset(self) -> None:
        """Clear them."""
        self._pages = bytearray(16)

    def read_byte(self, offset: int) -> int:
        """Read a latch."""
        return self._pages[offset] if 0 <= offset < 16 else 0xFF

    def write_byte(self, offset: int, value: int) -> None:
        """Write a latch."""
        if 0 <= offset < 16:
            self._pages[offset] = value
