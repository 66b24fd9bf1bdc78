"""Far jumps, calls and returns: they may change code segment, privilege and mode."""

from pykern_c.types cimport *
from pykern_c.cpu cimport *
from pykern_c.descriptors cimport *
from pykern_c.flags cimport *
from pykern_c.mmu cimport context_changed
from pykern_c.operands cimport *
from pykern_c.stacks cimport *
from pykern_c.isa.segment cimport load_far_pointer
from pykern_c.task cimport (
    TASK_CALL, TASK_JMP, TaskSwitch, task_switch_gate, task_switch_tss,
)


# ---------------------------------------------------------------------------------------------
# Code segments

cdef inline int code_target(Cpu* cpu, const Descriptor* d, u64 offset) noexcept nogil:
    """Check an offset against the segment it goes to: canonical in 64-bit code, else the limit."""
    if long_mode(cpu) and d.attr & ATTR_L:
        return 0 if canonical_address(offset) else raise_gp(cpu, 0)
    return 0 if offset <= d.limit else raise_gp(cpu, 0)


cdef inline int present_code(Cpu* cpu, u32 sel, Descriptor* d) noexcept nogil:
    """The last checks of a code segment: presence, and not both L and D in IA-32e mode."""
    if long_mode(cpu) and d.attr & (ATTR_L | ATTR_DB) == ATTR_L | ATTR_DB:
        return raise_gp(cpu, sel & 0xFFFC)
    if not d.attr & ATTR_P:
        return raise_error(cpu, NP, sel & 0xFFFC)
    return mark_accessed(cpu, d)


cdef inline int direct_code(Cpu* cpu, u32 sel, u64 offset, Descriptor* d) noexcept nogil:
    """Check a code segment that JMP or CALL names itself: it must be of the same privilege.

    Source: SDM Vol. 3A, Direct Calls or Jumps to Code Segments.
    """
    cdef u32 dpl = dpl_of(d.attr)
    if d.attr & TYPE_CONFORMING:
        if dpl > cpu.cpl:
            return raise_gp(cpu, sel & 0xFFFC)
    elif (sel & 3) > cpu.cpl or dpl != cpu.cpl:
        return raise_gp(cpu, sel & 0xFFFC)
    if present_code(cpu, sel, d):
        return FAULT
    return code_target(cpu, d, offset)


cdef inline int real_target(Cpu* cpu, u64 offset) noexcept nogil:
    """Check an offset in real and virtual-8086 mode."""
    return 0 if offset <= cpu.seg[CS].limit else raise_gp(cpu, 0)


cdef inline int enter_real(Cpu* cpu, u32 sel, u64 offset) noexcept nogil:
    """Go to a real-mode address."""
    set_real_segment(cpu, CS, sel)
    cpu.rip = offset
    context_changed(cpu)
    return JUMP


cdef inline void task_switch_from(Cpu* cpu, Insn* insn, int kind, TaskSwitch* s) noexcept nogil:
    """Describe a task switch by an instruction: the old task goes on behind it."""
    s.kind = kind
    s.ext = 0
    s.has_error = False
    s.error = 0
    s.rip = next_ip(cpu, insn)
    s.flags = get_rflags(cpu)


cdef inline int switch_task(Cpu* cpu, Insn* insn, u32 sel, Descriptor* d,
                            int kind) noexcept nogil:
    """JMP or CALL to a TSS or a task gate."""
    cdef TaskSwitch s
    if dpl_of(d.attr) < cpu.cpl or dpl_of(d.attr) < (sel & 3):
        return raise_gp(cpu, sel & 0xFFFC)
    task_switch_from(cpu, insn, kind, &s)
    if d.attr & 0xF != SYS_TASK_GATE:
        return FAULT if task_switch_tss(cpu, d, &s) else JUMP
    if not d.attr & ATTR_P:
        return raise_error(cpu, NP, sel & 0xFFFC)
    return FAULT if task_switch_gate(cpu, <u16>(d.raw >> 16), &s) else JUMP


# ---------------------------------------------------------------------------------------------
# Call gates

cdef struct CallGate:
    u32 sel
    u64 offset
    u32 count           # parameters to copy
    int w


