<<<<<<< HEAD
"""The grammar of instruction rows, and what must hold for all rows together."""

from __future__ import annotations

from itertools import combinations
=======
"""The grammar of instruction rows, the table as a whole, and the text generated from a row."""

from __future__ import annotations

import os
>>>>>>> 5e4c56c (Add VEX encodings: rows, decoder, disassembler, BMI1 and BMI2)

import pytest

from pykern_c import cpuid_bits
<<<<<<< HEAD
from pykern_c.isa import rows


def parse(*lines: str, signature: str = "u64 f(Cpu* cpu, int w, u64 dst, u64 src)") -> list:
    """Return the forms of a function with these rows."""
    body = "\n".join(f"    {line}" for line in lines)
    text = (
        f'cdef inline {signature} noexcept nogil:\n    """Do it.\n\n{body}\n\n'
        '    Flags: OSZAPC.\n    Source: SDM Vol. 2A, ADD.\n    """\n'
    )
    return rows.parse_text(text, "demo")


def test_a_row_is_read_column_by_column():
    (form,) = parse("66 REX.W 0F 3A 22 /r ib    PINSRQ Vdq, Eq, Ib    SSE4_1 undef=A")
    assert (form.prefix, form.w, form.map, form.opcode) == (0x66, 1, 3, 0x22)
    assert (form.modrm, form.immediates) == ("r", ("ib",))
    assert form.mnemonic == "PINSRQ"
    assert [operand.text for operand in form.operands] == ["Vdq", "Eq", "Ib"]
    assert (form.feature, form.undefined, form.flags) == ("SSE4_1", "A", "OSZAPC.")


def test_no_prefix_any_prefix_and_one_prefix_are_three_things():
    none, any_, one = parse("NP 0F 58 /r  A Ev, Gv", "0F 59 /r  B Ev, Gv", "F3 0F 5A /r  C Ev, Gv")
    assert (none.prefix, any_.prefix, one.prefix) == (0, None, 0xF3)


def test_a_prefix_byte_alone_is_an_opcode():
    (form,) = parse("F2 /r  A Ev, Gv")
    assert (form.prefix, form.opcode) == (None, 0xF2)


def test_a_condition_makes_sixteen_forms():
    forms = parse("0F 90+cc /r  SETcc Eb", signature="u64 f(Cpu* cpu, int w, int cc)")
    assert [form.opcode for form in forms] == list(range(0x90, 0xA0))
    assert [form.cc for form in forms] == list(range(16))
    assert (forms[4].mnemonic, forms[15].mnemonic) == ("SETE", "SETG")


def test_a_modrm_byte_may_be_given_whole():
    exact, register = parse("0F 01 C8  MONITOR", "D8 C0+i  FADD ST, ST(i)")
    assert (exact.modrm, exact.modrm_rm, exact.register_only) == ("1", 0, True)
    assert (register.modrm, register.modrm_rm, register.register_only) == ("0", None, True)


def test_operand_letters_say_whether_memory_or_a_register():
    memory, register, either = parse("8D /r  A Gv, M", "0F 50 /r  B Gd, Ups", "01 /r  C Ev, Gv")
    assert (memory.memory_only, memory.register_only) == (True, False)
    assert (register.memory_only, register.register_only) == (False, True)
    assert (either.memory_only, either.register_only) == (False, False)


@pytest.mark.parametrize(
    ("operands", "widths"),
    [
        ("Eb, Gb", (8, 8, 8)),
        ("Ev, Gv", (16, 32, 64)),
        ("Ey, Gy", (32, 32, 64)),
        ("rAX, Gv", (16, 32, 64)),
        ("eAX, Gv", (16, 32, 32)),
    ],
)
def test_widths_follow_the_operand_size(operands, widths):
    assert parse(f"01 /r  A {operands}")[0].widths == widths


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("01 /r  A Kv, Gv", "'Kv' is not an operand"),
        ("01 xx  A Ev, Gv", "'xx' is not part of an opcode"),
        ("0F  A", "no opcode byte"),
        ("01 /r  A Ev, Gv  quickly", "unknown attribute 'quickly'"),
        ("83 /0 iz  A Ev, Ibs", r"opcode column has \['iz'\], operands want \['ib'\]"),
    ],
)
def test_what_the_grammar_does_not_know_is_refused_with_its_place(row, message):
    with pytest.raises(rows.RowError, match=rf"demo\.f: .*{message}"):
        parse(row)


