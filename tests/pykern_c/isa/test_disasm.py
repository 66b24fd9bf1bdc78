"""The disassembler against objdump: Debian's busybox, and every row in random encodings."""

from __future__ import annotations

import re
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pykern_c.isa.disasm import disassemble, listing
from tests.debian import vmlinux

from . import objdump

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.debian import Kernel

BUSYBOX = Path("/bin/busybox")
MEMTEST = Path("/boot/memtest86+x64.bin")
#: What objdump knows and pykern does not have: (pattern of objdump's text, why).
EXPLAINED = (
    (r"(\{\w+\} )?v[a-z]|k[a-z]+[bwdq] |[a-z].*[yz]mm\d|kortest|kunpck", "AVX comes later"),
    (r"x(test|begin|end|abort)\b", "TSX is not offered by CPUID"),
    (r"(rd|inc|save|rst|wr|set|clr)ss|endbr", "shadow stacks are not offered by CPUID"),
    (r"xsavec|xsaves|xrstors", "only the standard and the optimised format are offered"),
    (r"\(bad\)|\.byte", "objdump gives up"),
    (r"encls|serialize|(rd|wr)pkru|monitorx|mwaitx|tpause|tilerelease", "not offered by CPUID"),
    (r"stgi|pvalidate|rmpadjust", "virtual machines of AMD are not offered by CPUID"),
    (r"f(init|stsw|stcw|stenv|save|clex)\b", "objdump joins FWAIT and the instruction behind it"),
    (r"cmp(eq|lt|le|unord|neq|nlt|nle|ord)[ps][sd] ", "objdump names the predicate"),
    (r"pclmul[hl]q[hl]qdq|pcmp[ei]str[im]q", "objdump names the immediate or REX.W"),
)

pytestmark = pytest.mark.skipif(bool(objdump.unavailable()), reason=objdump.unavailable())


def expected(line: objdump.Line) -> str:
    """Return objdump's text with branch targets and comments as numbers in C notation."""
    text = objdump.normal(line.text)
    text = re.sub(r"\b((?:j\w+|call|loop\w*)(?:,p[nt])?) ([0-9a-f]+)$", r"\1 0x\2", text)
    return re.sub(r"# ([0-9a-f]+)$", r"# 0x\1", text)


def differences(lines: Iterable[objdump.Line], bits: int) -> Counter[tuple[str, str, str]]:
    """Count the instructions whose text differs for no reason that is listed.

    What has been seen with the same bytes and the same text is not looked at again: a kernel's
    seven million instructions are a million different ones.
    """
    found: Counter[tuple[str, str, str]] = Counter()
    seen: set[tuple[bytes, str]] = set()
    for line in lines:
        if (line.code, line.text) in seen:
            continue
        seen.add((line.code, line.text))
        length, text = disassemble(line.code, line.address, bits)
        wanted = expected(line)
        if objdump.normal(text) == wanted and length == len(line.code):
            continue
        if not any(re.match(pattern, wanted) for pattern, _ in EXPLAINED):
            found[line.code.hex(), wanted, text] += 1
    return found


@pytest.mark.skipif(not BUSYBOX.exists(), reason="busybox-static is not installed")
def test_busybox() -> None:
    lines = list(islice(objdump.sections(BUSYBOX), 60_000))
    assert len(lines) == 60_000
    assert differences(lines, 64) == Counter()


@pytest.mark.slow
@pytest.mark.skipif(not BUSYBOX.exists(), reason="busybox-static is not installed")
def test_all_of_busybox() -> None:
    assert differences(objdump.sections(BUSYBOX), 64) == Counter()


@pytest.mark.slow
def test_all_of_a_kernel(debian_kernel: Kernel, tmp_path: Path) -> None:
    """Every executable section of Debian's kernel: system instructions, alternatives, padding."""
    path = tmp_path / "vmlinux"
    path.write_bytes(vmlinux(debian_kernel.image.read_bytes()))
    assert differences(objdump.sections(path), 64) == Counter()


def test_symbols_name_targets() -> None:
    assert disassemble(b"\xeb\x02", 0x1000, 64, {0x1004: "loop"}.get) == (2, "jmp 0x1004 <loop>")


def test_bytes_that_are_no_instruction() -> None:
    assert disassemble(b"\x0f", 0, 64) == (1, "(bad)")
    assert disassemble(b"\x66" * 15 + b"\x90", 0, 64) == (1, "(bad)")
    assert [text for _, _, text in listing(b"\x06\x90")] == ["(bad)", "nop"]


def test_sizes_of_code_segments() -> None:
    code = b"\xb8\x34\x12\x78\x56"
    assert disassemble(code, 0, 16) == (3, "mov ax,0x1234")
    assert disassemble(code, 0, 32) == (5, "mov eax,0x56781234")