cdef inline int read_call_gate(Cpu* cpu, u32 sel, Descriptor* d, CallGate* gate,
                               Descriptor* code) noexcept nogil:
    """Check a call gate and read the code segment it leads to.

    Source: SDM Vol. 3A, Accessing a Code Segment Through a Call Gate.
    """
    cdef u32 dpl = dpl_of(d.attr)
    if dpl < cpu.cpl or dpl < (sel & 3):
        return raise_gp(cpu, sel & 0xFFFC)
    if not d.attr & ATTR_P:
        return raise_error(cpu, NP, sel & 0xFFFC)
    gate.sel = <u16>(d.raw >> 16)
    gate.offset = (d.raw & 0xFFFF) | ((d.raw >> 32) & 0xFFFF0000U)
    gate.count = <u32>(d.raw >> 32) & 0x1F
    gate.w = 32
    if long_mode(cpu):
        if fetch_high(cpu, GP, 0, d):
            return FAULT
        gate.offset |= d.high << 32
        gate.w = 64
    elif d.attr & 0xF == SYS_CALL16:
        gate.offset &= 0xFFFF
        gate.w = 16
    if is_null(gate.sel):
        return raise_gp(cpu, 0)
    if fetch_descriptor(cpu, gate.sel, GP, 0, code):
        return FAULT
    if not is_code(code.attr) or dpl_of(code.attr) > cpu.cpl:
        return raise_gp(cpu, gate.sel & 0xFFFC)
    if long_mode(cpu) and code.attr & (ATTR_L | ATTR_DB) != ATTR_L:
        return raise_gp(cpu, gate.sel & 0xFFFC)
    return 0


cdef inline int jump_gate(Cpu* cpu, u32 sel, Descriptor* d) noexcept nogil:
    """JMP through a call gate: privilege does not change."""
    cdef CallGate gate
    cdef Descriptor code
    if read_call_gate(cpu, sel, d, &gate, &code):
        return FAULT
    if not code.attr & TYPE_CONFORMING and dpl_of(code.attr) != cpu.cpl:
        return raise_gp(cpu, gate.sel & 0xFFFC)
    if present_code(cpu, gate.sel, &code) or code_target(cpu, &code, gate.offset):
        return FAULT
    cpu.rip = gate.offset
    enter_code(cpu, gate.sel, &code, cpu.cpl)
    return JUMP


cdef inline int copy_parameters(Cpu* cpu, const CallGate* gate, Stack* s) noexcept nogil:
    """Copy the parameters of a call gate from the caller's stack, the last pushed last."""
    cdef u64 value
    cdef int i = <int>gate.count - 1
    while i >= 0:
        if read_stack(cpu, gate.w, i, &value) or stack_push(cpu, s, gate.w, value):
            return FAULT
        i -= 1
    return 0


cdef inline int push_caller_stack(Cpu* cpu, const CallGate* gate, Stack* s) noexcept nogil:
    """On an inner stack: the caller's SS and SP, and the parameters."""
    if stack_push(cpu, s, gate.w, cpu.seg[SS].sel) or stack_push(cpu, s, gate.w, cpu.regs[RSP]):
        return FAULT
    return copy_parameters(cpu, gate, s) if gate.w != 64 else 0


cdef inline int call_gate(Cpu* cpu, Insn* insn, u32 sel, Descriptor* d) noexcept nogil:
    """CALL through a call gate, to the same or an inner level.

    Source: SDM Vol. 2A, CALL, "call-gate".
    """
    cdef CallGate gate
    cdef Descriptor code
    cdef Stack s
    cdef u32 cpl = cpu.cpl
    if read_call_gate(cpu, sel, d, &gate, &code) or present_code(cpu, gate.sel, &code):
        return FAULT
    if not code.attr & TYPE_CONFORMING:
        cpl = dpl_of(code.attr)
    if cpl == cpu.cpl:
        stack_current(cpu, 0, &s)
        if gate.w == 64:
            s.long_mode = True
            s.mask = ~<u64>0
    elif stack_inner(cpu, cpl, 0, &s) or push_caller_stack(cpu, &gate, &s):
        return FAULT
    if stack_push(cpu, &s, gate.w, cpu.seg[CS].sel):
        return FAULT
    if stack_push(cpu, &s, gate.w, next_ip(cpu, insn)):
        return FAULT
    if code_target(cpu, &code, gate.offset):
        return FAULT
    stack_commit(cpu, &s)
    cpu.rip = gate.offset
    enter_code(cpu, gate.sel, &code, cpl)
    return JUMP


# ---------------------------------------------------------------------------------------------
# JMP

cdef inline bint gate_type(Cpu* cpu, u32 attr) noexcept nogil:
    """Whether a system descriptor is a call gate that exists in this mode."""
    return attr & 0xF == SYS_CALL32 or (attr & 0xF == SYS_CALL16 and not long_mode(cpu))


cdef inline bint task_type(Cpu* cpu, u32 attr) noexcept nogil:
    """Whether a system descriptor is a task gate or TSS that a transfer may name."""
    if long_mode(cpu):
        return False
    return attr & 0xF == SYS_TASK_GATE or attr & 0x5 == SYS_TSS16


