"""INT 14h: the serial ports.

References
----------
IBM Personal System/2 and Personal Computer BIOS Interface Technical Reference: Interrupt 14H.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pykern.machine.firmware.bios_services.bios import Bios
    from pykern.machine.firmware.bios_services.call import Call

_DATA, _IER, _LCR, _MCR, _LSR, _MSR = 0, 1, 3, 4, 5, 6
_DATA_READY, _TIME_OUT = 0x01, 0x80
_DIVISORS = (1047, 768, 384, 192, 96, 48, 24, 12)  # 110 to 9600 baud
_DLAB = 0x80


def serve(bios: Bios, call: Call) -> None:
    """AH: 0 set up, 1 send AL, 2 receive AL, 3 status; DX: number of the port."""
    ports = (bios.board.com1, bios.board.com2)
    if call.dx >= len(ports):
        return
    uart = ports[call.dx]
    call.set_carry(on=False)
    match call.ah:
        case 0:
            _set_up(uart, call.al)
            call.ax = _status(uart)
        case 1:
            uart.write(_DATA, 1, call.al)
            call.ah = uart.read(_LSR, 1)
        case 2:
            _receive(uart, call)
        case 3:
            call.ax = _status(uart)


def _set_up(uart: Any, parameters: int) -> None:
    """Bits 7-5: speed; 4-0 are those of the line control register."""
    divisor = _DIVISORS[parameters >> 5]
    uart.write(_LCR, 1, parameters & 0x1F | _DLAB)
    uart.write(_DATA, 1, divisor & 0xFF)
    uart.write(_IER, 1, divisor >> 8)
    uart.write(_LCR, 1, parameters & 0x1F)
    uart.write(_IER, 1, 0)


def _status(uart: Any) -> int:
    return int(uart.read(_LSR, 1) << 8 | uart.read(_MSR, 1))


def _receive(uart: Any, call: Call) -> None:
    if not uart.read(_LSR, 1) & _DATA_READY:
        call.ah = _TIME_OUT
        return
    call.al = uart.read(_DATA, 1)
    call.ah = 0
