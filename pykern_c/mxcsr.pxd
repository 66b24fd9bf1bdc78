"""MXCSR: the guest's control of SSE floating point, lived on the host's own register.

While a slice runs, the host's MXCSR has the guest's rounding, DAZ and FTZ, every exception masked, and collects the flags.
So as long as the guest masks all exceptions, an instruction needs no code round it at all. When it leaves one unmasked, the
generated bodies call `fp_begin` before and `fp_fault` after the operation.

References
----------
SDM Vol. 1, MXCSR Control and Status Register; SIMD Floating-Point Exception Conditions; Handling SIMD Floating-Point
Exceptions in Software.
"""

from pykern_c.types cimport cold_int, cold_void, u32, u64, xmm_t
from pykern_c.cpu cimport *

cdef enum:
    MXCSR_IE = 1
    MXCSR_DE = 2
    MXCSR_ZE = 4
    MXCSR_OE = 8
    MXCSR_UE = 0x10
    MXCSR_PE = 0x20
    MXCSR_FLAGS = 0x3F
    MXCSR_DAZ = 0x40
    MXCSR_MASKS = 0x1F80
    MXCSR_MASK_SHIFT = 7
    MXCSR_FTZ = 0x8000
    MXCSR_VALID = 0xFFFF        # MXCSR_MASK: what may be written
    PRE_COMPUTATION = MXCSR_IE | MXCSR_DE | MXCSR_ZE

# What the result of a row that can underflow is made of (row attribute ``tiny``).
cdef enum:
    TINY_NONE = 0
    TINY_SS = 1
    TINY_SD = 2
    TINY_PS = 3
    TINY_PD = 4

cdef extern from *:
    """
    #ifndef PYKERN_MXCSR
    #define PYKERN_MXCSR
    static inline uint32_t pk_stmxcsr(void) {
        uint32_t value;
        __asm__ volatile("stmxcsr %0" : "=m"(value) : : "memory");
        return value;
    }
    static inline void pk_ldmxcsr(uint32_t value) {
        __asm__ volatile("ldmxcsr %0" : : "m"(value) : "memory");
    }
    #endif
    """
    u32 host_stmxcsr "pk_stmxcsr"() noexcept nogil
    void host_ldmxcsr "pk_ldmxcsr"(u32 value) noexcept nogil


cdef inline u32 _host_control(Cpu* cpu) noexcept nogil:
    """Return what the host's register must be: no flags, all masked; FTZ counts only with UE masked."""
    cdef u32 control = (cpu.mxcsr & (MXCSR_VALID & ~MXCSR_FLAGS)) | MXCSR_MASKS
    return control if cpu.mxcsr & (MXCSR_UE << MXCSR_MASK_SHIFT) else control & ~<u32>MXCSR_FTZ


cdef inline void mxcsr_changed(Cpu* cpu) noexcept nogil:
    """Follow a new value of Cpu.mxcsr."""
    cpu.fp_unmasked = cpu.mxcsr & MXCSR_MASKS != MXCSR_MASKS
    cpu.sse_fast = cpu.sse_ok and not cpu.fp_unmasked
    host_ldmxcsr(_host_control(cpu))


cdef inline void mxcsr_enter(Cpu* cpu) noexcept nogil:
    """Give the guest the host's register: at the start of a slice, and after a callback into Python."""
    cpu.mxcsr_host = host_stmxcsr()
    mxcsr_changed(cpu)


cdef inline void mxcsr_collect(Cpu* cpu) noexcept nogil:
    """Make Cpu.mxcsr what the guest would read."""
    cpu.mxcsr |= host_stmxcsr() & MXCSR_FLAGS


cdef inline void mxcsr_leave(Cpu* cpu) noexcept nogil:
    """Give the host its register back: at the end of a slice, and before a callback into Python."""
    mxcsr_collect(cpu)
    host_ldmxcsr(cpu.mxcsr_host)


cdef inline void mxcsr_write(Cpu* cpu, u32 value) noexcept nogil:
    """Load a value that has no reserved bit set."""
    cpu.mxcsr = value
    mxcsr_changed(cpu)


cdef inline cold_void fp_begin(Cpu* cpu) noexcept nogil:
    """Before an operation with something unmasked: only its own flags shall show."""
    mxcsr_collect(cpu)
    host_ldmxcsr(_host_control(cpu))


cdef inline bint _denormal_single(u32 bits) noexcept nogil:
    return bits & 0x7F800000 == 0 and bits & 0x7FFFFF != 0


cdef inline bint _denormal_double(u64 bits) noexcept nogil:
    return bits & 0x7FF0000000000000ULL == 0 and bits & 0xFFFFFFFFFFFFFULL != 0


cdef inline bint _is_tiny(int kind, const xmm_t* result) noexcept nogil:
    """Whether an element of a result is denormal."""
    cdef int i
    if kind == TINY_SS:
        return _denormal_single(result.d[0])
    if kind == TINY_SD:
        return _denormal_double(result.q[0])
    if kind == TINY_PD:
        return _denormal_double(result.q[0]) or _denormal_double(result.q[1])
    for i in range(4):
        if kind == TINY_PS and _denormal_single(result.d[i]):
            return True
    return False


cdef inline cold_int fp_fault(Cpu* cpu, int kind, const xmm_t* result) noexcept nogil:
    """After an operation with something unmasked: raise #XM if it has to.

    An exception found before the computation keeps the others of the instruction from being looked for. With UE
    unmasked, a tiny result underflows even if it is exact.
    """
    cdef u32 flags = host_stmxcsr() & MXCSR_FLAGS
    cdef u32 unmasked = ~(cpu.mxcsr >> MXCSR_MASK_SHIFT) & MXCSR_FLAGS
    if flags & unmasked & PRE_COMPUTATION:
        flags &= PRE_COMPUTATION
    elif unmasked & MXCSR_UE and _is_tiny(kind, result):
        flags |= MXCSR_UE
    cpu.mxcsr |= flags
    if not flags & unmasked:
        return 0
    host_ldmxcsr(_host_control(cpu))
    return raise_fault(cpu, XM if cpu.cr4 & CR4_OSXMMEXCPT else UD)
