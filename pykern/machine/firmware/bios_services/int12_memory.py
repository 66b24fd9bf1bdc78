"""INT 12h: conventional memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pykern.machine.firmware.bios_services.bios import Bios
    from pykern.machine.firmware.bios_services.call import Call

MEMORY_SIZE = 0x13


def serve(bios: Bios, call: Call) -> None:
    """Return the KiB from address 0 in AX."""
    call.ax = bios.read_bda(MEMORY_SIZE, 2)
