"""Which instructions may run on the host CPU, and how their end is recognised.

Only opcode, prefixes and ModRM are looked at. Refused is what would leave the process (system
calls, hypercalls), change state the process lives on (FS and GS bases, XCR0, PKRU), wait, or give
an answer that depends on the machine and the moment (CPUID, RDTSC, RDRAND, descriptor tables).
Privileged instructions are not refused: at CPL 3 they raise #GP, which is worth comparing.
"""

from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t
from libc.string cimport memcpy


cdef enum Policy:
    REFUSE
    RUN       # falls through: a jump behind it leads back
    BRANCH    # relative branch: INT3 or an unmapped page at either destination end it
    STEP      # may go anywhere: RFLAGS.TF ends it, at five times the cost in a virtual machine


cdef struct Opcode:
    int map             # 1: one byte; 2: 0F; 3: 0F 38; 4: 0F 3A; 0: VEX, EVEX, XOP
    uint8_t byte
    uint8_t modrm       # the byte behind the opcode, 0 behind the end
    bint rep            # F3
    bint fs             # FS override
    bint opsize         # 66


cdef inline Opcode opcode_of(const uint8_t* code, int length) noexcept nogil:
    """Skip the prefixes and find map, opcode byte and ModRM."""
    cdef Opcode op
    cdef int i = 0
    op.map, op.rep, op.fs, op.opsize, op.byte, op.modrm = 1, False, False, False, 0, 0
    # A REX before another prefix is legal and ignored.
    while i < length and (code[i] & 0xF0 == 0x40 or code[i] in (
        0x66, 0x67, 0xF0, 0xF2, 0xF3, 0x2E, 0x36, 0x3E, 0x26, 0x64, 0x65
    )):
        op.rep = op.rep or code[i] == 0xF3
        op.fs = op.fs or code[i] == 0x64
        op.opsize = op.opsize or code[i] == 0x66
        i += 1
    if i < length and code[i] == 0x0F:
        i += 1
        op.map = 2
        if i < length and code[i] in (0x38, 0x3A):
            op.map = 3 if code[i] == 0x38 else 4
            i += 1
    elif i < length and (code[i] in (0xC4, 0xC5, 0x62)
                         or (code[i] == 0x8F and i + 1 < length and code[i + 1] & 0x1F >= 8)):
        op.map = 0
    if i < length:
        op.byte = code[i]
    if i + 1 < length:
        op.modrm = code[i + 1]
    return op


cdef inline Policy _one_byte(Opcode op) noexcept nogil:
    cdef int reg = (op.modrm >> 3) & 7
    # INT n; INT1, whose RIP hypervisors report differently
    if op.byte in (0xCD, 0xF1):
        return REFUSE
    if op.byte == 0x8E and reg in (4, 5):           # MOV FS/GS
        return REFUSE
    if op.byte in (0xC6, 0xC7) and op.modrm == 0xF8:   # XABORT, XBEGIN
        return REFUSE
    if op.byte & 0xF0 == 0x70 or op.byte & 0xFC == 0xE0:    # Jcc, LOOPcc, JRCXZ
        return BRANCH
    if op.byte in (0xE8, 0xE9, 0xEB):
        return BRANCH
    if op.byte in (0xC2, 0xC3, 0xCA, 0xCB, 0xCF):
        return STEP
    if op.byte == 0xFF and 2 <= reg <= 5:           # indirect CALL, JMP
        return STEP
    return RUN


cdef inline Policy _group7(Opcode op) noexcept nogil:
    """0F 01: tables, and a corner full of system instructions."""
    cdef int reg = (op.modrm >> 3) & 7
    if op.modrm >= 0xC0:
        return RUN if op.modrm in (0xCA, 0xCB, 0xD1, 0xF8) else REFUSE   # CLAC STAC XSETBV SWAPGS
    return REFUSE if reg in (0, 1, 4, 5) else RUN   # SGDT SIDT SMSW: Linux emulates them


cdef inline Policy _group15(Opcode op) noexcept nogil:
    """0F AE: FXSAVE and its neighbours."""
    cdef int reg = (op.modrm >> 3) & 7
    if op.modrm >= 0xC0:
        return REFUSE if op.rep or reg < 5 else RUN     # RDFSBASE.., INCSSP, UMONITOR
    return REFUSE if reg in (4, 5) or (reg == 6 and op.rep) else RUN    # XSAVE, XRSTOR


cdef inline Policy _two_byte(Opcode op) noexcept nogil:
    cdef int reg = (op.modrm >> 3) & 7
    if op.byte & 0xF0 == 0x80:                      # Jcc
        return BRANCH
    if op.byte in (0x05, 0x34, 0x31, 0x33, 0x37, 0xA2, 0xA1, 0xA9, 0xB4, 0xB5, 0x02, 0x03):
        return REFUSE   # SYSCALL SYSENTER RDTSC RDPMC GETSEC CPUID POP FS/GS LFS LGS LAR LSL
    if op.byte == 0x00:                             # SLDT, STR, VERR, VERW
        return REFUSE if reg in (0, 1, 4, 5) else RUN
    if op.byte == 0x01:
        return _group7(op)
    if op.byte == 0xAE:
        return _group15(op)
    if op.byte == 0xC7:                             # CMPXCHG8B; XSAVEC, RDRAND, VMPTRLD ...
        return RUN if reg == 1 else REFUSE
    return RUN


cdef inline Policy policy_of(const uint8_t* code, int length) noexcept nogil:
    """Decide about one instruction."""
    cdef Opcode op = opcode_of(code, length)
    if op.fs:                                       # FS points at thread-local storage
        return REFUSE
    if op.map == 1:
        return _one_byte(op)
    if op.map == 2:
        return _two_byte(op)
    if op.map == 3 and op.byte in (0xF5, 0xF8):     # WRUSS, ENQCMD
        return REFUSE
    if op.map == 3 and op.byte == 0xF6 and not op.rep and not op.opsize:    # WRSS; not ADCX, ADOX
        return REFUSE
    return RUN


cdef inline int64_t displacement(const uint8_t* code, int length, Opcode op) noexcept nogil:
    """Return the displacement of a relative branch, which is its last part."""
    cdef int32_t wide
    if (op.map == 2 or op.byte in (0xE8, 0xE9)) and length > 4:
        memcpy(&wide, code + length - 4, 4)
        return wide
    return <int8_t>code[length - 1]


cdef inline Policy ending_of(
    const uint8_t* code, int length, int64_t lowest, int64_t highest
) noexcept nogil:
    """Refine `policy_of`: step a branch into itself, or out of `lowest` .. `highest`.

    66h is stepped too: AMD CPUs then cut the destination to 16 bits, Intel's ignore it.
    """
    cdef Policy policy = policy_of(code, length)
    cdef int64_t to
    if policy != BRANCH:
        return policy
    to = displacement(code, length, opcode_of(code, length))
    if -length <= to < 0 or not lowest <= to <= highest or opcode_of(code, length).opsize:
        return STEP
    return BRANCH
