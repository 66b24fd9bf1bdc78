"""Model-specific registers (msr.pyx).

References
----------
SDM Vol. 4, Model-Specific Registers.
"""

from pykern_c.types cimport u32, u64
from pykern_c.cpu cimport Cpu

# 0, or FAULT with #GP(0) raised: no such register, or reserved bits in the value.
cdef int read_msr(Cpu* cpu, u32 index, u64* value) noexcept nogil
cdef int write_msr(Cpu* cpu, u32 index, u64 value) noexcept nogil
# The time-stamp counter, now.
cdef u64 read_tsc(Cpu* cpu) noexcept nogil
