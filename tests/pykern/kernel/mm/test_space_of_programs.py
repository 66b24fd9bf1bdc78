"""MEL-48, MEL-50, SCA-23, RMP-15, MIC-06: programs on the host's Linux and on pykern.

They are static executables for Linux that print what they see of their memory; both print the same.
"""

from __future__ import annotations

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


@pytest.fixture(scope="module", params=["memory", "execs"])
def program(request, tmp_path_factory):
    program = tmp_path_factory.mktemp(request.param) / "program"
    source = GUESTS / f"{request.param}.c"
    subprocess.run(["gcc", "-static", "-O1", "-w", "-pthread", "-o", program, source], check=True)
    return program


@pytest.fixture(scope="module")
def on_linux(program):
    done = subprocess.run([program], capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.splitlines()


@pytest.fixture(scope="module")
def image(program):
    manifest, iso = program.with_name("guest.toml"), program.with_name("guest.iso")
    manifest.write_text(MANIFEST, encoding="utf-8")
    command = [sys.executable, "-m", "pykern", "image", "build", manifest, "-o", iso]
    subprocess.run(command, check=True, capture_output=True)
    return iso


@pytest.mark.parametrize("cpus", [1, 4])
def test_a_program_sees_the_same_as_on_linux(image, on_linux, cpus):
    command = [sys.executable, "-m", "pykern", "boot", image, "-smp", str(cpus)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=120, stdin=subprocess.DEVNULL
    )
    lines = [line for line in done.stdout.splitlines() if not line.startswith("[")]
    assert lines[lines.index(on_linux[0]) :] == on_linux, done.stderr
    assert done.returncode == 0