def test_a_function_must_cite_its_source():
    text = (
        'cdef inline u64 f(Cpu* c, int w) noexcept nogil:\n    """Do.\n\n    01 /r  A Ev\n    """\n'
    )
    with pytest.raises(rows.RowError, match=r"demo\.f: no 'Source:'"):
        rows.parse_text(text, "demo")


def test_a_return_type_must_be_one_of_the_shapes():
    with pytest.raises(rows.RowError, match="cannot return void"):
        parse("01 /r  A Ev, Gv", signature="void f(Cpu* cpu, int w, u64 dst, u64 src)")


def test_two_rows_for_one_encoding_are_found():
    forms = parse("01 /r  A Ev, Gv", "01 /r  B Ev, Gv", "01 /2  C Ev")
    assert [(a.mnemonic, b.mnemonic) for a, b in rows.overlaps(forms)] == [("A", "B")]


# --- the real table ------------------------------------------------------------------------------

FORMS = rows.load()


def _codes(form: rows.Form) -> range:
    return (
        range(form.opcode, form.opcode + 8) if form.plus_r else range(form.opcode, form.opcode + 1)
    )


def _agree(one: object, other: object, anything: object = None) -> bool:
    return one == other or anything in {one, other}


def _digit(form: rows.Form) -> str:
    return "" if form.modrm == "r" else form.modrm


def _can_be_the_same(a: rows.Form, b: rows.Form) -> bool:
    """Return whether some bytes in some mode fit both forms."""
    only = {"i64", "o64"}
    return (
        _agree(a.prefix, b.prefix)
        and _agree(a.w, b.w)
        and _agree(_digit(a), _digit(b), "")
        and _agree(a.modrm_rm, b.modrm_rm)
        and not (a.register_only and b.memory_only)
        and not (a.memory_only and b.register_only)
        and {*a.attributes & only, *b.attributes & only} != only
    )


def test_of_two_rows_that_fit_one_is_more_special():
    by_code: dict[tuple[int, int], list[rows.Form]] = {}
    for form in FORMS:
        for code in _codes(form):
            by_code.setdefault((form.map, code), []).append(form)
    ambiguous = {
        (a.key, b.key)
        for group in by_code.values()
        for a, b in combinations(group, 2)
        if _can_be_the_same(a, b) and rows.specificity(a) == rows.specificity(b)
    }
    assert ambiguous == set()


def test_features_are_known_to_cpuid():
    assert {form.feature for form in FORMS} - {""} <= set(cpuid_bits.FEATURES)


def test_lock_is_for_memory_destinations():
    wrong = [
        form.key
        for form in FORMS
        if "lock" in form.attributes and (form.register_only or form.operands[0].letter not in "EM")
    ]
    assert wrong == []
=======
from pykern_c.isa import generate, rows
from pykern_c.isa.rows import RowError
from tests.sources import ROOT

GOLDEN = ROOT / "tests" / "golden" / "handlers.txt"
TABLE = rows.load()


def definition(
    *lines: str,
    returns: str = "u64",
    arguments: str = "int w, u64 dst, u64 src",
    source: str = "Source: SDM Vol. 2A, FOO.",
) -> str:
    """Return an instruction definition with some rows."""
    body = "\n".join(f"    {line}" for line in ("", *lines, "", "Flags: none.", source))
    return (
        f"cdef inline {returns} foo(Cpu* cpu, {arguments}) noexcept nogil:\n"
        f'    """Do something.\n{body}\n    """\n    return 0\n'
    )


def parse(*lines: str, **how: str) -> list[rows.Form]:
    return rows.parse_text(definition(*lines, **how), "demo")


# -------------------------------------------------------------------------------------------------
# Grammar


def test_a_row_is_taken_apart() -> None:
    (form,) = parse("81 /0 iz   ADD Ev, Iz    lock undef=A SSE2")
    assert (form.map, form.opcode, form.modrm, form.immediates) == (0, 0x81, "0", ("iz",))
    assert [operand.text for operand in form.operands] == ["Ev", "Iz"]
    assert (form.attributes, form.undefined, form.feature) == ({"lock"}, "A", "SSE2")
    assert form.widths == (16, 32, 64)
    assert (form.family, form.function, form.mnemonic) == ("demo", "foo", "ADD")


