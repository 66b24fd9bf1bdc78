"""MEL-48, MEL-50, SCA-23, RMP-15, MIC-06: programs on the host's Linux and on pykern.

They are static executables for Linux that print what they see of their memory; both print the same.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

GUESTS = Path(__file__).parent / "guests"
MANIFEST = """
name = "guest"
profile = "pykern"
kernel = "pykern.elf"
timeout = 0

[initrd]
path = "/boot/initrd.cpio"

[[initrd.files]]
path = "/sbin/init"
source = "program"
mode = 0o755

[[initrd.files]]
path = "/tmp/empty"
text = ""

[[entries]]
name = "guest"
modules = ["initrd"]
"""


def compiled(name, folder):
    program = folder / "program"
    command = ["gcc", "-static", "-O1", "-w", "-pthread", "-o", program, GUESTS / f"{name}.c"]
    subprocess.run(command, check=True)
    return program


def image_of(program):
    manifest, iso = program.with_name("guest.toml"), program.with_name("guest.iso")
    manifest.write_text(MANIFEST, encoding="utf-8")
    command = [sys.executable, "-m", "pykern", "image", "build", manifest, "-o", iso]
    subprocess.run(command, check=True, capture_output=True)
    return iso


def boot(image, *options):
    """Return the exit status, what the program printed, and what stands on standard error."""
    command = [sys.executable, "-m", "pykern", "boot", image, *options]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=120, stdin=subprocess.DEVNULL
    )
    lines = [line for line in done.stdout.splitlines() if line and not line.startswith("[")]
    return done.returncode, lines, done.stderr


@pytest.fixture(scope="module", params=["memory", "execs", "shootdown"])
def program(request, tmp_path_factory):
    return compiled(request.param, tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def on_linux(program):
    done = subprocess.run([program], capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.splitlines()


@pytest.fixture(scope="module")
def image(program):
    return image_of(program)


@pytest.mark.parametrize("cpus", [1, 4])
def test_a_program_sees_the_same_as_on_linux(image, on_linux, cpus):
    status, lines, errors = boot(image, "-smp", str(cpus))
    assert lines[lines.index(on_linux[0]) :] == on_linux, errors
    assert status == 0


def test_when_memory_is_out_who_asks_is_killed_or_refused_and_nobody_else_notices(tmp_path):
    image = image_of(compiled("exhaust", tmp_path))
    status, lines, errors = boot(image, "-m", "40M", "-smp", "2")
    killed = r"signal 9, status 0, 0 wrong"
    each = [
        rf"kind 0: {killed}",
        rf"kind 1: (signal 0, status 2, 0 wrong|{killed})",
        rf"kind 2: (signal 0, status 4, 0 wrong|{killed})",
    ]
    ends = [line for line in lines if line.startswith("kind ")]
    assert len(ends) == 2 * len(each), errors
    for line, wanted in zip(ends, each * 2, strict=True):
        assert re.fullmatch(wanted, line), errors
    assert status == 0
