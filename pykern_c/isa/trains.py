"""What the translator (train.pyx) knows of a row: its operation, and where the operands stand.

Derived from the rows: the semantic function says the operation, the letters the operands. A row
that is not described here is executed by its handlers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .handlers import Variant
    from .rows import Operand

# Semantic functions that have a template, and its name there.
VALUES = {
    "mov": "MOV",
    "movzx": "MOVZX",
    "movsx8": "MOVSX",
    "movsx16": "MOVSX",
    "movsxd": "MOVSX",
    "add": "ADD",
    "or_": "OR",
    "and_": "AND",
    "sub": "SUB",
    "xor": "XOR",
    "cmp": "CMP",
    "test": "TEST",
    "inc": "INC",
    "dec": "DEC",
    "neg": "NEG",
    "not_": "NOT",
    "shl": "SHL",
    "shr": "SHR",
    "sar": "SAR",
    "rol": "ROL",
    "ror": "ROR",
    "imul": "IMUL",
    "cmov": "CMOV",
    "setcc": "SETCC",
}
# Functions that do their own operand access: the template does too.
OTHERS = {
    "nop": "NOP",
    "lea": "LEA",
    "push_register": "PUSH",
    "pop_register": "POP",
    "jcc": "JCC",
    "jmp_relative": "JMP",
    "call_relative": "CALL",
    "ret": "RET",
    "jmp_indirect": "JMP_INDIRECT",
    "call_indirect": "CALL_INDIRECT",
}
PLACES = {"E": "PLACE_RM", "G": "PLACE_REG", "Z": "PLACE_REG", "I": "PLACE_IMM"}
FIXED = {"AL": "PLACE_RAX", "eAX": "PLACE_RAX", "rAX": "PLACE_RAX", "1": "PLACE_ONE"}


def _place(operand: Operand) -> str | None:
    return FIXED.get(operand.text) if operand.fixed else PLACES.get(operand.letter)


def template(variant: Variant) -> dict[str, str | int]:
    """The fields of the variant's Template (decode.pxd); empty: there is none."""
    form = variant.form
    places = [_place(operand) for operand in form.operands]
    fields: dict[str, str | int] = {
        "kind": f"TEMPLATE_{(VALUES | OTHERS).get(form.function)}",
        "width": variant.width,
        "condition": form.cc or 0,
        "to": "PLACE_NONE",
        "source": "PLACE_NONE",
        "source_width": 0,
        "third": 0,
    }
    if form.function in OTHERS:
        return fields
    if form.function not in VALUES or None in places or variant.width == 16:
        return {}
    fields["to"] = str(places[0])
    if len(places) > 1:
        fields["source"] = str(places[1])
        fields["source_width"] = form.operands[1].width(variant.opsize)
        fields["third"] = len(places) - 2
    return fields


def templates_text(found: Iterable[tuple[int, Variant]]) -> str:
    """The function that enters all templates, given variants with their numbers in the table."""
    lines = ["cdef void install_templates(Handlers* table) noexcept:"]
    for number, variant in found:
        fields = template(variant)
        if fields:
            values = ", ".join(f"{name}={value}" for name, value in fields.items())
            lines.append(f"    table[{number}].template = Template({values})")
    return "\n".join(lines) + "\n"
