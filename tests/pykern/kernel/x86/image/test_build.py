"""The kernel image as other tools see it."""

import re
import shutil
import subprocess

import pytest

from pykern.kernel.syscalls import process
from pykern.kernel.x86.image import build


def _run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_no_segment_is_writable_and_executable(kernel_elf):
    """MEL-25, MEL-27: RX, R, RW."""
    lines = [line.split() for line in _run("readelf", "-lW", kernel_elf).splitlines()]
    rights = {"".join(words[6:-1]) for words in lines if words[:1] in (["LOAD"], ["GNU_STACK"])}
    assert rights == {"RE", "R", "RW"}


def test_it_is_a_static_executable_in_the_upper_half(kernel_elf):
    """MEL-38."""
    header = _run("readelf", "-hW", kernel_elf)
    assert "EXEC" in header
    assert "X86-64" in header
    entry = int(re.search(r"Entry point address: +(0x\w+)", header)[1], 16)
    assert entry >= 0xFFFF_FFFF_8000_0000
    assert "no dynamic section" in _run("readelf", "-dW", kernel_elf)


def test_the_same_sources_give_the_same_bytes(kernel_elf, tmp_path):
    again = tmp_path / "again" / "pykern.elf"
    build.build(again)
    assert again.read_bytes() == kernel_elf.read_bytes()


def test_no_path_of_this_host_is_in_it(kernel_elf):
    assert str(build.ROOT).encode() not in kernel_elf.read_bytes()


@pytest.mark.parametrize(
    ("symbol", "path", "function"),
    [
        ("sys_getpid", "pykern/kernel/syscalls/process.py", "getpid"),
        ("do_page_fault", "pykern/kernel/traps.py", "do_page_fault"),
        ("setup_memory", "pykern/kernel/bringup.py", "setup_memory"),
    ],
)
def test_a_debugger_shows_the_python_behind_a_hosted_function(kernel_elf, symbol, path, function):
    if shutil.which("gdb") is None:
        pytest.skip("gdb is not installed")
    told = _run("gdb", "-batch", "-nx", "-ex", f"info line {symbol}", str(kernel_elf))
    line = int(re.search(rf'Line (\d+) of "[^"]*{re.escape(path)}"', told)[1])
    source = (build.ROOT / path).read_text().splitlines()
    assert re.search(rf"def {function}\b", source[line - 1])


def test_the_line_table_names_python_files(kernel_elf):
    decoded = _run("objdump", "--dwarf=decodedline", str(kernel_elf))
    line = process.getpid.__code__.co_firstlineno + 1  # behind the decorator
    assert re.search(rf"process\.py +{line} ", decoded)


def test_a_compiler_that_refuses_is_quoted(monkeypatch, tmp_path):
    monkeypatch.setattr(build, "SOURCES", ("missing.c",))
    with pytest.raises(build.ImageBuildError, match=r"missing\.c"):
        build.build(tmp_path / "out.elf")
    assert not (tmp_path / "out.elf").exists()


def test_without_a_compiler_it_says_what_is_needed(monkeypatch, tmp_path):
    monkeypatch.setattr(build.shutil, "which", lambda _name: None)
    with pytest.raises(build.ImageBuildError, match="needs gcc"):
        build.build(tmp_path / "out.elf")
