"""Integer multiplication and division.

The SDM leaves SF, ZF, AF and PF undefined; multiplications here keep them, divisions set AF and
clear the others, as AMD processors do.
"""

from pykern_c.types cimport *
from pykern_c.cpu cimport *
from pykern_c.flags cimport *
from pykern_c.operands cimport *

cdef extern from *:
    """
    #ifndef PYKERN_MULDIV
    #define PYKERN_MULDIV
    static inline uint64_t pk_mulh(uint64_t a, uint64_t b)
    {
        return (uint64_t)((pk_u128)a * b >> 64);
    }
    static inline uint64_t pk_imulh(uint64_t a, uint64_t b)
    {
        return (uint64_t)((pk_i128)(int64_t)a * (int64_t)b >> 64);
    }
    #endif
    """
    u64 mulh "pk_mulh"(u64 a, u64 b) noexcept nogil
    u64 imulh "pk_imulh"(u64 a, u64 b) noexcept nogil


cdef inline void set_product(Cpu* cpu, int w, u64 low, u64 high) noexcept nogil:
    """Write a double-width product into AX, or rDX:rAX."""
    if w == 8:
        set_reg(cpu, 16, RAX, high << 8 | low)
        return
    set_reg(cpu, w, RAX, low)
    set_reg(cpu, w, RDX, high)


cdef inline u64 mul(Cpu* cpu, int w, u64 src) noexcept nogil:
    """Multiply the accumulator, unsigned.

    F6 /4      MUL Eb    nowrite undef=SZAP
    F7 /4      MUL Ev    nowrite undef=SZAP

    Flags: OC.
    Source: SDM Vol. 2B, MUL.
    """
    cdef u64 factor = trunc(cpu.regs[RAX], w), low = factor * src
    cdef u64 high = mulh(factor, src) if w == 64 else low >> w
    set_product(cpu, w, trunc(low, w), high)
    set_cf_of(cpu, high != 0, high != 0)
    return 0


cdef inline u64 imul1(Cpu* cpu, int w, u64 src) noexcept nogil:
    """Multiply the accumulator, signed.

    F6 /5      IMUL Eb    nowrite undef=SZAP
    F7 /5      IMUL Ev    nowrite undef=SZAP

    Flags: OC.
    Source: SDM Vol. 2A, IMUL.
    """
    cdef u64 factor = sext(cpu.regs[RAX], w), low = factor * sext(src, w)
    cdef u64 high = imulh(factor, src) if w == 64 else trunc(low >> w, w)
    cdef u64 cut
    low = trunc(low, w)
    cut = high != trunc(-sign_bit(low, w), w)
    set_product(cpu, w, low, high)
    set_cf_of(cpu, cut, cut)
    return 0


cdef inline u64 imul(Cpu* cpu, int w, u64 dst, u64 src) noexcept nogil:
    """Multiply, signed, and keep the low half; OF and CF tell whether that lost anything.

    0F AF /r   IMUL Gv, Ev         undef=SZAP
    69 /r iz   IMUL Gv, Ev, Iz     nodst undef=SZAP
    6B /r ib   IMUL Gv, Ev, Ibs    nodst undef=SZAP

    Flags: OC.
    Source: SDM Vol. 2A, IMUL.
    """
    cdef u64 a = sext(dst, w), b = sext(src, w), low = a * b
    cdef u64 cut
    if w == 64:
        cut = imulh(a, b) != <u64>(<i64>low >> 63)
    else:
        cut = sext(low, w) != low
    set_cf_of(cpu, cut, cut)
    return trunc(low, w)


# -------------------------------------------------------------------------------------------------
# Division. Dividends of 64 bits and less take the host's 64-bit division, others the compiler's
# of 128.

cdef inline bint div_small(int w, u64 high, u64 low, u64 by, u64* quotient,
                           u64* remainder) noexcept nogil:
    """Divide high:low of twice 8, 16 or 32 bits; False if the quotient does not fit."""
    cdef u64 n = high << w | low
    quotient[0] = n // by
    remainder[0] = n % by
    return quotient[0] <= mask(w)


