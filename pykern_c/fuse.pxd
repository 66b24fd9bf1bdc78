"""Handlers chosen by what stands behind an instruction: flags left out, two records at once.

Which handlers there are for that is the generator's business (isa/handlers.py, isa/fusion.py).
"""

from pykern_c.types cimport u32
from pykern_c.cpu cimport Insn


# Give instructions whose flags nobody can see their quiet handlers.
cdef void elide_flags(Insn* insn, u32 n) noexcept nogil
# Join comparisons with the conditional branches behind them, and hot instructions two by two.
cdef void fuse(Insn* insn, u32 n) noexcept nogil
