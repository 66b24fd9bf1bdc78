"""Start a boot sector the way a BIOS starts the first sector of a hard disk.

The image is loaded to 0000:7C00 whole, as an El Torito no-emulation image is, if it fits below the
extended BIOS data area; of a larger one (a disk image) only the first sector. There are no BIOS
services: software interrupts return at once. Use a firmware ROM for code that needs them.

References
----------
BIOS Boot Specification 1.01, IPL devices; "El Torito" Bootable CD-ROM Format Specification 1.0,
Boot Catalog.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.machine.boot import entry_state
from pykern.machine.boot.placement import Placement
from pykern.machine.firmware.e820 import EBDA_BASE

if TYPE_CHECKING:
    from pykern.machine.boot.protocol import BootMachine, BootOptions

LOAD_ADDRESS = 0x7C00
SECTOR = 512
SIGNATURE, SIGNATURE_OFFSET = b"\x55\xaa", 510
_FIRST_HARD_DISK = 0x80


class BootSector:
    """A flat image that ends its first sector with 55 AA."""

    name = "bootsector"
    looks_for = "55 aa at offset 510 (boot sector)"

    def probe(self, image: bytes) -> bool:
        """Tell whether the boot signature is there."""
        return image[SIGNATURE_OFFSET:SECTOR] == SIGNATURE

    def load(self, image: bytes, machine: BootMachine, options: BootOptions) -> None:
        """Load the image at 7C00h and enter it in real mode with DL = 80h."""
        if len(image) > EBDA_BASE - LOAD_ADDRESS:
            image = image[:SECTOR]
        placement = Placement(machine)
        placement.claim(LOAD_ADDRESS, len(image), f"{options.name}: boot sector")
        placement.write(LOAD_ADDRESS, image)
        vcpu = machine.vcpus[0]
        entry_state.enter_real_mode(vcpu, 0, LOAD_ADDRESS, data=0, ss=0, sp=LOAD_ADDRESS)
        vcpu.write_register("rdx", _FIRST_HARD_DISK)