cdef inline bint div_large(u64 high, u64 low, u64 by, u64* quotient,
                           u64* remainder) noexcept nogil:
    """Divide 128 by 64 bits; False if the quotient does not fit."""
    cdef u128 n, d = by
    if high >= by:
        return False
    if high == 0:
        quotient[0] = low // by
        remainder[0] = low % by
        return True
    n = high
    n = n << 64 | low
    quotient[0] = <u64>(n // d)
    remainder[0] = low - quotient[0] * by
    return True


cdef inline bint idiv_small(int w, u64 high, u64 low, u64 by, u64* quotient,
                            u64* remainder) noexcept nogil:
    """The same, signed; -1 apart, because the host's division overflows on the lowest number."""
    cdef i64 n = <i64>sext(high << w | low, 2 * w), d = <i64>sext(by, w)
    if d == -1:
        quotient[0] = -<u64>n
        remainder[0] = 0
    else:
        quotient[0] = <u64>(n // d)
        remainder[0] = <u64>(n % d)
    return sext(quotient[0], w) == quotient[0]


cdef inline bint idiv_large(u64 high, u64 low, u64 by, u64* quotient,
                            u64* remainder) noexcept nogil:
    """The same, signed: divide the magnitudes, then give quotient and remainder their signs."""
    cdef bint negative = <i64>high < 0, negate = negative != (<i64>by < 0)
    if negative:
        low = -low
        high = ~high + (low == 0)
    if not div_large(high, low, -by if <i64>by < 0 else by, quotient, remainder):
        return False
    if quotient[0] > 0x7FFFFFFFFFFFFFFFULL + negate:
        return False
    if negate:
        quotient[0] = -quotient[0]
    if negative:
        remainder[0] = -remainder[0]
    return True


cdef inline bint divide(Cpu* cpu, int w, u64 by, bint is_signed) noexcept nogil:
    """Divide AX or rDX:rAX and write quotient, remainder and flags; False, nothing changed: #DE."""
    cdef u64 high = (cpu.regs[RAX] >> 8) & 0xFF if w == 8 else trunc(cpu.regs[RDX], w)
    cdef u64 low = trunc(cpu.regs[RAX], w), quotient, remainder
    cdef bint fits
    if by == 0:
        return False
    if w == 64:
        fits = (idiv_large(high, low, by, &quotient, &remainder) if is_signed
                else div_large(high, low, by, &quotient, &remainder))
    else:
        fits = (idiv_small(w, high, low, by, &quotient, &remainder) if is_signed
                else div_small(w, high, low, by, &quotient, &remainder))
    if not fits:
        return False
    set_product(cpu, w, trunc(quotient, w), trunc(remainder, w))
    cpu.cc_res = 1                          # SF, ZF, PF clear
    cpu.cc_aux = cpu.cc_aux & (AUX_CF | AUX_C1) | AUX_AF
    return True


cdef inline int div(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """Divide, unsigned.

    F6 /6      DIV Eb    fast=div_fast undef=OSZAPC
    F7 /6      DIV Ev    fast=div_fast undef=OSZAPC

    Flags: OSZAPC, all undefined.
    Source: SDM Vol. 2A, DIV.
    """
    cdef u64 by
    if read_E(cpu, insn, w, &by):
        return FAULT
    return NEXT if divide(cpu, w, by, False) else raise_fault(cpu, DE)


cdef inline bint div_fast(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """DIV by a register."""
    return divide(cpu, w, get_reg(cpu, w, insn.b), False)


cdef inline int idiv(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """Divide, signed; the quotient is truncated towards zero.

    F6 /7      IDIV Eb    fast=idiv_fast undef=OSZAPC
    F7 /7      IDIV Ev    fast=idiv_fast undef=OSZAPC

    Flags: OSZAPC, all undefined.
    Source: SDM Vol. 2A, IDIV.
    """
    cdef u64 by
    if read_E(cpu, insn, w, &by):
        return FAULT
    return NEXT if divide(cpu, w, by, True) else raise_fault(cpu, DE)


cdef inline bint idiv_fast(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """IDIV by a register."""
    return divide(cpu, w, get_reg(cpu, w, insn.b), True)
