"""PUSH, POP, ENTER, LEAVE and their like."""

from pykern_c.types cimport *
from pykern_c.cpu cimport *
from pykern_c.flags cimport *
from pykern_c.operands cimport *
from pykern_c.isa.control cimport pop_slot, push_slot


cdef inline int push_register(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """Push a register.

    50+r       PUSH Zv    d64 fast=push_fast

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

    58+r       POP Zv     d64 fast=pop_fast

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