cdef inline int far_jump(Cpu* cpu, Insn* insn, u32 sel, u64 offset) noexcept nogil:
    """Jump to selector:offset."""
    cdef Descriptor d
    if not protected_mode(cpu):
        return FAULT if real_target(cpu, offset) else enter_real(cpu, sel, offset)
    if is_null(sel):
        return raise_gp(cpu, 0)
    if fetch_descriptor(cpu, sel, GP, 0, &d):
        return FAULT
    if is_code(d.attr):
        if direct_code(cpu, sel, offset, &d):
            return FAULT
        cpu.rip = offset
        enter_code(cpu, sel, &d, cpu.cpl)
        return JUMP
    if not d.attr & ATTR_S:
        if gate_type(cpu, d.attr):
            return jump_gate(cpu, sel, &d)
        if task_type(cpu, d.attr):
            return switch_task(cpu, insn, sel, &d, TASK_JMP)
    return raise_gp(cpu, sel & 0xFFFC)


cdef inline int far_immediate(Insn* insn, u64* offset) noexcept nogil:
    """Split the immediate pointer; return the selector."""
    cdef int bits = operand_bits(insn)
    offset[0] = trunc(insn.imm, bits)
    return <int>(insn.imm >> bits) & 0xFFFF


cdef inline int jmp_far_direct(Cpu* cpu, Insn* insn) noexcept nogil:
    """Jump, far, to an immediate pointer.

    EA far     JMP Ap    i64 ends

    Flags: all if a task switch occurs, else none.
    Source: SDM Vol. 2A, JMP.
    """
    cdef u64 offset
    cdef u32 sel = far_immediate(insn, &offset)
    return far_jump(cpu, insn, sel, offset)


cdef inline int jmp_far_indirect(Cpu* cpu, Insn* insn) noexcept nogil:
    """Jump, far, to a pointer in memory.

    FF /5      JMP Mp    ends

    Flags: all if a task switch occurs, else none.
    Source: SDM Vol. 2A, JMP.
    """
    cdef u64 offset
    cdef u32 sel
    if load_far_pointer(cpu, insn, operand_bits(insn), &offset, &sel):
        return FAULT
    return far_jump(cpu, insn, sel, offset)


# ---------------------------------------------------------------------------------------------
# CALL

cdef inline int push_return(Cpu* cpu, Insn* insn, Stack* s) noexcept nogil:
    """Push CS and the return address in the operand size."""
    cdef int w = operand_bits(insn)
    stack_current(cpu, 0, s)
    if stack_push(cpu, s, w, cpu.seg[CS].sel):
        return FAULT
    return stack_push(cpu, s, w, next_ip(cpu, insn))


cdef inline int call_code(Cpu* cpu, Insn* insn, u32 sel, u64 offset,
                          Descriptor* d) noexcept nogil:
    """CALL of a code segment of the same privilege."""
    cdef Stack s
    if direct_code(cpu, sel, offset, d) or push_return(cpu, insn, &s):
        return FAULT
    stack_commit(cpu, &s)
    cpu.rip = offset
    enter_code(cpu, sel, d, cpu.cpl)
    return JUMP


cdef inline int far_call(Cpu* cpu, Insn* insn, u32 sel, u64 offset) noexcept nogil:
    """Call selector:offset."""
    cdef Descriptor d
    cdef Stack s
    if not protected_mode(cpu):
        if push_return(cpu, insn, &s) or real_target(cpu, offset):
            return FAULT
        stack_commit(cpu, &s)
        return enter_real(cpu, sel, offset)
    if is_null(sel):
        return raise_gp(cpu, 0)
    if fetch_descriptor(cpu, sel, GP, 0, &d):
        return FAULT
    if is_code(d.attr):
        return call_code(cpu, insn, sel, offset, &d)
    if not d.attr & ATTR_S:
        if gate_type(cpu, d.attr):
            return call_gate(cpu, insn, sel, &d)
        if task_type(cpu, d.attr):
            return switch_task(cpu, insn, sel, &d, TASK_CALL)
    return raise_gp(cpu, sel & 0xFFFC)


cdef inline int call_far_direct(Cpu* cpu, Insn* insn) noexcept nogil:
    """Call, far, to an immediate pointer.

    9A far     CALL Ap    i64 ends

    Flags: all if a task switch occurs, else none.
    Source: SDM Vol. 2A, CALL.
    """
    cdef u64 offset
    cdef u32 sel = far_immediate(insn, &offset)
    return far_call(cpu, insn, sel, offset)


cdef inline int call_far_indirect(Cpu* cpu, Insn* insn) noexcept nogil:
    """Call, far, to a pointer in memory.

    FF /3      CALL Mp    ends

    Flags: all if a task switch occurs, else none.
    Source: SDM Vol. 2A, CALL.
    """
    cdef u64 offset
    cdef u32 sel
    if load_far_pointer(cpu, insn, operand_bits(insn), &offset, &sel):
        return FAULT
    return far_call(cpu, insn, sel, offset)


