"""Kernels for the boot loader to load, and QEMU to boot what it is on."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from images import iso_writer
from images.boot import loader
from images.build import CONFIG, LOADER

GUESTS = Path(__file__).parent / "guests"
_FLAGS = (
    *("-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-ffreestanding", "-fno-builtin"),
    "-fno-toplevel-reorder",  # markers and requests stay in the order of the source
    *("-fno-pic", "-mcmodel=kernel", "-mno-red-zone", "-mgeneral-regs-only", "-nostdlib"),
    *("-fno-stack-protector", "-fcf-protection=none", "-static", "-no-pie", "-Wl,--build-id=none"),
    *("-Wl,-z,noexecstack", "-Wl,-z,max-page-size=4096", f"-Wl,-T,{GUESTS / 'guest.ld'}"),
    *(f"-I{GUESTS}", f"-I{loader.SOURCE}"),
)


@pytest.fixture(scope="session")
def guest(tmp_path_factory):
    """Return a function that compiles a kernel of `guests` and returns its ELF file."""
    if not shutil.which("gcc"):
        pytest.skip("gcc is not installed")
    folder = tmp_path_factory.mktemp("guests")

    def compiled(name: str, *flags: str) -> bytes:
        sources = [GUESTS / "start.S", GUESTS / "report.c", GUESTS / f"{name}.c"]
        target = folder / "kernel.elf"
        subprocess.run(["gcc", *_FLAGS, *flags, "-o", target, *sources], check=True)
        return target.read_bytes()

    return compiled


@pytest.fixture(scope="session")
def boot_record(tmp_path_factory):
    try:
        return loader.build(tmp_path_factory.mktemp("loader")).read_bytes()
    except loader.LoaderBuildError as error:
        pytest.skip(str(error))


@pytest.fixture
def make_iso(tmp_path, boot_record):
    """Return a function that writes an image of a configuration and further files."""

    def make(config: str, files: dict[str, bytes], where: str = CONFIG) -> Path:
        tree = {where: config.encode(), LOADER: boot_record, **files}
        path = tmp_path / "boot.iso"
        path.write_bytes(iso_writer.write(tree, "TEST", LOADER))
        return path

    return make


@pytest.fixture
def on_pykern():
    """Return a function that boots an image with our BIOS services until the guest turns off."""

    def run(iso: Path, expected: bytes, *options: str) -> str:
        command = [sys.executable, "-m", "pykern", "boot", iso, "--firmware", "bios", "-m", "128"]
        done = subprocess.run(
            [*command, "--timeout", "60", "--framebuffer", "800x600", *options],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=100,
        )
        assert expected in done.stdout, (done.stdout, done.stderr)
        return done.stdout.decode()

    return run


@pytest.fixture
def on_qemu():
    """Return a function that boots an image until some text has come out of COM1."""
    if not shutil.which("qemu-system-x86_64"):
        pytest.skip("qemu-system-x86 is not installed")

    def run(iso: Path, expected: bytes, *options: str) -> str:
        command = [
            *("timeout", "60", "qemu-system-x86_64", "-cdrom", iso, "-m", "128"),
            *("-display", "none", "-serial", "stdio", "-no-reboot", *options),
        ]
        seen = b""
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as qemu:
            assert qemu.stdout is not None
            while expected not in seen and (data := qemu.stdout.read1()):
                seen += data
            if expected in seen and expected == b"\nend":
                qemu.wait()  # the guest powers the machine off
            qemu.terminate()  # timeout hands it on
        assert expected in seen, seen.decode(errors="replace")
        return seen.decode()

    return run
