"""IRET of every kind."""

from pykern_c.types cimport *
from pykern_c.cpu cimport *
from pykern_c.descriptors cimport *
from pykern_c.flags cimport *
from pykern_c.mmu cimport TlbEntry, tlb_index
from pykern_c.operands cimport *
from pykern_c.isa.far cimport (
    enter_real, leave_level, read_outer_stack, real_target, return_code, return_stack,
    set_outer_stack, task_switch_from,
)
from pykern_c.isa.interrupt cimport iopl_allows, virtual_if, write_flags
from pykern_c.task cimport TASK_IRET, TaskSwitch, task_return


cdef inline u64 iret_changeable(Cpu* cpu, int w) noexcept nogil:
    """Return the flags that IRET may change at this privilege.

    Source: SDM Vol. 2A, IRET/IRETD/IRETQ.
    """
    cdef u64 changeable = FLAG_TF | FLAG_DF | FLAG_NT
    if w != 16:
        changeable |= FLAG_RF | FLAG_AC | FLAG_ID
    if iopl_allows(cpu):
        changeable |= FLAG_IF
    if cpu.cpl == 0:
        changeable |= FLAG_IOPL
        if w != 16:
            changeable |= FLAG_VIF | FLAG_VIP
    return changeable


cdef inline int iret_real(Cpu* cpu, int w) noexcept nogil:
    """IRET in real mode, and in virtual-8086 mode with IOPL 3."""
    cdef u64 offset, sel, flags
    cdef u64 changeable = FLAG_TF | FLAG_IF | FLAG_DF | FLAG_NT
    if read_stack(cpu, w, 0, &offset) or read_stack(cpu, w, 1, &sel):
        return FAULT
    if read_stack(cpu, w, 2, &flags) or real_target(cpu, offset):
        return FAULT
    if not cpu.rflags & FLAG_VM:
        changeable |= FLAG_IOPL
    if w != 16:
        changeable |= FLAG_RF | FLAG_AC | FLAG_ID
    add_sp(cpu, 3 * (w >> 3))
    write_flags(cpu, flags, changeable)
    return enter_real(cpu, <u32>sel, offset)


cdef inline int iret_vme(Cpu* cpu) noexcept nogil:
    """16-bit IRET in virtual-8086 mode with IOPL below 3 and CR4.VME: IF goes to VIF."""
    cdef u64 offset, sel, flags
    if read_stack(cpu, 16, 0, &offset) or read_stack(cpu, 16, 1, &sel):
        return FAULT
    if read_stack(cpu, 16, 2, &flags) or real_target(cpu, offset):
        return FAULT
    if flags & FLAG_TF or (flags & FLAG_IF and cpu.rflags & FLAG_VIP):
        return raise_gp(cpu, 0)
    add_sp(cpu, 6)
    write_flags(cpu, flags, FLAG_DF | FLAG_NT)
    cpu.rflags &= ~<u64>FLAG_VIF
    if flags & FLAG_IF:
        cpu.rflags |= FLAG_VIF
    return enter_real(cpu, <u32>sel, offset)


cdef inline int iret_to_v86(Cpu* cpu, u64 eip, u64 cs, u64 flags) noexcept nogil:
    """Return to virtual-8086 mode: ESP, SS and the data segments are on the stack as well."""
    cdef u64 value[6]           # ESP SS ES DS FS GS
    cdef int i
    for i in range(6):
        if read_stack(cpu, 32, 3 + i, &value[i]):
            return FAULT
    write_flags(cpu, flags, iret_changeable(cpu, 32) | FLAG_VM)
    cpu.cpl = 3
    set_real_segment(cpu, SS, <u32>value[1])
    set_real_segment(cpu, ES, <u32>value[2])
    set_real_segment(cpu, DS, <u32>value[3])
    set_real_segment(cpu, FS, <u32>value[4])
    set_real_segment(cpu, GS, <u32>value[5])
    cpu.regs[RSP] = value[0]
    return enter_real(cpu, <u32>cs, <u16>eip)


