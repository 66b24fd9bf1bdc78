"""IRQ 1: put what the keyboard sends into the buffer of the BIOS data area."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.machine.firmware.bios_services import keyboard_buffer

if TYPE_CHECKING:
    from pykern.machine.firmware.bios_services.bios import Bios
    from pykern.machine.firmware.bios_services.call import Call

_STATUS, _OUTPUT_FULL = 4, 1 << 0


def serve(bios: Bios, _call: Call) -> None:
    """Take the byte that has arrived."""
    if bios.board.i8042.read(_STATUS, 1) & _OUTPUT_FULL:
        keyboard_buffer.take_scan_code(bios, bios.board.i8042.read(0, 1))
