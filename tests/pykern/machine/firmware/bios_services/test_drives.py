"""Which drive a medium goes into, and what is started of it."""

from __future__ import annotations

import pytest

from pykern.machine.firmware.bios_services.drives import geometry_of, insert
from pykern.machine.media import MediaError

SECTOR = b"\xeb\xfe".ljust(510, b"\0") + b"\x55\xaa"


@pytest.mark.parametrize(
    ("size", "number", "geometry"),
    [
        (512, 0x80, (1, 16, 63)),
        (10 << 20, 0x80, (20, 16, 63)),
        (1 << 30, 0x80, (520, 64, 63)),
        (8 << 30, 0x80, (1024, 255, 63)),
        (368640, 0, (40, 2, 9)),
        (1474560, 0, (80, 2, 18)),
        (2949120, 0, (80, 2, 36)),
    ],
)
def test_geometry(size, number, geometry):
    if size > 1 << 24:
        assert geometry_of(size // 512) == geometry
        return
    media = insert(SECTOR.ljust(size, b"\0"), "disk")
    (drive,) = media.drives.values()
    assert (drive.number, drive.geometry, drive.sectors) == (number, geometry, size // 512)
    assert media.record.drive == number
    assert media.record.data == SECTOR


def test_nothing_to_start_without_a_signature():
    assert insert(bytes(1024), "disk").record is None


def test_an_odd_size_is_filled_up():
    assert insert(SECTOR + b"x", "disk").drives[0x80].sectors == 2


def test_too_small():
    with pytest.raises(
        MediaError, match="disk: 100 bytes, expected a disk image of at least a sec"
    ):
        insert(bytes(100), "disk")


def test_a_cd_that_is_damaged():
    image = bytearray(0x9000)
    image[0x8001:0x8006] = b"CD001"
    with pytest.raises(MediaError, match="cd"):
        insert(bytes(image), "cd")
