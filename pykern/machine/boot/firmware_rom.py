"""Map a firmware ROM and let the processor start at its reset vector.

The ROM ends at 4 GiB. Its last 128 KiB appear below 1 MiB too, in RAM, as on a board whose chip set
has shadowing enabled: firmware keeps variables there.

References
----------
SDM Vol. 3A, Processor State After Reset, and First Instruction Executed.
"""

from __future__ import annotations

from pykern.machine.boot.protocol import BootError, BootMachine, BootOptions
from pykern.machine.firmware.e820 import EXTENDED_MEMORY_BASE, FOUR_GIB

SHADOW_SIZE = 128 << 10
_GRANULE, _MAXIMUM = 64 << 10, 16 << 20
_RESET_VECTOR_FROM_END = 16
_JUMPS = {0xE9, 0xEA, 0xEB}


class FirmwareRom:
    """A ROM image whose last 16 bytes hold the first instruction executed."""

    name = "firmware"
    looks_for = "a multiple of 64 KiB up to 16 MiB with a jump 16 bytes before its end (ROM)"

    def probe(self, image: bytes) -> bool:
        """Tell whether the image has the size of a ROM and a jump at the reset vector."""
        if not image or len(image) % _GRANULE or len(image) > _MAXIMUM:
            return False
        return image[-_RESET_VECTOR_FROM_END] in _JUMPS

    def load(self, image: bytes, machine: BootMachine, options: BootOptions) -> None:
        """Map the ROM; the processor's state is that after reset."""
        if not image or len(image) % _GRANULE or len(image) > _MAXIMUM:
            raise BootError(
                f"{options.name}: {len(image)} bytes, expected a ROM: a multiple of "
                f"{_GRANULE} up to {_MAXIMUM} bytes"
            )
        if not _is_mapped(image, machine):
            machine.map_rom(FOUR_GIB - len(image), image)
        shadow = image[-SHADOW_SIZE:]
        machine.write(EXTENDED_MEMORY_BASE - len(shadow), shadow)


def _is_mapped(image: bytes, machine: BootMachine) -> bool:
    """Tell whether this ROM is there from an earlier boot of the same machine."""
    try:
        return machine.read(FOUR_GIB - len(image), len(image)) == image
    except ValueError:
        return False
