"""The run loop of one processor (execute.pyx)."""

from pykern_c.types cimport i64, u64
from pykern_c.cpu cimport Cpu

# Execute at most `budget` instructions from virtual time `now` on; returns an Exit.
cdef int run_slice(Cpu* cpu, u64 now, i64 budget) noexcept nogil
# What a processor looks like after power-up or RESET#, and after INIT.
cdef void cpu_reset(Cpu* cpu, bint init) noexcept nogil
