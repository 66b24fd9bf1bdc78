"""`verify` finds what is wrong with an image and says where."""

from __future__ import annotations

import random
import shutil
import struct
import subprocess

import pytest

from images import build, iso_writer
from images.verify import verify
from pykern.machine.media import IsoImage, MediaError
from tests.isos import damaged

PVD = 16 * 2048


def test_a_built_image_is_whole(inputs, image):
    report = verify(image, "small.iso", inputs[0])
    assert report.problems == ()
    assert "El Torito boot record" in report.checked
    assert "entry 'second': /boot/kernel.elf, 2 modules" in report.checked


@pytest.mark.parametrize("tool", ["xorriso", "genisoimage"])
def test_the_same_tree_written_by_other_tools_is_whole(image, tmp_path, tool):
    """MEL-29: an ISO made by xorriso from the same tree."""
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed")
    original = IsoImage(image)
    for entry in original.entries:
        if entry.kind.value == "file" and not entry.path.endswith("boot.cat"):
            target = tmp_path / "tree" / entry.path.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(original.read(entry.path))
    command = ["xorriso", "-as", "mkisofs"] if tool == "xorriso" else [tool]
    options = ["-R", "-b", build.LOADER.lstrip("/"), "-no-emul-boot", "-boot-load-size", "4"]
    options += ["-boot-info-table", "-quiet", "-o", str(tmp_path / "x.iso"), str(tmp_path / "tree")]
    subprocess.run([*command, *options], check=True, capture_output=True)
    report = verify((tmp_path / "x.iso").read_bytes(), "x.iso")
    assert report.problems == ()
    assert "entry 'first': /boot/kernel.elf, 0 modules" in report.checked


def patched(image: bytes, offset: int, data: bytes) -> bytes:
    return image[:offset] + data + image[offset + len(data) :]


def problems(image: bytes) -> str:
    try:
        return "\n".join(verify(image, "x.iso").problems)
    except MediaError as error:
        return str(error)


def test_descriptors(image):
    assert "x.iso: volume space size is 9 in one byte order and" in problems(
        patched(image, PVD + 80, b"\x09\0\0\0")
    )
    size = len(image) // 2048
    larger = struct.pack("<I", size + 7) + struct.pack(">I", size + 7)
    assert f"x.iso: volume space size is {size + 7} sectors, the file has {size}" in problems(
        patched(image, PVD + 80, larger)
    )
    assert "beyond the end of the medium" in problems(image[:-2048])


def test_path_tables(image):
    little = struct.unpack_from("<I", image, PVD + 140)[0]
    assert "path table" in problems(patched(image, little * 2048 + 2, b"\x01"))


def test_boot_information_table(image):
    at = IsoImage(image).boot_images[0].sector * 2048
    assert "boot information table: sector of volume descriptor is 0x11, expected 0x10" in problems(
        patched(image, at + 8, b"\x11")
    )
    assert "boot information table: checksum is" in problems(patched(image, at + 600, b"\x99\x98"))


def test_boot_catalog(image):
    at = image.index(b"\0CD001\1EL TORITO")
    catalog = struct.unpack_from("<I", image, at + 0x47)[0] * 2048
    assert "add up to" in problems(patched(image, catalog + 4, b"?"))
    assert "beyond the end" in problems(patched(image, catalog + 32 + 8, b"\xff\xff\xff\0"))


def written(inputs, **changes: bytes | None) -> bytes:
    """Return the image of the inputs with files replaced, or left out where None is given."""
    tree = build.tree(*inputs)
    for name, data in changes.items():
        path = {"config": build.CONFIG, "kernel": "/boot/kernel.elf", "font": "/boot/font.psf"}[
            name
        ]
        if data is None:
            del tree[path]
        else:
            tree[path] = data
    return iso_writer.write(tree, "SMALL", build.LOADER)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"config": None}, "x.iso: no boot configuration; looked for /boot/limine/limine.conf"),
        ({"config": b"nonsense"}, "limine.conf, line 1: 'nonsense', expected a comment"),
        ({"config": b"/a\nprotocol: limine\n"}, "entry 'a': no path, expected one such as path"),
        ({"kernel": None}, "entry 'first': kernel /boot/kernel.elf is not on the image"),
        ({"kernel": b"#!/bin/sh"}, "/boot/kernel.elf: starts with 23 21 2f 62, expected ELF magic"),
        ({"font": None}, "entry 'second': module /boot/font.psf is not on the image"),
    ],
)
def test_what_is_to_be_booted(inputs, changes, message):
    assert message in problems(written(inputs, **changes))


def test_kernels_that_the_limine_protocol_cannot_load(inputs):
    kernel = inputs[1].kernel.read_bytes()
    low = patched(kernel, 64 + 16, (0x100000).to_bytes(8, "little"))
    assert "p_vaddr 0x100000, expected at least 0xffffffff80000000" in problems(
        written(inputs, kernel=low)
    )
    elsewhere = patched(kernel, 24, (0x1234).to_bytes(8, "little"))
    assert "e_entry 0x1234 is in none of the PT_LOAD" in problems(written(inputs, kernel=elsewhere))


def test_an_image_without_boot_record(inputs):
    data = iso_writer.write(build.tree(*inputs), "SMALL")
    assert "no El Torito boot catalog, expected one with a BIOS entry" in problems(data)


def test_differences_to_the_manifest(inputs):
    small = inputs[0]
    data = written(inputs, font=None, config=b"/a\nprotocol: limine\npath: boot():/boot/kernel.elf")
    text = "\n".join(verify(data, "x.iso", small).problems)
    assert "x.iso: no file /boot/font.psf, which" in text
    assert "x.iso: /boot/limine/limine.conf differs from what" in text


def test_damaged_images_never_raise_anything_else(image):
    rng = random.Random(4)
    for _ in range(200):
        assert "Traceback" not in problems(damaged(image, rng))
