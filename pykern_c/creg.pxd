"""Writes of control registers and EFER with all their rules (creg.pyx).

References
----------
SDM Vol. 3A, Control Registers; Initializing IA-32e Mode; PDPTE Registers.
"""

from pykern_c.types cimport u64
from pykern_c.cpu cimport Cpu

# Each returns 0, or FAULT with #GP(0) raised and nothing changed.
cdef int write_cr0(Cpu* cpu, u64 value) noexcept nogil
cdef int write_cr3(Cpu* cpu, u64 value) noexcept nogil
cdef int write_cr4(Cpu* cpu, u64 value) noexcept nogil
cdef int write_efer(Cpu* cpu, u64 value) noexcept nogil
# CR4 bits that the features of the processor allow.
cdef u64 cr4_allowed(Cpu* cpu) noexcept nogil
