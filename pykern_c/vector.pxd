"""Vector and MMX operands: registers, state checks, host loads and stores.

References
----------
SDM Vol. 3A, System Programming for Instruction Set Extensions; SDM Vol. 1, Programming with Intel
MMX Technology.
"""

from pykern_c.types cimport cold_int, u8, u16, u32, u64, xmm_t, memcpy, likely_, unlikely_
from pykern_c.cpu cimport *
from pykern_c.host_x87 cimport X87_ES, x87_spill
from pykern_c.x87 cimport x87_error

cdef extern from *:
    """
    #ifndef PYKERN_VECTOR
    #define PYKERN_VECTOR
    #include <emmintrin.h>
    #include <string.h>
    /* Through vector registers: a general store that a vector load follows cannot be forwarded. */
    static inline __attribute__((always_inline)) pk_xmm pk_load_xmm(const void *from, int size) {
        pk_xmm x; uint32_t d; uint16_t w;
        if (size == 16) x.v = (pk_vector)_mm_loadu_si128((const __m128i *)from);
        else if (size == 8) x.v = (pk_vector)_mm_loadl_epi64((const __m128i *)from);
        else if (size == 4) { memcpy(&d, from, 4); x.v = (pk_vector)_mm_cvtsi32_si128((int)d); }
        else { memcpy(&w, from, 2); x.v = (pk_vector)_mm_cvtsi32_si128(w); }
        return x;
    }
    static inline __attribute__((always_inline)) void pk_store_xmm(void *to, int size, pk_xmm x) {
        uint32_t d; uint16_t w;
        if (size == 16) _mm_storeu_si128((__m128i *)to, (__m128i)x.v);
        else if (size == 8) _mm_storel_epi64((__m128i *)to, (__m128i)x.v);
        else if (size == 4) { d = (uint32_t)_mm_cvtsi128_si32((__m128i)x.v); memcpy(to, &d, 4); }
        else { w = (uint16_t)_mm_cvtsi128_si32((__m128i)x.v); memcpy(to, &w, 2); }
    }
    #endif
    """
    xmm_t load_xmm "pk_load_xmm"(const void* source, int size) noexcept nogil
    void store_xmm "pk_store_xmm"(void* to, int size, xmm_t value) noexcept nogil


cdef inline xmm_t get_xmm(Cpu* cpu, u32 r) noexcept nogil:
    return cpu.xmm[r].lo


cdef inline void set_xmm(Cpu* cpu, u32 r, xmm_t value) noexcept nogil:
    cpu.xmm[r].lo = value


cdef inline xmm_t get_mmx_xmm(Cpu* cpu, u32 r) noexcept nogil:
    """Read an MMX register into the low half of a vector."""
    return load_xmm(cpu.fpu.st[r], 8)


cdef inline void set_mmx_xmm(Cpu* cpu, u32 r, xmm_t value) noexcept nogil:
    """Write the low half of a vector to an MMX register."""
    store_xmm(cpu.fpu.st[r], 8, value)
    (<u16*>&cpu.fpu.st[r][8])[0] = 0xFFFF


cdef inline u64 get_mmx(Cpu* cpu, u32 r) noexcept nogil:
    return (<u64*>cpu.fpu.st[r])[0]


cdef inline void set_mmx(Cpu* cpu, u32 r, u64 value) noexcept nogil:
    """Write an MMX register: the exponent field of the x87 register becomes all ones."""
    (<u64*>cpu.fpu.st[r])[0] = value
    (<u16*>&cpu.fpu.st[r][8])[0] = 0xFFFF


cdef inline int sse_unready(Cpu* cpu) noexcept nogil:
    """Raise #UD or #NM if SSE instructions cannot be executed now."""
    if likely_(cpu.sse_ok):
        return 0
    if cpu.cr0 & CR0_EM or not cpu.cr4 & CR4_OSFXSR:
        return raise_fault(cpu, UD)
    return raise_fault(cpu, NM)


cdef inline bint mmx_ready(Cpu* cpu) noexcept nogil:
    """Whether MMX instructions can be executed without further ado."""
    return cpu.fpu_ok and not cpu.fpu_live and not cpu.fpu.fsw & X87_ES


cdef inline cold_int _mmx_prepare(Cpu* cpu) noexcept nogil:
    """Take the registers off the host's x87 unit; raise #UD, #NM or #MF; a Status."""
    if cpu.cr0 & CR0_EM:
        return raise_fault(cpu, UD)
    if cpu.cr0 & CR0_TS:
        return raise_fault(cpu, NM)
    x87_spill(cpu)
    return x87_error(cpu) if cpu.fpu.fsw & X87_ES else 0


cdef inline int mmx_unready(Cpu* cpu) noexcept nogil:
    """Make sure that MMX instructions can be executed now; a Status."""
    return 0 if likely_(mmx_ready(cpu)) else _mmx_prepare(cpu)


cdef inline void enter_mmx(Cpu* cpu) noexcept nogil:
    """Do what every MMX instruction but EMMS does to the x87: TOP = 0, all registers valid."""
    cpu.fpu.fsw &= ~0x3800
    cpu.fpu.ftw = 0xFF


cdef inline u64 segment_base(Cpu* cpu, Insn* insn) noexcept nogil:
    """Return the base of the memory operand's segment (0 where 64-bit mode ignores it)."""
    if in_64bit(cpu) and insn.seg < FS:
        return 0
    return cpu.seg[insn.seg].base


cdef inline u64 host_read(const u8* host, int size) noexcept nogil:
    """Read 1, 2, 4 or 8 bytes of guest RAM; `size` is a constant."""
    cdef u64 value = 0
    memcpy(&value, host, size)
    return value


cdef inline void host_write(u8* host, int size, u64 value) noexcept nogil:
    memcpy(host, &value, size)


cdef inline xmm_t host_read_xmm(const u8* host, int size) noexcept nogil:
    """Read 2, 4, 8 or 16 bytes; the rest of the vector is zero."""
    return load_xmm(host, size)


cdef inline void host_write_xmm(u8* host, int size, xmm_t value) noexcept nogil:
    store_xmm(host, size, value)
