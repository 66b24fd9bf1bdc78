"""INT 18h: nothing could be started. The handler stops the processor for good."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.machine.firmware.bios_services import int10_video

if TYPE_CHECKING:
    from pykern.machine.firmware.bios_services.bios import Bios
    from pykern.machine.firmware.bios_services.call import Call

MESSAGE = "No bootable medium: expected an El Torito boot image or 55 AA at offset 510\r\n"


def serve(bios: Bios, _call: Call) -> None:
    """Say so."""
    for character in MESSAGE.encode():
        int10_video.teletype(bios, character)
