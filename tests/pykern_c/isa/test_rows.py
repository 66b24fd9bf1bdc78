"""The grammar of instruction rows, and what must hold for all rows together."""

from __future__ import annotations

from itertools import combinations

import pytest

from pykern_c import cpuid_bits
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


def test_vex_is_one_word_with_length_prefix_map_and_w():
    (rorx,) = parse("VEX.LZ.F2.0F3A.W1 F0 /r ib   RORX Gy, Ey, Ib")
    assert (rorx.vex, rorx.vex_l, rorx.prefix, rorx.w) == (True, 0, 0xF2, 1)
    assert (rorx.map, rorx.opcode) == (rows.VEX_MAPS["0F3A"], 0xF0)
    (any_,) = parse("VEX.LIG.0F 0F /r   A Gy, By, Ey")
    assert (any_.vex_l, any_.prefix, any_.w, any_.opcode) == (None, 0, None, 0x0F)
    assert not parse("0F AF /r  A Ev, Gv")[0].vex


def test_vex_encodings_are_apart_from_others_and_by_length():
    forms = parse("0F F2 /r  A Gy, Ey", "VEX.128.0F F2 /r  B Gy, Ey", "VEX.256.0F F2 /r  C Gy, Ey")
    assert rows.overlaps(forms) == []


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
        ("VEX.LZ.0F39 F2 /r  A Gy, By, Ey", "'0F39' is not a field of VEX"),
        ("VEX.LZ F2 /r  A Gy, By, Ey", "'VEX.LZ' needs a length and a map"),
        ("VEX.0F38 F2 /r  A Gy, By, Ey", "'VEX.0F38' needs a length and a map"),
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
    with pytest.raises(rows.RowError, match=r"demo\.f: .*cannot return void"):
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
        and _agree(a.vex_l, b.vex_l)
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


def test_every_row_tells_its_flags():
    assert [form.key for form in FORMS if not form.flags] == []


def test_load_names_both_rows_of_an_overlap(tmp_path):
    text = (
        'cdef inline u64 f(Cpu* c, int w, u64 dst) noexcept nogil:\n    """Do.\n\n'
        '    01 /{digit}  A{digit} Ev\n    01 /2  B Ev\n\n    Source: SDM.\n    """\n'
    )
    (tmp_path / "one.pxd").write_text(text.format(digit=1), encoding="utf-8")
    assert len(rows.load(tmp_path)) == 2
    (tmp_path / "one.pxd").write_text(text.format(digit=2), encoding="utf-8")
    with pytest.raises(rows.RowError, match=r"'f: 01 /2 A2 Ev' and 'f: 01 /2 B Ev'"):
        rows.load(tmp_path)


def test_lock_is_for_memory_destinations():
    wrong = [
        form.key
        for form in FORMS
        if "lock" in form.attributes and (form.register_only or form.operands[0].letter not in "EM")
    ]
    assert wrong == []
