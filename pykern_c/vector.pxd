"""Vector and MMX operands: registers, state checks, host loads and stores.

References
----------
SDM Vol. 3A, System Programming for Instruction Set Extensions; SDM Vol. 1, Programming with Intel MMX Technology.
"""

from pykern_c.types cimport u8, u16, u32, u64, xmm_t, memcpy, likely_, unlikely_
from pykern_c.cpu cimport *


cdef inline xmm_t get_xmm(Cpu* cpu, u32 r) noexcept nogil:
    return cpu.xmm[r].lo


cdef inline void set_xmm(Cpu* cpu, u32 r, xmm_t value) noexcept nogil:
    cpu.xmm[r].lo = value


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


cdef inline int mmx_unready(Cpu* cpu) noexcept nogil:
    """Raise #UD, #NM or #MF if MMX instructions cannot be executed now, else enter MMX state."""
    if cpu.cr0 & CR0_EM:
        return raise_fault(cpu, UD)
    if cpu.cr0 & CR0_TS:
        return raise_fault(cpu, NM)
    if cpu.fpu.fsw & 0x80:
        return raise_fault(cpu, MF)
    cpu.fpu.fsw &= ~0x3800
    cpu.fpu.ftw = 0xFF
    return 0


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
    """Read 4, 8 or 16 bytes; the rest of the vector is zero."""
    cdef xmm_t value
    value.q[0] = 0
    value.q[1] = 0
    memcpy(&value, host, size)
    return value


cdef inline void host_write_xmm(u8* host, int size, xmm_t value) noexcept nogil:
    memcpy(host, &value, size)
