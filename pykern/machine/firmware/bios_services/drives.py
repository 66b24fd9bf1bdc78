"""The drives that INT 13h knows, and what of a medium is started.

References
----------
"El Torito" Bootable CD-ROM Format Specification 1.0; BIOS Enhanced Disk Drive Specification 3.0;
BIOS Boot Specification 1.01.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from pykern.machine.media import BootImage, IsoImage, MediaError, Platform

SECTOR, CD_SECTOR = 512, 2048
FIRST_FLOPPY, FIRST_HARD_DISK, FIRST_CD = 0x00, 0x80, 0xE0
LOAD_ADDRESS = 0x7C00
_SIGNATURE = b"\x55\xaa"
_SPT, _CYLINDERS = 63, 1024


class Geometry(NamedTuple):
    """Cylinders, heads, sectors of a track."""

    cylinders: int
    heads: int
    sectors: int


# Bytes of a diskette -> its geometry and type as INT 13h/08h gives it.
FLOPPIES = {
    368640: (Geometry(40, 2, 9), 1),
    737280: (Geometry(80, 2, 9), 3),
    1228800: (Geometry(80, 2, 15), 2),
    1474560: (Geometry(80, 2, 18), 4),
    2949120: (Geometry(80, 2, 36), 5),
}


@dataclass
class Drive:
    """A drive with a medium in it.

    Parameters
    ----------
    number : in DL
    data : the medium; what the guest writes stays in here
    sector_size : bytes
    geometry : None for a drive without CHS addresses
    writable : False for CDs and what they emulate
    floppy_type : of INT 13h/08h; 0: no diskette drive
    """

    number: int
    data: bytearray
    sector_size: int = SECTOR
    geometry: Geometry | None = None
    writable: bool = True
    floppy_type: int = 0
    status: int = 0

    @property
    def sectors(self) -> int:
        """Return the number of sectors."""
        return len(self.data) // self.sector_size

    def slice_of(self, lba: int, count: int) -> slice | None:
        """Return where sectors lie in the data; None where the medium has ended."""
        if lba + count > self.sectors:
            return None
        return slice(lba * self.sector_size, (lba + count) * self.sector_size)


@dataclass(frozen=True)
class BootRecord:
    """What is loaded and started.

    Parameters
    ----------
    drive : number of the drive it comes from
    data : what is loaded
    load_address : physical
    """

    drive: int
    data: bytes
    load_address: int = LOAD_ADDRESS


@dataclass
class Media:
    """All drives, and how the first of them is started."""

    drives: dict[int, Drive] = field(default_factory=dict)
    record: BootRecord | None = None
    """None: there is nothing to start."""
    el_torito: BootImage | None = None


def geometry_of(sectors: int) -> Geometry:
    """Return the geometry by which a BIOS addresses a hard disk of so many sectors."""
    heads = next((h for h in (16, 32, 64, 128) if sectors <= _SPT * h * _CYLINDERS), 255)
    return Geometry(max(min(sectors // (_SPT * heads), _CYLINDERS), 1), heads, _SPT)


def insert(data: bytes, name: str) -> Media:
    """Put a medium into the drive it belongs into.

    Raises
    ------
    MediaError : it is empty, or a CD whose boot catalog is damaged
    """
    if data[0x8001:0x8006] == b"CD001":
        return _insert_cd(data, name)
    if len(data) < SECTOR:
        raise MediaError(f"{name}: {len(data)} bytes, expected a disk image of at least a sector")
    padded = bytearray(data) + bytes(-len(data) % SECTOR)
    if len(data) in FLOPPIES:
        geometry, kind = FLOPPIES[len(data)]
        drive = Drive(FIRST_FLOPPY, padded, geometry=geometry, floppy_type=kind)
    else:
        drive = Drive(FIRST_HARD_DISK, padded, geometry=geometry_of(len(padded) // SECTOR))
    return Media({drive.number: drive}, _first_sector(drive))


def _first_sector(drive: Drive) -> BootRecord | None:
    sector = bytes(drive.data[:SECTOR])
    return BootRecord(drive.number, sector) if sector[510:512] == _SIGNATURE else None


def _insert_cd(data: bytes, name: str) -> Media:
    cd = Drive(FIRST_CD, bytearray(data), CD_SECTOR, writable=False)
    images = IsoImage(data, name).boot_images
    image = next((i for i in images if i.bootable and i.platform == Platform.BIOS), None)
    media = Media({cd.number: cd})
    if image is None:
        return media
    media.el_torito = image
    start = image.sector * CD_SECTOR
    if start >= len(data):
        raise MediaError(
            f"{name}: the boot image starts at sector {image.sector}, the medium has "
            f"{len(data) // CD_SECTOR} sectors"
        )
    if image.emulation == "none":
        loaded = data[start : start + max(image.size, SECTOR)]
        media.record = BootRecord(FIRST_CD, loaded, image.load_address)
        return media
    emulated = _emulated(image, data[start:])
    media.drives[emulated.number] = emulated
    media.record = BootRecord(
        emulated.number, bytes(emulated.data[: max(image.size, SECTOR)]), image.load_address
    )
    return media


def _emulated(image: BootImage, rest: bytes) -> Drive:
    """Return the drive that an El Torito image pretends to be."""
    if image.emulation == "hard disk":
        # The partition table's first entry says how much it is.
        first = int.from_bytes(rest[446 + 8 : 446 + 12], "little")
        size = first + int.from_bytes(rest[446 + 12 : 446 + 16], "little")
        data = bytearray(rest[: size * SECTOR] if size else rest)
        geometry = geometry_of(len(data) // SECTOR)
        return Drive(FIRST_HARD_DISK, data, geometry=geometry, writable=False)
    sizes = {"1.2M floppy": 1228800, "1.44M floppy": 1474560, "2.88M floppy": 2949120}
    size = sizes[image.emulation]
    geometry, kind = FLOPPIES[size]
    data = bytearray(rest[:size]).ljust(size, b"\0")
    return Drive(FIRST_FLOPPY, data, geometry=geometry, writable=False, floppy_type=kind)
