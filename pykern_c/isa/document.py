"""docs/isa.md, from the instruction rows: `python -m pykern_c.isa.document > docs/isa.md`."""

from __future__ import annotations

import sys
from itertools import groupby
from typing import TYPE_CHECKING

from pykern_c.isa import rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["page"]

HEADER = """\
# Instructions

Generated from the rows in `pykern_c/isa/` by `python -m pykern_c.isa.document`; edit the rows.

{count} encodings of {mnemonics} mnemonics. Operands are written in the letters of SDM Vol. 2D, Key
to Abbreviations. *CPUID* is the feature that must be there; *modes* marks rows that exist in 64-bit
mode only, or not there; *CPL 0* rows raise #GP(0) elsewhere. The last column has the flags that the
SDM leaves undefined; they do what current processors do.
"""

TABLE = """
| opcode | instruction | CPUID | modes | rights | LOCK | undefined |
| --- | --- | --- | --- | --- | --- | --- |
"""


def page(forms: Iterable[rows.Form]) -> str:
    """Return the page for some forms, in their order, a section for each definition file."""
    forms = list(forms)
    mnemonics = {form.mnemonic for form in forms}
    parts = [HEADER.format(count=len(_encodings(forms)), mnemonics=len(mnemonics))]
    for family, members in groupby(forms, key=lambda form: form.family):
        parts.append(f"\n## {family}\n{TABLE}")
        parts += _lines(members)
    return "".join(parts)


def _encodings(forms: Iterable[rows.Form]) -> list[rows.Form]:
    """Return one form for each row: the sixteen of a condition are one encoding in the manual."""
    return list({(form.family, form.key): form for form in forms}.values())


def _lines(forms: Iterable[rows.Form]) -> Iterator[str]:
    for form in _encodings(forms):
        opcode, assembly = _columns(form)
        cells = (
            opcode,
            assembly,
            form.feature,
            _modes(form),
            "CPL 0" if "cpl0" in form.attributes else "",
            "yes" if "lock" in form.attributes else "",
            form.undefined,
        )
        yield f"| {' | '.join(cells)} |\n"


def _columns(form: rows.Form) -> tuple[str, str]:
    """Return opcode and assembly as the row has them."""
    operands = ", ".join(operand.text for operand in form.operands)
    mnemonic = form.mnemonic
    if form.cc is not None:
        mnemonic = mnemonic.removesuffix(rows.CONDITIONS[form.cc]) + "cc"
    assembly = f"{mnemonic} {operands}".strip()
    return form.row.partition(f" {assembly}")[0], assembly


def _modes(form: rows.Form) -> str:
    if "i64" in form.attributes:
        return "not 64-bit"
    return "64-bit only" if "o64" in form.attributes else ""


if __name__ == "__main__":
    sys.stdout.write(page(rows.load()))
