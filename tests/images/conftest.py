"""A small manifest with all kinds of contents, and the files it names."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from images import build, manifest
from images.boot import loader

MANIFEST = """
name = "small"
profile = "pykern"
kernel = "kernel.elf"
timeout = 1
default_entry = 2

[initrd]
programs = ["init", "sh"]
[[initrd.files]]
path = "/etc/motd"
text = "hello\\n"
[[initrd.files]]
path = "/bin/cat"
link = "sh"

[[files]]
path = "/docs/A Long Name.with dots.txt"
text = "on the image itself\\n"
[[files]]
path = "/docs/A Long Name.with dots.md"
source = "readme.md"

[[modules]]
name = "font"
path = "/boot/font.psf"
source = "font.psf"

[[entries]]
name = "first"
[[entries]]
name = "second"
command_line = "quiet"
modules = ["initrd", "font"]
resolution = "640x480x32"
"""
KERNEL = """
    .globl _start
_start: hlt
        jmp _start
"""


def write_inputs(folder):
    """Write the manifest and what it names; return the manifest and the inputs."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "small.toml").write_text(MANIFEST)
    (folder / "readme.md").write_text("# read me\n" * 500)
    (folder / "font.psf").write_bytes(bytes(range(256)) * 17)
    for name in ("init", "sh"):
        (folder / name).write_bytes(b"\x7fELF" + name.encode() * 999)
    (folder / "kernel.s").write_text(KERNEL)
    subprocess.run(["as", "--64", "-o", "kernel.o", "kernel.s"], cwd=folder, check=True)
    link = ["ld", "-Ttext=0xffffffff80001000", "-z", "max-page-size=4096", "-o", "kernel.elf"]
    subprocess.run([*link, "kernel.o"], cwd=folder, check=True)
    programs = {name: folder / name for name in ("init", "sh")}
    small = manifest.load(folder / "small.toml")
    boot_record = loader.build(folder).read_bytes()  # what was built with the package may be older
    return small, build.Inputs(folder / "kernel.elf", boot_record, programs)


@pytest.fixture(scope="session")
def inputs(tmp_path_factory):
    if not shutil.which("as") or not shutil.which("gcc"):
        pytest.skip("gcc or binutils is not installed")
    return write_inputs(tmp_path_factory.mktemp("inputs"))


@pytest.fixture(scope="session")
def image(inputs):
    return build.build(*inputs)
