"""The pieces that templates of host code are made of: operands, addresses, flags, conditions.

Every function writes code to `c.p`. What the code does to flags is what flags.pxd does.
"""

from pykern_c.types cimport u8, u16, u32, u64, i32, i64, trunc
from pykern_c.cpu cimport Cpu, Insn, REG_PAGE, REG_ZERO, TLB_SIZE
from pykern_c.decode cimport (
    PLACE_IMM, PLACE_ONE, PLACE_RAX, PLACE_REG, TEMPLATE_SHL, TEMPLATE_SHR, Template,
)
from pykern_c.flags cimport AUX_AF, AUX_C1, AUX_CF, AUX_PD_SHIFT
from pykern_c.hostcode cimport *
from pykern_c.mmu cimport TlbEntry


# ---------------------------------------------------------------------------------------------
# Places in structures

cdef inline i32 offset_budget(Code* c) noexcept nogil:
    return <i32>(<u8*>&c.cpu.budget - <u8*>c.cpu)


cdef inline i32 offset_rip(Code* c) noexcept nogil:
    return <i32>(<u8*>&c.cpu.rip - <u8*>c.cpu)


cdef inline i32 offset_tlb(Code* c) noexcept nogil:
    return <i32>(<u8*>&c.cpu.tlb - <u8*>c.cpu)


cdef inline i32 offset_res(Code* c) noexcept nogil:
    return <i32>(<u8*>&c.cpu.cc_res - <u8*>c.cpu)


cdef inline i32 offset_aux(Code* c) noexcept nogil:
    return <i32>(<u8*>&c.cpu.cc_aux - <u8*>c.cpu)


cdef inline i32 offset_jumps(Code* c) noexcept nogil:
    return <i32>(<u8*>&c.cpu.jumps - <u8*>c.cpu)


cdef inline i32 offset_key(Code* c) noexcept nogil:
    return <i32>(<u8*>&c.cpu.code_key - <u8*>c.cpu)


cdef inline i32 offset_imm(Code* c) noexcept nogil:
    return <i32>(<u8*>&c.first.imm - <u8*>c.first)


cdef inline i32 offset_off(Code* c) noexcept nogil:
    return <i32>(<u8*>&c.first.off - <u8*>c.first)


cdef inline i32 offset_n(Code* c) noexcept nogil:
    return <i32>(<u8*>&c.first.n - <u8*>c.first)


cdef inline i32 offset_form(Code* c) noexcept nogil:
    return <i32>(<u8*>&c.first.form - <u8*>c.first)


cdef inline i32 guest(Code* c, u32 r) noexcept nogil:
    """Return where a general register stands."""
    return <i32>(<u8*>&c.cpu.regs[r] - <u8*>c.cpu)


# ---------------------------------------------------------------------------------------------
# Operands

cdef inline u32 register_of(Insn* insn, u32 place) noexcept nogil:
    """Return the number of a register operand, for 8 bits its byte offset."""
    if place == PLACE_REG:
        return insn.r
    return 0 if place == PLACE_RAX else insn.b


cdef inline int shift_count(Insn* insn, Template* t) noexcept nogil:
    """Return a constant count as the processor sees it."""
    if t.source == PLACE_ONE:
        return 1
    return <int>insn.imm & (63 if t.width == 64 else 31)


cdef inline void load_host(Code* c, int w, int host, int base) noexcept nogil:
    """Load `w` bits from [base], zero-extended."""
    if w == 8:
        op_rm(c, 32, OP_MOVZX8, host, base, 0)
    elif w == 16:
        op_rm(c, 32, OP_MOVZX16, host, base, 0)
    else:
        op_rm(c, w, OP_LOAD, host, base, 0)


cdef inline void store_host(Code* c, int w, int host, int base) noexcept nogil:
    """Store the low `w` bits to [base]; 8, 32 or 64."""
    op_rm(c, w, OP_STORE - 1 if w == 8 else OP_STORE, host, base, 0)


