"""Boot catalogs, byte by byte as the El Torito specification has them."""

from __future__ import annotations

import struct

import pytest

from pykern.machine.media import MediaError
from pykern.machine.media.eltorito import Platform, read_catalog

CATALOG = 20


def validation(platform: int = 0) -> bytes:
    entry = bytearray(struct.pack("<BBH24sHBB", 1, platform, 0, b"ME", 0, 0x55, 0xAA))
    struct.pack_into("<H", entry, 28, -sum(struct.unpack("<16H", entry)) & 0xFFFF)
    return bytes(entry)


def entry(indicator: int = 0x88, media: int = 0, segment: int = 0, count: int = 4, rba: int = 30):
    return struct.pack("<BBHBBHI20x", indicator, media, segment, 0, 0, count, rba)


def section(indicator: int, platform: int, entries: int) -> bytes:
    return struct.pack("<BBH28x", indicator, platform, entries)


def medium(catalog: bytes, *, pointer: int = CATALOG):
    sectors = {
        16: b"\1CD001\1",
        17: b"\0CD001\1EL TORITO SPECIFICATION".ljust(0x47, b"\0") + struct.pack("<I", pointer),
        18: b"\xffCD001\1",
        CATALOG: catalog,
    }

    def read(sector: int, count: int) -> bytes:
        if sector > 99:
            return b""
        return b"".join(
            sectors.get(number, b"").ljust(2048, b"\0") for number in range(sector, sector + count)
        )

    return read


def test_initial_entry():
    (image,) = read_catalog(medium(validation() + entry(segment=0x1000, rba=77)), "cd")
    assert (image.platform, image.load_address, image.size, image.sector) == (
        Platform.BIOS, 0x10000, 2048, 77,
    )  # fmt: skip


def test_sections_and_their_extensions():
    catalog = validation() + entry()
    catalog += section(0x90, 0xEF, 2) + entry(rba=40) + b"\x44".ljust(32, b"\0") + entry(rba=41)
    catalog += section(0x91, 0, 1) + entry(0, media=2, rba=42)
    images = read_catalog(medium(catalog + section(0x91, 0, 1) + entry(rba=99)), "cd")
    assert [(i.platform, i.sector, i.bootable, i.emulation) for i in images] == [
        (0, 30, True, "none"),
        (0xEF, 40, True, "none"),
        (0xEF, 41, True, "none"),
        (0, 42, False, "1.44M floppy"),
    ]


def test_no_boot_record():
    read = medium(b"")
    assert read_catalog(lambda s, n: b"\1CD001\1" if s == 16 else read(18, n), "cd") == ()


@pytest.mark.parametrize(
    ("catalog", "message"),
    [
        (b"\2" + validation()[1:], "header ID is 0x2, expected 0x1"),
        (validation()[:30] + b"\0\0", "key is 0x0000, expected 0xaa55"),
        (b"\1\1" + validation()[2:], "add up to 0x100, expected 0"),
        (validation() + entry(7), "initial entry: boot indicator is 0x7, expected 0x88 or 0"),
        (validation() + entry(media=9), "media type is 9, expected 0 to 4"),
        (validation() + entry() + section(0x91, 0, 99) + entry() * 60, "announces 99 entries"),
    ],
)
def test_broken_catalogs(catalog, message):
    with pytest.raises(MediaError, match=message):
        read_catalog(medium(catalog), "cd")


def test_a_catalog_beyond_the_end():
    with pytest.raises(MediaError, match="at sector 500 is beyond the end of the medium"):
        read_catalog(medium(b"", pointer=500), "cd")
