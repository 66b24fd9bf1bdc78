"""Interrupt and exception delivery."""

from pykern_c.types cimport *
from pykern_c.cpu cimport *


cdef void deliver_fault(Cpu* cpu) noexcept nogil:
    cpu.chain[cpu.nesting] = cpu.fault
    cpu.fault.vector = NO_VECTOR
    cpu.activity = SHUTDOWN
    cpu.exit_reason = EXIT_SHUTDOWN


cdef void deliver_external(Cpu* cpu, u32 vector) noexcept nogil:
    pass


cdef int deliver_soft(Cpu* cpu, u32 vector, unsigned long long next_rip) noexcept nogil:
    return FAULT
