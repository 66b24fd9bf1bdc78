"""MEL-48, MEL-50, SCA-23, RMP-15, MIC-06: one program, on the host's Linux and on pykern.

It is a static executable for Linux that prints what it sees of its memory; both print the same.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent / "guests" / "memory.c"
FIRST_LINE = "zero: 0"
MANIFEST = """
name = "memory"
profile = "pykern"
kernel = "pykern.elf"
timeout = 0

[initrd]
path = "/boot/initrd.cpio"

[[initrd.files]]
path = "/sbin/init"
source = "memory"
mode = 0o755

[[initrd.files]]
path = "/tmp/empty"
text = ""

[[entries]]
name = "memory"
modules = ["initrd"]
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    program = tmp_path_factory.mktemp("guest") / "memory"
    subprocess.run(["gcc", "-static", "-O1", "-w", "-o", program, SOURCE], check=True)
    return program


@pytest.fixture(scope="module")
def on_linux(program):
    done = subprocess.run([program], capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.splitlines()


@pytest.fixture(scope="module")
def image(program):
    manifest, iso = program.with_name("memory.toml"), program.with_name("memory.iso")
    manifest.write_text(MANIFEST, encoding="utf-8")
    command = [sys.executable, "-m", "pykern", "image", "build", manifest, "-o", iso]
    subprocess.run(command, check=True, capture_output=True)
    return iso


@pytest.mark.parametrize("cpus", [1, 3])
def test_a_program_sees_the_same_memory_as_on_linux(image, on_linux, cpus):
    command = [sys.executable, "-m", "pykern", "boot", image, "-smp", str(cpus)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=120, stdin=subprocess.DEVNULL
    )
    lines = [line for line in done.stdout.splitlines() if not line.startswith("[")]
    assert lines[lines.index(FIRST_LINE) :] == on_linux
    assert done.returncode == 0
