"""The images that come with the package, with their real kernel and programs, on real firmware."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from images import build, manifest
from images.verify import verify
from pykern.cli import main
from pykern.machine.media import IsoImage

NOT_HOSTED = b"functions are hosted by pykern"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed"),
]


@pytest.fixture(scope="module", params=["pykern", "mellos"])
def iso(request, tmp_path_factory):
    target = tmp_path_factory.mktemp("images") / f"{request.param}.iso"
    assert main(["image", "build", request.param, "-o", str(target)]) == 0
    return target


def output(*command: object) -> bytes:
    done = subprocess.run(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def qemu(iso: object) -> bytes:
    if shutil.which("qemu-system-x86_64") is None:
        pytest.skip("qemu-system-x86 is not installed")
    options = ("-display", "none", "-serial", "stdio", "-no-reboot", "-smp", "4")
    return output("timeout", 60, "qemu-system-x86_64", "-cdrom", iso, *options)


def test_it_is_whole_and_built_again_to_the_same_bytes(iso, tmp_path):
    described = manifest.load(manifest.find(iso.stem))
    report = verify(iso.read_bytes(), iso.name, described)
    assert report.problems == ()
    assert main(["image", "build", iso.stem, "-o", str(tmp_path / "again.iso")]) == 0
    assert (tmp_path / "again.iso").read_bytes() == iso.read_bytes()


def test_elsewhere_the_kernel_says_that_it_is_hosted_and_turns_off(iso):
    """MEL-29, MIC-07: through the El Torito record of QEMU's BIOS; QEMU ends by itself."""
    assert NOT_HOSTED in qemu(iso)


def test_xorriso_writes_it_from_the_same_tree(iso, tmp_path):
    """MEL-29: an ISO made by xorriso boots as ours does."""
    if shutil.which("xorriso") is None:
        pytest.skip("xorriso is not installed")
    assert main(["image", "extract", str(iso), "-o", str(tmp_path / "tree")]) == 0
    made = tmp_path / "made.iso"
    boot = ("-b", build.LOADER.lstrip("/"), "-no-emul-boot", "-boot-load-size", 4)
    boot += ("-boot-info-table", "-c", "boot/boot2.cat")
    output("xorriso", "-as", "mkisofs", "-quiet", "-R", *boot, "-o", made, tmp_path / "tree")
    assert verify(made.read_bytes(), made.name).problems == ()
    assert IsoImage(made).read("/boot/initrd.cpio") == IsoImage(iso).read("/boot/initrd.cpio")
    assert NOT_HOSTED in qemu(made)


@pytest.mark.parametrize("cpus", [1, 4])
def test_our_bios_boots_it_to_the_same_console_as_the_direct_path(iso, cpus):
    """The same ISO, `--firmware bios` and without: the same lines on the serial console."""
    command = [sys.executable, "-m", "pykern", "boot", iso, "--timeout", "3", "--smp", str(cpus)]
    direct, bios = (
        subprocess.run(
            [*command, *options],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=100,
        )
        for options in ([], ["--firmware", "bios", "--framebuffer", "1024x768"])
    )
    assert direct.stdout.count(b"\n") > 5, direct.stderr.decode()
    assert bios.stdout.decode() == direct.stdout.decode()
    assert bios.returncode == direct.returncode
