"""ISO images made by xorriso and genisoimage are read; damaged ones are one line of error."""

from __future__ import annotations

import random
import shutil
import struct
import subprocess

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pykern.machine.media import EntryKind, IsoImage, MediaError, Platform
from tests.isos import BIOS, FILES, LINKS, LONG_NAME, UEFI, damaged, make_iso, make_tree

TOOLS = ("xorriso", "genisoimage")


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return make_tree(tmp_path_factory.mktemp("isos") / "tree")


@pytest.fixture(scope="module", params=TOOLS)
def rock_ridge(request, tree):
    return make_iso(request.param, tree, "-R", "-J", "-joliet-long", *BIOS)


def test_names_contents_and_links_are_those_of_the_tree(rock_ridge):
    """MEL-29: ISOs made by xorriso."""
    image = IsoImage(rock_ridge)
    assert image.names == "Rock Ridge"
    files = {e.path: e for e in image.entries if e.kind is EntryKind.FILE}
    boot_info = {"/boot/boot.bin"}
    for name, data in FILES.items():
        assert files[f"/{name}"].size == len(data)
        if f"/{name}" not in boot_info:
            assert image.read(name) == data
    links = {e.path: e.target for e in image.entries if e.kind is EntryKind.SYMLINK}
    assert links == {f"/{name}": target for name, target in LINKS.items()}


def test_links_are_followed(rock_ridge):
    image = IsoImage(rock_ridge)
    expected = FILES[f"boot/{LONG_NAME}"]
    assert image.read("/kernel") == expected
    assert image.read(f"/b/{LONG_NAME}") == expected
    with pytest.raises(MediaError, match="more than 8 symbolic links"):
        image.read("/boot/self")
    with pytest.raises(MediaError, match="more than 8 symbolic links"):
        image.read("/boot/self/x")


def test_what_is_not_there_is_said(rock_ridge):
    image = IsoImage(rock_ridge)
    assert image.find("/nope") is None
    assert image.find("/boot/../b/limine").path == "/boot/limine" or image.find("/b/limine")
    with pytest.raises(MediaError, match=r"iso: no file /boot/nope$"):
        image.read("/boot/nope")
    with pytest.raises(MediaError, match="/boot is a directory, expected a file"):
        image.read("/boot")


def test_joliet_names_where_there_is_no_rock_ridge(tree):
    """xorriso always writes Rock Ridge names, so genisoimage has to do these two."""
    image = IsoImage(make_iso("genisoimage", tree, "-J", "-joliet-long", "-D"))
    assert image.names == "Joliet"
    assert image.read(f"/boot/{LONG_NAME}") == FILES[f"boot/{LONG_NAME}"]


def test_plain_names_are_found_in_any_case(tree):
    image = IsoImage(make_iso("genisoimage", tree, "-D", "-l", "-allow-lowercase"))
    assert image.names == "ISO 9660"
    assert image.read("/BOOT/LIMINE/LIMINE.CONF") == FILES["boot/limine/limine.conf"]
    image = IsoImage(make_iso("genisoimage", tree, "-D", "-l"))
    assert image.find("/boot/limine/limine.conf").path == "/BOOT/LIMINE/LIMINE.CONF"


def test_both_platforms_of_a_boot_catalog(tree):
    """MEL-29: BIOS and UEFI El Torito entries."""
    image = IsoImage(make_iso("xorriso", tree, "-R", *BIOS, *UEFI))
    bios, uefi = image.boot_images
    assert (bios.platform, bios.bootable, bios.emulation) == (Platform.BIOS, True, "none")
    assert (bios.load_address, bios.size) == (0x7C00, 2048)
    assert bios.sector == image.find("/boot/boot.bin").sector
    assert uefi.platform == Platform.UEFI
    assert image.read_sectors(uefi.sector, 5)[:9000] == FILES["boot/efi.img"]


def test_a_hybrid_of_cd_and_disk(tree):
    """MEL-29: the way Limine's users have xorriso write their images, partitions and all."""
    hybrid = ("-R", "-r", "-J", *BIOS, "-boot-info-table", "-hfsplus", "-apm-block-size", "2048")
    hybrid += ("--efi-boot", "boot/efi.img", "-efi-boot-part", "--efi-boot-image")
    image = IsoImage(make_iso("xorriso", tree, *hybrid, "--protective-msdos-label"))
    assert [boot.platform for boot in image.boot_images] == [Platform.BIOS, Platform.UEFI]
    assert image.read(f"/boot/{LONG_NAME}") == FILES[f"boot/{LONG_NAME}"]


def test_an_image_without_boot_record_has_no_boot_images(tree):
    assert IsoImage(make_iso("genisoimage", tree, "-R")).boot_images == ()


