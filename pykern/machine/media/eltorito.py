"""The El Torito boot catalog: which images firmware may start from a CD.

::

    boot record volume descriptor (sector 17)  ->  sector of the boot catalog
    validation entry       01, platform, id string, checksum, 55 AA
    initial entry          88 or 00, media type, load segment, sector count, first sector
    section header         90 (more follow) or 91 (last), platform, number of entries
    section entry          as the initial entry, with selection criteria

References
----------
"El Torito" Bootable CD-ROM Format Specification 1.0, Booting Catalog.
UEFI Specification 2.10, ISO-9660 and El Torito (platform 0xEF).
"""

from __future__ import annotations

import enum
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from construct import Bytes, Int8ul, Int16ul, Int32ul, Struct

from pykern.machine.media.errors import MediaError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    ReadSectors = Callable[[int, int], bytes]

SECTOR = 2048
VIRTUAL_SECTOR = 512
_FIRST_DESCRIPTOR, _MOST_DESCRIPTORS = 16, 64
_BOOT_RECORD, _TERMINATOR = 0, 255
_SYSTEM = b"EL TORITO SPECIFICATION"
_CATALOG_POINTER = 0x47
_ENTRY = 32
_BOOTABLE, _NOT_BOOTABLE = 0x88, 0x00
_SECTION, _LAST_SECTION, _EXTENSION = 0x90, 0x91, 0x44
_KEY = 0xAA55
_MEDIA = ("none", "1.2M floppy", "1.44M floppy", "2.88M floppy", "hard disk")

ValidationEntry = Struct(
    "header_id" / Int8ul,
    "platform_id" / Int8ul,
    "reserved" / Int16ul,
    "id_string" / Bytes(24),
    "checksum" / Int16ul,
    "key" / Int16ul,
)

BootEntry = Struct(
    "boot_indicator" / Int8ul,
    "boot_media_type" / Int8ul,
    "load_segment" / Int16ul,
    "system_type" / Int8ul,
    "unused" / Int8ul,
    "sector_count" / Int16ul,
    "load_rba" / Int32ul,
    "selection" / Bytes(20),
)

SectionHeader = Struct(
    "header_indicator" / Int8ul,
    "platform_id" / Int8ul,
    "entries" / Int16ul,
    "id_string" / Bytes(28),
)


class Platform(enum.IntEnum):
    """Who can start an entry."""

    BIOS = 0x00
    POWER_PC = 0x01
    MAC = 0x02
    UEFI = 0xEF


@dataclass(frozen=True)
class BootImage:
    """One entry of the catalog.

    Attributes
    ----------
    platform : number; a member of `Platform` where there is one
    bootable : the boot indicator is 88
    emulation : medium that the BIOS is to pretend: none, a floppy or a hard disk
    load_segment : real-mode segment to load to; 0 stands for 7C0
    sector_count : sectors of 512 bytes to load
    sector : first sector of 2048 bytes of the image on the medium
    """

    platform: int
    bootable: bool
    emulation: str
    load_segment: int
    sector_count: int
    sector: int

    @property
    def load_address(self) -> int:
        """Return the physical address that a BIOS loads the image to."""
        return (self.load_segment or 0x7C0) << 4

    @property
    def size(self) -> int:
        """Return the bytes that a BIOS loads."""
        return self.sector_count * VIRTUAL_SECTOR


def catalog_sector(read: ReadSectors) -> int | None:
    """Return the sector of the boot catalog; None where no boot record names one."""
    for number in range(_FIRST_DESCRIPTOR, _FIRST_DESCRIPTOR + _MOST_DESCRIPTORS):
        descriptor = read(number, 1)
        if descriptor[1:6] != b"CD001" or descriptor[0] == _TERMINATOR:
            return None
        if descriptor[0] == _BOOT_RECORD and descriptor[7:].startswith(_SYSTEM):
            return int(struct.unpack_from("<I", descriptor, _CATALOG_POINTER)[0])
    return None


def read_catalog(read: ReadSectors, name: str) -> tuple[BootImage, ...]:
    """Return the entries of the boot catalog; none where the medium has no catalog.

    Parameters
    ----------
    read : returns a number of sectors from a sector, shorter at the end of the medium
    name : of the medium, for messages

    Raises
    ------
    MediaError : the catalog breaks the specification
    """
    sector = catalog_sector(read)
    if sector is None:
        return ()
    where = f"{name}: El Torito boot catalog at sector {sector}"
    catalog = read(sector, 1)
    if len(catalog) < SECTOR:
        raise MediaError(f"{where} is beyond the end of the medium")
    platform = _check_validation(catalog[:_ENTRY], where)
    images = tuple(_entries(catalog, platform, where))
    for image in images:
        if image.bootable and not read(image.sector, 1):
            raise MediaError(
                f"{where}: the boot image at sector {image.sector} is beyond the end of the medium"
            )
    return images


def _check_validation(entry: bytes, where: str) -> int:
    validation = ValidationEntry.parse(entry)
    if validation.header_id != 1:
        raise MediaError(f"{where}: header ID is {validation.header_id:#x}, expected 0x1")
    if validation.key != _KEY:
        raise MediaError(f"{where}: key is {validation.key:#06x}, expected {_KEY:#06x}")
    total = sum(struct.unpack("<16H", entry)) & 0xFFFF
    if total:
        raise MediaError(f"{where}: the words of the first entry add up to {total:#x}, expected 0")
    return int(validation.platform_id)


def _entries(catalog: bytes, platform: int, where: str) -> Iterator[BootImage]:
    yield _boot_image(catalog[_ENTRY : 2 * _ENTRY], platform, f"{where}, initial entry")
    position, last = 2 * _ENTRY, False
    while not last and position + _ENTRY <= len(catalog):
        header = SectionHeader.parse(catalog[position : position + _ENTRY])
        if header.header_indicator not in {_SECTION, _LAST_SECTION}:
            return
        last = header.header_indicator == _LAST_SECTION
        position += _ENTRY
        for number in range(header.entries):
            if position + _ENTRY > len(catalog):
                raise MediaError(
                    f"{where}: section header announces {header.entries} entries, the catalog ends "
                    f"behind {number}"
                )
            entry = catalog[position : position + _ENTRY]
            yield _boot_image(entry, header.platform_id, f"{where}, entry at {position:#x}")
            position = _behind_extensions(catalog, position + _ENTRY)


def _behind_extensions(catalog: bytes, position: int) -> int:
    while position + _ENTRY <= len(catalog) and catalog[position] == _EXTENSION:
        position += _ENTRY
    return position


def _boot_image(entry: bytes, platform: int, where: str) -> BootImage:
    fields = BootEntry.parse(entry)
    if fields.boot_indicator not in {_BOOTABLE, _NOT_BOOTABLE}:
        raise MediaError(
            f"{where}: boot indicator is {fields.boot_indicator:#x}, expected 0x88 or 0"
        )
    medium = fields.boot_media_type & 0xF
    if medium >= len(_MEDIA):
        raise MediaError(f"{where}: media type is {medium}, expected 0 to {len(_MEDIA) - 1}")
    return BootImage(
        platform=Platform(platform) if platform in set(Platform) else int(platform),
        bootable=fields.boot_indicator == _BOOTABLE,
        emulation=_MEDIA[medium],
        load_segment=int(fields.load_segment),
        sector_count=int(fields.sector_count),
        sector=int(fields.load_rba),
    )
