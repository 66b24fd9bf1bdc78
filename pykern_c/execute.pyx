"""The run loop of one processor: blocks, and what happens between them.

References
----------
SDM Vol. 3A, Priority Among Concurrent Events; Processor Management and Initialization.
"""

from pykern_c.types cimport *
from pykern_c.cpu cimport *
from pykern_c.apic cimport (
    PENDING_EXTINT, PENDING_INIT, PENDING_INTR, PENDING_NMI, PENDING_SIPI, PENDING_SMI,
    apic_acknowledge, apic_extint_done, apic_init_reset, apic_take, apic_take_sipi,
)
from pykern_c.exceptions cimport DB_NO_STEP, deliver_external, deliver_fault
from pykern_c.flags cimport set_arith_flags
from pykern_c.host_x87 cimport x87_spill
from pykern_c.icache cimport block_at
from pykern_c.mmu cimport context_changed, tlb_flush
from pykern_c.mxcsr cimport mxcsr_enter, mxcsr_leave
from pykern_c.operands cimport leave

cdef enum:
    DR6_BS = 1 << 14


# ---------------------------------------------------------------------------------------------
# Reset

cdef void _reset_segment(Seg* s, u16 sel, u64 base, u32 limit, u32 attr) noexcept nogil:
    s.sel = sel
    s.base = base
    s.limit = limit
    s.attr = attr


cdef void cpu_reset(Cpu* cpu, bint init) noexcept nogil:
    """Put a processor into its power-up state; after INIT the FPU, vectors and most MSRs survive.

    Source: SDM Vol. 3A, Processor State After Reset.
    """
    cdef int i
    memset(cpu.regs, 0, sizeof(cpu.regs))
    cpu.regs[REG_4096] = 4096
    cpu.regs[RDX] = 0x000306C3 & 0xFFF00
    cpu.rip = 0xFFF0
    cpu.rflags = 2
    set_arith_flags(cpu, 0)
    for i in range(6):
        _reset_segment(&cpu.seg[i], 0, 0, 0xFFFF, 0x93)
    _reset_segment(&cpu.seg[CS], 0xF000, 0xFFFF0000U, 0xFFFF, 0x9B)
    _reset_segment(&cpu.ldtr, 0, 0, 0xFFFF, 0x82)
    _reset_segment(&cpu.tr, 0, 0, 0xFFFF, 0x8B)
    cpu.gdtr.base = cpu.idtr.base = 0
    cpu.gdtr.limit = cpu.idtr.limit = 0xFFFF
    cpu.cr0 = (cpu.cr0 & (CR0_CD | CR0_NW)) | CR0_ET if init else CR0_CD | CR0_NW | CR0_ET
    cpu.cr2 = cpu.cr3 = cpu.cr4 = 0
    cpu.efer = 0
    memset(cpu.dr, 0, sizeof(cpu.dr))
    cpu.dr[6] = 0xFFFF0FF0U
    cpu.dr[7] = 0x400
    cpu.cpl = 0
    cpu.fault.vector = NO_VECTOR
    cpu.nesting = 0
    cpu.shadow = cpu.blocking_nmi = cpu.pending_db = 0
    cpu.monitor_armed = False
    cpu.activity = ACTIVE
    cpu.link = NULL
    cpu.current = NULL
    if not init:
        _power_up(cpu)
    tlb_flush(cpu, True)
    context_changed(cpu)


cdef void _power_up(Cpu* cpu) noexcept nogil:
    """State that only RESET# clears."""
    x87_spill(cpu)
    memset(&cpu.fpu, 0, sizeof(Fpu))
    cpu.fpu_pending = cpu.ferr = 0
    memset(cpu.xmm, 0, sizeof(cpu.xmm))
    cpu.fpu.fcw = 0x40
    cpu.mxcsr = 0x1F80
    cpu.xcr0 = 1
    cpu.star = cpu.lstar = cpu.cstar = cpu.fmask = cpu.kernel_gs_base = 0
    cpu.sysenter_cs = cpu.sysenter_esp = cpu.sysenter_eip = 0
    cpu.tsc_aux = cpu.tsc_offset = 0
    cpu.pat = 0x0007040600070406ULL
    cpu.misc_enable = 1
    cpu.mtrr_def_type = 0
    memset(cpu.mtrr_base, 0, sizeof(cpu.mtrr_base))
    memset(cpu.mtrr_mask, 0, sizeof(cpu.mtrr_mask))
    memset(cpu.mtrr_fix, 0, sizeof(cpu.mtrr_fix))
    cpu.mcg_status = cpu.bios_sign = 0


