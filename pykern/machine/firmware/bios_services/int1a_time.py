"""INT 1Ah: ticks since midnight, and the real-time clock.

References
----------
IBM Personal System/2 and Personal Computer BIOS Interface Technical Reference: Interrupt 1AH.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.machine.firmware.bios_services import int08_timer

if TYPE_CHECKING:
    from pykern.machine.firmware.bios_services.bios import Bios
    from pykern.machine.firmware.bios_services.call import Call

_SECONDS, _MINUTES, _HOURS, _DAY, _MONTH, _YEAR, _CENTURY = 0x00, 0x02, 0x04, 7, 8, 9, 0x32
_STATUS_B, _SET, _DAYLIGHT = 0x0B, 0x80, 0x01
_TICKS_PER_DAY, _SECONDS_PER_DAY = int08_timer.TICKS_PER_DAY, 86400


def serve(bios: Bios, call: Call) -> None:
    """Serve AH = 0 to 5; PCI functions (B1h) are refused."""
    match call.ah:
        case 0:
            ticks = bios.read_bda(int08_timer.TICKS, 4)
            call.cx, call.dx = ticks >> 16, ticks & 0xFFFF
            call.al = bios.read_bda(int08_timer.MIDNIGHT, 1)
            bios.write_bda(int08_timer.MIDNIGHT, 0, 1)
            call.succeed()
        case 1:
            bios.write_bda(int08_timer.TICKS, call.cx << 16 | call.dx, 4)
            bios.write_bda(int08_timer.MIDNIGHT, 0, 1)
            call.succeed()
        case 2:
            call.ch, call.cl, call.dh = (_cmos(bios, r) for r in (_HOURS, _MINUTES, _SECONDS))
            call.dl = _cmos(bios, _STATUS_B) & _DAYLIGHT
            _done(call, call.ch)
        case 3:
            _store(bios, {_HOURS: call.ch, _MINUTES: call.cl, _SECONDS: call.dh})
            _done(call)
        case 4:
            call.ch, call.cl = _cmos(bios, _CENTURY), _cmos(bios, _YEAR)
            call.dh, call.dl = _cmos(bios, _MONTH), _cmos(bios, _DAY)
            _done(call, call.ch)
        case 5:
            _store(bios, {_CENTURY: call.ch, _YEAR: call.cl, _MONTH: call.dh, _DAY: call.dl})
            _done(call)
        case _:
            bios.unsupported(0x1A, call)


def _done(call: Call, al: int = 0) -> None:
    call.ah = 0
    call.al = al
    call.set_carry(on=False)


def _cmos(bios: Bios, index: int) -> int:
    bios.board.rtc.write(0, 1, index)
    return bios.board.rtc.read(1, 1)


def _store(bios: Bios, values: dict[int, int]) -> None:
    status = _cmos(bios, _STATUS_B)
    for index, value in {_STATUS_B: status | _SET, **values, _STATUS_B + 0x80: status}.items():
        bios.board.rtc.write(0, 1, index & 0x7F)
        bios.board.rtc.write(1, 1, value)


def ticks_of_day(bios: Bios) -> int:
    """Return the ticks that the counter has when the clock is what it is."""
    hours, minutes, seconds = (
        (value >> 4) * 10 + (value & 0xF)
        for value in (_cmos(bios, index) for index in (_HOURS, _MINUTES, _SECONDS))
    )
    return (hours * 3600 + minutes * 60 + seconds) * _TICKS_PER_DAY // _SECONDS_PER_DAY
