"""Trains: records that follow each other, done by host code that is written at run time.

A train is a handler like any other: it gets processor and record, does the work of as many records
as it covers, and jumps to the handler of the record behind them. What it cannot do it leaves to the
slow handler of the record in question, before anything has changed; execution then goes on with the
handlers that the records behind it still have. So the only state that exists is the one handlers
know, and a train is forgotten by changing the `fn` of its first record.

Registers: RDI is the processor all the way. R10 and RSI hold TLB entries that were used last
(templates.pxd, host_address_of). RAX, RCX, RDX, R8, R9, R11 hold what a template says; nothing is
kept in them from one template to the next.
"""

from pykern_c.types cimport *
from pykern_c.cpu cimport *
from pykern_c.decode cimport *
from pykern_c.flags cimport AUX_AF, AUX_C1, AUX_CF
from pykern_c.fuse cimport elide_flags
from pykern_c.hostcode cimport *
from pykern_c.icache cimport JUMP_SHIFT, code_lookup, is_instruction
from pykern_c.templates cimport *

ctypedef Insn* (*Lookup)(Cpu*, u64) noexcept nogil

cdef enum:
    RECORD_ROOM = 320           # bytes of host code that one record may take, exits included
    SHARED_ROOM = 2048


# ---------------------------------------------------------------------------------------------
# What an instruction computes

cdef void _operands(Code* c, Insn* insn, Template* t, bint writes) noexcept nogil:
    """First operand in RAX, second in RCX; R9: where the first stands in memory."""
    if insn.flags & INSN_MEM and t.to == PLACE_RM:
        host_operand(c, insn, t.width >> 3, writes)
        op_rr(c, 64, OP_STORE, HOST_AX, HOST_R9)
        load_host(c, t.width, HOST_AX, HOST_R9)
        if t.source != PLACE_NONE:
            source(c, insn, t, HOST_CX)
        return
    if insn.flags & INSN_MEM and t.source == PLACE_RM:
        host_operand(c, insn, t.source_width >> 3, False)
        load_host(c, t.source_width, HOST_CX, HOST_AX)
    elif t.source != PLACE_NONE:
        source(c, insn, t, HOST_CX)
    load_guest(c, t.width, HOST_AX, register_of(insn, t.to))


cdef void _result(Code* c, Insn* insn, Template* t, int host) noexcept nogil:
    """Write a result, zero-extended to 64 bits, to the first operand."""
    if insn.flags & INSN_MEM and t.to == PLACE_RM:
        store_host(c, t.width, host, HOST_R9)
    else:
        store_guest(c, t.width, host, register_of(insn, t.to))


cdef u32 _alu(u8 kind) noexcept nogil:
    if kind == TEMPLATE_ADD:
        return OP_ADD
    if kind == TEMPLATE_OR:
        return OP_OR
    if kind == TEMPLATE_AND or kind == TEMPLATE_TEST:
        return OP_AND
    return OP_XOR if kind == TEMPLATE_XOR else OP_SUB


cdef void _logic(Code* c, Insn* insn, Template* t, bint quiet) noexcept nogil:
    """AND, OR, XOR, TEST; the result is in RAX."""
    _operands(c, insn, t, t.kind != TEMPLATE_TEST)
    op_rr(c, 64, _alu(t.kind), HOST_CX, HOST_AX)
    if not quiet:
        logic_flags(c, t.width)
    if t.kind != TEMPLATE_TEST:
        _result(c, insn, t, HOST_AX)


cdef void _sum(Code* c, Insn* insn, Template* t, bint quiet) noexcept nogil:
    """ADD, SUB, CMP, NEG: operands stay in RAX and RCX, the result is in R8."""
    cdef bint adds = t.kind == TEMPLATE_ADD
    _operands(c, insn, t, t.kind != TEMPLATE_CMP)
    if t.kind == TEMPLATE_NEG:
        op_rr(c, 64, OP_STORE, HOST_AX, HOST_CX)
        mov_ri(c, HOST_AX, 0)
    op_rr(c, 64, OP_STORE, HOST_AX, HOST_R8)
    op_rr(c, 32 if t.width == 8 else t.width, _alu(t.kind), HOST_CX, HOST_R8)
    if t.width == 8:
        op_rr(c, 32, OP_MOVZX8, HOST_R8, HOST_R8)
    if not quiet:
        sum_flags(c, t.width, adds)
    if t.kind != TEMPLATE_CMP:
        _result(c, insn, t, HOST_R8)


