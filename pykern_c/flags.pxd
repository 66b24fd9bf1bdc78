"""Arithmetic flags, kept lazily: the last result and its carries instead of six bits.

``cc_res`` is the result, sign-extended to 64 bits::

    ZF = cc_res == 0        SF = cc_res < 0, flipped by SD        PF = parity(low byte ^ PD)

``cc_aux`` holds the carries of the addition (or borrows of the subtraction)::

     63   62                        15      8     3    2
    +----+----+------------------- - +--------+---+----+----+--
    | CF | C' |          0           |   PD   |   | AF | SD |
    +----+----+------------------- - +--------+---+----+----+--

CF is the carry out of the top bit, C' into it, so OF = CF ^ C'. SD and PD are deltas that let a
value loaded by POPF say what no result can (ZF and SF at once).

References
----------
SDM Vol. 1, Status Flags.
"""

from pykern_c.types cimport QUIET, u8, u32, u64, i64, sext, mask, sign_bit
from pykern_c.cpu cimport (
    Cpu, FLAG_CF, FLAG_PF, FLAG_AF, FLAG_ZF, FLAG_SF, FLAG_OF, FLAGS_ARITH,
)

cdef enum:
    AUX_SD = 4
    AUX_AF = 8
    AUX_PD_SHIFT = 8

cdef extern from *:
    """
    #ifndef PYKERN_FLAGS
    #define PYKERN_FLAGS
    #define PK_AUX_CF 0x8000000000000000ULL
    #define PK_AUX_C1 0x4000000000000000ULL
    static inline int pk_even_parity(unsigned b) { return !__builtin_parity(b & 0xFF); }
    #endif
    """
    const u64 AUX_CF "PK_AUX_CF"
    const u64 AUX_C1 "PK_AUX_C1"
    bint even_parity "pk_even_parity"(u32 byte) noexcept nogil


cdef inline u64 aux_of(u64 carries, int w) noexcept nogil:
    """Lay a carry-out vector of `w` bits out as cc_aux."""
    return ((carries << (64 - w)) & (AUX_CF | AUX_C1)) | (carries & AUX_AF)


cdef inline void set_flags_add(Cpu* cpu, int w, u64 a, u64 b, u64 result) noexcept nogil:
    """Set OSZAPC after result = a + b (+ carry)."""
    if w & QUIET:
        return
    cpu.cc_res = sext(result, w)
    cpu.cc_aux = aux_of((a & b) | ((a | b) & ~result), w)


cdef inline void set_flags_sub(Cpu* cpu, int w, u64 a, u64 b, u64 result) noexcept nogil:
    """Set OSZAPC after result = a - b (- borrow)."""
    if w & QUIET:
        return
    cpu.cc_res = sext(result, w)
    cpu.cc_aux = aux_of((~a & b) | ((~a | b) & result), w)


cdef inline void set_flags_logic(Cpu* cpu, int w, u64 result) noexcept nogil:
    """Set SZP from the result, clear O, C and A."""
    if w & QUIET:
        return
    cpu.cc_res = sext(result, w)
    cpu.cc_aux = 0


cdef inline u64 flag_cf(Cpu* cpu) noexcept nogil:
    return cpu.cc_aux >> 63


cdef inline u64 flag_of(Cpu* cpu) noexcept nogil:
    return (cpu.cc_aux ^ (cpu.cc_aux << 1)) >> 63


cdef inline u64 flag_af(Cpu* cpu) noexcept nogil:
    return (cpu.cc_aux >> 3) & 1


cdef inline u64 flag_sf(Cpu* cpu) noexcept nogil:
    return (cpu.cc_res >> 63) ^ ((cpu.cc_aux >> 2) & 1)


cdef inline u64 flag_zf(Cpu* cpu) noexcept nogil:
    return cpu.cc_res == 0


cdef inline u64 flag_pf(Cpu* cpu) noexcept nogil:
    return even_parity(<u32>(cpu.cc_res ^ (cpu.cc_aux >> AUX_PD_SHIFT)))


cdef inline u64 get_arith_flags(Cpu* cpu) noexcept nogil:
    """Return OSZAPC as the bits of RFLAGS."""
    return (flag_cf(cpu) | flag_pf(cpu) << 2 | flag_af(cpu) << 4 | flag_zf(cpu) << 6
            | flag_sf(cpu) << 7 | flag_of(cpu) << 11)


