"""x87 control: control and status word, environment, save and restore, waiting.

FN… instructions do not look for pending errors; the names without N are the same behind a WAIT.
"""

from pykern_c.types cimport *
from pykern_c.cpu cimport *
from pykern_c.host_x87 cimport *
from pykern_c.mmu cimport MemRef, TlbEntry, ref_write, tlb_index
from pykern_c.operands cimport *
from pykern_c.x87 cimport *
from pykern_c.x87_environment cimport *


cdef inline u8* x87_operand(Cpu* cpu, Insn* insn, bint write) noexcept nogil:
    """Return the host address of a 16-bit operand in flat addressing, NULL without a TLB hit."""
    cdef u64 laddr = (cpu.regs[insn.b] + (cpu.regs[insn.x] << insn.scale) + <u64><i64>insn.disp) & (
        cpu.address_mask)
    cdef TlbEntry* e = &cpu.tlb.entry[tlb_index(laddr)]
    cdef u64 x = laddr ^ (e.wtag if write else e.rtag)
    return e.page + x if likely_(x <= 4094) else NULL


# ---------------------------------------------------------------------------------------------
# Control word

cdef inline void load_control(Cpu* cpu, u16 control) noexcept nogil:
    """Change the control word; unmasking an exception whose flag is set makes it pending."""
    cpu.fpu.fcw = control & X87_FCW_VALID | X87_FCW_ONES
    if cpu.fpu_live:
        host_fldcw(cpu.fpu.fcw)
        cpu.fpu_fast = cpu.fpu_ok and control & X87_EXCEPTIONS == X87_EXCEPTIONS
        if unlikely_(not cpu.fpu_fast) and host_fnstsw() & X87_ES:
            x87_drain(cpu)
    else:
        x87_derive(cpu)


cdef inline bint fldcw_flat(Cpu* cpu, Insn* insn) noexcept nogil:
    """Do FLDCW in flat addressing, with all exceptions masked before and after."""
    cdef u8* host = x87_operand(cpu, insn, False)
    cdef u16 control
    if unlikely_(host == NULL or not cpu.fpu_fast):
        return False
    memcpy(&control, host, 2)
    if unlikely_(control & X87_EXCEPTIONS != X87_EXCEPTIONS):
        return False
    cpu.fpu.fcw = control & X87_FCW_VALID | X87_FCW_ONES
    host_fldcw(cpu.fpu.fcw)
    return True


cdef inline int fldcw(Cpu* cpu, Insn* insn) noexcept nogil:
    """Load the control word.

    D9 /5     FLDCW Mw    fast=fldcw_flat fastw=0 kind=mem+memx

    Flags: none.
    Source: SDM Vol. 2A, FLDCW.
    """
    cdef u16 control
    cdef int status = x87_wait(cpu)
    if status:
        return status
    if load_ea(cpu, insn, 2, &control):
        return FAULT
    load_control(cpu, control)
    return NEXT


cdef inline bint fnstcw_flat(Cpu* cpu, Insn* insn) noexcept nogil:
    """Do FNSTCW in flat addressing."""
    cdef u8* host = x87_operand(cpu, insn, True)
    if unlikely_(host == NULL or not cpu.fpu_ok):
        return False
    memcpy(host, &cpu.fpu.fcw, 2)
    return True


cdef inline int fnstcw(Cpu* cpu, Insn* insn) noexcept nogil:
    """Store the control word.

    D9 /7     FNSTCW Mw   fast=fnstcw_flat fastw=0 kind=mem+memx

    Flags: none.
    Source: SDM Vol. 2A, FSTCW/FNSTCW.
    """
    if x87_unready(cpu):
        return FAULT
    if store_ea(cpu, insn, 2, &cpu.fpu.fcw):
        return FAULT
    return NEXT


# ---------------------------------------------------------------------------------------------
# Status word

cdef inline u16 status_word(Cpu* cpu) noexcept nogil:
    """Return the status word, wherever it is."""
    return host_fnstsw() if likely_(cpu.fpu_live) else cpu.fpu.fsw


cdef inline bint fnstsw_ready(Cpu* cpu, Insn* insn) noexcept nogil:
    """Do FNSTSW AX."""
    if unlikely_(not cpu.fpu_fast):
        return False
    set_reg(cpu, 16, RAX, host_fnstsw())
    return True


cdef inline int fnstsw_ax(Cpu* cpu, Insn* insn) noexcept nogil:
    """Store the status word in AX.

    DF E0     FNSTSW AX   fast=fnstsw_ready fastw=0

    Flags: none.
    Source: SDM Vol. 2A, FSTSW/FNSTSW.
    """
    if x87_unready(cpu):
        return FAULT
    set_reg(cpu, 16, RAX, status_word(cpu))
    return NEXT


cdef inline int fnstsw(Cpu* cpu, Insn* insn) noexcept nogil:
    """Store the status word in memory.

    DD /7     FNSTSW Mw

    Flags: none.
    Source: SDM Vol. 2A, FSTSW/FNSTSW.
    """
    cdef u16 status
    if x87_unready(cpu):
        return FAULT
    status = status_word(cpu)
    if store_ea(cpu, insn, 2, &status):
        return FAULT
    return NEXT


