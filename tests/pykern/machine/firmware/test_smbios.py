"""SMBIOS: walked by the rules of the specification, and read by dmidecode."""

from __future__ import annotations

import shutil
import struct
import subprocess

import pytest

from pykern.machine.firmware import smbios
from pykern.machine.firmware.smbios import SmbiosPlatform

GIB = 1 << 30
needs_dmidecode = pytest.mark.skipif(
    shutil.which("dmidecode") is None, reason="dmidecode is not installed"
)


def table_of(image: smbios.SmbiosImage) -> bytes:
    return image.data[image.table - image.base :]


def walk(table: bytes):
    """Yield (type, formatted area, strings) up to the end-of-table structure."""
    position = 0
    while True:
        kind, length, _ = struct.unpack_from("<BBH", table, position)
        formatted = table[position : position + length]
        end = table.index(b"\0\0", position + length)
        strings = table[position + length : end].split(b"\0") if end > position + length else []
        yield kind, formatted, strings
        position = end + 2
        if kind == 127:
            assert position == len(table)
            return


@pytest.fixture(params=[1, 4, 64])
def image(request):
    ranges = ((0, 3 * GIB), (4 * GIB, 61 * GIB)) if request.param == 64 else ((0, 512 << 20),)
    return smbios.build(SmbiosPlatform(request.param, ranges))


def test_entry_points(image):
    old = image.data[:31]
    assert old[:4] == b"_SM_"
    assert old[16:21] == b"_DMI_"
    assert sum(old) % 256 == sum(old[16:]) % 256 == 0
    length, address, count = struct.unpack_from("<HIH", old, 22)
    structures = list(walk(table_of(image)))
    assert (length, address, count) == (len(table_of(image)), image.table, len(structures))
    assert struct.unpack_from("<H", old, 8)[0] >= max(
        len(f) + sum(len(s) + 1 for s in strings) for _, f, strings in structures
    )
    new = image.data[image.entry_64 - image.base :][:24]
    assert new[:5] == b"_SM3_"
    assert sum(new) % 256 == 0
    assert struct.unpack_from("<IQ", new, 12) == (len(table_of(image)), image.table)
    assert image.entry_32 % 16 == image.entry_64 % 16 == 0


def test_structures(image):
    kinds = [kind for kind, _, _ in walk(table_of(image))]
    assert set(kinds) == {0, 1, 3, 4, 16, 17, 19, 32, 127}
    handles = [struct.unpack_from("<H", f, 2)[0] for _, f, _ in walk(table_of(image))]
    assert handles == list(range(len(handles)))


def test_it_ends_below_the_code_of_the_bios():
    image = smbios.build(SmbiosPlatform(64, ((0, 3 * GIB), (4 * GIB, GIB))))
    assert image.base + len(image.data) <= 0xFA000


def test_too_many_processors():
    with pytest.raises(ValueError, match="reach beyond 1 MiB"):
        smbios.build(SmbiosPlatform(2000))


def decoded(image: smbios.SmbiosImage, folder, *, new: bool) -> str:
    """Return what dmidecode says of a dump as its --dump-bin writes one."""
    offset = image.entry_64 - image.base if new else 0
    entry = bytearray(image.data[offset:][: 24 if new else 31])
    struct.pack_into("<Q" if new else "<I", entry, 16 if new else 24, 32)
    if not new:
        entry[21] = 0
        entry[21] = -sum(entry[16:]) & 0xFF
    at = 5 if new else 4
    entry[at] = 0
    entry[at] = -sum(entry) & 0xFF
    (folder / "dump").write_bytes(bytes(entry).ljust(32, b"\0") + table_of(image))
    done = subprocess.run(
        ["dmidecode", "--from-dump", folder / "dump"], capture_output=True, text=True, check=True
    )
    assert not done.stderr
    return done.stdout


@needs_dmidecode
@pytest.mark.parametrize("new", [False, True])
def test_dmidecode_reads_all_of_it(image, tmp_path, new):
    text = decoded(image, tmp_path, new=new)
    assert ("SMBIOS 3.0.0 present" if new else "SMBIOS 2.8 present") in text
    for complaint in ("Invalid", "<BAD INDEX>", "OUT OF SPEC", "Wrong", "broken", "TRUNCATED"):
        assert complaint not in text
    cpus = sum(kind == 4 for kind, _, _ in walk(table_of(image)))
    assert text.count("Processor Information") == cpus
    for line in (
        "Vendor: pykern",
        "Product Name: pykern PC",
        "Socket Designation: CPU 0",
        "Status: Populated, Enabled",
        "64-bit capable",
        "Use: System Memory",
        "Form Factor: DIMM",
        "Status: No errors detected",
        "End Of Table",
    ):
        assert line in text


@needs_dmidecode
@pytest.mark.parametrize(
    ("ranges", "lines"),
    [
        (((0, 512 << 20),), ["Maximum Capacity: 512 MB", "Size: 512 MB", "Range Size: 512 MB"]),
        (((0, 3 * GIB), (4 * GIB, 61 * GIB)), ["Maximum Capacity: 64 GB", "Size: 64 GB"]),
        (
            ((0, 3 * GIB), (4 * GIB, 5 << 40)),
            ["Maximum Capacity: 5123 GB", "Starting Address: 0x0000000100000000"],
        ),
    ],
)
def test_sizes_of_memory(tmp_path, ranges, lines):
    text = decoded(smbios.build(SmbiosPlatform(1, ranges)), tmp_path, new=True)
    for line in lines:
        assert line in text
