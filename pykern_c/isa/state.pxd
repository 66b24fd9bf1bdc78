"""Processor state: MXCSR, FXSAVE, XSAVE, and the end of MMX."""

from pykern_c.types cimport *
from pykern_c.cpu cimport *
from pykern_c.mmu cimport (
    ACCESS_READ, ACCESS_WRITE, MemRef, probe_slow, ref_read, ref_write,
)
from pykern_c.mxcsr cimport *
from pykern_c.operands cimport *
from pykern_c.vector cimport mmx_unready, sse_unready
from pykern_c.host_x87 cimport x87_spill
from pykern_c.x87 cimport x87_derive

cdef extern from "<string.h>" nogil:
    int memcmp(const void* a, const void* b, size_t size) noexcept

# State components (SDM Vol. 1, XSAVE-Supported Features and State-Component Bitmaps).
cdef enum:
    XSTATE_X87 = 1
    XSTATE_SSE = 2
    XSTATE_AVX = 4

# Offsets in the image (SDM Vol. 1, FXSAVE Area; XSAVE Area).
cdef enum:
    FX_MXCSR = 24
    FX_ST = 32
    FX_XMM = 160
    FX_END = 416            # nothing is written from here to the header
    XSAVE_HEADER = 512
    XSAVE_AVX = 576
    XSAVE_END = 832


cdef inline int emms(Cpu* cpu, Insn* insn) noexcept nogil:
    """Leave MMX state: all x87 registers are empty.

    NP 0F 77   EMMS   MMX

    Flags: none.
    Source: SDM Vol. 2A, EMMS.
    """
    cdef int status = mmx_unready(cpu)
    if status:
        return status
    cpu.fpu.fsw &= ~0x3800
    cpu.fpu.ftw = 0
    return NEXT


cdef inline int ldmxcsr(Cpu* cpu, Insn* insn) noexcept nogil:
    """Load MXCSR; a reserved bit is #GP(0).

    NP 0F AE /2   LDMXCSR Md   SSE

    Flags: none.
    Source: SDM Vol. 2A, LDMXCSR.
    """
    cdef u32 value
    if sse_unready(cpu) or load_ea(cpu, insn, 4, &value):
        return FAULT
    if value & ~<u32>MXCSR_VALID:
        return raise_gp(cpu, 0)
    mxcsr_write(cpu, value)
    return NEXT


cdef inline int stmxcsr(Cpu* cpu, Insn* insn) noexcept nogil:
    """Store MXCSR.

    NP 0F AE /3   STMXCSR Md   SSE

    Flags: none.
    Source: SDM Vol. 2B, STMXCSR.
    """
    if sse_unready(cpu):
        return FAULT
    mxcsr_collect(cpu)
    return FAULT if store_ea(cpu, insn, 4, &cpu.mxcsr) else NEXT


# ---------------------------------------------------------------------------------------------
# The legacy region

cdef inline void _put_x87(Cpu* cpu, Insn* insn, u8* image) noexcept nogil:
    """Lay the x87 state out; pointers have 64 bits with REX.W, else 32 and a selector, 0."""
    cdef u32 top = (cpu.fpu.fsw >> 11) & 7
    cdef int i
    memcpy(image, &cpu.fpu.fcw, 2)
    memcpy(image + 2, &cpu.fpu.fsw, 2)
    image[4] = cpu.fpu.ftw
    image[5] = 0
    memcpy(image + 6, &cpu.fpu.fop, 2)
    if operand_bits(insn) == 64:
        memcpy(image + 8, &cpu.fpu.fip, 8)
        memcpy(image + 16, &cpu.fpu.fdp, 8)
    else:
        memset(image + 8, 0, 16)
        memcpy(image + 8, &cpu.fpu.fip, 4)
        memcpy(image + 16, &cpu.fpu.fdp, 4)
    memset(image + FX_ST, 0, 128)
    for i in range(8):
        memcpy(image + FX_ST + 16 * i, cpu.fpu.st[(top + i) & 7], 10)


cdef inline void _take_x87(Cpu* cpu, Insn* insn, const u8* image) noexcept nogil:
    """Load the x87 state; ES and B follow from the flags and their masks."""
    cdef u32 top, i
    memcpy(&cpu.fpu.fcw, image, 2)
    memcpy(&cpu.fpu.fsw, image + 2, 2)
    x87_derive(cpu)
    cpu.fpu.ftw = image[4]
    memcpy(&cpu.fpu.fop, image + 6, 2)
    cpu.fpu.fop &= 0x7FF
    cpu.fpu.fip = cpu.fpu.fdp = 0
    if operand_bits(insn) == 64:
        memcpy(&cpu.fpu.fip, image + 8, 8)
        memcpy(&cpu.fpu.fdp, image + 16, 8)
    else:
        memcpy(&cpu.fpu.fip, image + 8, 4)
        memcpy(&cpu.fpu.fdp, image + 16, 4)
    top = (cpu.fpu.fsw >> 11) & 7
    for i in range(8):
        memcpy(cpu.fpu.st[(top + i) & 7], image + FX_ST + 16 * i, 10)


