"""Hardware task switches."""

from pykern_c.types cimport *
from pykern_c.cpu cimport *


cdef int task_switch_gate(Cpu* cpu, u32 sel, int kind, u32 ext, bint has_error,
                          u32 error) noexcept nogil:
    return raise_error(cpu, TS, (sel & 0xFFFC) | ext)


cdef int task_switch_tss(Cpu* cpu, Descriptor* d, int kind) noexcept nogil:
    return raise_error(cpu, TS, d.sel & 0xFFFC)


cdef int task_return(Cpu* cpu) noexcept nogil:
    return raise_error(cpu, TS, 0)
