"""Fused handlers: two hot instructions behind each other, done with one dispatch.

It is the number of indirect jumps that costs. Rows with ``hot=`` name the handlers whose work is
also written as a *piece*, an inline function that says whether it could do it; every two pieces
make a handler. Which records are joined is the block builder's business (icache.pyx).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .handlers import Variant

HOT = {"reg": "HOT_REG", "quiet": "HOT_QUIET", "mem": "HOT_MEM", "memx": "HOT_MEMX"}
IMPORTS = """\
from pykern_c.types cimport *
from pykern_c.cpu cimport *
from pykern_c.decode cimport HOT_MEM, HOT_MEMX, HOT_QUIET, HOT_REG, Handlers
from pykern_c.flags cimport *
from pykern_c.operands cimport *
from pykern_c.vector cimport *
from pykern_c.mmu cimport TlbEntry, tlb_index
"""
PXD = """\
from pykern_c.types cimport u32
from pykern_c.cpu cimport Handler
from pykern_c.decode cimport Handlers

cdef Handler fused(u32 first, u32 second) noexcept nogil
cdef void install_fused(Handlers* table) noexcept
"""


def pieces(variant: Variant) -> list[tuple[str, list[str]]]:
    """Return (kind, code) of the pieces that a variant's row asks for."""
    wanted = variant.form.options.get("hot", "").split("+")
    return [(kind, variant.piece(kind)) for kind in HOT if f"{kind}{variant.opsize}" in wanted]


def _pair(first: int, second: int) -> str:
    return f"""\
cdef void pair_{first}_{second}(Cpu* cpu, Insn* insn) noexcept nogil:
    if unlikely_(not piece_{first}(cpu, insn)):
        TABLE[insn.form].slow(cpu, insn)
        return
    if unlikely_(not piece_{second}(cpu, insn + 1)):
        TABLE[insn[1].form].slow(cpu, insn + 1)
        return
    (insn + 2).fn(cpu, insn + 2)
"""


def fused_text(found: Sequence[tuple[int, Variant]]) -> str:
    """The module with all pairs of the hot variants, given with their numbers in the table."""
    families = sorted({variant.form.family for _, variant in found})
    code = [IMPORTS + "".join(f"from pykern_c.isa.{f} cimport *\n" for f in families)]
    install = [
        "cdef void install_fused(Handlers* table) noexcept:",
        "    global TABLE",
        "    TABLE = table",
    ]
    count = 0
    for number, variant in found:
        for kind, lines in pieces(variant):
            count += 1
            header = f"cdef inline bint piece_{count}(Cpu* cpu, Insn* insn) noexcept nogil:"
            code.append("\n".join([header, *lines]) + "\n")
            install.append(f"    table[{number}].hot[{HOT[kind]}] = {count}")
    code.append("cdef Handlers* TABLE            # constant once it is installed\n")
    numbers = range(1, count + 1)
    code += [_pair(a, b) for a in numbers for b in numbers]
    code.append(f"cdef Handler PAIRS[{(count + 1) ** 2}]\n")
    install += [
        f"    PAIRS[{a * (count + 1) + b}] = pair_{a}_{b}" for a in numbers for b in numbers
    ]
    code.append("\n".join(install) + "\n")
    code.append(
        "cdef Handler fused(u32 first, u32 second) noexcept nogil:\n"
        f"    return PAIRS[first * {count + 1} + second]\n"
    )
    return "\n\n".join(code)