cdef inline const u64* long_frame(Cpu* cpu) noexcept nogil:
    """Return the five quadwords that IRETQ pops in 64-bit mode, or NULL if they are read singly."""
    cdef TlbEntry* e = &cpu.tlb.entry[tlb_index(cpu.regs[RSP])]
    cdef u64 x = cpu.regs[RSP] ^ e.rtag
    if unlikely_(not in_64bit(cpu) or x > 4096 - 40):
        return NULL
    return <const u64*>(e.page + x)


cdef inline int iret_outer(Cpu* cpu, const Descriptor* d, u32 sel, u64 offset, u64 flags,
                           u64 sp, u32 ss, int w) noexcept nogil:
    """End an IRET that loads SS:RSP."""
    cdef u64 changeable = iret_changeable(cpu, w)
    cdef Seg stack
    if return_stack(cpu, ss, sel, d, &stack):
        return FAULT
    cpu.rip = offset
    set_outer_stack(cpu, d, &stack, sp)
    leave_level(cpu, sel, d)
    write_flags(cpu, flags, changeable)
    return JUMP


cdef inline int iretq(Cpu* cpu, const u64* frame) noexcept nogil:
    """IRETQ in 64-bit mode whose frame is in the TLB."""
    cdef Descriptor d
    cdef u32 sel = <u16>frame[1]
    if return_code(cpu, sel, frame[0], &d):
        return FAULT
    return iret_outer(cpu, &d, sel, frame[0], frame[2], frame[3], <u16>frame[4], 64)


cdef inline int iret_protected(Cpu* cpu, int w) noexcept nogil:
    """IRET from protected mode: to the same level, an outer one, or virtual-8086 mode."""
    cdef u64 offset, sel, flags, sp, ss, changeable = iret_changeable(cpu, w)
    cdef Descriptor d
    cdef const u64* frame = long_frame(cpu) if w == 64 else NULL
    if likely_(frame != NULL):
        return iretq(cpu, frame)
    if read_stack(cpu, w, 0, &offset) or read_stack(cpu, w, 1, &sel):
        return FAULT
    if read_stack(cpu, w, 2, &flags):
        return FAULT
    sel &= 0xFFFF
    if w == 32 and flags & FLAG_VM and cpu.cpl == 0 and not long_mode(cpu):
        return iret_to_v86(cpu, offset, sel, flags)
    if return_code(cpu, <u32>sel, offset, &d):
        return FAULT
    if sel & 3 != cpu.cpl or in_64bit(cpu):                 # 64-bit mode always pops SS:RSP
        if read_outer_stack(cpu, w, 3 * (w >> 3), &sp, &ss):
            return FAULT
        return iret_outer(cpu, &d, <u32>sel, offset, flags, sp, <u32>ss, w)
    add_sp(cpu, 3 * (w >> 3))
    cpu.rip = offset
    enter_code(cpu, <u32>sel, &d, sel & 3)
    write_flags(cpu, flags, changeable)
    return JUMP


cdef inline int virtual_pending(Cpu* cpu, int status) noexcept nogil:
    """After IRET: VIP and VIF together are #GP(0) before the first instruction.

    Source: SDM Vol. 3B, Virtual-8086 Mode Extensions; Protected-Mode Virtual Interrupts.
    """
    cdef u64 both = FLAG_VIF | FLAG_VIP
    if status == JUMP and cpu.rflags & both == both and virtual_if(cpu):
        raise_gp(cpu, 0)
    return status


cdef inline int iret(Cpu* cpu, Insn* insn) noexcept nogil:
    """Return from an interrupt handler; NMIs may come again.

    CF         IRET    ends by=far

    Flags: all.
    Source: SDM Vol. 2A, IRET/IRETD/IRETQ.
    """
    cdef int w = operand_bits(insn)
    cdef TaskSwitch s
    if cpu.rflags & FLAG_VM and not iopl_allows(cpu):
        if w != 16 or not cpu.cr4 & CR4_VME:
            return raise_gp(cpu, 0)
        cpu.blocking_nmi = 0
        return iret_vme(cpu)
    cpu.blocking_nmi = 0
    if not protected_mode(cpu):
        return iret_real(cpu, w)
    if not cpu.rflags & FLAG_NT:
        return virtual_pending(cpu, iret_protected(cpu, w))
    if long_mode(cpu):
        return raise_gp(cpu, 0)
    task_switch_from(cpu, insn, TASK_IRET, &s)
    return FAULT if task_return(cpu, &s) else JUMP
