"""PUSH, POP, ENTER, LEAVE and their like."""

from pykern_c.types cimport *
from pykern_c.cpu cimport *
from pykern_c.flags cimport *
from pykern_c.mmu cimport MemRef, TlbEntry, ref_write, tlb_index
from pykern_c.operands cimport *
from pykern_c.isa.control cimport pop_slot, push_slot


cdef inline int push_register(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """Push a register.

    50+r       PUSH Zv    d64 fast=push_fast hot=reg64

    Flags: none.
    Source: SDM Vol. 2B, PUSH.
    """
    return push(cpu, w, get_reg(cpu, w, insn.r))


cdef inline bint push_fast(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """PUSH of a 64-bit register to a stack in the TLB."""
    cdef u64* slot
    if w != 64:
        return False
    slot = push_slot(cpu)
    if slot == NULL:
        return False
    slot[0] = cpu.regs[insn.r]
    cpu.regs[RSP] -= 8
    return True


cdef inline int pop_register(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """Pop into a register; POP RSP keeps what was popped.

    58+r       POP Zv     d64 fast=pop_fast hot=reg64

    Flags: none.
    Source: SDM Vol. 2B, POP.
    """
    cdef u64 value
    if pop(cpu, w, &value):
        return FAULT
    set_reg(cpu, w, insn.r, value)
    return NEXT


cdef inline bint pop_fast(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """POP of a 64-bit register from a stack in the TLB."""
    cdef u64* slot
    cdef u64 value
    if w != 64:
        return False
    slot = pop_slot(cpu)
    if slot == NULL:
        return False
    value = slot[0]
    cpu.regs[RSP] += 8
    cpu.regs[insn.r] = value
    return True


cdef inline int push_immediate(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """Push an immediate, sign-extended to the operand size.

    68 iz      PUSH Iz    d64
    6A ib      PUSH Ibs   d64

    Flags: none.
    Source: SDM Vol. 2B, PUSH.
    """
    return push(cpu, operand_bits(insn), insn.imm)


cdef inline int push_E(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """Push a register or memory.

    FF /6      PUSH Ev    d64

    Flags: none.
    Source: SDM Vol. 2B, PUSH.
    """
    cdef u64 value
    if read_E(cpu, insn, w, &value):
        return FAULT
    return push(cpu, w, value)


cdef inline int pop_E(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """Pop to a register or memory; an address based on rSP uses its value after the pop.

    8F /0      POP Ev     d64

    Flags: none.
    Source: SDM Vol. 2B, POP.
    """
    cdef u64 value
    cdef u64 before = cpu.regs[RSP]
    if pop(cpu, w, &value):
        return FAULT
    if write_E(cpu, insn, w, value):
        cpu.regs[RSP] = before
        return FAULT
    return NEXT


# -------------------------------------------------------------------------------------------------
# All registers at once

cdef inline int pusha(Cpu* cpu, Insn* insn) noexcept nogil:
    """Push the eight general registers; SP as it was before.

    60         PUSHA    i64 names=pusha/pushad

    Flags: none.
    Source: SDM Vol. 2B, PUSHA/PUSHAD.
    """
    cdef MemRef slot[8]
    cdef int i, bits = stack_bits(cpu), size = operand_bits(insn) >> 3
    for i in range(8):
        if open_rw(cpu, SS, trunc(cpu.regs[RSP] - (i + 1) * size, bits), size, &slot[i]):
            return FAULT
    for i in range(8):
        ref_write(cpu, &slot[i], size, &cpu.regs[RAX + i])
    add_sp(cpu, -<u64>(8 * size))
    return NEXT


cdef inline int popa(Cpu* cpu, Insn* insn) noexcept nogil:
    """Pop the general registers but SP.

    61         POPA     i64 names=popa/popad

    Flags: none.
    Source: SDM Vol. 2B, POPA/POPAD.
    """
    cdef u64[8] values
    cdef int i, w = operand_bits(insn)
    for i in range(8):
        if read_stack(cpu, w, i, &values[7 - i]):
            return FAULT
    for i in range(8):
        if i != RSP:
            set_reg(cpu, w, i, values[i])
    add_sp(cpu, w)                          # eight times w / 8 bytes
    return NEXT


# -------------------------------------------------------------------------------------------------
# Frames

cdef inline int frame_push(Cpu* cpu, int w, u64* sp, u64 value) noexcept nogil:
    """Push with a stack pointer that is not yet the register's."""
    sp[0] = trunc(sp[0] - (w >> 3), stack_bits(cpu))
    return store(cpu, SS, sp[0], w >> 3, &value)


cdef inline int enter_levels(Cpu* cpu, int w, int level, u64* sp, u64 frame) noexcept nogil:
    """Push the frame pointers of the enclosing procedures, then this one's."""
    cdef u64 bp = cpu.regs[RBP], value = 0
    cdef int _i
    for _i in range(level - 1):
        bp = trunc(bp - (w >> 3), stack_bits(cpu))
        if load(cpu, SS, bp, w >> 3, &value):
            return FAULT
        if frame_push(cpu, w, sp, value):
            return FAULT
    return frame_push(cpu, w, sp, frame) if level else 0


cdef inline int enter(Cpu* cpu, Insn* insn) noexcept nogil:
    """Make a stack frame; the level says how many enclosing frames it can reach.

    C8 iw ib   ENTER Iw, Ib    d64

    Flags: none.
    Source: SDM Vol. 2A, ENTER; SDM Vol. 1, Procedure Calls for Block-Structured Languages.
    """
    cdef int w = operand_bits(insn), bits = stack_bits(cpu)
    cdef u64 sp = trunc(cpu.regs[RSP], bits), frame
    cdef MemRef top
    if frame_push(cpu, w, &sp, cpu.regs[RBP]):
        return FAULT
    frame = sp
    if enter_levels(cpu, w, insn.x & 31, &sp, frame):
        return FAULT
    sp = trunc(sp - insn.imm, bits)
    if open_rw(cpu, SS, sp, w >> 3, &top):              # the new top must be writable
        return FAULT
    set_reg(cpu, w, RBP, frame)
    set_reg(cpu, bits, RSP, sp)
    return NEXT


cdef inline int leave_frame(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """Undo ENTER.

    C9         LEAVE    d64 fast=leave_fast

    Flags: none.
    Source: SDM Vol. 2A, LEAVE.
    """
    cdef int bits = stack_bits(cpu)
    cdef u64 sp = trunc(cpu.regs[RBP], bits), value = 0
    w = operand_bits(insn)
    if load(cpu, SS, sp, w >> 3, &value):
        return FAULT
    set_reg(cpu, bits, RSP, trunc(sp + (w >> 3), bits))
    set_reg(cpu, w, RBP, value)
    return NEXT


cdef inline bint leave_fast(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """LEAVE with a 64-bit frame in the TLB."""
    cdef u64 laddr = cpu.regs[RBP]
    cdef TlbEntry* e = &cpu.tlb.entry[tlb_index(laddr)]
    cdef u64 x = laddr ^ e.rtag
    if unlikely_(operand_bits(insn) != 64 or x > 4088):
        return False
    cpu.regs[RSP] = laddr + 8
    cpu.regs[RBP] = (<u64*>(e.page + x))[0]
    return True
