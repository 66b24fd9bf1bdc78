"""The disassembly of files: columns, ranges, and the ELF files that as and ld make."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from pykern.cli import main
from pykern.cli.disasm import Code, _clip, lines
from pykern.cli.elf_sections import SHF_EXECINSTR, Symbols, read_sections, read_symbols
from pykern.machine.boot import BootError

needs_tools = pytest.mark.skipif(shutil.which("as") is None, reason="binutils is not installed")

SOURCE = """
    .globl _start
_start: nop
local:  ret
    .section .other, "ax"
far:    nop
    .data
table:  .quad 1
"""


def fake(code, address, bits, _symbols):
    """Take the first byte for the length."""
    return code[0], f"len{code[0]} @{address:x} {bits}"


def test_columns_are_those_of_objdump():
    code = Code("", 0x401000, bytes.fromhex("0101 03aabb 09 0102030405060708"))
    assert list(lines(code, 64, Symbols({0x401002: "main"}), fake)) == [
        "  401000:\t01                   \tlen1 @401000 64",
        "  401001:\t01                   \tlen1 @401001 64",
        "\n0000000000401002 <main>:",
        "  401002:\t03 aa bb             \tlen3 @401002 64",
        "  401005:\t09 01 02 03 04 05 06 \tlen9 @401005 64",
        "  40100c:\t07 08",
    ]


def test_an_instruction_cut_off_by_the_end_still_advances():
    assert len(list(lines(Code("", 0, b"\x05\x00"), 64, Symbols.none(), fake))) == 1
    assert len(list(lines(Code("", 0, b"\x00\x00"), 64, Symbols.none(), fake))) == 2


@pytest.mark.parametrize(
    ("start", "stop", "expected"),
    [
        (None, None, (0x100, b"abcd")),
        (0x102, None, (0x102, b"cd")),
        (None, 0x101, (0x100, b"a")),
        (0x101, 0x103, (0x101, b"bc")),
        (0x200, None, (0x200, b"")),
        (None, 0x50, (0x100, b"")),
    ],
)
def test_start_and_stop(start, stop, expected):
    clipped = _clip(Code("", 0x100, b"abcd"), start, stop)
    assert (clipped.address, clipped.data) == expected


@needs_tools
@pytest.mark.parametrize("bits", [32, 64])
def test_sections_and_symbols(tmp_path, bits):
    (tmp_path / "a.S").write_text(SOURCE)
    subprocess.run(["as", f"--{bits}", "-o", "a.o", "a.S"], cwd=tmp_path, check=True)
    mode = "elf_x86_64" if bits == 64 else "elf_i386"
    subprocess.run(
        ["ld", "-m", mode, "-Ttext=0x401000", "-o", "a.out", "a.o"], cwd=tmp_path, check=True
    )
    image = (tmp_path / "a.out").read_bytes()
    elf_class, sections = read_sections(image, "a.out")
    assert elf_class == bits // 32
    code = {s.name: s for s in sections if s.flags & SHF_EXECINSTR}
    assert set(code) == {".text", ".other"}
    assert (code[".text"].address, code[".text"].data) == (0x401000, b"\x90\xc3")
    symbols = read_symbols(sections, elf_class)
    assert symbols.at(0x401000) == "_start"
    assert symbols.at(0x401001) == "local"
    assert symbols.at(0x400FFF) == ""
    assert symbols.near(0x400000) is None
    assert symbols.near(0x401000) == "_start"
    assert symbols.near(0x401001) == "local"


@needs_tools
def test_the_command(tmp_path, capsys):
    (tmp_path / "a.S").write_text("_start: jmp 1f\nnop\n1: mov %rsp, %rbp\n")
    subprocess.run(["as", "-o", "a.o", "a.S"], cwd=tmp_path, check=True)
    subprocess.run(["ld", "-Ttext=0x401000", "-o", "a.out", "a.o"], cwd=tmp_path, check=True)
    assert main(["disasm", str(tmp_path / "a.out"), "--start", "0x401000"]) == 0
    out = capsys.readouterr().out
    assert "0000000000401000 <_start>:" in out
    assert "jmp 0x401003 <_start+0x3>" in out
    assert "401003:\t48 89 e5" in out
    assert main(["disasm", str(tmp_path / "a.out"), "--section", ".none"]) == 2
    assert "no section .none; there are .text" in capsys.readouterr().err


def test_raw_code(tmp_path, capsys):
    path = tmp_path / "raw"
    path.write_bytes(b"\x90\xb8\x34\x12")
    assert main(["disasm", str(path), "--bits", "16", "--base", "0x7c00"]) == 0
    assert "7c01:\tb8 34 12" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (b"\x7fELF", "needs 16 bytes, the file has 4"),
        (b"\x7fELF\x02".ljust(20, b"\0"), "ELF header needs 64 bytes, the file has 20"),
        (b"\x7fELF\x02".ljust(64, b"\0"), "e_shnum is 0"),
        (b"\x7fELF\x02".ljust(60, b"\0") + b"\x01\0\0\0", "expected 64"),
    ],
)
def test_damaged_files(image, message):
    with pytest.raises(BootError, match=message):
        read_sections(image, "f")