cdef inline int fnclex(Cpu* cpu, Insn* insn) noexcept nogil:
    """Clear the exception flags.

    DB E2     FNCLEX

    Flags: none.
    Source: SDM Vol. 2A, FCLEX/FNCLEX.
    """
    if x87_unready(cpu):
        return FAULT
    if cpu.fpu_live:
        host_fnclex()
    else:
        cpu.fpu.fsw &= ~X87_FLAGS
    cpu.ferr = 0
    return NEXT


# ---------------------------------------------------------------------------------------------
# The whole state

cdef inline int fninit(Cpu* cpu, Insn* insn) noexcept nogil:
    """Initialize; the registers keep their contents, tagged empty.

    DB E3     FNINIT

    Flags: none.
    Source: SDM Vol. 2A, FINIT/FNINIT.
    """
    if x87_unready(cpu):
        return FAULT
    x87_initialize(cpu)
    return NEXT


cdef inline int fnstenv(Cpu* cpu, Insn* insn) noexcept nogil:
    """Store the environment, then mask all exceptions.

    D9 /6     FNSTENV M   by=mode

    Flags: none.
    Source: SDM Vol. 2A, FSTENV/FNSTENV.
    """
    cdef u8 image[28]
    cdef MemRef ref
    cdef int size = environment_size(insn)
    if x87_unready(cpu) or open_ea(cpu, insn, size, &ref):
        return FAULT
    x87_spill(cpu)
    environment_out(cpu, insn, image)
    ref_write(cpu, &ref, size, image)
    cpu.fpu.fcw |= X87_EXCEPTIONS
    x87_derive(cpu)
    return NEXT


cdef inline int fldenv(Cpu* cpu, Insn* insn) noexcept nogil:
    """Load the environment.

    D9 /4     FLDENV M    by=mode

    Flags: none; C3-C0 loaded.
    Source: SDM Vol. 2A, FLDENV.
    """
    cdef u8 image[28]
    cdef int status = x87_wait(cpu)
    if status:
        return status
    if load_ea(cpu, insn, environment_size(insn), image):
        return FAULT
    x87_spill(cpu)
    environment_in(cpu, insn, image)
    return NEXT


cdef inline int fnsave(Cpu* cpu, Insn* insn) noexcept nogil:
    """Store environment and registers, then initialize.

    DD /6     FNSAVE M    by=mode

    Flags: none.
    Source: SDM Vol. 2A, FSAVE/FNSAVE.
    """
    cdef u8 image[28 + X87_REGISTERS]
    cdef MemRef ref
    cdef int size = environment_size(insn)
    if x87_unready(cpu) or open_ea(cpu, insn, size + X87_REGISTERS, &ref):
        return FAULT
    x87_spill(cpu)
    environment_out(cpu, insn, image)
    registers_out(&cpu.fpu, image + size)
    ref_write(cpu, &ref, size + X87_REGISTERS, image)
    x87_initialize(cpu)
    return NEXT


cdef inline int frstor(Cpu* cpu, Insn* insn) noexcept nogil:
    """Load environment and registers.

    DD /4     FRSTOR M    by=mode

    Flags: none; C3-C0 loaded.
    Source: SDM Vol. 2A, FRSTOR.
    """
    cdef u8 image[28 + X87_REGISTERS]
    cdef int size = environment_size(insn)
    cdef int status = x87_wait(cpu)
    if status:
        return status
    if load_ea(cpu, insn, size + X87_REGISTERS, image):
        return FAULT
    x87_spill(cpu)
    environment_in(cpu, insn, image)
    registers_in(&cpu.fpu, image + size)
    return NEXT


# ---------------------------------------------------------------------------------------------
# Waiting and doing nothing

cdef inline bint fwait_idle(Cpu* cpu, Insn* insn) noexcept nogil:
    """Do WAIT where nothing can be pending."""
    return cpu.fpu_fast


cdef inline int fwait(Cpu* cpu, Insn* insn) noexcept nogil:
    """Report a pending error; CR0.TS counts only with CR0.MP, and CR0.EM not at all.

    9B        FWAIT       fast=fwait_idle fastw=0

    Flags: none.
    Source: SDM Vol. 2D, WAIT/FWAIT; SDM Vol. 3A, Control Registers.
    """
    if cpu.cr0 & (CR0_MP | CR0_TS) == CR0_MP | CR0_TS:
        return raise_fault(cpu, NM)
    if cpu.fpu_live or not cpu.fpu.fsw & X87_ES:
        return NEXT
    return x87_error(cpu)


cdef inline void fnop() noexcept nogil:
    """Do nothing but wait for pending errors.

    D9 D0     FNOP

    Flags: none.
    Source: SDM Vol. 2A, FNOP.
    """


cdef inline int fneni(Cpu* cpu, Insn* insn) noexcept nogil:
    """Do nothing: what 8087 and 80287 needed.

    DB E0     FNENI       names=fneni(8087_only)
    DB E1     FNDISI      names=fndisi(8087_only)
    DB E4     FNSETPM     names=fnsetpm(287_only)

    Flags: none.
    Source: SDM Vol. 3B, x87 FPU, Instruction Set Differences.
    """
    if x87_unready(cpu):
        return FAULT
    return NEXT
