"""IRQ 8: acknowledge the interrupt of the real-time clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pykern.machine.firmware.bios_services.bios import Bios
    from pykern.machine.firmware.bios_services.call import Call

_STATUS_C = 0x0C


def serve(bios: Bios, _call: Call) -> None:
    """Read status register C, which lets the next interrupt come."""
    bios.board.rtc.write(0, 1, _STATUS_C)
    bios.board.rtc.read(1, 1)