cdef void _step_by_one(Code* c, Insn* insn, Template* t) noexcept nogil:
    """INC, DEC: CF stays."""
    _operands(c, insn, t, True)
    op_rr(c, 64, OP_STORE, HOST_AX, HOST_R8)
    op_ri(c, t.width, OP_ADD if t.kind == TEMPLATE_INC else OP_SUB, HOST_R8, 1)
    step_flags(c, t.width)
    _result(c, insn, t, HOST_R8)


cdef void _shift(Code* c, Insn* insn, Template* t) noexcept nogil:
    """Shifts and rotates by a constant: operand in RAX, result in R8."""
    cdef int count = shift_count(insn, t)
    cdef int digit = 0
    if t.kind == TEMPLATE_ROR:
        digit = 1
    elif t.kind == TEMPLATE_SHL:
        digit = 4
    elif t.kind == TEMPLATE_SHR:
        digit = 5
    elif t.kind == TEMPLATE_SAR:
        digit = 7
    _operands(c, insn, t, True)
    op_rr(c, 64, OP_STORE, HOST_AX, HOST_R8)
    shift_ri(c, t.width, digit, HOST_R8, count)
    if t.kind == TEMPLATE_ROL or t.kind == TEMPLATE_ROR:
        rotate_flags(c, t.width, t.kind == TEMPLATE_ROL)
    else:
        shift_flags(c, t, count)
    _result(c, insn, t, HOST_R8)


cdef void _multiply(Code* c, Insn* insn, Template* t) noexcept nogil:
    """IMUL with two or three operands; the third is an immediate."""
    _operands(c, insn, t, True)
    if t.third:
        mov_ri(c, HOST_AX, trunc(insn.imm, t.width))
    op_rr(c, t.width, OP_IMUL, HOST_AX, HOST_CX)
    product_flags(c)
    _result(c, insn, t, HOST_AX)


cdef void _move(Code* c, Insn* insn, Template* t) noexcept nogil:
    """MOV, MOVZX, MOVSX: the source is in RCX."""
    if insn.flags & INSN_MEM and t.to == PLACE_RM:
        host_operand(c, insn, t.width >> 3, True)
        source(c, insn, t, HOST_CX)
        store_host(c, t.width, HOST_CX, HOST_AX)
        return
    if insn.flags & INSN_MEM:
        host_operand(c, insn, t.source_width >> 3, False)
        load_host(c, t.source_width, HOST_CX, HOST_AX)
    else:
        source(c, insn, t, HOST_CX)
    if t.kind == TEMPLATE_MOVSX:
        op_rr(c, t.width, OP_MOVSX8 if t.source_width == 8 else
              OP_MOVSX16 if t.source_width == 16 else OP_MOVSXD, HOST_CX, HOST_CX)
    store_guest(c, t.width, HOST_CX, register_of(insn, t.to))


cdef void _conditional(Code* c, Insn* insn, Template* t) noexcept nogil:
    """CMOVcc, SETcc."""
    cdef int holds
    if t.kind == TEMPLATE_SETCC:
        if insn.flags & INSN_MEM:
            host_operand(c, insn, 1, True)
            op_rr(c, 64, OP_STORE, HOST_AX, HOST_R9)
        holds = condition_of(c, t.condition)
        op_rr(c, 32, 0x0F90 | holds, 0, HOST_CX)
        op_rr(c, 32, OP_MOVZX8, HOST_CX, HOST_CX)
        _result(c, insn, t, HOST_CX)
        return
    _operands(c, insn, t, True)
    holds = condition_of(c, t.condition)
    op_rr(c, 64, 0x0F40 | holds, HOST_AX, HOST_CX)
    _result(c, insn, t, HOST_AX)


