"""Single bits, bit scans and counts, CRC32, MOVBE."""

from pykern_c.types cimport *
from pykern_c.cpu cimport *
from pykern_c.flags cimport *
from pykern_c.operands cimport *
from pykern_c.mmu cimport MemRef, ref_read, ref_write

cdef extern from *:
    """
    #ifndef PYKERN_BITS
    #define PYKERN_BITS
    /* CRC-32C of each nibble, reflected polynomial 82F63B78H. */
    static const uint32_t pk_crc32c[16] = {
        0x00000000, 0x105EC76F, 0x20BD8EDE, 0x30E349B1, 0x417B1DBC, 0x5125DAD3, 0x61C69362,
        0x7198540D, 0x82F63B78, 0x92A8FC17, 0xA24BB5A6, 0xB21572C9, 0xC38D26C4, 0xD3D3E1AB,
        0xE330A81A, 0xF36E6F75,
    };
    #endif
    """
    const u32 CRC32C "pk_crc32c"[]
    # Undefined for 0.
    int lowest_bit "__builtin_ctzll"(u64 value) noexcept nogil
    int leading_zeros "__builtin_clzll"(u64 value) noexcept nogil
    int count_bits "__builtin_popcountll"(u64 value) noexcept nogil


# -------------------------------------------------------------------------------------------------
# Bit tests. A register offset counts from the addressed byte in a string of bits, in both
# directions.

cdef inline u64 selected(int w, u64 index) noexcept nogil:
    return <u64>1 << (index & (w - 1))


cdef inline u64 bt(Cpu* cpu, int w, u64 dst, u64 src) noexcept nogil:
    """Bit test.

    0F A3 /r      BT Rv, Gv    nowrite undef=OSAP
    0F BA /4 ib   BT Ev, Ib    nowrite undef=OSAP

    Flags: C.
    Source: SDM Vol. 2A, BT.
    """
    set_cf(cpu, (dst & selected(w, src)) != 0)
    return dst


cdef inline u64 bts(Cpu* cpu, int w, u64 dst, u64 src) noexcept nogil:
    """Bit test and set.

    0F AB /r      BTS Rv, Gv   undef=OSAP
    0F BA /5 ib   BTS Ev, Ib   lock undef=OSAP

    Flags: C.
    Source: SDM Vol. 2A, BTS.
    """
    set_cf(cpu, (dst & selected(w, src)) != 0)
    return dst | selected(w, src)


cdef inline u64 btr(Cpu* cpu, int w, u64 dst, u64 src) noexcept nogil:
    """Bit test and reset.

    0F B3 /r      BTR Rv, Gv   undef=OSAP
    0F BA /6 ib   BTR Ev, Ib   lock undef=OSAP

    Flags: C.
    Source: SDM Vol. 2A, BTR.
    """
    set_cf(cpu, (dst & selected(w, src)) != 0)
    return dst & ~selected(w, src)


cdef inline u64 btc(Cpu* cpu, int w, u64 dst, u64 src) noexcept nogil:
    """Bit test and complement.

    0F BB /r      BTC Rv, Gv   undef=OSAP
    0F BA /7 ib   BTC Ev, Ib   lock undef=OSAP

    Flags: C.
    Source: SDM Vol. 2A, BTC.
    """
    set_cf(cpu, (dst & selected(w, src)) != 0)
    return dst ^ selected(w, src)


