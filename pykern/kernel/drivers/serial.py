"""Driver of a 16550 UART (MEL-31).

References
----------
National Semiconductor PC16550D datasheet, Registers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from pykern_c import Vcpu

COM1, COM1_IRQ = 0x3F8, 4
_DATA, _IER, _FCR, _LCR, _MCR, _LSR = 0, 1, 2, 3, 4, 5
_DLL, _DLM = 0, 1
_DLAB, _WORD_8N1 = 0x80, 0x03
_FIFO_ENABLE_CLEAR = 0x07
_DTR_RTS_OUT2 = 0x0B
_RX_INTERRUPT = 0x01
_DATA_READY, _THR_EMPTY = 0x01, 0x20
_FIFO_MOST = 4096
_PATIENCE = 100_000
"""Looks at the line status register before a transmitter that is stuck is given up."""


class Serial:
    """One UART.

    Parameters
    ----------
    port : of its first register
    processor : returns the processor that acts now; its I/O instructions reach the UART

    Attributes
    ----------
    received : takes what has arrived
    """

    def __init__(self, port: int, processor: Callable[[], Vcpu]) -> None:
        self._port = port
        self._processor = processor
        self._early = b""
        self.received: Callable[[bytes], None] = lambda _data: None

    def initialize(self, divisor: int = 1) -> None:
        """Set 8 data bits, no parity, 1 stop bit, and empty both FIFOs; 115200/divisor baud.

        What was typed before is kept for when the receiver is enabled.
        """
        vcpu = self._processor()
        self._early = self._take()
        self._out(vcpu, _IER, 0)
        self._out(vcpu, _LCR, _DLAB)
        self._out(vcpu, _DLL, divisor & 0xFF)
        self._out(vcpu, _DLM, divisor >> 8)
        self._out(vcpu, _LCR, _WORD_8N1)
        self._out(vcpu, _FCR, _FIFO_ENABLE_CLEAR)
        self._out(vcpu, _MCR, _DTR_RTS_OUT2)

    def enable_receiver(self) -> None:
        """Have it interrupt when something arrives."""
        if self._early:
            self.received(self._early)
            self._early = b""
        self._out(self._processor(), _IER, _RX_INTERRUPT)

    def write(self, data: bytes) -> None:
        """Send bytes, waiting for the transmitter before each."""
        vcpu = self._processor()
        for byte in data:
            patience = _PATIENCE
            while not self._in(vcpu, _LSR) & _THR_EMPTY and patience:
                patience -= 1
            self._out(vcpu, _DATA, byte)

    def interrupt(self, _cpu: object = None) -> None:
        """Take what has arrived."""
        data = self._take()
        if data:
            self.received(data)

    def _take(self) -> bytes:
        vcpu, data = self._processor(), bytearray()
        while self._in(vcpu, _LSR) & _DATA_READY and len(data) < _FIFO_MOST:
            data.append(self._in(vcpu, _DATA))
        return bytes(data)

    def _in(self, vcpu: Vcpu, register: int) -> int:
        return vcpu.port_read(self._port + register, 1)

    def _out(self, vcpu: Vcpu, register: int, value: int) -> None:
        vcpu.port_write(self._port + register, 1, value)