def test_the_same_sectors_as_isoinfo(rock_ridge):
    if shutil.which("isoinfo") is None:
        pytest.skip("isoinfo is not installed")
    listing = subprocess.run(
        ["isoinfo", "-l", "-R", "-i", rock_ridge], capture_output=True, text=True, check=True
    ).stdout
    rows = [line for line in listing.splitlines() if line.startswith("-")]
    sectors = {row.split("]")[1].strip(): int(row.split("[")[1].split()[0]) for row in rows}
    image = IsoImage(rock_ridge)
    ours = {e.path.rsplit("/", 1)[1]: e.sector for e in image.entries if e.kind is EntryKind.FILE}
    assert {name: ours[name] for name in sectors if name in ours and name != "empty"} == {
        name: sector for name, sector in sectors.items() if name in ours and name != "empty"
    }
    assert len(sectors) >= len(FILES)


# --- damage --------------------------------------------------------------------------------------


def test_what_is_no_iso_is_said():
    with pytest.raises(
        MediaError, match=r"^x\.iso: offset 0x8000 holds nothing, expected 01 43 44"
    ):
        IsoImage(b"short", "x.iso")
    with pytest.raises(MediaError, match=r"offset 0x8000 holds 00 00 00 00 00 00"):
        IsoImage(bytes(1 << 17), "x.iso")


def test_an_image_that_is_cut_off_says_so(rock_ridge):
    data = rock_ridge.read_bytes()
    for size, message in (
        (16 * 2048 + 100, "x.iso: the volume descriptor at 0x8000 is cut off: 100 bytes, expected"),
        (17 * 2048, r"x.iso: the root directory, \d+ bytes at sector \d+, is beyond the end"),
        (60 * 2048, r"beyond the end of the medium|the image is cut off: \d+ bytes expected"),
    ):
        with pytest.raises(MediaError, match=message):
            IsoImage(data[:size], "x.iso")


def test_a_directory_that_contains_itself_ends(rock_ridge):
    data = bytearray(rock_ridge.read_bytes())
    root, size = struct.unpack_from("<I4xI", data, 16 * 2048 + 156 + 2)
    position = root * 2048
    while position < root * 2048 + size and data[position]:
        if data[position + 25] & 2:
            struct.pack_into("<I", data, position + 2, root)
            struct.pack_into(">I", data, position + 6, root)
        position += data[position]
    with pytest.raises(MediaError, match=r"loop|circles|nested"):
        IsoImage(bytes(data), "loop.iso")


def test_a_file_beyond_the_end_is_said(tree):
    image = make_iso("genisoimage", tree, "-D", "-no-pad")
    data = bytearray(image.read_bytes())
    at = data.index(b"EFI.IMG;1") - 33
    struct.pack_into("<I", data, at + 2, 0x7000)
    struct.pack_into(">I", data, at + 6, 0x7000)
    with pytest.raises(MediaError, match=r"/BOOT/EFI.IMG: 9000 bytes at sector 28672 reach beyond"):
        IsoImage(bytes(data), "x.iso")


def _error(function, *arguments) -> str:
    """Return the message of a MediaError; anything else that is raised fails the test."""
    try:
        function(*arguments)
    except MediaError as error:
        return str(error)
    return "fuzz.iso: "


def _read_everything(data: bytes) -> None:
    message = _error(IsoImage, data, "fuzz.iso")
    assert message.startswith("fuzz.iso: ")
    assert "\n" not in message
    if message != "fuzz.iso: ":
        return
    image = IsoImage(data, "fuzz.iso")
    for entry in image.entries:
        assert "\n" not in _error(_read_if_file, image, entry.path)


def _read_if_file(image: IsoImage, path: str) -> None:
    found = image.find(path)
    if found is not None and found.kind is EntryKind.FILE:
        image.read(path)


def test_damaged_images_are_one_line_of_error(rock_ridge):
    data, rng = rock_ridge.read_bytes(), random.Random(20)
    for _ in range(150):
        _read_everything(damaged(data, rng))


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_bytes_of_descriptors_and_directories_may_be_anything(rock_ridge, data):
    image = bytearray(rock_ridge.read_bytes())
    for at in data.draw(st.lists(st.integers(16 * 2048, 48 * 2048 - 1), min_size=1, max_size=8)):
        image[at] = data.draw(st.integers(0, 255))
    _read_everything(bytes(image))


@pytest.mark.long
@pytest.mark.parametrize("seed", range(8))
def test_many_damaged_images(rock_ridge, seed):
    data, rng = rock_ridge.read_bytes(), random.Random(seed)
    for _ in range(5000):
        _read_everything(damaged(data, rng))
