"""QEMU's firmware configuration device: how firmware made for QEMU learns about the machine.

Offsets::

    0  write: selector (2 bytes)                       (0x510)
    1  read: the next byte of the selected item        (0x511)

Items::

    0000  signature "QEMU"    0001  revision: bit 0 = this interface, bit 1 = DMA (not here)
    0003  RAM size (8 bytes)  0005  CPUs (2)  000F  CPUs at most (2)
    0019  file directory, big endian: count (4), then size (4), selector (2), 0 (2), name (56)
    0020+ files
    other keys are empty; beyond its end an item reads as zero

References
----------
QEMU documentation: QEMU Firmware Configuration (fw_cfg) Device.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from pykern.machine.devices.registers import SavedFields, all_ones

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["E820_RAM", "E820_RESERVED", "FwCfg", "e820_file"]

SIGNATURE, REVISION, RAM_SIZE, NB_CPUS, MAX_CPUS, FILE_DIRECTORY, FIRST_FILE = (
    *(0x00, 0x01, 0x03, 0x05),
    *(0x0F, 0x19, 0x20),
)
TRADITIONAL_INTERFACE = 1
NAME_SIZE = 56
E820_RAM, E820_RESERVED = 1, 2


def e820_file(ranges: Sequence[tuple[int, int, int]]) -> bytes:
    """Return the file `etc/e820` of (base, size, type) ranges."""
    return b"".join(struct.pack("<QQI", *item) for item in ranges)


class FwCfg(SavedFields):
    """The device.

    Parameters
    ----------
    ram_size : bytes
    cpus : number of CPUs
    files : name → content
    """

    SAVED = ("_selector", "_position")

    def __init__(self, ram_size: int, cpus: int, files: Mapping[str, bytes]) -> None:
        self._items = {
            SIGNATURE: b"QEMU",
            REVISION: TRADITIONAL_INTERFACE.to_bytes(4, "little"),
            RAM_SIZE: ram_size.to_bytes(8, "little"),
            NB_CPUS: cpus.to_bytes(2, "little"),
            MAX_CPUS: cpus.to_bytes(2, "little"),
        }
        directory = struct.pack(">I", len(files))
        for selector, (name, content) in enumerate(files.items(), FIRST_FILE):
            encoded = name.encode("ascii")
            if len(encoded) >= NAME_SIZE:
                raise ValueError(
                    f"fw_cfg file name {name!r} has {len(encoded)} bytes, expected under 56"
                )
            directory += struct.pack(">IHH56s", len(content), selector, 0, encoded)
            self._items[selector] = bytes(content)
        self._items[FILE_DIRECTORY] = directory
        self.reset()

    def reset(self) -> None:
        """Select the signature."""
        self._selector = 0
        self._position = 0

    def _next_byte(self) -> int:
        item = self._items.get(self._selector, b"")
        if self._position >= len(item):
            return 0
        self._position += 1
        return item[self._position - 1]

    def read(self, offset: int, size: int) -> int:
        """Read on in the selected item; the data port is one byte wide."""
        if offset != 1:
            return all_ones(size)
        return self._next_byte() | all_ones(size) & ~0xFF

    def write(self, offset: int, size: int, value: int) -> None:
        """Select an item; bit 14 asks for writing, which no item allows."""
        if offset == 0 and size == 2:
            self._selector = value & 0xBFFF
            self._position = 0