cdef inline void _init_x87(Cpu* cpu) noexcept nogil:
    memset(&cpu.fpu, 0, sizeof(Fpu))
    cpu.fpu.fcw = 0x37F


cdef inline bint _x87_is_initial(Cpu* cpu) noexcept nogil:
    """Whether the x87 state is that of FNINIT, with all registers zero."""
    cdef Fpu initial
    memset(&initial, 0, sizeof(Fpu))
    initial.fcw = 0x37F
    return memcmp(&initial, &cpu.fpu, sizeof(Fpu)) == 0


cdef inline void _put_mxcsr(Cpu* cpu, u8* image) noexcept nogil:
    cdef u32 valid = MXCSR_VALID
    mxcsr_collect(cpu)
    memcpy(image + FX_MXCSR, &cpu.mxcsr, 4)
    memcpy(image + FX_MXCSR + 4, &valid, 4)


cdef inline int _vector_count(Cpu* cpu) noexcept nogil:
    return 16 if in_64bit(cpu) else 8


cdef inline void _put_xmm(Cpu* cpu, u8* image) noexcept nogil:
    cdef int i
    for i in range(_vector_count(cpu)):
        memcpy(image + FX_XMM + 16 * i, &cpu.xmm[i].lo, 16)


cdef inline void _take_xmm(Cpu* cpu, const u8* image) noexcept nogil:
    cdef int i
    for i in range(_vector_count(cpu)):
        memcpy(&cpu.xmm[i].lo, image + FX_XMM + 16 * i, 16)


cdef inline int _check_image(Cpu* cpu, Insn* insn, int alignment, int size, bint write,
                             u64* laddr) noexcept nogil:
    """Check address and alignment, in this order."""
    if linear_address(cpu, insn.seg, effective_address(cpu, insn), size, write, laddr):
        return FAULT
    return raise_gp(cpu, 0) if laddr[0] & (alignment - 1) else 0


cdef inline int _check_legacy(Cpu* cpu, Insn* insn, bint write) noexcept nogil:
    """Check a 512-byte image; its last byte is looked at first."""
    cdef u64 laddr
    if _check_image(cpu, insn, 16, XSAVE_HEADER, write, &laddr):
        return FAULT
    return probe_slow(cpu, cpu.which, laddr + XSAVE_HEADER - 1, 1,
                      ACCESS_WRITE if write else ACCESS_READ)


cdef inline u32 _mxcsr_of(const u8* image) noexcept nogil:
    cdef u32 value
    memcpy(&value, image + FX_MXCSR, 4)
    return value


cdef inline int fxsave(Cpu* cpu, Insn* insn) noexcept nogil:
    """Save x87, MMX and SSE state in the 512-byte format.

    NP W0 0F AE /0      FXSAVE M      FXSR
    NP REX.W 0F AE /0   FXSAVE64 M    FXSR

    Flags: none.
    Source: SDM Vol. 2A, FXSAVE.
    """
    cdef u8 image[FX_END]
    cdef MemRef ref
    x87_spill(cpu)
    if cpu.cr0 & (CR0_EM | CR0_TS):
        return raise_fault(cpu, NM)
    if _check_legacy(cpu, insn, True) or open_ea(cpu, insn, FX_END, &ref):
        return FAULT
    ref_read(cpu, &ref, FX_END, image)
    _put_x87(cpu, insn, image)
    _put_mxcsr(cpu, image)
    if cpu.cr4 & CR4_OSFXSR:
        _put_xmm(cpu, image)
    ref_write(cpu, &ref, FX_END, image)
    return NEXT


cdef inline int fxrstor(Cpu* cpu, Insn* insn) noexcept nogil:
    """Restore x87, MMX and SSE state; a reserved bit of MXCSR is #GP(0).

    NP W0 0F AE /1      FXRSTOR M     FXSR
    NP REX.W 0F AE /1   FXRSTOR64 M   FXSR

    Flags: none.
    Source: SDM Vol. 2A, FXRSTOR.
    """
    cdef u8 image[XSAVE_HEADER]
    x87_spill(cpu)
    if cpu.cr0 & (CR0_EM | CR0_TS):
        return raise_fault(cpu, NM)
    if _check_legacy(cpu, insn, False) or load_ea(cpu, insn, XSAVE_HEADER, image):
        return FAULT
    if _mxcsr_of(image) & ~<u32>MXCSR_VALID:
        return raise_gp(cpu, 0)
    _take_x87(cpu, insn, image)
    if cpu.cr4 & CR4_OSFXSR:
        mxcsr_write(cpu, _mxcsr_of(image))
        _take_xmm(cpu, image)
    return NEXT


# ---------------------------------------------------------------------------------------------
# XSAVE, standard format

cdef inline int _xsave_unready(Cpu* cpu) noexcept nogil:
    """Take the state off the host's x87 unit; raise #UD or #NM if there is reason to."""
    x87_spill(cpu)
    if not cpu.cr4 & CR4_OSXSAVE:
        return raise_fault(cpu, UD)
    if cpu.cr0 & CR0_TS:
        return raise_fault(cpu, NM)
    return 0