cdef inline void load_guest(Code* c, int w, int host, u32 r) noexcept nogil:
    """Load a guest register, zero-extended."""
    if w == 8:
        op_rm(c, 32, OP_MOVZX8, host, HOST_CPU, guest(c, 0) + r)
    elif w == 16:
        op_rm(c, 32, OP_MOVZX16, host, HOST_CPU, guest(c, r))
    else:
        op_rm(c, w, OP_LOAD, host, HOST_CPU, guest(c, r))


cdef inline void store_guest(Code* c, int w, int host, u32 r) noexcept nogil:
    """Store a zero-extended value to a guest register; 8 bits (no high byte): RDX is lost."""
    if w == 8:
        op_rm(c, 64, OP_LOAD, HOST_DX, HOST_CPU, guest(c, 0) + r)
        op_rr(c, 32, OP_STORE - 1, host, HOST_DX)
        host = HOST_DX
        r >>= 3
    op_rm(c, 64, OP_STORE, host, HOST_CPU, guest(c, r))


cdef inline void source(Code* c, Insn* insn, Template* t, int host) noexcept nogil:
    """Load the second operand, which is a register or a constant."""
    if t.source == PLACE_IMM:
        mov_ri(c, host, trunc(insn.imm, t.width))
    elif t.source == PLACE_ONE:
        mov_ri(c, host, 1)
    else:
        load_guest(c, t.source_width, host, register_of(insn, t.source))


# ---------------------------------------------------------------------------------------------
# Memory

cdef inline void leave_if(Code* c, int condition) noexcept nogil:
    """Leave the rest to the slow handler of this record."""
    c.exit[c.exits].record = c.record
    c.exit[c.exits].at = jcc(c, condition)
    c.exits += 1


cdef inline void linear_address(Code* c, Insn* insn) noexcept nogil:
    """RAX = address of the memory operand in flat 64-bit code; RCX is lost."""
    if insn.b == REG_ZERO:
        mov_ri(c, HOST_AX, <u64><i64>insn.disp)
    else:
        op_rm(c, 64, OP_LOAD, HOST_AX, HOST_CPU, guest(c, insn.b))
    if insn.x != REG_ZERO:
        op_rm(c, 64, OP_LOAD, HOST_CX, HOST_CPU, guest(c, insn.x))
        lea_index(c, HOST_AX, HOST_AX, HOST_CX, insn.scale, 0 if insn.b == REG_ZERO else insn.disp)
    elif insn.b != REG_ZERO and insn.disp:
        op_ri(c, 64, OP_ADD, HOST_AX, insn.disp)


cdef inline void write_map(Code* c, int size, bint write) noexcept nogil:
    """The look-up in the TLB, as a routine: RAX from linear to host address, R11 the entry.

    "Above" says that the access cannot be made like this. RCX and RDX are lost.
    """
    cdef u8* above
    op_rr(c, 64, OP_STORE, HOST_AX, HOST_R11)
    op_rr(c, 64, OP_STORE, HOST_AX, HOST_DX)
    shift_ri(c, 64, 5, HOST_R11, 12)
    shift_ri(c, 64, 5, HOST_DX, 21)
    op_rr(c, 32, OP_XOR, HOST_DX, HOST_R11)
    op_rr(c, 32, 0x81, 4, HOST_R11)
    put32(c, TLB_SIZE - 1)
    shift_ri(c, 32, 4, HOST_R11, 5)                         # sizeof(TlbEntry)
    op_rm(c, 64, OP_ADD | OP_FROM_RM, HOST_R11, HOST_CPU, offset_tlb(c))
    op_rm(c, 64, OP_XOR | OP_FROM_RM, HOST_AX, HOST_R11, 8 if write else 0)
    op_ri(c, 64, OP_CMP, HOST_AX, 4096 - size)
    above = jcc_short(c, IF_A)
    op_rm(c, 64, OP_ADD | OP_FROM_RM, HOST_AX, HOST_R11, 24)
    op_rr(c, 64, OP_CMP, HOST_AX, HOST_AX)
    land_short(above, c.p)
    put(c, 0xC3)