@pytest.mark.parametrize(
    ("column", "number", "opcode"),
    [("0F AF /r", 1, 0xAF), ("0F 38 F0 /r", 2, 0xF0), ("0F 3A 0F /r", 3, 0x0F), ("AF /r", 0, 0xAF)],
)
def test_escape_bytes_choose_the_map(column: str, number: int, opcode: int) -> None:
    (form,) = parse(f"{column}   ADD Gv, Ev")
    assert (form.map, form.opcode) == (number, opcode)


@pytest.mark.parametrize(
    ("column", "prefix", "w"),
    [
        ("0F 10 /r", None, None),
        ("NP 0F 10 /r", 0, None),
        ("66 0F 10 /r", 0x66, None),
        ("F2 REX.W 0F 10 /r", 0xF2, 1),
        ("F3 W0 0F 10 /r", 0xF3, 0),
        ("66 90", 0x66, None),
    ],
)
def test_mandatory_prefixes(column: str, prefix: int | None, w: int | None) -> None:
    operands = " Gv, Ev" if "/r" in column else " AX, BX"
    (form,) = parse(f"{column}   ADD{operands}")
    assert (form.prefix, form.w) == (prefix, w)


def test_vex() -> None:
    (form,) = parse("VEX.LZ.F2.0F3A.W1 F0 /r ib   RORX Gy, Ey, Ib    nodst")
    assert form.vex
    assert (form.map, form.opcode, form.prefix, form.w, form.vex_l) == (7, 0xF0, 0xF2, 1, 0)
    (form,) = parse("VEX.LIG.0F 0F /r   FOO Gy, By, Ey   nodst")
    assert (form.map, form.opcode, form.prefix, form.w, form.vex_l) == (5, 0x0F, 0, None, None)


def test_a_condition_makes_sixteen_rows() -> None:
    forms = parse("0F 90+cc /0   SETcc Eb   nodst", arguments="int w, int cc")
    assert [form.opcode for form in forms] == list(range(0x90, 0xA0))
    assert [form.mnemonic for form in forms][:5] == ["SETO", "SETNO", "SETB", "SETAE", "SETE"]


def test_a_fixed_modrm_byte() -> None:
    (form,) = parse("0F 01 CA   CLAC", returns="int", arguments="Insn* insn")
    assert (form.modrm, form.modrm_rm, form.register_only) == ("1", 2, True)
    (form,) = parse("D8 C8+i   FMUL ST, ST(i)", returns="int", arguments="Insn* insn")
    assert (form.modrm, form.modrm_rm, form.register_only) == ("1", None, True)


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ("01 /r xx   ADD Ev, Gv", "'xx' is not part of an opcode"),
        ("0F 38 /r   ADD Ev, Gv", "no opcode byte"),
        ("01 02 03 /r   ADD Ev, Gv", "no opcode byte"),
        ("01 /r   ADD Kv, Gv", "'Kv' is not an operand"),
        ("01 /r   ADD Ek, Gv", "'Ek' is not an operand"),
        ("01 /r   ADD Ev, Gv   sometimes", "unknown attribute 'sometimes'"),
        ("81 /0 ib   ADD Ev, Iz", r"opcode column has \['ib'\], operands want \['iz'\]"),
        ("81 /0   ADD Ev, Iz", r"opcode column has \[\], operands want \['iz'\]"),
        ("VEX.LZ.0F39 F2 /r   ANDN Gy, By, Ey", "'0F39' is not a field of VEX"),
        ("VEX.LZ F2 /r   ANDN Gy, By, Ey", "needs a length and a map"),
        ("VEX.0F38 F2 /r   ANDN Gy, By, Ey", "needs a length and a map"),
    ],
)
def test_a_bad_row_is_named(row: str, complaint: str) -> None:
    with pytest.raises(RowError, match=complaint) as error:
        parse(row)
    assert str(error.value).startswith(f"demo.foo: {row}: ")


def test_a_source_is_wanted() -> None:
    with pytest.raises(RowError, match=r"demo\.foo: no 'Source:' line"):
        parse("01 /r   ADD Ev, Gv", source="")


def test_a_function_returns_one_of_three_types() -> None:
    with pytest.raises(RowError, match=r"demo\.foo: a function with rows cannot return double"):
        parse("01 /r   ADD Ev, Gv", returns="double")


