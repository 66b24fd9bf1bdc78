"""Near jumps, calls and returns, loops."""

from pykern_c.types cimport *
from pykern_c.cpu cimport *
from pykern_c.flags cimport *
from pykern_c.operands cimport *
from pykern_c.icache cimport find_block
from pykern_c.mmu cimport MemRef, TlbEntry, ref_write, tlb_index


# ---------------------------------------------------------------------------------------------
# Where a branch goes

cdef inline int branch_to(Cpu* cpu, int w, u64 target) noexcept nogil:
    """Go to a near target, truncated to the operand size; #GP if it is outside CS."""
    target = trunc(target, w)
    if in_64bit(cpu):
        if <u64>(<i64>(target << 16) >> 16) != target:
            return raise_gp(cpu, 0)
    elif target > cpu.seg[CS].limit:
        return raise_gp(cpu, 0)
    cpu.rip = target
    return JUMP


cdef inline int branch_relative(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """Take a direct branch, and ask for it to be linked."""
    cdef int status = branch_to(cpu, w, next_ip(cpu, insn) + <u64><i64>insn.disp)
    if status == JUMP:
        cpu.link = insn
        cpu.link_page = cpu.regs[REG_PAGE]
    return status


cdef inline Insn* linked(Cpu* cpu, Insn* insn) noexcept nogil:
    """Return the block that a direct branch is linked to, or lately went to."""
    cdef u64 target
    cdef Insn* found
    if likely_(insn.imm != 0):
        return <Insn*>insn.imm
    if not in_64bit(cpu):
        return NULL
    target = cpu.regs[REG_PAGE] + insn.off + insn.len + <u64><i64>insn.disp
    if (target ^ cpu.regs[REG_PAGE]) & ~<u64>0xFFF == 0:
        return NULL                                 # in this page: it will be linked
    found = find_block(cpu, target)
    if found != NULL:
        cpu.regs[REG_PAGE] = target & ~<u64>0xFFF
    return found


cdef inline Insn* block_of(Cpu* cpu, u64 target) noexcept nogil:
    """Return the block at an address if it was used lately; 64-bit mode."""
    cdef Insn* found = find_block(cpu, target)
    if likely_(found != NULL):
        cpu.regs[REG_PAGE] = target & ~<u64>0xFFF
    return found


# ---------------------------------------------------------------------------------------------

cdef inline int jcc(Cpu* cpu, Insn* insn, int w, int cc) noexcept nogil:
    """Jump if a condition is met.

    70+cc cb      Jcc Jb   f64 target=linked
    0F 80+cc cz   Jcc Jz   f64 target=linked

    Flags: none.
    Source: SDM Vol. 2A, Jcc.
    """
    if not condition(cpu, cc):
        return NEXT
    return branch_relative(cpu, insn, operand_bits(insn))


cdef inline int jmp_relative(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """Jump, near, relative.

    EB cb      JMP Jb   f64 ends target=linked
    E9 cz      JMP Jz   f64 ends target=linked

    Flags: none.
    Source: SDM Vol. 2A, JMP.
    """
    return branch_relative(cpu, insn, operand_bits(insn))


cdef inline int jmp_indirect(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """Jump, near, absolute indirect.

    FF /4      JMP Ev   f64 ends target=jmp_block kind=reg+mem+memx

    Flags: none.
    Source: SDM Vol. 2A, JMP.
    """
    cdef u64 target
    if read_E(cpu, insn, w, &target):
        return FAULT
    return branch_to(cpu, w, target)


cdef inline bint indirect_target(Cpu* cpu, Insn* insn, u64* target) noexcept nogil:
    """Read the operand of an indirect branch in 64-bit mode without faulting."""
    cdef u64 laddr, x
    cdef TlbEntry* e
    if not in_64bit(cpu):
        return False
    if not insn.flags & INSN_MEM:
        target[0] = cpu.regs[insn.b]
        return True
    laddr = cpu.regs[insn.b] + (cpu.regs[insn.x] << insn.scale) + <u64><i64>insn.disp
    e = &cpu.tlb.entry[tlb_index(laddr)]
    x = laddr ^ e.rtag
    if unlikely_(x > 4088):
        return False
    target[0] = (<u64*>(e.page + x))[0]
    return True


cdef inline Insn* jmp_block(Cpu* cpu, Insn* insn) noexcept nogil:
    """The common case of an indirect jump."""
    cdef u64 target
    if not indirect_target(cpu, insn, &target):
        return NULL
    return block_of(cpu, target)


cdef inline int call_near(Cpu* cpu, Insn* insn, int w, u64 target) noexcept nogil:
    """Push the return address and go to a target; the stack is checked first. 0, or FAULT."""
    cdef MemRef slot
    cdef int bits = stack_bits(cpu)
    cdef u64 sp = trunc(cpu.regs[RSP] - (w >> 3), bits), link = next_ip(cpu, insn)
    if open_rw(cpu, SS, sp, w >> 3, &slot):
        return FAULT
    if branch_to(cpu, w, target) != JUMP:
        return FAULT
    ref_write(cpu, &slot, w >> 3, &link)
    set_reg(cpu, bits, RSP, sp)
    return 0


cdef inline int call_relative(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """Call, near, relative.

    E8 cz      CALL Jz   f64 ends target=call_block

    Flags: none.
    Source: SDM Vol. 2A, CALL.
    """
    cdef u64 target = next_ip(cpu, insn) + <u64><i64>insn.disp
    if call_near(cpu, insn, operand_bits(insn), target):
        return FAULT
    cpu.link = insn
    cpu.link_page = cpu.regs[REG_PAGE]
    return JUMP


cdef inline u64* push_slot(Cpu* cpu) noexcept nogil:
    """Return where a 64-bit push would write, or NULL if that takes the slow path."""
    cdef u64 laddr = cpu.regs[RSP] - 8
    cdef TlbEntry* e = &cpu.tlb.entry[tlb_index(laddr)]
    cdef u64 x = laddr ^ e.wtag
    if unlikely_(x > 4088):
        return NULL
    return <u64*>(e.page + x)


cdef inline u64* pop_slot(Cpu* cpu) noexcept nogil:
    """Return where a 64-bit pop would read, or NULL if that takes the slow path."""
    cdef u64 laddr = cpu.regs[RSP]
    cdef TlbEntry* e = &cpu.tlb.entry[tlb_index(laddr)]
    cdef u64 x = laddr ^ e.rtag
    if unlikely_(x > 4088):
        return NULL
    return <u64*>(e.page + x)


cdef inline Insn* call_block(Cpu* cpu, Insn* insn) noexcept nogil:
    """The common case of a direct call."""
    cdef u64* slot
    cdef u64 link
    cdef Insn* found
    if not in_64bit(cpu):
        return NULL
    slot = push_slot(cpu)
    if slot == NULL:
        return NULL
    link = cpu.regs[REG_PAGE] + insn.off + insn.len
    found = linked(cpu, insn)
    if found == NULL:
        return NULL
    slot[0] = link
    cpu.regs[RSP] -= 8
    return found


cdef inline int call_indirect(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """Call, near, absolute indirect.

    FF /2      CALL Ev   f64 ends target=call_indirect_block kind=reg+mem+memx

    Flags: none.
    Source: SDM Vol. 2A, CALL.
    """
    cdef u64 target
    if read_E(cpu, insn, w, &target):
        return FAULT
    return FAULT if call_near(cpu, insn, w, target) else JUMP


cdef inline Insn* call_indirect_block(Cpu* cpu, Insn* insn) noexcept nogil:
    """The common case of an indirect call."""
    cdef u64 target, link = cpu.regs[REG_PAGE] + insn.off + insn.len
    cdef u64* slot
    cdef Insn* found
    if not indirect_target(cpu, insn, &target):
        return NULL
    slot = push_slot(cpu)
    if slot == NULL:
        return NULL
    found = block_of(cpu, target)
    if found == NULL:
        return NULL
    slot[0] = link
    cpu.regs[RSP] -= 8
    return found


cdef inline int ret(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """Return, near; the immediate is popped behind the address.

    C3         RET      f64 ends target=ret_block
    C2 iw      RET Iw   f64 ends target=ret_block

    Flags: none.
    Source: SDM Vol. 2B, RET.
    """
    cdef u64 target
    cdef int bits = operand_bits(insn)
    if read_stack(cpu, bits, 0, &target):
        return FAULT
    if branch_to(cpu, bits, target) != JUMP:
        return FAULT
    add_sp(cpu, (bits >> 3) + insn.imm)
    return JUMP


cdef inline Insn* ret_block(Cpu* cpu, Insn* insn) noexcept nogil:
    """The common case of a near return."""
    cdef u64* slot
    cdef Insn* found
    if not in_64bit(cpu):
        return NULL
    slot = pop_slot(cpu)
    if slot == NULL:
        return NULL
    found = block_of(cpu, slot[0])
    if found != NULL:
        cpu.regs[RSP] += 8 + insn.imm
    return found


cdef inline int loop(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """Loop with rCX as counter.

    E2 cb      LOOP Jb     f64

    Flags: none.
    Source: SDM Vol. 2A, LOOP/LOOPcc.
    """
    return loop_if(cpu, insn, True)


cdef inline int loop_if(Cpu* cpu, Insn* insn, bint wanted) noexcept nogil:
    """Count down in the address size; branch if not zero and the condition holds."""
    cdef int bits = address_bits(insn)
    cdef u64 count = trunc(cpu.regs[RCX] - 1, bits)
    cdef int status = NEXT
    if count and wanted:
        status = branch_relative(cpu, insn, operand_bits(insn))
        if status == FAULT:
            return FAULT
    set_reg(cpu, bits, RCX, count)
    return status


cdef inline int loope(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """Loop while equal.

    E1 cb      LOOPE Jb     f64

    Flags: none.
    Source: SDM Vol. 2A, LOOP/LOOPcc.
    """
    return loop_if(cpu, insn, flag_zf(cpu))


cdef inline int loopne(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """Loop while not equal.

    E0 cb      LOOPNE Jb     f64

    Flags: none.
    Source: SDM Vol. 2A, LOOP/LOOPcc.
    """
    return loop_if(cpu, insn, not flag_zf(cpu))


cdef inline int jcxz(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """Jump if rCX, in the address size, is zero.

    E3 cb      JRCXZ Jb     f64 names=JCXZ/JECXZ/JRCXZ by=asize

    Flags: none.
    Source: SDM Vol. 2A, Jcc.
    """
    if trunc(cpu.regs[RCX], address_bits(insn)):
        return NEXT
    return branch_relative(cpu, insn, operand_bits(insn))
