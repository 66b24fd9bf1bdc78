"""MXCSR: the guest's control of SSE floating point, lived on the host's own register.

While a slice runs, the host's MXCSR has the guest's rounding, DAZ and FTZ, every exception masked,
and collects the flags.
So as long as the guest masks all exceptions, an instruction needs no code round it at all;
simd_exceptions.pxd is for when
it does not.

References
----------
SDM Vol. 1, MXCSR Control and Status Register.
"""

from pykern_c.types cimport u32
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


cdef inline u32 host_control(Cpu* cpu) noexcept nogil:
    """Return what the host's register must be: no flags, all masked; FTZ needs UE masked."""
    cdef u32 control = (cpu.mxcsr & (MXCSR_VALID & ~MXCSR_FLAGS)) | MXCSR_MASKS
    return control if cpu.mxcsr & (MXCSR_UE << MXCSR_MASK_SHIFT) else control & ~<u32>MXCSR_FTZ


cdef inline void mxcsr_changed(Cpu* cpu) noexcept nogil:
    """Follow a new value of Cpu.mxcsr."""
    cpu.fp_unmasked = cpu.mxcsr & MXCSR_MASKS != MXCSR_MASKS
    cpu.sse_fast = cpu.sse_ok and not cpu.fp_unmasked
    host_ldmxcsr(host_control(cpu))


cdef inline void mxcsr_enter(Cpu* cpu) noexcept nogil:
    """Give the guest the host's register: at the start of a slice, after a callback."""
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
