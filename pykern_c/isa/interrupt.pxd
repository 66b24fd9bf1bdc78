"""The interrupt flag, the flags register as a whole, software interrupts, BOUND."""

from pykern_c.types cimport *
from pykern_c.cpu cimport *
from pykern_c.descriptors cimport system_read
from pykern_c.exceptions cimport deliver_int1, deliver_soft, deliver_vme
from pykern_c.flags cimport *
from pykern_c.mmu cimport context_changed
from pykern_c.operands cimport *


# ---------------------------------------------------------------------------------------------
# Who owns the interrupt flag

cdef inline bint iopl_allows(Cpu* cpu) noexcept nogil:
    """Whether CPL is at most IOPL; always so in real mode."""
    return cpu.cpl <= (cpu.rflags >> 12 & 3)


cdef inline bint virtual_if(Cpu* cpu) noexcept nogil:
    """Whether CLI and STI work on VIF: CR4.VME in virtual-8086 mode, CR4.PVI at CPL 3.

    Source: SDM Vol. 3B, Protected-Mode Virtual Interrupts; Virtual-8086 Mode Extensions.
    """
    if cpu.rflags & FLAG_VM:
        return (cpu.cr4 & CR4_VME) != 0
    return cpu.cpl == 3 and cpu.cr4 & CR4_PVI != 0


cdef inline int cli(Cpu* cpu, Insn* insn) noexcept nogil:
    """Clear the interrupt flag.

    FA         CLI    ends

    Flags: I.
    Source: SDM Vol. 2A, CLI.
    """
    if iopl_allows(cpu):
        cpu.rflags &= ~<u64>FLAG_IF
        return STOP
    if not virtual_if(cpu):
        return raise_gp(cpu, 0)
    cpu.rflags &= ~<u64>FLAG_VIF
    return STOP


cdef inline int sti(Cpu* cpu, Insn* insn) noexcept nogil:
    """Set the interrupt flag; interrupts wait for one more instruction if it was clear.

    FB         STI    ends

    Flags: I.
    Source: SDM Vol. 2B, STI.
    """
    if iopl_allows(cpu):
        if not cpu.rflags & FLAG_IF:
            cpu.shadow = 1
        cpu.rflags |= FLAG_IF
        return STOP
    if not virtual_if(cpu) or cpu.rflags & FLAG_VIP:
        return raise_gp(cpu, 0)
    cpu.rflags |= FLAG_VIF
    return STOP


# ---------------------------------------------------------------------------------------------
# The flags register

cdef inline void write_flags(Cpu* cpu, u64 value, u64 changeable) noexcept nogil:
    """Change the flags of a mask; the arithmetic flags always."""
    cdef u64 before = cpu.rflags
    cpu.rflags = (cpu.rflags & ~changeable) | (value & changeable)
    set_arith_flags(cpu, value)
    if (before ^ cpu.rflags) & (FLAG_AC | FLAG_VM):
        context_changed(cpu)


