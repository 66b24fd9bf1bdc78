"""Trains: records that follow each other, done by host code that is written at run time."""

from pykern_c.types cimport u32
from pykern_c.cpu cimport Cpu, Insn


# Give a block's records trains where that is worth it. `count` records, in the current mode.
cdef void translate(Cpu* cpu, Insn* first, u32 count) noexcept nogil
