"""Interrupt and exception delivery.

References
----------
SDM Vol. 3A, Interrupt and Exception Handling; Interrupt 8, Double Fault Exception (#DF);
SDM Vol. 2A, INT n/INTO/INT3/INT1; SDM Vol. 3B, 8086 Emulation; Debug Exceptions.
"""

from pykern_c.types cimport *
from pykern_c.cpu cimport *
from pykern_c.descriptors cimport *
from pykern_c.flags cimport get_rflags
from pykern_c.mmu cimport TlbEntry, context_changed, tlb_index
from pykern_c.stacks cimport *
from pykern_c.task cimport TASK_INTERRUPT, TaskSwitch, task_switch_gate

cdef enum:
    DR6_BD = 1 << 13
    DR7_GD = 1 << 13
    GATE_IST = 7
    BENIGN = 0
    CONTRIBUTORY = 1
    PAGE_FAULT = 2
    DOUBLE_FAULT = 3


# What is being delivered.
cdef struct Event:
    u32 vector
    int kind            # INT_*
    bint has_error
    u32 error
    u64 rip             # return address
    u64 flags           # the RFLAGS image to push
    u32 ext             # EXT bit of the error codes of faults on the way


# The gate in the IDT, whatever its size.
cdef struct Gate:
    u64 offset
    u32 sel
    u32 attr            # as in Descriptor
    u32 ist


cdef inline u32 _idt_error(Event* e) noexcept nogil:
    return e.vector << 3 | 2 | e.ext


# ---------------------------------------------------------------------------------------------
# Real mode

cdef int _deliver_real(Cpu* cpu, Event* e) noexcept nogil:
    """Through the interrupt vector table.

    Source: SDM Vol. 3B, Interrupt and Exception Handling in real-address mode.
    """
    cdef Stack s
    cdef u64 vector = 0
    if e.vector * 4 + 3 > cpu.idtr.limit:
        return raise_gp(cpu, _idt_error(e))
    if system_read(cpu, cpu.idtr.base + e.vector * 4, 4, &vector):
        return FAULT
    stack_current(cpu, 0, &s)
    if stack_push(cpu, &s, 16, e.flags) or stack_push(cpu, &s, 16, cpu.seg[CS].sel):
        return FAULT
    if stack_push(cpu, &s, 16, e.rip):
        return FAULT
    stack_commit(cpu, &s)
    set_real_segment(cpu, CS, <u32>(vector >> 16))
    cpu.rip = vector & 0xFFFF
    cpu.rflags &= ~<u64>(FLAG_IF | FLAG_TF | FLAG_RF | FLAG_AC)
    context_changed(cpu)
    return 0


cdef int deliver_vme(Cpu* cpu, u32 vector, unsigned long long next_rip) noexcept nogil:
    """INT n redirected to the 8086 program's own handler; IF is VIF unless IOPL is 3.

    Source: SDM Vol. 3B, Class 3: Software Interrupt Handling in Virtual-8086 Mode, Methods 5 and 6.
    """
    cdef Stack s
    cdef u64 entry = 0
    cdef u64 flags = get_rflags(cpu)
    cdef bint virtual = flags & FLAG_IOPL != FLAG_IOPL
    if virtual:
        flags = flags & ~<u64>FLAG_IF | FLAG_IOPL
        if flags & FLAG_VIF:
            flags |= FLAG_IF
    if system_read(cpu, vector * 4, 4, &entry):
        return FAULT
    stack_current(cpu, 0, &s)
    if stack_push(cpu, &s, 16, flags) or stack_push(cpu, &s, 16, cpu.seg[CS].sel):
        return FAULT
    if stack_push(cpu, &s, 16, next_rip):
        return FAULT
    stack_commit(cpu, &s)
    set_real_segment(cpu, CS, <u32>(entry >> 16))
    cpu.rip = entry & 0xFFFF
    if cpu.rflags & FLAG_TF:
        cpu.pending_db |= DB_NO_STEP
    cpu.rflags &= ~<u64>(FLAG_TF | FLAG_NT | (FLAG_VIF if virtual else FLAG_IF))
    context_changed(cpu)
    return JUMP