cdef inline u64 _requested(Cpu* cpu) noexcept nogil:
    """Return the requested-feature bitmap: EDX:EAX where XCR0 allows it."""
    return (<u64><u32>cpu.regs[RDX] << 32 | <u32>cpu.regs[RAX]) & cpu.xcr0


cdef inline u64 _in_use(Cpu* cpu) noexcept nogil:
    """Return XINUSE: the components that are not in their initial configuration."""
    cdef u64 sse = 0, avx = 0, out
    cdef int i
    for i in range(_vector_count(cpu)):
        sse |= cpu.xmm[i].lo.q[0] | cpu.xmm[i].lo.q[1]
        avx |= cpu.xmm[i].hi.q[0] | cpu.xmm[i].hi.q[1]
    out = 0 if _x87_is_initial(cpu) else XSTATE_X87
    if sse or cpu.mxcsr != MXCSR_MASKS:
        out |= XSTATE_SSE
    return out | (XSTATE_AVX if avx else 0)


cdef inline int _image_size(Cpu* cpu, u64 requested) noexcept nogil:
    return XSAVE_END if requested & XSTATE_AVX else XSAVE_AVX


cdef inline int xsave(Cpu* cpu, Insn* insn) noexcept nogil:
    """Save the requested state components; those that XSTATE_BV will not name may hold anything.

    NP W0 0F AE /4      XSAVE M        XSAVE
    NP REX.W 0F AE /4   XSAVE64 M      XSAVE
    NP W0 0F AE /6      XSAVEOPT M     XSAVEOPT
    NP REX.W 0F AE /6   XSAVEOPT64 M   XSAVEOPT

    Flags: none.
    Source: SDM Vol. 2C, XSAVE; SDM Vol. 1, Operation of XSAVE.
    """
    cdef u8 image[XSAVE_END]
    cdef MemRef ref
    cdef u64 requested, present, laddr
    cdef int size, i
    if _xsave_unready(cpu):
        return FAULT
    requested = _requested(cpu)
    size = _image_size(cpu, requested)
    if (_check_image(cpu, insn, 64, size, True, &laddr)
            or open_ea(cpu, insn, size, &ref)):
        return FAULT
    ref_read(cpu, &ref, size, image)
    if requested & (XSTATE_SSE | XSTATE_AVX):
        _put_mxcsr(cpu, image)
    if requested & XSTATE_X87:
        _put_x87(cpu, insn, image)
    if requested & XSTATE_SSE:
        _put_xmm(cpu, image)
    if requested & XSTATE_AVX:
        for i in range(_vector_count(cpu)):
            memcpy(image + XSAVE_AVX + 16 * i, &cpu.xmm[i].hi, 16)
    memcpy(&present, image + XSAVE_HEADER, 8)
    present = (present & ~requested) | (_in_use(cpu) & requested)
    memcpy(image + XSAVE_HEADER, &present, 8)
    ref_write(cpu, &ref, size, image)
    return NEXT


cdef inline void _restore_vectors(Cpu* cpu, u64 requested, u64 present,
                                  const u8* image) noexcept nogil:
    cdef int i
    for i in range(_vector_count(cpu)):
        if requested & XSTATE_SSE:
            memset(&cpu.xmm[i].lo, 0, 16)
        if requested & XSTATE_AVX:
            memset(&cpu.xmm[i].hi, 0, 16)
            if present & XSTATE_AVX:
                memcpy(&cpu.xmm[i].hi, image + XSAVE_AVX + 16 * i, 16)
    if requested & present & XSTATE_SSE:
        _take_xmm(cpu, image)


cdef inline int xrstor(Cpu* cpu, Insn* insn) noexcept nogil:
    """Restore the requested state components, or their initial configuration where XSTATE_BV is 0.

    NP W0 0F AE /5      XRSTOR M     XSAVE
    NP REX.W 0F AE /5   XRSTOR64 M   XSAVE

    Flags: none.
    Source: SDM Vol. 2C, XRSTOR; SDM Vol. 1, Operation of XRSTOR.
    """
    cdef u8 image[XSAVE_END]
    cdef u64 header[3]
    cdef u64 requested, laddr
    cdef int size
    if _xsave_unready(cpu):
        return FAULT
    requested = _requested(cpu)
    size = _image_size(cpu, requested)
    if (_check_image(cpu, insn, 64, size, False, &laddr)
            or load_ea(cpu, insn, size, image)):
        return FAULT
    memcpy(header, image + XSAVE_HEADER, 24)
    if header[0] & ~cpu.xcr0 or header[1] or header[2]:
        return raise_gp(cpu, 0)
    if requested & (XSTATE_SSE | XSTATE_AVX):
        if _mxcsr_of(image) & ~<u32>MXCSR_VALID:
            return raise_gp(cpu, 0)
        mxcsr_write(cpu, _mxcsr_of(image))
    if requested & header[0] & XSTATE_X87:
        _take_x87(cpu, insn, image)
    elif requested & XSTATE_X87:
        _init_x87(cpu)
    _restore_vectors(cpu, requested, header[0], image)
    return NEXT
