"""What a thread switch saves and restores (context.pyx)."""

from pykern_c.types cimport u64
from pykern_c.cpu cimport Cpu, Fpu, Ymm


cdef struct SavedContext:
    u64 regs[16]
    u64 rip
    u64 rflags
    u64 fs_base
    u64 gs_base
    u64 kernel_gs_base
    u64 cr3
    Fpu fpu
    u64 mxcsr
    Ymm xmm[16]


cdef class Context:
    cdef SavedContext saved


cdef void context_save(SavedContext* to, Cpu* cpu) noexcept nogil
cdef void context_restore(Cpu* cpu, const SavedContext* source) noexcept nogil