# ---------------------------------------------------------------------------------------------
# Gates

cdef int _read_gate(Cpu* cpu, Event* e, Gate* gate) noexcept nogil:
    """Read the gate of the vector: 8 bytes, in IA-32e mode 16."""
    cdef u64 half[2]
    cdef u64 low, high
    cdef u32 size = 16 if long_mode(cpu) else 8
    cdef u64 laddr = cpu.idtr.base + e.vector * size
    half[0] = half[1] = 0
    if e.vector * size + size - 1 > cpu.idtr.limit:
        return raise_gp(cpu, _idt_error(e))
    if system_read(cpu, laddr, 16, half) if size == 16 else system_read(cpu, laddr, 8, half):
        return FAULT
    low, high = half[0], half[1]
    gate.sel = <u16>(low >> 16)
    gate.attr = <u32>(low >> 40) & 0xFF
    gate.ist = <u32>(low >> 32) & GATE_IST if size == 16 else 0
    gate.offset = (low & 0xFFFF) | (low >> 32 & 0xFFFF0000U) | high << 32
    if not gate.attr & 8:
        gate.offset &= 0xFFFF                               # 286 gate
    return 0


cdef int _check_gate(Cpu* cpu, Event* e, Gate* gate) noexcept nogil:
    """Type, privilege and presence of the gate."""
    cdef u32 type = gate.attr & 0x1F
    cdef bint legacy = type == SYS_TASK_GATE or type == SYS_INT16 or type == SYS_TRAP16
    if type != SYS_INT32 and type != SYS_TRAP32 and (long_mode(cpu) or not legacy):
        return raise_gp(cpu, _idt_error(e))
    if e.kind == INT_SOFT and dpl_of(gate.attr) < cpu.cpl:
        return raise_gp(cpu, _idt_error(e))
    if not gate.attr & ATTR_P:
        return raise_error(cpu, NP, _idt_error(e))
    return 0


cdef int _check_handler(Cpu* cpu, Event* e, Gate* gate, Descriptor* cs) noexcept nogil:
    """The code segment that the gate names."""
    cdef u32 error = (gate.sel & 0xFFFC) | e.ext
    if is_null(gate.sel):
        return raise_gp(cpu, e.ext)
    if fetch_descriptor(cpu, gate.sel, GP, e.ext, cs):
        return FAULT
    if not is_code(cs.attr) or dpl_of(cs.attr) > cpu.cpl:
        return raise_gp(cpu, error)
    if long_mode(cpu) and cs.attr & (ATTR_L | ATTR_DB) != ATTR_L:
        return raise_gp(cpu, error)
    if not cs.attr & ATTR_P:
        return raise_error(cpu, NP, error)
    if cpu.rflags & FLAG_VM and (cs.attr & TYPE_CONFORMING or dpl_of(cs.attr) != 0):
        return raise_gp(cpu, error)
    return mark_accessed(cpu, cs)


cdef u32 _handler_cpl(Cpu* cpu, Descriptor* cs) noexcept nogil:
    """Return the privilege level of the handler."""
    return cpu.cpl if cs.attr & TYPE_CONFORMING else dpl_of(cs.attr)


cdef void _enter_handler(Cpu* cpu, Gate* gate, Descriptor* cs, u32 cpl) noexcept nogil:
    """Go to the handler with the flags it starts with."""
    cpu.rflags &= ~<u64>(FLAG_TF | FLAG_NT | FLAG_RF | FLAG_VM)
    if not gate.attr & 1:
        cpu.rflags &= ~<u64>FLAG_IF                         # interrupt gate
    cpu.rip = gate.offset
    enter_code(cpu, gate.sel, cs, cpl)


# ---------------------------------------------------------------------------------------------
# IA-32e mode