cdef void _value(Code* c, Insn* insn, Template* t, bint quiet) noexcept nogil:
    if t.kind in (TEMPLATE_MOV, TEMPLATE_MOVZX, TEMPLATE_MOVSX):
        _move(c, insn, t)
    elif t.kind in (TEMPLATE_OR, TEMPLATE_AND, TEMPLATE_XOR, TEMPLATE_TEST):
        _logic(c, insn, t, quiet)
    elif t.kind in (TEMPLATE_ADD, TEMPLATE_SUB, TEMPLATE_CMP, TEMPLATE_NEG):
        _sum(c, insn, t, quiet)
    elif t.kind == TEMPLATE_INC or t.kind == TEMPLATE_DEC:
        _step_by_one(c, insn, t)
    elif t.kind == TEMPLATE_NOT:
        _operands(c, insn, t, True)
        op_rr(c, 32 if t.width < 64 else 64, 0xF7, 2, HOST_AX)
        _result(c, insn, t, HOST_AX)
    elif t.kind == TEMPLATE_IMUL:
        _multiply(c, insn, t)
    elif t.kind == TEMPLATE_CMOV or t.kind == TEMPLATE_SETCC:
        _conditional(c, insn, t)
    else:
        _shift(c, insn, t)


# ---------------------------------------------------------------------------------------------
# Operands of their own, and the stack

cdef void _lea(Code* c, Insn* insn, Template* t) noexcept nogil:
    linear_address(c, insn)
    if t.width == 32:
        op_rr(c, 32, OP_STORE, HOST_AX, HOST_AX)
    store_guest(c, 64, HOST_AX, insn.r)


cdef void _push(Code* c, Insn* insn) noexcept nogil:
    load_guest(c, 64, HOST_AX, RSP)
    op_ri(c, 64, OP_SUB, HOST_AX, 8)
    host_address_of(c, RSP, 8, True)
    load_guest(c, 64, HOST_CX, insn.r)
    op_rm(c, 64, OP_STORE, HOST_CX, HOST_AX, 0)
    op_mi(c, 64, OP_SUB, HOST_CPU, guest(c, RSP), 8)


cdef void _pop(Code* c, Insn* insn) noexcept nogil:
    load_guest(c, 64, HOST_AX, RSP)
    host_address_of(c, RSP, 8, False)
    op_rm(c, 64, OP_LOAD, HOST_CX, HOST_AX, 0)
    op_mi(c, 64, OP_ADD, HOST_CPU, guest(c, RSP), 8)
    store_guest(c, 64, HOST_CX, insn.r)


# ---------------------------------------------------------------------------------------------
# Branches

cdef void _target(Code* c, Insn* insn) noexcept nogil:
    """Put the block that a direct branch goes to into RAX, or leave by the slow handler."""
    cdef i64 to = <i64>insn.off + insn.len + insn.disp
    if 0 <= to < 4096:
        op_r_at(c, OP_LOAD, HOST_AX, &c.first[c.record].imm)
        op_rr(c, 64, OP_TEST, HOST_AX, HOST_AX)
        leave_if(c, IF_E)
        return
    op_rm(c, 64, OP_LOAD, HOST_AX, HOST_CPU, guest(c, REG_PAGE))
    op_ri(c, 64, OP_ADD, HOST_AX, <i32>to)
    call(c, c.host.write + c.host.find)
    op_rr(c, 64, OP_TEST, HOST_AX, HOST_AX)
    leave_if(c, IF_E)


