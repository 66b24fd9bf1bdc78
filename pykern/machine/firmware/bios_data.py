"""The interrupt vector table and the BIOS data area that real-mode code expects to find.

There are no BIOS services behind the vectors unless a firmware ROM runs: a vector points at an
IRET, so that a software interrupt returns with registers unchanged instead of running wild. Those
of the devices that a BIOS leaves unmasked end the interrupt at the 8259 first. The vectors of
faults, which would come again for ever, halt the processor with interrupts off.

References
----------
IBM Personal System/2 and Personal Computer BIOS Interface Technical Reference, Data Areas and
ROM Tables (BIOS Data Area).
"""

from __future__ import annotations

from typing import Protocol

from pykern.machine.firmware.e820 import EBDA_BASE


class _Memory(Protocol):
    def write(self, paddr: int, data: bytes) -> None: ...


_DUMMY_IRET_OFFSET = 0xFF53  # where IBM's BIOS keeps its dummy interrupt handler, F000:FF53
_IRET = b"\xcf"
_HALT_OFFSET = 0xFF54
_HALT = b"\xfa\xf4\xeb\xfc"  # cli; hlt; back to cli
_END_MASTER_OFFSET, _END_SLAVE_OFFSET = 0xFF60, 0xFF70
_END_MASTER = b"\x50\xb0\x20\xe6\x20\x58\xcf"  # push ax; mov al, 20h; out 20h, al; pop ax; iret
_END_SLAVE = b"\x50\xb0\x20\xe6\xa0\xe6\x20\x58\xcf"  # the same with out 0A0h, al before it
_MASTER_VECTORS = (0x08, 0x09)  # timer, keyboard
_SLAVE_VECTORS = (0x70, 0x74)  # RTC, mouse
_FAULTS = (0, 6, 7, 12, 13)  # #DE #UD #NM #SS #GP
_EBDA_KIB = 1

# BIOS data area: offset in segment 40h -> bytes.
_FIELDS: dict[int, bytes] = {
    0x00: (0x3F8).to_bytes(2, "little"),  # COM1
    0x0E: (EBDA_BASE >> 4).to_bytes(2, "little"),  # EBDA segment
    0x10: (0x0226).to_bytes(2, "little"),  # equipment: one COM, 80x25 colour, mouse, x87
    0x13: (EBDA_BASE >> 10).to_bytes(2, "little"),  # conventional memory in KiB
    0x1A: (0x1E).to_bytes(2, "little"),  # keyboard buffer head
    0x1C: (0x1E).to_bytes(2, "little"),  # keyboard buffer tail
    0x49: b"\x03",  # video mode
    0x4A: (80).to_bytes(2, "little"),  # columns
    0x4C: (0x1000).to_bytes(2, "little"),  # bytes of a page
    0x60: b"\x0e\x0d",  # cursor shape: end, start scan line
    0x63: (0x3D4).to_bytes(2, "little"),  # CRT controller port
    0x80: (0x1E).to_bytes(2, "little"),  # keyboard buffer start
    0x82: (0x3E).to_bytes(2, "little"),  # keyboard buffer end
    0x84: b"\x18",  # rows - 1
    0x85: (16).to_bytes(2, "little"),  # character height
}


def install(memory: _Memory) -> None:
    """Write the interrupt vector table, the BIOS data area and the head of the EBDA."""
    memory.write(0x000, _vector(_DUMMY_IRET_OFFSET) * 256)
    for fault in _FAULTS:
        memory.write(fault * 4, _vector(_HALT_OFFSET))
    for vectors, offset in (
        (_MASTER_VECTORS, _END_MASTER_OFFSET),
        (_SLAVE_VECTORS, _END_SLAVE_OFFSET),
    ):
        for vector in vectors:
            memory.write(vector * 4, _vector(offset))
    memory.write(0xF0000 + _END_MASTER_OFFSET, _END_MASTER)
    memory.write(0xF0000 + _END_SLAVE_OFFSET, _END_SLAVE)
    memory.write(0xF0000 + _DUMMY_IRET_OFFSET, _IRET + _HALT)
    area = bytearray(0x100)
    for offset, value in _FIELDS.items():
        area[offset : offset + len(value)] = value
    memory.write(0x400, bytes(area))
    memory.write(EBDA_BASE, bytes((_EBDA_KIB,)))


def _vector(offset: int) -> bytes:
    return offset.to_bytes(2, "little") + (0xF000).to_bytes(2, "little")