cdef inline bint _push_at_once(Cpu* cpu, Stack* s, const u64* frame, int size) noexcept nogil:
    """Push a frame if all of it lies in one page that the TLB knows."""
    cdef u64 laddr = s.sp - size
    cdef TlbEntry* entry = &cpu.tlbs[s.which].entry[tlb_index(laddr)]
    cdef u64 x = laddr ^ entry.wtag
    if unlikely_(x > <u64>(4096 - size)):
        return False
    memcpy(entry.page + x, frame, size)
    s.sp = laddr
    return True


cdef int _push_long(Cpu* cpu, Event* e, Stack* s) noexcept nogil:
    """Push SS, RSP, RFLAGS, CS, RIP and the error code on an aligned stack."""
    cdef u64 frame[6]
    s.sp &= ~<u64>0xF
    frame[0], frame[1], frame[2] = e.error, e.rip, cpu.seg[CS].sel
    frame[3], frame[4], frame[5] = e.flags, cpu.regs[RSP], cpu.seg[SS].sel
    if e.has_error:
        if _push_at_once(cpu, s, frame, 48):
            return 0
    elif _push_at_once(cpu, s, frame + 1, 40):
        return 0
    if stack_push(cpu, s, 64, cpu.seg[SS].sel) or stack_push(cpu, s, 64, cpu.regs[RSP]):
        return FAULT
    if stack_push(cpu, s, 64, e.flags) or stack_push(cpu, s, 64, cpu.seg[CS].sel):
        return FAULT
    if stack_push(cpu, s, 64, e.rip):
        return FAULT
    return stack_push(cpu, s, 64, e.error) if e.has_error else 0


cdef int _stack_for_long(Cpu* cpu, Event* e, Gate* gate, u32 cpl, Stack* s) noexcept nogil:
    """Choose the stack: interrupt stack table, inner level, or the current one."""
    if gate.ist:
        return stack_ist(cpu, gate.ist, cpl, e.ext, s)
    if cpl != cpu.cpl:
        return stack_inner(cpu, cpl, e.ext, s)
    stack_current(cpu, e.ext, s)
    s.long_mode = True
    s.mask = ~<u64>0
    return 0


cdef int _deliver_long(Cpu* cpu, Event* e) noexcept nogil:
    """Through a 16-byte gate.

    Source: SDM Vol. 3A, Exception and Interrupt Handling in 64-bit Mode.
    """
    cdef Gate gate
    cdef Descriptor cs
    cdef Stack s
    cdef u32 cpl
    if _read_gate(cpu, e, &gate) or _check_gate(cpu, e, &gate):
        return FAULT
    if _check_handler(cpu, e, &gate, &cs):
        return FAULT
    cpl = _handler_cpl(cpu, &cs)
    if not canonical_address(gate.offset):
        return raise_gp(cpu, e.ext)
    if _stack_for_long(cpu, e, &gate, cpl, &s) or _push_long(cpu, e, &s):
        return FAULT
    stack_commit(cpu, &s)
    _enter_handler(cpu, &gate, &cs, cpl)
    return 0


# ---------------------------------------------------------------------------------------------
# Protected mode

cdef int _push_v86_segments(Cpu* cpu, int w, Stack* s) noexcept nogil:
    """The data segments of the virtual-8086 task: above everything else."""
    if stack_push(cpu, s, w, cpu.seg[GS].sel) or stack_push(cpu, s, w, cpu.seg[FS].sel):
        return FAULT
    return stack_push(cpu, s, w, cpu.seg[DS].sel) or stack_push(cpu, s, w, cpu.seg[ES].sel)


cdef int _push_frame(Cpu* cpu, Event* e, int w, bint switched, Stack* s) noexcept nogil:
    """Push (GS FS DS ES) (SS ESP) EFLAGS CS EIP (error code)."""
    if cpu.rflags & FLAG_VM and _push_v86_segments(cpu, w, s):
        return FAULT
    if switched:
        if stack_push(cpu, s, w, cpu.seg[SS].sel) or stack_push(cpu, s, w, cpu.regs[RSP]):
            return FAULT
    if stack_push(cpu, s, w, e.flags) or stack_push(cpu, s, w, cpu.seg[CS].sel):
        return FAULT
    if stack_push(cpu, s, w, e.rip):
        return FAULT
    return stack_push(cpu, s, w, e.error) if e.has_error else 0


