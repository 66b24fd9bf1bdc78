"""The text that is generated from instruction rows."""

from __future__ import annotations

import os

import pytest

from pykern_c import cpuid_bits
from pykern_c.isa import generate, rows
from tests.sources import ROOT

GOLDEN = ROOT / "tests" / "golden" / "handlers.txt"
TABLE = rows.load()
BINARY = "u64 f(Cpu* cpu, int w, u64 dst, u64 src)"


def forms(*lines: str, signature: str = BINARY) -> list[rows.Form]:
    body = "\n".join(f"    {line}" for line in lines)
    doc = f"Do.\n\n{body}\n\n    Source: SDM.\n    "
    text = f'cdef inline {signature} noexcept nogil:\n    """{doc}"""\n'
    return rows.parse_text(text, "demo")


def generated(*lines: str, signature: str = BINARY) -> str:
    """Return the text for an operand size of 32 bits."""
    found, _ = generate.variants(forms(*lines, signature=signature))
    return "".join(variant.text() for variant in found if variant.opsize == 32)


def make_tables(*lines: str) -> None:
    listed = forms(*lines)
    found, numbers = generate.variants(listed)
    generate.tables(listed, numbers, ["demo"], {"demo": 0}, len(found), cpuid_bits.FEATURES)


def test_operands_and_parameters_must_match():
    with pytest.raises(rows.RowError, match=r"f: 01 /r ADD Ev: parameter 'src' has no operand"):
        generated("01 /r   ADD Ev")
    with pytest.raises(rows.RowError, match=r"f: 01 /r ADD Ev, Gv, CL: more operands than param"):
        generated("01 /r   ADD Ev, Gv, CL")


def test_tables_know_features_and_modrm():
    make_tables("01 /r   ADD Ev, Gv   SSE2")
    with pytest.raises(rows.RowError, match="f: 01 /r ADD Ev, Gv NOVEL: unknown CPUID feature"):
        make_tables("01 /r   ADD Ev, Gv   NOVEL")
    with pytest.raises(rows.RowError, match="some rows of the opcode have ModR/M, some not"):
        make_tables("01 /r   ADD Ev, Gv", "F3 01   ADD rAX, rBX")


def test_every_family_can_be_generated():
    for family in {form.family for form in TABLE}:
        found, _ = generate.variants([form for form in TABLE if form.family == family])
        assert all(variant.text() for variant in found)


def test_generated_text_is_as_it_was():
    """A difference is to be looked at; UPDATE_GOLDEN=1 in the environment accepts it."""
    parts = (
        generated("01 /r   ADD Ev, Gv   lock"),
        generated("0F B6 /r   MOVZX Gv, Eb   nodst", signature="u64 f(Cpu* cpu, int w, u64 src)"),
        generated("VEX.LZ.0F38 F2 /r   ANDN Gy, By, Ey   nodst"),
        generated("C3   RET   ends", signature="int f(Cpu* cpu, Insn* insn, int w)"),
    )
    text = "".join(parts)
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8")
