"""Integer addition, subtraction, comparison; exchange-and-add, compare-and-exchange."""

from pykern_c.types cimport *
from pykern_c.cpu cimport *
from pykern_c.flags cimport *
from pykern_c.operands cimport *
from pykern_c.mmu cimport MemRef, ref_read, ref_write


cdef inline u64 add(Cpu* cpu, int w, u64 dst, u64 src) noexcept nogil:
    """Add.

    00 /r      ADD Eb, Gb    lock
    01 /r      ADD Ev, Gv    lock hot=reg64+quiet64+mem64+reg32
    02 /r      ADD Gb, Eb
    03 /r      ADD Gv, Ev   hot=mem64
    04 ib      ADD AL, Ib
    05 iz      ADD rAX, Iz
    80 /0 ib   ADD Eb, Ib    lock
    81 /0 iz   ADD Ev, Iz    lock
    82 /0 ib   ADD Eb, Ib    lock i64
    83 /0 ib   ADD Ev, Ibs   lock hot=reg64+quiet64+reg32

    Flags: OSZAPC.
    Liveness: kills.
    Pairs: result.
    Source: SDM Vol. 2A, ADD.
    """
    cdef u64 result = trunc(dst + src, w)
    set_flags_add(cpu, w, dst, src, result)
    return result


cdef inline u64 adc(Cpu* cpu, int w, u64 dst, u64 src) noexcept nogil:
    """Add with carry.

    10 /r      ADC Eb, Gb    lock
    11 /r      ADC Ev, Gv    lock
    12 /r      ADC Gb, Eb
    13 /r      ADC Gv, Ev
    14 ib      ADC AL, Ib
    15 iz      ADC rAX, Iz
    80 /2 ib   ADC Eb, Ib    lock
    81 /2 iz   ADC Ev, Iz    lock
    82 /2 ib   ADC Eb, Ib    lock i64
    83 /2 ib   ADC Ev, Ibs   lock

    Flags: OSZAPC.
    Source: SDM Vol. 2A, ADC.
    """
    cdef u64 result = trunc(dst + src + flag_cf(cpu), w)
    set_flags_add(cpu, w, dst, src, result)
    return result


cdef inline u64 sub(Cpu* cpu, int w, u64 dst, u64 src) noexcept nogil:
    """Subtract.

    28 /r      SUB Eb, Gb    lock
    29 /r      SUB Ev, Gv    lock hot=reg64+quiet64
    2A /r      SUB Gb, Eb
    2B /r      SUB Gv, Ev
    2C ib      SUB AL, Ib
    2D iz      SUB rAX, Iz
    80 /5 ib   SUB Eb, Ib    lock
    81 /5 iz   SUB Ev, Iz    lock
    82 /5 ib   SUB Eb, Ib    lock i64
    83 /5 ib   SUB Ev, Ibs   lock hot=reg64+quiet64

    Flags: OSZAPC.
    Liveness: kills.
    Pairs: sub.
    Source: SDM Vol. 2B, SUB.
    """
    cdef u64 result = trunc(dst - src, w)
    set_flags_sub(cpu, w, dst, src, result)
    return result


cdef inline u64 sbb(Cpu* cpu, int w, u64 dst, u64 src) noexcept nogil:
    """Subtract with borrow.

    18 /r      SBB Eb, Gb    lock
    19 /r      SBB Ev, Gv    lock
    1A /r      SBB Gb, Eb
    1B /r      SBB Gv, Ev
    1C ib      SBB AL, Ib
    1D iz      SBB rAX, Iz
    80 /3 ib   SBB Eb, Ib    lock
    81 /3 iz   SBB Ev, Iz    lock
    82 /3 ib   SBB Eb, Ib    lock i64
    83 /3 ib   SBB Ev, Ibs   lock

    Flags: OSZAPC.
    Source: SDM Vol. 2B, SBB.
    """
    cdef u64 result = trunc(dst - src - flag_cf(cpu), w)
    set_flags_sub(cpu, w, dst, src, result)
    return result