cdef inline int pushf(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """Push the flags register; VM and RF are pushed as 0.

    9C         PUSHF    d64

    Flags: none.
    Source: SDM Vol. 2B, PUSHF/PUSHFD/PUSHFQ.
    """
    cdef u64 flags = get_rflags(cpu) & ~<u64>(FLAG_VM | FLAG_RF)
    if cpu.rflags & FLAG_VM and not iopl_allows(cpu):
        if w != 16 or not cpu.cr4 & CR4_VME:
            return raise_gp(cpu, 0)
        flags = (flags & ~<u64>FLAG_IF) | FLAG_IOPL
        if flags & FLAG_VIF:
            flags |= FLAG_IF
    return push(cpu, w, flags)


cdef inline int popf_vme(Cpu* cpu) noexcept nogil:
    """16-bit POPF in virtual-8086 mode with IOPL below 3 and CR4.VME: IF goes to VIF."""
    cdef u64 value
    if read_stack(cpu, 16, 0, &value):
        return FAULT
    if value & FLAG_TF or (value & FLAG_IF and cpu.rflags & FLAG_VIP):
        return raise_gp(cpu, 0)
    add_sp(cpu, 2)
    write_flags(cpu, value, FLAG_DF | FLAG_NT)
    cpu.rflags &= ~<u64>(FLAG_VIF | FLAG_RF)
    if value & FLAG_IF:
        cpu.rflags |= FLAG_VIF
    return STOP


cdef inline int popf(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """Pop the flags register: IOPL changes only at CPL 0, IF only if CPL is at most IOPL.

    9D         POPF    d64 ends

    Flags: all.
    Source: SDM Vol. 2B, POPF/POPFD/POPFQ.
    """
    cdef u64 value
    cdef u64 changeable = FLAG_TF | FLAG_DF | FLAG_NT
    if cpu.rflags & FLAG_VM and not iopl_allows(cpu):
        if w != 16 or not cpu.cr4 & CR4_VME:
            return raise_gp(cpu, 0)
        return popf_vme(cpu)
    if pop(cpu, w, &value):
        return FAULT
    if w != 16:
        changeable |= FLAG_AC | FLAG_ID
    if cpu.cpl == 0:
        changeable |= FLAG_IOPL
    if iopl_allows(cpu):
        changeable |= FLAG_IF
    cpu.rflags &= ~<u64>FLAG_RF
    write_flags(cpu, value, changeable)
    return STOP


cdef inline int clac(Cpu* cpu, Insn* insn) noexcept nogil:
    """Clear AC.

    NP 0F 01 CA      CLAC    SMAP ends

    Flags: AC.
    Source: SDM Vol. 2A, CLAC.
    """
    if cpu.cpl:
        return raise_fault(cpu, UD)
    cpu.rflags &= ~<u64>FLAG_AC
    context_changed(cpu)
    return STOP


cdef inline int stac(Cpu* cpu, Insn* insn) noexcept nogil:
    """Set AC.

    NP 0F 01 CB      STAC    SMAP ends

    Flags: AC.
    Source: SDM Vol. 2B, STAC.
    """
    if cpu.cpl:
        return raise_fault(cpu, UD)
    cpu.rflags |= FLAG_AC
    context_changed(cpu)
    return STOP


# ---------------------------------------------------------------------------------------------
# Software interrupts

cdef inline int redirected(Cpu* cpu, u32 vector, bint* to_program) noexcept nogil:
    """Look a vector up in the software interrupt redirection bit map: below the I/O bit map.

    Source: SDM Vol. 3B, Software Interrupt Redirection bit map.
    """
    cdef u16 base = 0
    cdef u8 bits = 0
    cdef u64 at
    if not cpu.tr.attr & 8 or cpu.tr.limit < 103:
        return raise_gp(cpu, 0)
    if system_read(cpu, cpu.tr.base + 102, 2, &base):
        return FAULT
    at = <u64>base - 32 + (vector >> 3)
    if at > cpu.tr.limit:
        return raise_gp(cpu, 0)
    if system_read(cpu, cpu.tr.base + at, 1, &bits):
        return FAULT
    to_program[0] = not bits >> (vector & 7) & 1
    return 0


cdef inline int int_n(Cpu* cpu, Insn* insn) noexcept nogil:
    """Software interrupt.

    CD ib      INT Ib    ends

    Flags: I T N AC VM.
    Source: SDM Vol. 2A, INT n/INTO/INT3/INT1; Vol. 3B, Class 3: Software Interrupt Handling.
    """
    cdef u32 vector = <u32>insn.imm & 0xFF
    cdef bint to_program = False
    if cpu.rflags & FLAG_VM:
        if cpu.cr4 & CR4_VME:
            if redirected(cpu, vector, &to_program):
                return FAULT
            if to_program:
                return deliver_vme(cpu, vector, next_ip(cpu, insn))
        if not iopl_allows(cpu):
            return raise_gp(cpu, 0)
    return deliver_soft(cpu, vector, next_ip(cpu, insn))


cdef inline int int3(Cpu* cpu, Insn* insn) noexcept nogil:
    """Breakpoint.

    CC         INT3    ends

    Flags: I T N AC VM.
    Source: SDM Vol. 2A, INT n/INTO/INT3/INT1.
    """
    return deliver_soft(cpu, BP, next_ip(cpu, insn))


cdef inline int int1(Cpu* cpu, Insn* insn) noexcept nogil:
    """Debug trap without a bit in DR6.

    F1         INT1    ends

    Flags: I T N AC VM.
    Source: SDM Vol. 2A, INT n/INTO/INT3/INT1.
    """
    return deliver_int1(cpu, next_ip(cpu, insn))


cdef inline int into(Cpu* cpu, Insn* insn) noexcept nogil:
    """Overflow trap if OF is set.

    CE         INTO    i64 ends

    Flags: I T N AC VM.
    Source: SDM Vol. 2A, INT n/INTO/INT3/INT1.
    """
    if not flag_of(cpu):
        return NEXT
    return deliver_soft(cpu, OF_, next_ip(cpu, insn))


cdef inline int bound(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """Check an array index against its bounds, which are signed.

    62 /r      BOUND Gv, Ma    i64

    Flags: none.
    Source: SDM Vol. 2A, BOUND.
    """
    cdef u64 lower = 0, upper = 0, offset = effective_address(cpu, insn)
    cdef i64 index = <i64>sext(get_reg(cpu, w, insn.r), w)
    if load(cpu, insn.seg, offset, w >> 3, &lower):
        return FAULT
    if load(cpu, insn.seg, trunc(offset + (w >> 3), address_bits(insn)), w >> 3, &upper):
        return FAULT
    if index < <i64>sext(lower, w) or index > <i64>sext(upper, w):
        return raise_fault(cpu, BR)
    return NEXT


cdef inline int ud(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """Undefined for ever.

    0F 0B      UD2            ends
    0F B9 /r   UD1 Gv, Ev     ends
    0F FF /r   UD0 Gv, Ev     ends
    0F AA      RSM            ends

    RSM outside system-management mode is undefined too, and there is no such mode here.

    Flags: none.
    Source: SDM Vol. 2B, UD; RSM.
    """
    return raise_fault(cpu, UD)
