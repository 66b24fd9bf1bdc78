"""IRQ 0: count the ticks of the day. The handler goes on with INT 1Ch."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pykern.machine.firmware.bios_services.bios import Bios
    from pykern.machine.firmware.bios_services.call import Call

TICKS, MIDNIGHT = 0x6C, 0x70  # in the BIOS data area
TICKS_PER_DAY = 0x1800B0


def serve(bios: Bios, _call: Call) -> None:
    """Count a tick; at midnight start again and say so."""
    ticks = bios.read_bda(TICKS, 4) + 1
    if ticks >= TICKS_PER_DAY:
        ticks = 0
        bios.write_bda(MIDNIGHT, 1, 1)
    bios.write_bda(TICKS, ticks, 4)