# ---------------------------------------------------------------------------------------------
# RET

cdef inline int return_code(Cpu* cpu, u32 sel, u64 offset, Descriptor* d) noexcept nogil:
    """Check the code segment that RET or IRET goes back to: RPL is the privilege to return to."""
    cdef u32 rpl = sel & 3
    if is_null(sel):
        return raise_gp(cpu, 0)
    if fetch_descriptor(cpu, sel, GP, 0, d):
        return FAULT
    if not is_code(d.attr) or rpl < cpu.cpl:
        return raise_gp(cpu, sel & 0xFFFC)
    if dpl_of(d.attr) > rpl if d.attr & TYPE_CONFORMING else dpl_of(d.attr) != rpl:
        return raise_gp(cpu, sel & 0xFFFC)
    if present_code(cpu, sel, d):
        return FAULT
    return code_target(cpu, d, offset)


cdef inline int return_stack(Cpu* cpu, u32 sel, u32 cs, const Descriptor* code,
                             Seg* s) noexcept nogil:
    """Check the stack segment of an outer level; null is allowed below ring 3 in 64-bit mode."""
    cdef Descriptor d
    cdef u32 rpl = cs & 3
    if is_null(sel) and long_mode(cpu) and code.attr & ATTR_L and rpl != 3 and sel & 3 == rpl:
        set_null_segment(s, sel, rpl)
        return 0
    if check_stack_segment(cpu, sel, rpl, GP, 0, &d):
        return FAULT
    set_segment(s, sel, &d)
    return 0


cdef inline void set_outer_stack(Cpu* cpu, const Descriptor* code, const Seg* s,
                                 u64 sp) noexcept nogil:
    """Load the SS:SP that a return pops; a 16-bit stack takes only SP."""
    cpu.seg[SS] = s[0]
    if long_mode(cpu) and code.attr & ATTR_L:
        cpu.regs[RSP] = sp
    elif s.attr & ATTR_DB:
        cpu.regs[RSP] = <u32>sp
    else:
        set_reg(cpu, 16, RSP, sp)


cdef inline void leave_level(Cpu* cpu, u32 sel, const Descriptor* code) noexcept nogil:
    """Enter the code segment that a return goes to, at its RPL."""
    cdef u32 before = cpu.cpl
    enter_code(cpu, sel, code, sel & 3)
    if sel & 3 != before:
        drop_inner_segments(cpu)


cdef inline int far_return(Cpu* cpu, int w, u64 extra) noexcept nogil:
    """RETF in protected mode."""
    cdef u64 offset, sel, sp, ss
    cdef Descriptor d
    cdef Seg stack
    if read_stack(cpu, w, 0, &offset) or read_stack(cpu, w, 1, &sel):
        return FAULT
    sel &= 0xFFFF
    if return_code(cpu, <u32>sel, offset, &d):
        return FAULT
    if sel & 3 == cpu.cpl:
        add_sp(cpu, (w >> 2) + extra)
        cpu.rip = offset
        enter_code(cpu, <u32>sel, &d, cpu.cpl)
        return JUMP
    if read_outer_stack(cpu, w, (w >> 2) + extra, &sp, &ss):
        return FAULT
    if return_stack(cpu, <u32>ss, <u32>sel, &d, &stack):
        return FAULT
    cpu.rip = offset
    set_outer_stack(cpu, &d, &stack, sp)
    leave_level(cpu, <u32>sel, &d)
    add_sp(cpu, extra)
    return JUMP


cdef inline int read_outer_stack(Cpu* cpu, int w, u64 above, u64* sp, u64* ss) noexcept nogil:
    """Read SP and SS of the caller, `above` bytes up the stack."""
    cdef u64 at = trunc(cpu.regs[RSP] + above, stack_bits(cpu))
    sp[0] = ss[0] = 0
    if load(cpu, SS, at, w >> 3, sp):
        return FAULT
    at = trunc(at + (w >> 3), stack_bits(cpu))
    if load(cpu, SS, at, w >> 3, ss):
        return FAULT
    ss[0] &= 0xFFFF
    return 0


cdef inline int retf(Cpu* cpu, Insn* insn) noexcept nogil:
    """Return, far; the immediate is popped behind the address, on both stacks.

    CB         RETF       ends by=far
    CA iw      RETF Iw    ends by=far

    Flags: none.
    Source: SDM Vol. 2B, RET.
    """
    cdef int w = operand_bits(insn)
    cdef u64 offset, sel
    if protected_mode(cpu):
        return far_return(cpu, w, insn.imm)
    if read_stack(cpu, w, 0, &offset) or read_stack(cpu, w, 1, &sel) or real_target(cpu, offset):
        return FAULT
    add_sp(cpu, (w >> 2) + insn.imm)
    return enter_real(cpu, <u32>sel, offset)