cdef inline void call_map(Code* c, u32 size, bint write) noexcept nogil:
    call(c, c.host.write + c.host.map[write][0 if size == 1 else 1 if size == 2 else
                                             2 if size == 4 else 3])


cdef inline int entry_of(Code* c, int base) noexcept nogil:
    """Return the register that holds the TLB entry used with a base register last, or -1."""
    if c.base[0] == base:
        return HOST_R10
    return HOST_SI if c.base[1] == base else -1


cdef inline void host_address_of(Code* c, int base, int size, bint write) noexcept nogil:
    """Turn the linear address in RAX into a host address, by the TLB; RCX, RDX, R11 are lost.

    An address made with the same base register as an earlier one is likely to lie in its page: that
    entry is tried first. The tag decides, so that a wrong guess costs time only.
    """
    cdef int entry = entry_of(c, base)
    cdef Miss* m = &c.miss[c.misses]
    if entry < 0 or c.misses == MAX_MISSES:
        call_map(c, size, write)
        leave_if(c, IF_A)
        c.base[c.oldest] = base
        op_rr(c, 64, OP_STORE, HOST_R11, HOST_SI if c.oldest else HOST_R10)
        c.oldest ^= 1
        return
    op_rm(c, 64, OP_XOR | OP_FROM_RM, HOST_AX, entry, 8 if write else 0)
    op_ri(c, 64, OP_CMP, HOST_AX, 4096 - size)
    m.at = jcc(c, IF_A)
    op_rm(c, 64, OP_ADD | OP_FROM_RM, HOST_AX, entry, 24)
    m.back = c.p
    m.record = c.record
    m.entry = entry
    m.size = size
    m.write = write
    c.misses += 1


cdef inline void write_misses(Code* c) noexcept nogil:
    """The full look-up for accesses whose guess was wrong."""
    cdef Miss* m
    cdef u32 i, record = c.record
    for i in range(c.misses):
        m = &c.miss[i]
        land(m.at, c.p)
        op_rm(c, 64, OP_XOR | OP_FROM_RM, HOST_AX, m.entry, 8 if m.write else 0)
        call_map(c, m.size, m.write)
        c.record = m.record
        leave_if(c, IF_A)
        op_rr(c, 64, OP_STORE, HOST_R11, m.entry)
        jump(c, m.back)
    c.record = record


cdef inline void host_operand(Code* c, Insn* insn, int size, bint write) noexcept nogil:
    """RAX = host address of the memory operand; RCX, RDX, R11 are lost."""
    linear_address(c, insn)
    host_address_of(c, insn.b, size, write)


# ---------------------------------------------------------------------------------------------
# Flags. R11 is lost in all, RDX in most.

cdef inline void keep_carries(Code* c) noexcept nogil:
    """Mask RDX to what cc_aux may hold of carries."""
    opcode(c, 64, OP_AND | OP_FROM_RM, HOST_DX, 0, 0)
    put(c, HOST_DX << 3 | 5)
    put32(c, 0)
    land(c.p - 4, c.host.write + c.host.carries)


cdef inline void store_aux(Code* c, int host) noexcept nogil:
    op_rm(c, 64, OP_STORE, host, HOST_CPU, offset_aux(c))


cdef inline void store_res(Code* c, int w, int host) noexcept nogil:
    """cc_res = a result, sign-extended."""
    if w < 64:
        op_rr(c, 64, OP_MOVSX8 if w == 8 else OP_MOVSXD, HOST_R11, host)
        host = HOST_R11
    op_rm(c, 64, OP_STORE, host, HOST_CPU, offset_res(c))


cdef inline void logic_flags(Code* c, int w) noexcept nogil:
    """set_flags_logic for the result in RAX."""
    store_res(c, w, HOST_AX)
    op_rr(c, 32, OP_XOR, HOST_DX, HOST_DX)
    store_aux(c, HOST_DX)