cdef void _enter(Code* c, Insn* insn) noexcept nogil:
    """Pay for the block in RAX and go there: enter_block of operands.pxd."""
    op_rm(c, 64, OP_LOAD, HOST_CX, HOST_CPU, offset_budget(c))
    op_rm(c, 32, OP_MOVZX8, HOST_DX, HOST_AX, offset_n(c))
    op_rr(c, 64, OP_SUB, HOST_DX, HOST_CX)
    if insn.n > 1:
        op_ri(c, 64, OP_ADD, HOST_CX, insn.n - 1)
    land(jcc(c, IF_S), c.host.write + c.host.no_budget)
    op_rm(c, 64, OP_STORE, HOST_CX, HOST_CPU, offset_budget(c))
    op_rr(c, 64, OP_STORE, HOST_AX, HOST_SI)
    jump_through(c, HOST_SI)


cdef void _branch_if(Code* c, Insn* insn, int holds) noexcept nogil:
    """Branch on a condition of the host's flags."""
    cdef u8* skip = jcc_short(c, holds ^ 1)
    _target(c, insn)
    _enter(c, insn)
    land_short(skip, c.p)


cdef void _call(Code* c, Insn* insn, bint direct) noexcept nogil:
    """A call; R9: the target of an indirect one, R8: where the return address goes."""
    if not direct:
        _indirect(c, insn)
        op_rr(c, 64, OP_STORE, HOST_AX, HOST_R9)
    load_guest(c, 64, HOST_AX, RSP)
    op_ri(c, 64, OP_SUB, HOST_AX, 8)
    host_address_of(c, RSP, 8, True)
    op_rr(c, 64, OP_STORE, HOST_AX, HOST_R8)
    op_rm(c, 64, OP_LOAD, HOST_R11, HOST_CPU, guest(c, REG_PAGE))
    op_ri(c, 64, OP_ADD, HOST_R11, insn.off + insn.len)
    if direct:
        _target(c, insn)
    else:
        op_rr(c, 64, OP_STORE, HOST_R9, HOST_AX)
        _found(c)
    op_rm(c, 64, OP_STORE, HOST_R11, HOST_R8, 0)
    op_mi(c, 64, OP_SUB, HOST_CPU, guest(c, RSP), 8)
    _enter(c, insn)


cdef void _found(Code* c) noexcept nogil:
    """Turn the address in RAX into its block, or leave by the slow handler."""
    call(c, c.host.write + c.host.find)
    op_rr(c, 64, OP_TEST, HOST_AX, HOST_AX)
    leave_if(c, IF_E)


cdef void _indirect(Code* c, Insn* insn) noexcept nogil:
    """Read the operand of an indirect branch into RAX."""
    if insn.flags & INSN_MEM:
        host_operand(c, insn, 8, False)
        op_rm(c, 64, OP_LOAD, HOST_AX, HOST_AX, 0)
    else:
        load_guest(c, 64, HOST_AX, insn.b)


cdef void _return(Code* c, Insn* insn) noexcept nogil:
    load_guest(c, 64, HOST_AX, RSP)
    host_address_of(c, RSP, 8, False)
    op_rm(c, 64, OP_LOAD, HOST_AX, HOST_AX, 0)
    _found(c)
    if insn.imm < 120:
        op_mi(c, 64, OP_ADD, HOST_CPU, guest(c, RSP), <i8>(8 + insn.imm))
    else:
        mov_ri(c, HOST_CX, 8 + insn.imm)
        op_rm(c, 64, OP_ADD, HOST_CX, HOST_CPU, guest(c, RSP))
    _enter(c, insn)


cdef bint _branch(Code* c, Insn* insn, Template* t) noexcept nogil:
    """Write a branch; False: the instruction is none."""
    if t.kind == TEMPLATE_JCC:
        _branch_if(c, insn, condition_of(c, t.condition))
    elif t.kind == TEMPLATE_JMP:
        _target(c, insn)
        _enter(c, insn)
    elif t.kind == TEMPLATE_RET:
        _return(c, insn)
    elif t.kind == TEMPLATE_JMP_INDIRECT:
        _indirect(c, insn)
        _found(c)
        _enter(c, insn)
    elif t.kind == TEMPLATE_CALL or t.kind == TEMPLATE_CALL_INDIRECT:
        _call(c, insn, t.kind == TEMPLATE_CALL)
    else:
        return False
    return True


