"""What comes out of the build: the shape of the programs, and the same bytes every time."""

import os
import shutil
import subprocess

import pytest

from userland import build

LOAD_ADDRESS = 0x400000
MELLOS_END = 0x500000


def segments(path):
    """Return (type, address, size, flags) of each program header, as readelf sees them."""
    shown = subprocess.run(["readelf", "-lW", path], capture_output=True, text=True, check=True)
    rows = [line.split() for line in shown.stdout.splitlines()]
    return [
        (row[0], int(row[2], 16), int(row[5], 16), "".join(row[6:-1]))
        for row in rows
        if row and row[0] in {"LOAD", "GNU_STACK", "INTERP", "DYNAMIC"}
    ]


def test_programs_are_static_and_at_four_mib(programs):
    for name, path in programs.items():
        found = segments(path)
        assert {kind for kind, *_ in found} == {"LOAD", "GNU_STACK"}, name
        lowest = min(address for kind, address, *_ in found if kind == "LOAD")
        anywhere = build.personality(name) in build.POSITION_INDEPENDENT
        assert lowest == (0 if anywhere else LOAD_ADDRESS), name


def test_no_segment_is_writable_and_executable(programs):
    """MEL-25."""
    for name, path in programs.items():
        flags = [flag for kind, _, _, flag in segments(path) if kind == "LOAD"]
        assert sorted(flags) == ["R", "RE", "RW"], name
        assert ("GNU_STACK", 0, 0, "RW") in segments(path), name


def test_programs_of_mellos_fit_into_its_megabyte(programs):
    """MEL-15: 0x400000-0x4FFFFF."""
    for name in (n for n in programs if build.personality(n) == "mellos"):
        ends = [address + size for kind, address, size, _ in segments(programs[name])]
        assert max(ends) <= MELLOS_END, name


def test_the_same_sources_give_the_same_bytes(programs, tmp_path, monkeypatch):
    """From another folder, into another folder, with other variables in the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CPATH", "/usr/include")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1")
    again = build.build(tmp_path / "elsewhere", ["cat", "mellos/init"])
    for name, path in again.items():
        assert path.read_bytes() == programs[name].read_bytes(), name


def test_no_path_of_this_host_is_inside(programs, build_directory):
    for name, path in programs.items():
        content = path.read_bytes()
        for place in (build.SOURCES, build_directory):
            assert os.fsencode(place) not in content, name


def test_building_again_compiles_nothing(build_directory, programs):
    before = {path: path.stat().st_mtime_ns for path in (build_directory / "objects").iterdir()}
    build.build(build_directory, ["cat"])
    after = {path: path.stat().st_mtime_ns for path in (build_directory / "objects").iterdir()}
    assert after == before


def test_debug_information_is_there_until_it_is_stripped(programs, tmp_path):
    stripped = build.strip({"cat": programs["cat"]}, tmp_path / "stripped")["cat"]
    assert b".debug_info" in programs["cat"].read_bytes()
    assert b".debug_info" not in stripped.read_bytes()
    assert stripped.stat().st_size < programs["cat"].stat().st_size / 3
    assert subprocess.run([stripped], input=b"x", capture_output=True, check=True).stdout == b"x"


def test_the_programs_of_the_tests_are_not_built_unless_named():
    assert [name for name in build.sources() if name.startswith("tests/")]


def test_an_unknown_program_is_an_error(tmp_path):
    with pytest.raises(KeyError, match="nosuch"):
        build.build(tmp_path, ["nosuch"])


def test_a_missing_compiler_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(build.BuildError, match="no C compiler found"):
        build.build(tmp_path, ["cat"])


def test_an_error_of_the_compiler_is_shown(tmp_path):
    source = tmp_path / "wrong.c"
    source.write_text("int main(void) { return nothing; }\n")
    compiler = build.Compiler(tmp_path / "build")
    with pytest.raises(build.BuildError, match="'nothing' undeclared"):
        compiler.objects([source])
