"""A stripped program runs as before, and readelf finds nothing wrong with it."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from images.strip import strip

SOURCE = """
        .data
answer: .long 42
        .text
        .globl _start
_start: mov answer, %edi
        mov $60, %eax
        syscall
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    if not shutil.which("as"):
        pytest.skip("binutils is not installed")
    folder = tmp_path_factory.mktemp("strip")
    (folder / "a.s").write_text(SOURCE)
    subprocess.run(["as", "--64", "-g", "-o", "a.o", "a.s"], cwd=folder, check=True)
    subprocess.run(["ld", "-o", "a", "a.o"], cwd=folder, check=True)
    return folder / "a"


def test_it_is_smaller_and_its_segments_are_whole(program):
    stripped = strip(program.read_bytes())
    assert len(stripped) < program.stat().st_size
    target = program.with_suffix(".stripped")
    target.write_bytes(stripped)
    command = ["readelf", "-lhSW", target]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "There are no sections" in done.stdout
    assert not done.stderr
    assert strip(stripped) == stripped


def test_it_runs_on_the_host(program):
    if subprocess.run([program], check=False).returncode != 42:
        pytest.skip("this host does not run x86-64 programs of Linux")
    target = program.with_suffix(".run")
    target.write_bytes(strip(program.read_bytes()))
    target.chmod(0o755)
    assert subprocess.run([target], check=False).returncode == 42


@given(st.binary(max_size=100) | st.binary(max_size=80).map(lambda rest: b"\x7fELF\2\1" + rest))
def test_what_is_no_program_stays_or_shrinks(data):
    assert len(strip(data)) <= len(data)


def test_a_script_stays_as_it_is():
    assert strip(b"#!/bin/sh\n") == b"#!/bin/sh\n"
