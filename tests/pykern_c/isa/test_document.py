"""The generated page of instructions."""

from pykern_c.isa import rows
from pykern_c.isa.document import page
from tests.sources import ROOT

DEFINITIONS = '''
cdef inline u64 add(Cpu* cpu, int w, u64 dst, u64 src) noexcept nogil:
    """Add.

    01 /r      ADD Ev, Gv    lock
    27         DAA           i64  undef=O

    Source: SDM Vol. 2A, ADD.
    """

cdef inline int jcc(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """Jump if the condition is met.

    70+cc cb       Jcc Jb
    0F 80+cc cz    Jcc Jz

    Source: SDM Vol. 2A, Jcc.
    """
'''


def test_docs_isa_is_current():
    written = (ROOT / "docs" / "isa.md").read_text(encoding="utf-8")
    assert written == page(rows.load()), "run python -m pykern_c.isa.document > docs/isa.md"


def test_a_row_becomes_a_line():
    lines = page(rows.parse_text(DEFINITIONS, "demo")).splitlines()
    assert "## demo" in lines
    assert "| 01 /r | ADD Ev, Gv |  |  |  | yes |  |" in lines
    assert "| 27 | DAA |  | not 64-bit |  |  | O |" in lines


def test_the_sixteen_conditions_are_one_line():
    text = page(rows.parse_text(DEFINITIONS, "demo"))
    assert "4 encodings of 18 mnemonics" in text
    assert text.count("| 70+cc cb | Jcc Jb |") == 1