cdef inline void sum_flags(Code* c, int w, bint adds) noexcept nogil:
    """set_flags_add or set_flags_sub for RAX, RCX and their result in R8.

    a ^ b ^ result holds what came into every bit. Rotated right through the host's carry it holds
    what went out of every bit, which is how cc_aux has it.
    """
    op_rr(c, 64, OP_STORE, HOST_AX, HOST_DX)
    op_rr(c, 64, OP_XOR, HOST_CX, HOST_DX)
    op_rr(c, 64, OP_XOR, HOST_R8, HOST_DX)
    op_rr(c, w if w > 8 else 32, OP_CMP, HOST_CX, HOST_R8 if adds else HOST_AX)
    op_rr(c, w, 0xD0 if w == 8 else 0xD1, 3, HOST_DX)       # rcr
    if w < 64:
        op_rr(c, 64, OP_STORE, HOST_DX, HOST_R11)
        shift_ri(c, 64, 4, HOST_R11, 64 - w)
        op_rr(c, 64, OP_OR, HOST_R11, HOST_DX)
    keep_carries(c)
    store_aux(c, HOST_DX)
    store_res(c, w, HOST_R8)


cdef inline void step_flags(Code* c, int w) noexcept nogil:
    """INC and DEC: operand in RAX, result just made in R8, the host's OF valid; RCX is lost."""
    op_rr(c, 32, 0x0F90 | IF_O, 0, HOST_R11)
    op_rr(c, 32, OP_MOVZX8, HOST_R11, HOST_R11)
    shift_ri(c, 64, 4, HOST_R11, 62)
    op_rm(c, 64, OP_LOAD, HOST_DX, HOST_CPU, offset_aux(c))
    shift_ri(c, 64, 7, HOST_DX, 1)                          # CF where CF and its neighbour stand
    keep_carries(c)
    op_rr(c, 64, OP_XOR, HOST_R11, HOST_DX)
    op_rr(c, 32, OP_STORE, HOST_AX, HOST_CX)
    op_rr(c, 32, OP_XOR, HOST_R8, HOST_CX)
    op_ri(c, 32, OP_AND, HOST_CX, 16)
    shift_ri(c, 32, 5, HOST_CX, 1)
    op_rr(c, 64, OP_OR, HOST_CX, HOST_DX)
    store_aux(c, HOST_DX)
    store_res(c, w, HOST_R8)


cdef inline void shift_flags(Code* c, Template* t, int count) noexcept nogil:
    """Flags of a shift by a constant: operand in RAX, result in R8."""
    op_rr(c, 64, OP_STORE, HOST_AX, HOST_DX)
    if t.kind == TEMPLATE_SHL:
        if count - 1 + 64 - t.width:
            shift_ri(c, 64, 4, HOST_DX, count - 1 + 64 - t.width)
    else:
        shift_ri(c, 64, 4, HOST_DX, 64 - count)             # CF on top,
        shift_ri(c, 64, 7, HOST_DX, 1)                      # twice: OF is clear
        if t.kind == TEMPLATE_SHR and count == 1:
            op_rr(c, 64, OP_STORE, HOST_AX, HOST_R11)
            shift_ri(c, 64, 5, HOST_R11, t.width - 1)
            shift_ri(c, 64, 4, HOST_R11, 62)
            op_rr(c, 64, OP_XOR, HOST_R11, HOST_DX)
    keep_carries(c)
    op_ri(c, 64, OP_OR, HOST_DX, AUX_AF)
    store_aux(c, HOST_DX)
    store_res(c, t.width, HOST_R8)


cdef inline void old_aux(Code* c) noexcept nogil:
    """R11 = cc_aux without CF and OF."""
    op_rm(c, 64, OP_LOAD, HOST_R11, HOST_CPU, offset_aux(c))
    shift_ri(c, 64, 4, HOST_R11, 2)
    shift_ri(c, 64, 5, HOST_R11, 2)


cdef inline void rotate_flags(Code* c, int w, bint left) noexcept nogil:
    """CF and OF of a rotate by a constant: result in R8; RCX is lost."""
    old_aux(c)
    op_rr(c, 64, OP_STORE, HOST_R8, HOST_DX)
    if left:
        shift_ri(c, 64, 4, HOST_DX, 63)
        op_rr(c, 64, OP_STORE, HOST_R8, HOST_CX)
        shift_ri(c, 64, 5, HOST_CX, w - 1)
        shift_ri(c, 64, 4, HOST_CX, 62)
        op_rr(c, 64, OP_OR, HOST_CX, HOST_DX)
    else:
        shift_ri(c, 64, 5, HOST_DX, w - 2)
        shift_ri(c, 64, 4, HOST_DX, 62)
    op_rr(c, 64, OP_OR, HOST_DX, HOST_R11)
    store_aux(c, HOST_R11)