cdef void _leave_v86(Cpu* cpu) noexcept nogil:
    """The handler starts with null data segments."""
    cdef int seg
    for seg in range(6):
        if seg != CS and seg != SS:
            set_null_segment(&cpu.seg[seg], 0, 0)


cdef int _deliver_task(Cpu* cpu, Event* e, Gate* gate) noexcept nogil:
    """Through a task gate."""
    cdef TaskSwitch s
    s.kind = TASK_INTERRUPT
    s.ext = e.ext
    s.has_error = e.has_error
    s.error = e.error
    s.rip = e.rip
    s.flags = e.flags
    return task_switch_gate(cpu, gate.sel, &s)


cdef int _deliver_protected(Cpu* cpu, Event* e) noexcept nogil:
    """Through an 8-byte gate, 286 or 386.

    Source: SDM Vol. 3A, Exception- or Interrupt-Handler Procedures.
    """
    cdef Gate gate
    cdef Descriptor cs
    cdef Stack s
    cdef u32 cpl
    cdef int w
    if _read_gate(cpu, e, &gate) or _check_gate(cpu, e, &gate):
        return FAULT
    if gate.attr & 0x1F == SYS_TASK_GATE:
        return _deliver_task(cpu, e, &gate)
    if _check_handler(cpu, e, &gate, &cs):
        return FAULT
    w = 32 if gate.attr & 8 else 16
    cpl = _handler_cpl(cpu, &cs)
    if cpl == cpu.cpl:
        stack_current(cpu, e.ext, &s)
    elif stack_inner(cpu, cpl, e.ext, &s):
        return FAULT
    if _push_frame(cpu, e, w, cpl != cpu.cpl, &s):
        return FAULT
    if gate.offset > cs.limit:
        return raise_gp(cpu, e.ext)
    if cpu.rflags & FLAG_VM:
        _leave_v86(cpu)
    stack_commit(cpu, &s)
    _enter_handler(cpu, &gate, &cs, cpl)
    return 0


# ---------------------------------------------------------------------------------------------

cdef int _deliver(Cpu* cpu, Event* e) noexcept nogil:
    """Deliver an event in the current mode: 0, or FAULT with cpu.fault set."""
    e.ext = e.kind != INT_SOFT
    if unlikely_(cpu.platform.hook_kinds & HOOK_INT):
        cpu.platform.event_hook(cpu, e.vector, e.error if e.has_error else 0,
                                e.kind == INT_EXTERNAL)
    if not cpu.cr0 & CR0_PE:
        e.has_error = False
        return _deliver_real(cpu, e)
    if long_mode(cpu):
        return _deliver_long(cpu, e)
    return _deliver_protected(cpu, e)


cdef int _class(u32 vector) noexcept nogil:
    """Return the class of an exception.

    Source: SDM Vol. 3A, Interrupt 8, Interrupt and Exception Classes.
    """
    if vector == PF or vector == 20:                        # #VE counts as a page fault
        return PAGE_FAULT
    if vector == DE or vector == 21 or (vector >= TS and vector <= GP):
        return CONTRIBUTORY
    if vector == DF_:
        return DOUBLE_FAULT
    return BENIGN


cdef bint _is_double(int first, int second) noexcept nogil:
    """Whether two exceptions cannot be handled one after the other.

    Source: SDM Vol. 3A, Interrupt 8, Conditions for Generating a Double Fault.
    """
    if first == CONTRIBUTORY:
        return second == CONTRIBUTORY
    return first == PAGE_FAULT and second != BENIGN


cdef void _record(Cpu* cpu) noexcept nogil:
    """Keep the faults of one delivery: the first one, and the latest of those behind it."""
    cdef u32 i
    if cpu.nesting == MAX_CHAIN:
        for i in range(1, MAX_CHAIN - 1):
            cpu.chain[i] = cpu.chain[i + 1]
            cpu.chain_rip[i] = cpu.chain_rip[i + 1]
        cpu.nesting = MAX_CHAIN - 1
    cpu.chain[cpu.nesting] = cpu.fault
    cpu.chain_rip[cpu.nesting] = cpu.rip
    cpu.nesting += 1


