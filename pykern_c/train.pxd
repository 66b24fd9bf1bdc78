"""Trains: records that follow each other, done by host code that is written at run time."""

from pykern_c.cpu cimport Cpu, Insn


# The handler of a block's first record until the block has been executed often enough: it counts,
# and then gives the block's records trains where that is worth it.
cdef void op_warm(Cpu* cpu, Insn* insn) noexcept nogil