cdef inline void product_flags(Code* c) noexcept nogil:
    """CF = OF = the host's CF."""
    op_rr(c, 32, 0x0F90 | IF_B, 0, HOST_DX)
    op_rr(c, 32, OP_MOVZX8, HOST_DX, HOST_DX)
    shift_ri(c, 64, 4, HOST_DX, 63)
    old_aux(c)
    op_rr(c, 64, OP_OR, HOST_DX, HOST_R11)
    store_aux(c, HOST_R11)


# ---------------------------------------------------------------------------------------------
# Conditions

cdef inline void sign_flag(Code* c, bint overflow) noexcept nogil:
    """R8 = cc_res and deltas so that its top bit is SF, or SF ^ OF; R11 is lost."""
    op_rm(c, 64, OP_LOAD, HOST_R11, HOST_CPU, offset_aux(c))
    op_rr(c, 64, OP_STORE, HOST_R11, HOST_R8)
    shift_ri(c, 64, 4, HOST_R8, 61)
    if overflow:
        op_rr(c, 64, OP_XOR, HOST_R11, HOST_R8)
        op_rr(c, 64, OP_ADD, HOST_R11, HOST_R11)
        op_rr(c, 64, OP_XOR, HOST_R11, HOST_R8)
    op_rm(c, 64, OP_XOR | OP_FROM_RM, HOST_R8, HOST_CPU, offset_res(c))


cdef inline void or_zero_flag(Code* c) noexcept nogil:
    """Set R8 to all ones if ZF is set; R11 is lost. The host's SF tells the top bit of R8."""
    op_rm(c, 64, OP_LOAD, HOST_R11, HOST_CPU, offset_res(c))
    op_ri(c, 64, OP_SUB, HOST_R11, 1)                       # borrows only from zero
    op_rr(c, 64, 0x19, HOST_R11, HOST_R11)                  # sbb
    op_rr(c, 64, OP_OR, HOST_R11, HOST_R8)


cdef inline int condition_of(Code* c, int cc) noexcept nogil:
    """Evaluate a condition from the lazy flags; returns the host's condition. R8, R11 are lost."""
    cdef int kind = cc >> 1, negated = cc & 1
    if kind == 1:
        op_mi(c, 64, OP_CMP, HOST_CPU, offset_aux(c), 0)
        return IF_S | negated
    if kind == 2:
        op_mi(c, 64, OP_CMP, HOST_CPU, offset_res(c), 0)
        return IF_E | negated
    if kind == 5:
        op_rm(c, 64, OP_LOAD, HOST_R11, HOST_CPU, offset_aux(c))
        shift_ri(c, 64, 5, HOST_R11, AUX_PD_SHIFT)
        op_rm(c, 64, OP_XOR | OP_FROM_RM, HOST_R11, HOST_CPU, offset_res(c))
        op_rr(c, 32, OP_TEST - 1, HOST_R11, HOST_R11)
        return IF_P | negated
    if kind == 0:
        op_rm(c, 64, OP_LOAD, HOST_R8, HOST_CPU, offset_aux(c))
        op_rr(c, 64, OP_STORE, HOST_R8, HOST_R11)
        op_rr(c, 64, OP_ADD, HOST_R11, HOST_R11)
        op_rr(c, 64, OP_XOR, HOST_R11, HOST_R8)
        return IF_S | negated
    if kind == 3:
        op_rm(c, 64, OP_LOAD, HOST_R8, HOST_CPU, offset_aux(c))
        or_zero_flag(c)
        return IF_S | negated
    sign_flag(c, kind > 5)
    if kind == 7:
        or_zero_flag(c)
    return IF_S | negated
