"""What a drive answers to IDENTIFY DEVICE.

References
----------
ATA/ATAPI-6 (T13/1410D), IDENTIFY DEVICE.
"""

from __future__ import annotations

import struct

__all__ = ["HEADS", "MULTIPLE_MOST", "SECTORS_PER_TRACK", "identify"]

HEADS, SECTORS_PER_TRACK, CYLINDERS_MOST = 16, 63, 16383
MULTIPLE_MOST = 16
"""Sectors of one block of READ MULTIPLE and WRITE MULTIPLE."""
_LBA28_MOST = 0x0FFF_FFFF
_LBA = 1 << 9
_IORDY = 1 << 11
_VALID_54_58, _VALID_64_70 = 1, 2
_ATA_4_TO_6 = 0x70
_WRITE_CACHE, _FLUSH, _FLUSH_EXT, _LBA48 = 1 << 5, 1 << 12, 1 << 13, 1 << 10
_CABLE = 0x6001 | 1 << 13  # device 0 has passed its diagnostic


def identify(sectors: int, serial: str, multiple: int) -> bytes:
    """Return the 256 words.

    Parameters
    ----------
    sectors : of the drive
    serial : at most 20 characters
    multiple : sectors that SET MULTIPLE MODE has asked for; 0: none
    """
    per_cylinder = HEADS * SECTORS_PER_TRACK
    cylinders = min(sectors // per_cylinder, CYLINDERS_MOST)
    reached = cylinders * per_cylinder
    words = [0] * 256
    words[0] = 0x0040  # fixed drive
    words[1], words[3], words[6] = cylinders, HEADS, SECTORS_PER_TRACK
    words[10:20] = _text(serial, 20)
    words[23:27] = _text("1.0", 8)
    words[27:47] = _text("PYKERN HARDDISK", 40)
    words[47] = 0x8000 | MULTIPLE_MOST
    words[48] = 1  # the data port takes 32 bits
    words[49] = _LBA | _IORDY
    words[50] = 0x4000
    words[51] = 0x0200  # PIO mode 2
    words[53] = _VALID_54_58 | _VALID_64_70
    words[54:57] = cylinders, HEADS, SECTORS_PER_TRACK
    words[57:59] = reached & 0xFFFF, reached >> 16
    words[59] = 0x100 | multiple if multiple else 0
    reachable = min(sectors, _LBA28_MOST)
    words[60:62] = reachable & 0xFFFF, reachable >> 16
    words[64] = 3  # PIO modes 3 and 4
    words[67] = words[68] = 120  # ns
    words[80] = _ATA_4_TO_6
    words[82], words[83], words[84] = _WRITE_CACHE, 0x4000 | _FLUSH | _FLUSH_EXT | _LBA48, 0x4000
    words[85], words[86], words[87] = _WRITE_CACHE, _FLUSH | _FLUSH_EXT | _LBA48, 0x4000
    words[93] = _CABLE
    words[100:104] = (sectors >> 16 * n & 0xFFFF for n in range(4))
    return struct.pack("<256H", *words)


def _text(text: str, size: int) -> list[int]:
    """Return a string, the first character of each word in its upper half."""
    raw = text.encode("ascii", "replace")[:size].ljust(size)
    return [high << 8 | low for high, low in zip(raw[::2], raw[1::2], strict=True)]