def test_a_function_without_rows_is_none_of_its_business() -> None:
    assert parse("Text about 01 and 02.", returns="double", source="") == []


# -------------------------------------------------------------------------------------------------
# The table


def overlapping(first: str, second: str) -> bool:
    return bool(rows.overlaps(parse(first, second)))


def test_one_encoding_has_one_row() -> None:
    assert overlapping("01 /r   ADD Ev, Gv", "01 /r   SUB Ev, Gv")
    assert overlapping("50+r   PUSH Zv", "53   POP rAX")
    assert not overlapping("80 /0 ib   ADD Eb, Ib", "80 /1 ib   OR Eb, Ib")
    assert not overlapping("90   NOP", "F3 90   PAUSE")
    assert not overlapping("63 /r   ARPL Ew, Gw   i64", "63 /r   MOVSXD Gv, Ez   o64")
    assert not overlapping("0F F2 /r   FOO Gy, Ey", "VEX.LZ.0F F2 /r   FOO Gy, Ey")
    assert not overlapping("VEX.128.0F F2 /r   FOO Gy, Ey", "VEX.256.0F F2 /r   FOO Gy, Ey")


def test_load_reports_overlaps(tmp_path) -> None:
    (tmp_path / "one.pxd").write_text(definition("01 /r   ADD Ev, Gv"), encoding="utf-8")
    (tmp_path / "two.pxd").write_text(definition("01 /r   SUB Ev, Gv"), encoding="utf-8")
    with pytest.raises(RowError, match=r"'foo: 01 /r ADD Ev, Gv' and 'foo: 01 /r SUB Ev, Gv'"):
        rows.load(tmp_path)


def test_every_row_tells_its_flags() -> None:
    assert [form.key for form in TABLE if not form.flags] == []


def test_every_row_can_be_generated() -> None:
    for family in {form.family for form in TABLE}:
        found, _ = generate.variants([form for form in TABLE if form.family == family])
        assert all(variant.text() for variant in found)


def test_every_feature_is_known() -> None:
    named = {form.feature for form in TABLE if form.feature}
    assert named <= set(cpuid_bits.FEATURES)


# -------------------------------------------------------------------------------------------------
# Generated text


def generated(*lines: str, **how: str) -> str:
    found, _ = generate.variants(parse(*lines, **how))
    return "".join(variant.text() for variant in found if variant.opsize == 32)


def make_tables(*lines: str) -> None:
    forms = parse(*lines)
    found, numbers = generate.variants(forms)
    generate.tables(forms, numbers, ["demo"], {"demo": 0}, len(found), cpuid_bits.FEATURES)


def test_operands_and_parameters_must_match() -> None:
    with pytest.raises(RowError, match=r"foo: 01 /r ADD Ev: parameter 'src' has no operand"):
        generated("01 /r   ADD Ev")
    with pytest.raises(RowError, match=r"foo: 01 /r ADD Ev, Gv, CL: more operands than parameters"):
        generated("01 /r   ADD Ev, Gv, CL")


def test_tables_know_features_and_modrm() -> None:
    make_tables("01 /r   ADD Ev, Gv   SSE2")
    with pytest.raises(RowError, match=r"foo: 01 /r ADD Ev, Gv NOVEL: unknown CPUID feature"):
        make_tables("01 /r   ADD Ev, Gv   NOVEL")
    with pytest.raises(RowError, match="some rows of the opcode have ModR/M, some not"):
        make_tables("01 /r   ADD Ev, Gv", "F3 01   ADD rAX, rBX")


def test_generated_text_is_as_it_was() -> None:
    """A difference is to be looked at; UPDATE_GOLDEN=1 in the environment accepts it."""
    text = "".join(
        (
            generated("01 /r   ADD Ev, Gv   lock"),
            generated("0F B6 /r   MOVZX Gv, Eb   nodst", arguments="int w, u64 src"),
            generated("VEX.LZ.0F38 F2 /r   ANDN Gy, By, Ey   nodst"),
            generated("C3   RET   ends", returns="int", arguments="Insn* insn, int w"),
        )
    )
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8")
>>>>>>> 5e4c56c (Add VEX encodings: rows, decoder, disassembler, BMI1 and BMI2)