cdef void _shutdown(Cpu* cpu) noexcept nogil:
    """Triple fault: stop before anything is reset."""
    cpu.fault.vector = NO_VECTOR
    cpu.activity = SHUTDOWN
    cpu.exit_reason = EXIT_SHUTDOWN


cdef void _take_fault(Cpu* cpu, Event* e) noexcept nogil:
    """Make the event of cpu.fault, with its side effects on CR2 and the debug registers."""
    cdef Fault* f = &cpu.fault
    e.vector = f.vector
    e.kind = INT_FAULT
    e.has_error = f.has_error
    e.error = f.error
    e.rip = cpu.rip
    e.flags = get_rflags(cpu)
    if f.vector == PF:
        cpu.cr2 = f.address
    if f.vector == DB:
        cpu.dr[6] = (cpu.dr[6] & ~<u64>0xF) | f.dr6
        cpu.dr[7] &= ~<u64>DR7_GD
    if f.vector != DB or f.dr6 & DR6_BD:
        e.flags |= FLAG_RF                                  # faults resume; #DB of a trap does not
    f.vector = NO_VECTOR
    f.dr6 = 0


cdef void _deliver_all(Cpu* cpu, Event* e, int kind) noexcept nogil:
    """Deliver an event, and the faults that its delivery causes; `kind` is its class."""
    cdef int second
    cpu.shadow = 0
    while _deliver(cpu, e):
        _record(cpu)
        second = _class(cpu.fault.vector)
        if kind == DOUBLE_FAULT:
            _shutdown(cpu)
            return
        if second == BENIGN:    # handled next, by itself: it may recur for ever, but takes time
            if cpu.budget <= 0:
                cpu.exit_reason = EXIT_BUDGET
            return
        if _is_double(kind, second):
            second = DOUBLE_FAULT
            if cpu.fault.vector == PF:
                cpu.cr2 = cpu.fault.address
            raise_error(cpu, DF_, 0)
        kind = second
        _take_fault(cpu, e)
    cpu.nesting = 0


cdef void deliver_fault(Cpu* cpu) noexcept nogil:
    """Deliver the exception that an instruction raised."""
    cdef Event e
    cdef int kind = _class(cpu.fault.vector)
    cpu.budget -= 1             # takes time: a handler that faults at once cannot stop the clock
    cpu.nesting = 0
    _record(cpu)
    _take_fault(cpu, &e)
    _deliver_all(cpu, &e, kind)


cdef void deliver_external(Cpu* cpu, u32 vector) noexcept nogil:
    """Deliver an interrupt or NMI between two instructions."""
    cdef Event e
    cpu.nesting = 0
    e.vector = vector
    e.kind = INT_EXTERNAL
    e.has_error = False
    e.error = 0
    e.rip = cpu.rip
    e.flags = get_rflags(cpu)
    _deliver_all(cpu, &e, BENIGN)


cdef int _deliver_inside(Cpu* cpu, u32 vector, int kind, u64 next_rip) noexcept nogil:
    cdef Event e
    e.vector = vector
    e.kind = kind
    e.has_error = False
    e.error = 0
    e.rip = next_rip
    e.flags = get_rflags(cpu)
    if _deliver(cpu, &e):
        return FAULT
    if e.flags & FLAG_TF:
        cpu.pending_db |= DB_NO_STEP
    return JUMP


cdef int deliver_soft(Cpu* cpu, u32 vector, unsigned long long next_rip) noexcept nogil:
    """INT n, INT3, INTO: from inside the instruction."""
    return _deliver_inside(cpu, vector, INT_SOFT, next_rip)


cdef int deliver_int1(Cpu* cpu, unsigned long long next_rip) noexcept nogil:
    """INT1: no privilege check."""
    return _deliver_inside(cpu, DB, INT_PRIVILEGED, next_rip)
