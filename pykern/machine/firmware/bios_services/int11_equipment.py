"""INT 11h: the equipment word."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pykern.machine.firmware.bios_services.bios import Bios
    from pykern.machine.firmware.bios_services.call import Call

EQUIPMENT = 0x10


def serve(bios: Bios, call: Call) -> None:
    """Return the word in AX."""
    call.ax = bios.read_bda(EQUIPMENT, 2)