cdef inline u64 bit_address(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """Return the offset of the operand that holds the bit named by a register."""
    cdef i64 bit = <i64>sext(get_reg(cpu, w, insn.r), w)
    cdef int size_shift = 1 if w == 16 else 2 if w == 32 else 3
    cdef i64 operand = bit >> (size_shift + 3)
    return trunc(effective_address(cpu, insn) + (<u64>operand << size_shift), address_bits(insn))


cdef inline int bt_string(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """Bit test in memory.

    0F A3 /r   BT Mv, Gv   undef=OSAP

    Flags: C.
    Source: SDM Vol. 2A, BT; SDM Vol. 1, Bit String Addressing.
    """
    cdef u64 value = 0
    if load(cpu, insn.seg, bit_address(cpu, insn, w), w >> 3, &value):
        return FAULT
    bt(cpu, w, value, get_reg(cpu, w, insn.r))
    return NEXT


cdef inline int open_bit(Cpu* cpu, Insn* insn, int w, MemRef* ref, u64* value) noexcept nogil:
    """Open the operand that holds the bit for reading and writing."""
    value[0] = 0
    if open_rw(cpu, insn.seg, bit_address(cpu, insn, w), w >> 3, ref):
        return FAULT
    ref_read(cpu, ref, w >> 3, value)
    return 0


cdef inline int bts_string(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """Bit test and set in memory.

    0F AB /r   BTS Mv, Gv   lock undef=OSAP

    Flags: C.
    Source: SDM Vol. 2A, BTS; SDM Vol. 1, Bit String Addressing.
    """
    cdef MemRef ref
    cdef u64 value
    if open_bit(cpu, insn, w, &ref, &value):
        return FAULT
    value = bts(cpu, w, value, get_reg(cpu, w, insn.r))
    ref_write(cpu, &ref, w >> 3, &value)
    return NEXT


cdef inline int btr_string(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """Bit test and reset in memory.

    0F B3 /r   BTR Mv, Gv   lock undef=OSAP

    Flags: C.
    Source: SDM Vol. 2A, BTR; SDM Vol. 1, Bit String Addressing.
    """
    cdef MemRef ref
    cdef u64 value
    if open_bit(cpu, insn, w, &ref, &value):
        return FAULT
    value = btr(cpu, w, value, get_reg(cpu, w, insn.r))
    ref_write(cpu, &ref, w >> 3, &value)
    return NEXT


cdef inline int btc_string(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """Bit test and complement in memory.

    0F BB /r   BTC Mv, Gv   lock undef=OSAP

    Flags: C.
    Source: SDM Vol. 2A, BTC; SDM Vol. 1, Bit String Addressing.
    """
    cdef MemRef ref
    cdef u64 value
    if open_bit(cpu, insn, w, &ref, &value):
        return FAULT
    value = btc(cpu, w, value, get_reg(cpu, w, insn.r))
    ref_write(cpu, &ref, w >> 3, &value)
    return NEXT


# -------------------------------------------------------------------------------------------------
# Scans and counts

cdef inline void scan(Cpu* cpu, int w, u32 r, u64 src, bint forward) noexcept nogil:
    """BSF and BSR of a value; of zero, the whole destination register stays as it is.

    Of the flags only ZF is defined; processors clear C, O, S and A and make P the parity of the
    result.
    """
    cdef u64 index
    cpu.cc_aux = 0
    cpu.cc_res = 0                              # ZF and PF
    if src == 0:
        return
    index = lowest_bit(src) if forward else 63 - leading_zeros(src)
    cpu.cc_res = index | 0x100                  # not zero; only the low byte counts for PF
    set_reg(cpu, w, r, index)


cdef inline int bsf(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """Bit scan forward.

    0F BC /r   BSF Gv, Ev   fast=bsf_fast undef=OSAPC

    Flags: OSZAPC.
    Source: SDM Vol. 2A, BSF; a zero source as AMD64 Architecture Programmer's Manual Vol. 3, BSF.
    """
    cdef u64 src
    if read_E(cpu, insn, w, &src):
        return FAULT
    scan(cpu, w, insn.r, src, True)
    return NEXT


cdef inline bint bsf_fast(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """BSF of a register."""
    scan(cpu, w, insn.r, get_reg(cpu, w, insn.b), True)
    return True


cdef inline int bsr(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """Bit scan reverse.

    0F BD /r   BSR Gv, Ev   fast=bsr_fast undef=OSAPC

    Flags: OSZAPC.
    Source: SDM Vol. 2A, BSR; a zero source as AMD64 Architecture Programmer's Manual Vol. 3, BSR.
    """
    cdef u64 src
    if read_E(cpu, insn, w, &src):
        return FAULT
    scan(cpu, w, insn.r, src, False)
    return NEXT


cdef inline bint bsr_fast(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """BSR of a register."""
    scan(cpu, w, insn.r, get_reg(cpu, w, insn.b), False)
    return True


cdef inline void set_flags_count(Cpu* cpu, u64 result, u64 cf, u64 of) noexcept nogil:
    """Set ZF from a count, C and O as given; clear S, A and P."""
    cpu.cc_res = result != 0                    # a result of 1 has odd parity, of 0 needs the delta
    cpu.cc_aux = cf << 63 | (cf ^ of) << 62 | <u64>(result == 0) << AUX_PD_SHIFT


cdef inline u64 tzcnt(Cpu* cpu, int w, u64 src) noexcept nogil:
    """Count trailing zeros; without BMI1 the same bytes are BSF.

    F3 0F BC /r   TZCNT Gv, Ev   nodst BMI1 undef=OSAP

    Flags: ZC; OF stays, S, A and P are cleared.
    Source: SDM Vol. 2B, TZCNT.
    """
    cdef u64 result = w if src == 0 else lowest_bit(src)
    set_flags_count(cpu, result, src == 0, flag_of(cpu))
    return result


cdef inline u64 lzcnt(Cpu* cpu, int w, u64 src) noexcept nogil:
    """Count leading zeros; without LZCNT the same bytes are BSR.

    F3 0F BD /r   LZCNT Gv, Ev   nodst LZCNT undef=OSAP

    Flags: ZC; OF stays, S, A and P are cleared.
    Source: SDM Vol. 2A, LZCNT.
    """
    cdef u64 result = w if src == 0 else leading_zeros(src) - (64 - w)
    set_flags_count(cpu, result, src == 0, flag_of(cpu))
    return result


cdef inline u64 popcnt(Cpu* cpu, int w, u64 src) noexcept nogil:
    """Count the bits that are set.

    F3 0F B8 /r   POPCNT Gv, Ev   nodst POPCNT

    Flags: OSZAPC; all but ZF are cleared.
    Source: SDM Vol. 2B, POPCNT.
    """
    cdef u64 result = count_bits(src)
    set_flags_count(cpu, result, 0, 0)
    return result


# -------------------------------------------------------------------------------------------------

cdef inline u32 crc_of(u32 crc, u64 value, int w) noexcept nogil:
    """Return the CRC-32C of `w` more bits."""
    cdef int i
    for i in range(w >> 2):
        crc = crc >> 4 ^ CRC32C[(crc ^ (value >> (4 * i))) & 15]
    return crc


cdef inline int crc32_b(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """Accumulate the CRC-32C of a byte.

    F2 0F 38 F0 /r   CRC32 Gy, Eb   SSE4_2

    Flags: none.
    Source: SDM Vol. 2A, CRC32.
    """
    cdef u64 src
    if read_E(cpu, insn, 8, &src):
        return FAULT
    set_reg(cpu, w, insn.r, crc_of(<u32>cpu.regs[insn.r], src, 8))
    return NEXT


cdef inline int crc32_v(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """Accumulate the CRC-32C of 16, 32 or 64 bits.

    F2 0F 38 F1 /r   CRC32 Gy, Ev   SSE4_2 fast=crc32_fast

    Flags: none.
    Source: SDM Vol. 2A, CRC32.
    """
    cdef u64 src
    if read_E(cpu, insn, operand_bits(insn), &src):
        return FAULT
    set_reg(cpu, w, insn.r, crc_of(<u32>cpu.regs[insn.r], src, operand_bits(insn)))
    return NEXT


cdef inline bint crc32_fast(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """CRC32 of a 32- or 64-bit register."""
    if operand_bits(insn) != w:
        return False
    set_reg(cpu, w, insn.r, crc_of(<u32>cpu.regs[insn.r], cpu.regs[insn.b], w))
    return True


cdef inline u64 movbe(Cpu* cpu, int w, u64 src) noexcept nogil:
    """Move with the bytes swapped.

    0F 38 F0 /r   MOVBE Gv, Mv   nodst MOVBE
    0F 38 F1 /r   MOVBE Mv, Gv   nodst MOVBE

    Flags: none.
    Source: SDM Vol. 2B, MOVBE.
    """
    src = (src & 0x00FF00FF00FF00FFULL) << 8 | (src >> 8) & 0x00FF00FF00FF00FFULL
    src = (src & 0x0000FFFF0000FFFFULL) << 16 | (src >> 16) & 0x0000FFFF0000FFFFULL
    return (src << 32 | src >> 32) >> (64 - w)