# ---------------------------------------------------------------------------------------------
# Between instructions

cdef void _accept_init(Cpu* cpu) noexcept nogil:
    """INIT: reset, and wait for SIPI unless this is the bootstrap processor."""
    cpu_reset(cpu, True)
    apic_init_reset(&cpu.lapic)
    if not cpu.lapic.apic_base & (1 << 8):
        cpu.activity = WAIT_FOR_SIPI


cdef void _accept_sipi(Cpu* cpu) noexcept nogil:
    cdef int vector = apic_take_sipi(&cpu.lapic)
    if vector < 0 or cpu.activity != WAIT_FOR_SIPI:
        return
    cpu.activity = ACTIVE
    _reset_segment(&cpu.seg[CS], <u16>(vector << 8), <u64>vector << 12, 0xFFFF, 0x9B)
    cpu.rip = 0
    context_changed(cpu)


cdef bint _interrupt(Cpu* cpu) noexcept nogil:
    """Take the most urgent interrupt that is pending and not blocked."""
    cdef u32 pending = cpu.lapic.pending
    if pending & PENDING_SMI:
        apic_take(&cpu.lapic, PENDING_SMI)          # there is no SMM behind it
    if pending & PENDING_INIT and apic_take(&cpu.lapic, PENDING_INIT):
        _accept_init(cpu)
        return True
    if pending & PENDING_SIPI:
        _accept_sipi(cpu)
        return True
    if cpu.activity == WAIT_FOR_SIPI or cpu.activity == SHUTDOWN:
        return False
    if pending & PENDING_NMI and not cpu.blocking_nmi:
        apic_take(&cpu.lapic, PENDING_NMI)
        cpu.activity = ACTIVE
        cpu.blocking_nmi = 1
        deliver_external(cpu, NMI)
        return True
    if not pending & (PENDING_INTR | PENDING_EXTINT):
        return False
    if cpu.activity == MWAIT and cpu.mwait_masked:
        cpu.activity = ACTIVE
    if not cpu.rflags & FLAG_IF:
        return False
    cpu.activity = ACTIVE
    if pending & PENDING_INTR:
        deliver_external(cpu, apic_acknowledge(&cpu.lapic))
    else:
        deliver_external(cpu, cpu.platform.acknowledge(cpu))
        apic_extint_done(&cpu.lapic)
    return True


cdef void _raise_debug(Cpu* cpu) noexcept nogil:
    """#DB for traps of the instruction before."""
    raise_fault(cpu, DB)
    cpu.fault.dr6 = cpu.pending_db
    cpu.pending_db = 0
    deliver_fault(cpu)


cdef void _between(Cpu* cpu) noexcept nogil:
    """Look at everything that can happen between two instructions, most urgent first."""
    cpu.attention = 0
    if cpu.lapic.pending & PENDING_INIT:
        _interrupt(cpu)
        return
    if cpu.pending_db and cpu.shadow != 2 and cpu.activity == ACTIVE:
        _raise_debug(cpu)
        return
    if cpu.shadow == 0 and cpu.lapic.pending:
        _interrupt(cpu)


cdef bint _breakpoint_here(Cpu* cpu) noexcept nogil:
    """Instruction breakpoints of DR7: a fault before the instruction, unless RF is set."""
    cdef int i
    cdef u64 laddr = cpu.rip
    cdef u64 hit = 0
    if cpu.rflags & FLAG_RF:
        return False
    if not in_64bit(cpu):
        laddr = <u32>(laddr + cpu.seg[CS].base)
    for i in range(4):
        if cpu.dr[7] >> (i * 2) & 3 and cpu.dr[7] >> (16 + i * 4) & 3 == 0 and cpu.dr[i] == laddr:
            hit |= 1 << i
    if not hit:
        return False
    raise_fault(cpu, DB)
    cpu.fault.dr6 = hit
    deliver_fault(cpu)
    return True


# ---------------------------------------------------------------------------------------------
# Execution