cdef inline void set_arith_flags(Cpu* cpu, u64 flags) noexcept nogil:
    """Make OSZAPC what the bits of `flags` say."""
    cdef u64 cf = flags & FLAG_CF
    cdef u64 of = (flags >> 11) & 1
    cdef u64 zf = (flags >> 6) & 1
    cdef u64 aux = cf << 63 | (cf ^ of) << 62 | (flags >> 1 & AUX_AF)
    cpu.cc_res = 0 if zf else 1             # 0: SF clear, PF set; 1: SF clear, PF clear
    if flags & FLAG_SF:
        aux |= AUX_SD
    if ((flags >> 2) & 1) != zf:
        aux |= 1 << AUX_PD_SHIFT            # one bit flips the parity
    cpu.cc_aux = aux


cdef inline void set_cf(Cpu* cpu, u64 cf) noexcept nogil:
    """Change CF alone (0 or 1); OF stays."""
    cdef u64 of = flag_of(cpu)
    cpu.cc_aux = (cpu.cc_aux & ~(AUX_CF | AUX_C1)) | cf << 63 | (cf ^ of) << 62


cdef inline void set_cf_of(Cpu* cpu, u64 cf, u64 of) noexcept nogil:
    """Change CF and OF (each 0 or 1); the others stay."""
    cpu.cc_aux = (cpu.cc_aux & ~(AUX_CF | AUX_C1)) | cf << 63 | (cf ^ of) << 62


cdef inline void set_af(Cpu* cpu, u64 af) noexcept nogil:
    """Change AF alone (0 or 1)."""
    cpu.cc_aux = (cpu.cc_aux & ~<u64>AUX_AF) | af << 3


cdef inline u64 get_rflags(Cpu* cpu) noexcept nogil:
    """Return the whole of RFLAGS."""
    return (cpu.rflags & ~<u64>FLAGS_ARITH) | get_arith_flags(cpu) | 2


cdef inline bint condition(Cpu* cpu, int cc) noexcept nogil:
    """Evaluate a condition code as encoded in the low four bits of Jcc, SETcc and CMOVcc.

    Source: SDM Vol. 1, EFLAGS Condition Codes.
    """
    cdef u64 value
    cdef int kind = cc >> 1
    if kind == 0:
        value = flag_of(cpu)
    elif kind == 1:
        value = flag_cf(cpu)
    elif kind == 2:
        value = flag_zf(cpu)
    elif kind == 3:
        value = flag_cf(cpu) | flag_zf(cpu)
    elif kind == 4:
        value = flag_sf(cpu)
    elif kind == 5:
        value = flag_pf(cpu)
    elif kind == 6:
        value = flag_sf(cpu) ^ flag_of(cpu)
    else:
        value = (flag_sf(cpu) ^ flag_of(cpu)) | flag_zf(cpu)
    return value ^ (cc & 1)


# How the condition of a branch right behind an instruction follows from its operands.
cdef enum:
    PAIR_SUB = 1        # flags of a - b
    PAIR_LOGIC = 2      # flags of a logic result: CF = OF = 0
    PAIR_RESULT = 3     # only ZF and SF follow from the result


cdef inline bint pair_condition(Cpu* cpu, int kind, int w, u64 a, u64 b, u64 result,
                                int cc) noexcept nogil:
    """Evaluate a condition code from the operands just compared, not from the lazy flags.

    `kind`, `w` and `cc` are constants: what is left is one comparison.
    """
    cdef int test = cc >> 1
    cdef bint value
    if test == 2:
        value = result == 0
    elif test == 4:
        value = sign_bit(result, w)
    elif kind == PAIR_SUB and test == 1:
        value = a < b
    elif kind == PAIR_SUB and test == 3:
        value = a <= b
    elif kind == PAIR_SUB and test == 6:
        value = <i64>sext(a, w) < <i64>sext(b, w)
    elif kind == PAIR_SUB and test == 7:
        value = <i64>sext(a, w) <= <i64>sext(b, w)
    elif kind == PAIR_LOGIC and test == 1:
        value = False
    elif kind == PAIR_LOGIC and test == 3:
        value = result == 0
    elif kind == PAIR_LOGIC and test == 6:
        value = sign_bit(result, w)
    elif kind == PAIR_LOGIC and test == 7:
        value = <i64>sext(result, w) <= 0
    else:
        return condition(cpu, cc)
    return value ^ (cc & 1)
