"""Directories of compilation, as binutils reads them before and after."""

from __future__ import annotations

import re
import subprocess

import pytest

from images import prebuilt
from pykern.debug.compile_directory import settled


def directories(path):
    """Return the directory of each compilation unit."""
    listed = subprocess.run(
        ["readelf", "--debug-dump=info", path], capture_output=True, text=True, check=True
    )
    return re.findall(r"DW_AT_comp_dir +: (?:\(.*?\): )?(\S+)", listed.stdout)


@pytest.mark.parametrize("program", ["the kernel", "init"])
def test_every_unit_is_told_where_its_sources_are(program, tmp_path):
    path = prebuilt.kernel() if program == "the kernel" else prebuilt.programs()[program]
    before = directories(path)
    assert len(before) > 3
    assert not any(name.startswith("/") for name in before)
    (tmp_path / "settled").write_bytes(settled(path.read_bytes(), "/where/it/is"))
    assert directories(tmp_path / "settled") == ["/where/it/is"] * len(before)
    lines = [
        subprocess.run(
            ["readelf", "--debug-dump=decodedline", file],
            capture_output=True, check=True,
        ).stdout.replace(str(file).encode(), b"")
        for file in (path, tmp_path / "settled")
    ]  # fmt: skip
    assert lines[0] == lines[1]


def test_an_absolute_directory_stays(tmp_path):
    (tmp_path / "a.c").write_text("int main(void) { return 0; }")
    subprocess.run(["gcc", "-g", "a.c", "-o", "a"], cwd=tmp_path, check=True)
    file = (tmp_path / "a").read_bytes()
    assert settled(file, "/elsewhere") == file


def test_other_files_are_left_as_they_are():
    whole = prebuilt.kernel().read_bytes()
    for data in (b"", b"#!/bin/sh", whole[:5000]):
        assert settled(data, "/where") == data


def test_debug_information_that_is_cut_or_wrong_is_no_error():
    whole = bytearray(prebuilt.kernel().read_bytes())
    units = whole.find(b"pykern/kernel/x86/image/entry.S")
    for at in range(0, units, 97):
        broken = whole.copy()
        broken[at] ^= 0xFF
        assert settled(bytes(broken), "/where")[:4] in {b"\x7fELF", bytes(broken[:4])}