cdef bint _compare_and_branch(Code* c, Insn* insn, Template* t) noexcept nogil:
    """Write the Jcc right behind an instruction from what that one left in registers."""
    cdef Template* branch = &handlers_of(insn[1].form).template
    if branch.kind != TEMPLATE_JCC:
        return False
    if t.kind in (TEMPLATE_SUB, TEMPLATE_CMP):
        op_rr(c, t.width, OP_CMP if t.width > 8 else OP_CMP - 1, HOST_CX, HOST_AX)
    elif t.kind in (TEMPLATE_OR, TEMPLATE_AND, TEMPLATE_XOR, TEMPLATE_TEST):
        op_rr(c, t.width, OP_TEST if t.width > 8 else OP_TEST - 1, HOST_AX, HOST_AX)
    elif t.kind in (TEMPLATE_ADD, TEMPLATE_INC, TEMPLATE_DEC) and (
            branch.condition >> 1 == IF_E >> 1 or branch.condition >> 1 == IF_S >> 1):
        op_rr(c, t.width, OP_TEST if t.width > 8 else OP_TEST - 1, HOST_R8, HOST_R8)
    else:
        return False
    _branch_if_next(c, insn, branch)
    return True


cdef void _branch_if_next(Code* c, Insn* insn, Template* branch) noexcept nogil:
    c.record += 1
    _branch_if(c, insn + 1, branch.condition)


# ---------------------------------------------------------------------------------------------
# Trains

cdef bint _writes_high_byte(Insn* insn, Template* t) noexcept nogil:
    """AH and its like keep their handlers."""
    return t.width == 8 and not (insn.flags & INSN_MEM and t.to == PLACE_RM) and (
        register_of(insn, t.to) & 1)


cdef bint _has_template(Insn* insn) noexcept nogil:
    """Whether a record, with the handler it has by itself, can be written as host code."""
    cdef Handlers* h = handlers_of(insn.form)
    cdef Template* t = &h.template
    if t.kind == TEMPLATE_NONE or not is_instruction(insn) or insn.fn == h.slow:
        return False
    if insn.flags & INSN_LOCK or _writes_high_byte(insn, t):
        return False
    if TEMPLATE_SHL <= t.kind <= TEMPLATE_ROR:
        return t.width >= 32 and t.source != PLACE_RM and shift_count(insn, t) != 0
    if t.kind == TEMPLATE_PUSH or t.kind == TEMPLATE_POP:
        return t.width == 64
    if t.kind in (TEMPLATE_INC, TEMPLATE_DEC):
        return t.width >= 32
    return t.kind != TEMPLATE_LEA or t.width >= 32


cdef u32 _length(const Insn* insn, u32 rest) noexcept nogil:
    """Return how many records from here on can be one train."""
    cdef u32 n = 0
    while n < rest and _has_template(<Insn*>&insn[n]):
        n += 1
    return n


cdef void _write_record(Code* c, Insn* insn, u32 rest) noexcept nogil:
    """Write one record, or two if the second is a branch that goes with it."""
    cdef Template* t = &handlers_of(insn.form).template
    cdef bint quiet = insn.fn == handlers_of(insn.form).quiet
    if t.kind == TEMPLATE_NOP or _branch(c, insn, t):
        return
    if t.kind == TEMPLATE_LEA:
        _lea(c, insn, t)
    elif t.kind == TEMPLATE_PUSH:
        _push(c, insn)
    elif t.kind == TEMPLATE_POP:
        _pop(c, insn)
    else:
        _value(c, insn, t, quiet)
        if rest > 1:
            _compare_and_branch(c, insn, t)


cdef void _write_exits(Code* c) noexcept nogil:
    """The jumps to slow handlers."""
    cdef u32 i = 0, record
    cdef u8* here
    while i < c.exits:
        record = c.exit[i].record
        here = c.p
        op_r_at(c, OP_LEA, HOST_SI, &c.first[record])
        jump(c, c.host.write + c.host.slow)
        while i < c.exits and c.exit[i].record == record:
            land(c.exit[i].at, here)
            i += 1