cdef inline u64 cmp(Cpu* cpu, int w, u64 dst, u64 src) noexcept nogil:
    """Compare: subtract and keep only the flags.

    38 /r      CMP Eb, Gb    nowrite
    39 /r      CMP Ev, Gv    nowrite
    3A /r      CMP Gb, Eb    nowrite
    3B /r      CMP Gv, Ev    nowrite
    3C ib      CMP AL, Ib    nowrite
    3D iz      CMP rAX, Iz   nowrite
    80 /7 ib   CMP Eb, Ib    nowrite
    81 /7 iz   CMP Ev, Iz    nowrite
    82 /7 ib   CMP Eb, Ib    nowrite i64
    83 /7 ib   CMP Ev, Ibs   nowrite

    Flags: OSZAPC.
    Liveness: kills.
    Pairs: sub.
    Source: SDM Vol. 2A, CMP.
    """
    cdef u64 result = trunc(dst - src, w)
    set_flags_sub(cpu, w, dst, src, result)
    return result


cdef inline u64 inc(Cpu* cpu, int w, u64 dst) noexcept nogil:
    """Increment.

    40+r       INC Zv        i64
    FE /0      INC Eb        lock
    FF /0      INC Ev        lock hot=reg64

    Flags: OSZAP; CF stays.
    Pairs: result.
    Source: SDM Vol. 2A, INC.
    """
    cdef u64 cf = flag_cf(cpu)
    cdef u64 result = trunc(dst + 1, w)
    set_flags_add(cpu, w, dst, 1, result)
    set_cf(cpu, cf)
    return result


cdef inline u64 dec(Cpu* cpu, int w, u64 dst) noexcept nogil:
    """Decrement.

    48+r       DEC Zv        i64
    FE /1      DEC Eb        lock
    FF /1      DEC Ev        lock

    Flags: OSZAP; CF stays.
    Pairs: result.
    Source: SDM Vol. 2A, DEC.
    """
    cdef u64 cf = flag_cf(cpu)
    cdef u64 result = trunc(dst - 1, w)
    set_flags_sub(cpu, w, dst, 1, result)
    set_cf(cpu, cf)
    return result


cdef inline u64 neg(Cpu* cpu, int w, u64 dst) noexcept nogil:
    """Two's complement negation.

    F6 /3      NEG Eb        lock
    F7 /3      NEG Ev        lock

    Flags: OSZAPC.
    Liveness: kills.
    Source: SDM Vol. 2B, NEG.
    """
    cdef u64 result = trunc(-dst, w)
    set_flags_sub(cpu, w, 0, dst, result)
    return result


