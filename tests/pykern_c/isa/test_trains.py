"""Templates follow from the rows."""

from __future__ import annotations

import re

import pytest

from pykern_c.isa import generate, rows, trains
from tests.sources import ROOT

FORMS = {form.key: form for form in rows.load()}


def template(key: str, opsize: int) -> dict[str, str | int]:
    return trains.template(generate.Variant(FORMS[key], opsize, 0))


def fields(key: str, opsize: int = 64) -> tuple[object, ...]:
    found = template(key, opsize)
    return tuple(found.get(name) for name in ("kind", "width", "to", "source", "source_width"))


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("add: 01 /r ADD Ev, Gv", ("TEMPLATE_ADD", 64, "PLACE_RM", "PLACE_REG", 64)),
        ("add: 03 /r ADD Gv, Ev", ("TEMPLATE_ADD", 64, "PLACE_REG", "PLACE_RM", 64)),
        ("add: 05 iz ADD rAX, Iz", ("TEMPLATE_ADD", 64, "PLACE_RAX", "PLACE_IMM", 32)),
        ("movzx: 0F B6 /r MOVZX Gv, Eb", ("TEMPLATE_MOVZX", 64, "PLACE_REG", "PLACE_RM", 8)),
        ("shl: D1 /4 SHL Ev, 1", ("TEMPLATE_SHL", 64, "PLACE_RM", "PLACE_ONE", 64)),
    ],
)
def test_operands_of_a_row_have_their_places(key: str, expected: tuple[object, ...]) -> None:
    matching = [k for k in FORMS if " ".join(k.split()).startswith(key)]
    assert [fields(k) for k in matching] == [expected]


def test_rows_without_a_template_are_left_to_handlers() -> None:
    for key, form in FORMS.items():
        for opsize in (16, 32, 64):
            found = template(key, opsize)
            if found:
                assert form.function in trains.VALUES | trains.OTHERS
                assert found["width"] != 16 or form.function in trains.OTHERS
    assert not any(
        template(k, 64) for k, f in FORMS.items() if f.function in {"adc", "mul", "cpuid"}
    )
    assert not any(template(k, 64) for k in FORMS if "SHL Ev, CL" in " ".join(k.split()))


def test_every_named_function_exists_and_has_a_constant() -> None:
    functions = {form.function for form in FORMS.values()}
    assert functions >= set(trains.VALUES | trains.OTHERS)
    constants = re.findall(r"TEMPLATE_(\w+) = ", (ROOT / "pykern_c/decode.pxd").read_text())
    assert set((trains.VALUES | trains.OTHERS).values()) == set(constants) - {"NONE"}