cdef Handler _write(Code* c, Insn* first, Insn* own, u32 count) noexcept nogil:
    """Write the train of some records; `own` are copies with the handlers they have alone."""
    cdef u8* start = c.p
    cdef u8* hot
    c.exits = c.misses = c.oldest = 0
    c.base[0] = c.base[1] = -1
    c.record = 0
    c.first = first
    while c.record < count:
        _write_record(c, &own[c.record], count - c.record)
        c.record += 1
    if not ends(&own[count - 1]):
        op_r_at(c, OP_LEA, HOST_SI, &c.first[count])
        jump_through(c, HOST_SI)
    hot = turn_cold(c)
    write_misses(c)
    _write_exits(c)
    turn_hot(c, hot)
    return <Handler>host_address(c.host, start)


# ---------------------------------------------------------------------------------------------
# Code that all trains share

cdef void _write_shared(Code* c) noexcept nogil:
    cdef int i
    c.host.carries = 0
    c.p += sizeof(Header)
    header(c).carries = AUX_CF | AUX_C1 | AUX_AF
    header(c).cold = 0
    for i in range(8):
        c.host.map[i & 1][i >> 1] = <u32>(c.p - c.host.write)
        write_map(c, 1 << (i >> 1), i & 1)
    c.host.slow = <u32>(c.p - c.host.write)
    _write_slow(c)
    c.host.find = <u32>(c.p - c.host.write)
    _write_find(c)
    c.host.no_budget = <u32>(c.p - c.host.write)
    _write_no_budget(c)


cdef void _write_slow(Code* c) noexcept nogil:
    """Go to the slow handler of the record in RSI."""
    cdef Handlers* h = handlers_of(0)
    op_rm(c, 32, OP_MOVZX16, HOST_AX, HOST_SI, offset_form(c))
    op_rr(c, 32, 0x69, HOST_AX, HOST_AX)
    put32(c, sizeof(Handlers))
    mov_ri(c, HOST_CX, <u64>h)
    op_rr(c, 64, OP_ADD, HOST_AX, HOST_CX)
    op_rm(c, 32, 0xFF, 4, HOST_CX, <i32>(<u8*>&h.slow - <u8*>h))


cdef void _write_find(Code* c) noexcept nogil:
    """find_block of icache.pxd for the address in RAX, and REG_PAGE if there is one.

    RAX becomes the block or NULL; RCX and RDX are lost.
    """
    cdef u8* miss[2]
    op_rr(c, 64, OP_STORE, HOST_AX, HOST_CX)
    shift_ri(c, 64, 5, HOST_CX, JUMP_SHIFT)
    op_rr(c, 64, OP_XOR, HOST_AX, HOST_CX)
    op_rr(c, 32, 0x81, 4, HOST_CX)
    put32(c, JUMP_SIZE - 1)
    lea_index(c, HOST_CX, HOST_CX, HOST_CX, 1, 0)
    op_rm(c, 64, OP_LOAD, HOST_DX, HOST_CPU, offset_jumps(c))
    lea_index(c, HOST_CX, HOST_DX, HOST_CX, 3, 0)
    op_rm(c, 64, OP_CMP, HOST_AX, HOST_CX, 0)
    miss[0] = jcc_short(c, IF_NE)
    op_rm(c, 64, OP_LOAD, HOST_DX, HOST_CPU, offset_key(c))
    op_rm(c, 64, OP_CMP, HOST_DX, HOST_CX, 8)
    miss[1] = jcc_short(c, IF_NE)
    _write_page(c)
    op_rm(c, 64, OP_LOAD, HOST_AX, HOST_CX, 16)
    put(c, 0xC3)
    land_short(miss[0], c.p)
    land_short(miss[1], c.p)
    _write_lookup(c)


cdef void _write_page(Code* c) noexcept nogil:
    """REG_PAGE = page of the address in RAX."""
    op_rr(c, 64, 0x81, 4, HOST_AX)
    put32(c, 0xFFFFF000U)
    op_rm(c, 64, OP_STORE, HOST_AX, HOST_CPU, guest(c, REG_PAGE))