cdef inline int xadd(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """Exchange and add.

    0F C0 /r   XADD Eb, Gb   lock
    0F C1 /r   XADD Ev, Gv   lock

    Flags: OSZAPC.
    Source: SDM Vol. 2C, XADD.
    """
    cdef MemRef ref
    cdef u64 dst = 0, src = get_reg(cpu, w, insn.r), result
    if is_mem(insn):
        if open_ea(cpu, insn, w >> 3, &ref):
            return FAULT
        ref_read(cpu, &ref, w >> 3, &dst)
    else:
        dst = get_reg(cpu, w, insn.b)
    result = trunc(dst + src, w)
    set_flags_add(cpu, w, dst, src, result)
    set_reg(cpu, w, insn.r, dst)
    if is_mem(insn):
        ref_write(cpu, &ref, w >> 3, &result)
    else:
        set_reg(cpu, w, insn.b, result)
    return NEXT


cdef inline int cmpxchg(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """Compare and exchange; memory is written in either case.

    0F B0 /r   CMPXCHG Eb, Gb   lock
    0F B1 /r   CMPXCHG Ev, Gv   lock

    Flags: OSZAPC.
    Source: SDM Vol. 2A, CMPXCHG.
    """
    cdef MemRef ref
    cdef u64 dst = 0, accumulator = trunc(cpu.regs[RAX], w), value
    if is_mem(insn):
        if open_ea(cpu, insn, w >> 3, &ref):
            return FAULT
        ref_read(cpu, &ref, w >> 3, &dst)
    else:
        dst = get_reg(cpu, w, insn.b)
    set_flags_sub(cpu, w, accumulator, dst, trunc(accumulator - dst, w))
    value = get_reg(cpu, w, insn.r) if accumulator == dst else dst
    if is_mem(insn):
        ref_write(cpu, &ref, w >> 3, &value)
    elif accumulator == dst:
        set_reg(cpu, w, insn.b, value)
    if accumulator != dst:
        set_reg(cpu, w, RAX, dst)
    return NEXT


cdef inline int cmpxchg8b(Cpu* cpu, Insn* insn) noexcept nogil:
    """Compare and exchange 8 bytes.

    0F C7 /1   CMPXCHG8B Mq   lock

    Flags: Z.
    Source: SDM Vol. 2A, CMPXCHG8B/CMPXCHG16B.
    """
    cdef MemRef ref
    cdef u64 old, new
    cdef u64 wanted = <u32>cpu.regs[RAX] | cpu.regs[RDX] << 32
    cdef u64 flags = get_arith_flags(cpu) & ~<u64>FLAG_ZF
    if open_ea(cpu, insn, 8, &ref):
        return FAULT
    ref_read(cpu, &ref, 8, &old)
    if old == wanted:
        new = <u32>cpu.regs[RBX] | cpu.regs[RCX] << 32
        flags |= FLAG_ZF
    else:
        new = old
        cpu.regs[RAX] = <u32>old
        cpu.regs[RDX] = old >> 32
    ref_write(cpu, &ref, 8, &new)
    set_arith_flags(cpu, flags)
    return NEXT


cdef inline int cmpxchg16b(Cpu* cpu, Insn* insn) noexcept nogil:
    """Compare and exchange 16 bytes, which must be aligned.

    REX.W 0F C7 /1   CMPXCHG16B Mdq   lock CX16 ptr=oword

    Flags: Z.
    Source: SDM Vol. 2A, CMPXCHG8B/CMPXCHG16B.
    """
    cdef MemRef ref
    cdef u64[2] old
    cdef u64 flags = get_arith_flags(cpu) & ~<u64>FLAG_ZF
    cdef u64 offset = effective_address(cpu, insn)
    # There is this one in 64-bit mode only, where alignment comes before being canonical.
    if (offset + (cpu.seg[insn.seg].base if insn.seg >= FS else 0)) & 15:
        return raise_gp(cpu, 0)
    if open_ea(cpu, insn, 16, &ref):
        return FAULT
    ref_read(cpu, &ref, 16, old)
    if old[0] == cpu.regs[RAX] and old[1] == cpu.regs[RDX]:
        old[0] = cpu.regs[RBX]
        old[1] = cpu.regs[RCX]
        flags |= FLAG_ZF
    else:
        cpu.regs[RAX] = old[0]
        cpu.regs[RDX] = old[1]
    ref_write(cpu, &ref, 16, old)
    set_arith_flags(cpu, flags)
    return NEXT


cdef inline u64 adcx(Cpu* cpu, int w, u64 dst, u64 src) noexcept nogil:
    """Add with CF as carry, and no other flag.

    66 0F 38 F6 /r   ADCX Gy, Ey   ADX

    Flags: C.
    Source: SDM Vol. 2A, ADCX.
    """
    cdef u64 result = trunc(dst + src + flag_cf(cpu), w)
    set_cf(cpu, sign_bit((dst & src) | ((dst | src) & ~result), w))
    return result


cdef inline u64 adox(Cpu* cpu, int w, u64 dst, u64 src) noexcept nogil:
    """Add with OF as carry, and no other flag.

    F3 0F 38 F6 /r   ADOX Gy, Ey   ADX

    Flags: O.
    Source: SDM Vol. 2A, ADOX.
    """
    cdef u64 result = trunc(dst + src + flag_of(cpu), w)
    set_cf_of(cpu, flag_cf(cpu), sign_bit((dst & src) | ((dst | src) & ~result), w))
    return result