cdef void _execute(Cpu* cpu, Insn* insn) noexcept nogil:
    """Run a block until something leaves it."""
    cdef int status
    if not DEBUG_BUILD:
        insn.fn(cpu, insn)
        return
    while True:
        cpu.current = insn
        status = (<Body>insn.fn)(cpu, insn)
        cpu.current = NULL
        if status | cpu.attention:
            break
        insn += 1
    if status != LEFT:
        leave(cpu, insn, status)


cdef bint _single(Cpu* cpu) noexcept nogil:
    """Whether only one instruction may run before the next look."""
    if cpu.rflags & FLAG_TF or cpu.dr[7] & 0xFF:
        return True
    # Without breakpoints RF holds nothing back, and nothing reads it before it would be cleared.
    cpu.rflags &= ~<u64>FLAG_RF
    if not (cpu.lapic.pending | cpu.pending_db):
        cpu.shadow = 0                          # neither does a shadow
    return cpu.shadow != 0 or cpu.single_steps


cdef bint _look_first(Cpu* cpu) noexcept nogil:
    """Leave before an instruction, once each time, for somebody who wants to see every one."""
    cdef u64 time = execution_number(cpu)
    if cpu.step_time == time and cpu.step_rip == cpu.rip:
        return False
    cpu.step_time, cpu.step_rip = time, cpu.rip
    cpu.hook_id = 0
    cpu.exit_reason = EXIT_HOOK
    return True


cdef void _step(Cpu* cpu) noexcept nogil:
    """One instruction, with TF, RF, breakpoints and the interrupt shadow."""
    cdef u64 before = cpu.rflags
    cdef u32 shadow = cpu.shadow
    cdef i64 budget = cpu.budget
    cdef Insn* insn
    if cpu.dr[7] & 0xFF and _breakpoint_here(cpu):
        return
    cpu.shadow = 0
    cpu.rflags &= ~<u64>FLAG_RF                 # an IRET may set it again
    insn = block_at(cpu, 1)
    if insn != NULL:
        cpu.budget -= 1
        _execute(cpu, insn)
    if cpu.hook_pass or cpu.exit_reason == EXIT_HOOK:
        cpu.shadow = shadow                     # it has only been looked at
        cpu.rflags |= before & FLAG_RF
        return
    if cpu.fault.vector != NO_VECTOR:
        cpu.shadow = 0
        return
    if shadow and cpu.shadow == shadow == 1:
        cpu.shadow = 0                          # STI behind STI shadows nothing
    if cpu.budget == budget:
        cpu.rflags |= before & FLAG_RF
        return                                  # not retired: a REP that goes on
    if cpu.pending_db & DB_NO_STEP:
        cpu.pending_db &= ~<u32>DB_NO_STEP
    elif before & FLAG_TF:
        cpu.pending_db |= DR6_BS


cdef void _loop(Cpu* cpu) noexcept nogil:
    """Execute until there is an exit reason."""
    cdef Insn* insn
    while cpu.exit_reason == EXIT_NONE:
        if cpu.fault.vector != NO_VECTOR:
            deliver_fault(cpu)
            continue
        if cpu.attention | cpu.pending_db | cpu.lapic.pending:
            _between(cpu)
            if cpu.exit_reason != EXIT_NONE:
                break
        if cpu.activity != ACTIVE:
            cpu.exit_reason = EXIT_SHUTDOWN if cpu.activity == SHUTDOWN else EXIT_HLT
            break
        if cpu.budget <= 0:
            cpu.exit_reason = EXIT_BUDGET
            break
        if cpu.single_steps and _look_first(cpu):
            break
        if _single(cpu):
            _step(cpu)
            continue
        insn = block_at(cpu, cpu.budget)
        if insn == NULL:
            continue
        cpu.budget -= insn.n
        _execute(cpu, insn)


cdef int run_slice(Cpu* cpu, u64 now, i64 budget) noexcept nogil:
    """Execute until the budget is used up or there is a reason to come back.

    Parameters
    ----------
    now : virtual time in ns at the first instruction
    budget : instructions, ≥ 0

    Returns
    -------
    An Exit. ``cpu.slice_budget - cpu.budget`` instructions have retired.
    """
    cpu.slice_start = now
    cpu.slice_budget = budget
    cpu.budget = budget
    cpu.exit_reason = EXIT_NONE
    mxcsr_enter(cpu)
    _loop(cpu)
    mxcsr_leave(cpu)
    x87_spill(cpu)
    return cpu.exit_reason
