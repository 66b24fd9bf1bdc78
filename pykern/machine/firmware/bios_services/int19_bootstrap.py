"""INT 19h: load the boot record. The handler jumps to it.

References
----------
"El Torito" Bootable CD-ROM Format Specification 1.0, Booting Catalog; BIOS Boot Specification
1.01, INT 19h.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.machine.firmware.bios_services import rom

if TYPE_CHECKING:
    from pykern.machine.firmware.bios_services.bios import Bios
    from pykern.machine.firmware.bios_services.call import Call

_NO_BOOT = 0x18
_SEGMENT_SIZE = 0x10000


def serve(bios: Bios, call: Call) -> None:
    """Load what is to be started, and leave its address where the handler jumps to."""
    record = bios.media.record
    if record is None:
        handler = rom.HANDLERS + rom.HANDLER_SIZE * _NO_BOOT
        target = rom.SEGMENT << 16 | handler
    else:
        bios.machine.write(record.load_address, record.data)
        call.dl = record.drive
        # The segment is as small as it can be: 0000:7C00, not 07C0:0000.
        segment = record.load_address // _SEGMENT_SIZE * (_SEGMENT_SIZE >> 4)
        target = segment << 16 | record.load_address % _SEGMENT_SIZE
    bios.machine.write(rom.BASE + rom.BOOT, target.to_bytes(4, "little"))