cdef void _write_lookup(Code* c) noexcept nogil:
    """Call code_lookup. Two return addresses are on the stack, and six words make it even."""
    cdef Lookup lookup = code_lookup
    cdef int saved[5]
    cdef int i
    cdef u8* none
    saved[0], saved[1], saved[2], saved[3], saved[4] = (
        HOST_CPU, HOST_R8, HOST_R11, HOST_AX, HOST_R10)
    for i in range(5):
        opcode(c, 32, 0x50 | saved[i] & 7, 0, 0, saved[i])
    op_ri(c, 64, OP_SUB, 4, 8)
    op_rr(c, 64, OP_STORE, HOST_AX, HOST_SI)
    mov_ri(c, HOST_AX, <u64>lookup)
    op_rr(c, 32, 0xFF, 2, HOST_AX)
    op_rr(c, 64, OP_STORE, HOST_AX, HOST_CX)
    op_ri(c, 64, OP_ADD, 4, 8)
    for i in range(4, -1, -1):
        opcode(c, 32, 0x58 | saved[i] & 7, 0, 0, saved[i])
    op_rr(c, 64, OP_TEST, HOST_CX, HOST_CX)
    none = jcc_short(c, IF_E)
    _write_page(c)
    land_short(none, c.p)
    op_rr(c, 64, OP_STORE, HOST_CX, HOST_AX)
    put(c, 0xC3)


cdef void _write_no_budget(Code* c) noexcept nogil:
    """enter_block where the budget, less RDX in RCX, does not reach for the block in RAX."""
    op_rr(c, 64, OP_ADD, HOST_DX, HOST_CX)
    op_rm(c, 64, OP_STORE, HOST_CX, HOST_CPU, offset_budget(c))
    op_rm(c, 32, OP_MOVZX16, HOST_CX, HOST_AX, offset_off(c))
    op_rm(c, 64, OP_ADD | OP_FROM_RM, HOST_CX, HOST_CPU, guest(c, REG_PAGE))
    op_rm(c, 64, OP_STORE, HOST_CX, HOST_CPU, offset_rip(c))
    put(c, 0xC3)


# ---------------------------------------------------------------------------------------------

cdef bint ends(Insn* insn) noexcept nogil:
    """Whether nothing behind an instruction is reached from it."""
    return TEMPLATE_JMP <= handlers_of(insn.form).template.kind <= TEMPLATE_CALL_INDIRECT


cdef void _translate(Cpu* cpu, Insn* first, u32 count) noexcept nogil:
    cdef Insn own[MAX_BLOCK + 2]
    cdef Code c
    cdef u32 i, n
    cdef CodeCache* cache = cpu.platform.code
    if cpu.mode != MODE_64 | MODE_FLAT:
        return
    c.p = host_code_room(cache, SHARED_ROOM + count * RECORD_ROOM)
    if c.p == NULL:
        return
    c.host = &cache.host
    c.cpu = cpu
    c.first = first
    if c.host.used == 0:
        _write_shared(&c)
    memcpy(own, first, count * sizeof(Insn))
    for i in range(count):
        if is_instruction(&own[i]):
            own[i].fn = choose_handler(cpu, &own[i])
    elide_flags(own, count)
    i = 0
    while i < count:
        n = _length(&own[i], count - i)
        if n > 1 or (n == 1 and ends(&own[i])):
            first[i].fn = _write(&c, &first[i], &own[i], n)
        i += n + 1
    c.host.used = c.p - c.host.write


cdef void op_warm(Cpu* cpu, Insn* insn) noexcept nogil:
    """The first record of a block that has not been executed often enough to be translated."""
    cdef Block* block = <Block*>(insn - 1)
    cdef Handler first = block.first
    block.heat += 1
    if unlikely_(block.heat >= cpu.platform.code.translate_after):
        insn.fn = first
        _translate(cpu, insn, block.count - 1)
        first = insn.fn
    first(cpu, insn)
