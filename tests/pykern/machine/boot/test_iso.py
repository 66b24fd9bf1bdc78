"""ISO images written by xorriso, booted by what their limine.conf says. MIC-07."""

from __future__ import annotations

import shutil
import struct
import subprocess

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pykern.machine import boot
from pykern.machine.boot import BootError, BootModule, BootOptions, MediaType
from pykern.machine.boot import limine_structs as ls
from pykern.machine.boot.iso import IsoProtocol, select

pytestmark = pytest.mark.skipif(shutil.which("xorriso") is None, reason="xorriso is not installed")

HIGH = 0xFFFFFFFF80000000
CONFIG = """
timeout: 3
/+Kernels
//modern
    protocol: limine
    path: boot():/boot/kernel.elf
    cmdline: quiet
    resolution: 800x600
    module_path: boot():/boot/initrd.img
    module_string: root
//old
    protocol: multiboot1
    path: boot():/boot/old.bin
    cmdline: one two
/other
    protocol: efi
    path: boot():/boot/other.efi
/absent
    protocol: limine
    path: boot():/boot/nothing.elf
/deep
    protocol: limine
    path: boot():/boot/kernel.elf
    resolution: 800x600x16
"""


def multiboot() -> bytes:
    """Return a kernel of the Multiboot header with address fields, and a HLT."""
    fields = struct.pack("<5I", 0x100000, 0x100000, 0, 0, 0x100020)
    flags = 1 << 16
    header = struct.pack("<3I", 0x1BADB002, flags, -(0x1BADB002 + flags) & 0xFFFFFFFF)
    return header + fields + b"\xf4" * 16


@pytest.fixture
def image(tmp_path, elf64):
    request = struct.pack("<6Q", *ls.COMMON_MAGIC, *ls.HHDM, 0, 0)
    root = tmp_path / "root"
    files = {
        "boot/kernel.elf": elf64.segment(HIGH, request.ljust(0x1000, b"\xf4")).build(HIGH),
        "boot/initrd.img": b"initial",
        "boot/old.bin": multiboot(),
        "boot/other.efi": b"MZ",
        "limine.conf": CONFIG.encode(),
    }
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    command = ["xorriso", "-as", "mkisofs", "-quiet", "-R", "-J", "-o", "a.iso", "root"]
    subprocess.run(command, cwd=tmp_path, check=True, stderr=subprocess.DEVNULL)
    return (tmp_path / "a.iso").read_bytes()


def options(entry="", **more) -> BootOptions:
    return BootOptions(name="a.iso", entry=entry, **more)


def test_an_iso_is_recognised(image):
    assert boot.find(image, "a.iso").name == "iso"
    # An isohybrid image is a boot sector as well.
    hybrid = image[:510] + b"\x55\xaa" + image[512:]
    assert boot.find(hybrid, "a.iso").name == "iso"
    assert not IsoProtocol().probe(image[:0x8000])


def test_the_default_entry(image, elf64):
    selected = select(image, options(command_line="more", modules=(BootModule("x", b"y"),)))
    assert selected.protocol.name == "limine"
    assert selected.kernel == elf64.build(HIGH)
    assert (selected.resolution.width, selected.resolution.height) == (800, 600)
    chosen = selected.options
    assert chosen.name == "a.iso: /boot/kernel.elf"
    assert chosen.path == "/boot/kernel.elf"
    assert chosen.command_line == "quiet more"
    assert chosen.media is MediaType.OPTICAL
    assert chosen.modules == (
        BootModule("/boot/initrd.img", b"initial", "root"),
        BootModule("x", b"y"),
    )
    assert chosen.read_file("/boot/initrd.img") == b"initial"
    assert chosen.read_file("/boot/nothing") is None


def test_the_kernel_is_loaded_by_its_own_protocol(image, machine):
    IsoProtocol().load(image, machine, options())
    assert machine.cpu["rip"] == HIGH
    IsoProtocol().load(image, machine, options("Kernels/old"))
    assert machine.cpu["rip"] == 0x100020
    assert machine.cpu["rax"] == 0x2BADB002
    command_line = machine.u32(machine.cpu["rbx"] + 16)
    assert machine.string(command_line) == "a.iso: /boot/old.bin one two"


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("other", "entry 'other' has protocol 'efi', expected one of limine, linux, multiboot1"),
        ("absent", "a.iso: no file /boot/nothing.elf"),
        ("missing", "no entry 'missing'; there are Kernels/modern, Kernels/old, other"),
        ("deep", "entry 'deep': resolution with 16 bits per pixel, expected 32"),
    ],
)
def test_entries_that_cannot_be_booted(image, entry, message):
    with pytest.raises(BootError) as caught:
        select(image, options(entry))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_iso_without_configuration(image):
    plain = image.replace(b"limine.conf", b"Limine.conx").replace(b"LIMINE.CON", b"LIMINE.COX")
    plain = plain.replace("limine.conf".encode("utf-16-be"), "limine.conx".encode("utf-16-be"))
    with pytest.raises(BootError, match=r"a\.iso: no boot configuration; looked for"):
        select(plain, options())


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.tuples(st.integers(0x8000, 0x18000), st.binary(min_size=1, max_size=4))))
def test_damaged_images_boot_or_are_refused(image, changes):
    damaged = bytearray(image)
    for offset, data in changes:
        if offset + len(data) <= len(damaged):
            damaged[offset : offset + len(data)] = data
    message = "a.iso: it boots"
    try:
        select(bytes(damaged), options())
    except BootError as error:
        message = str(error)
    assert "a.iso" in message
