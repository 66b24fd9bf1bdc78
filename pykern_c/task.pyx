"""Hardware task switches.

The task-state segments (32-bit, 16-bit)::

    00 link            00 link                 48 ES CS SS DS FS GS     22 ES CS SS DS
    04 ESP0 SS0 …2     02 SP0 SS0 …2           60 LDT                   2A LDT
    1C CR3                                     64 T
    20 EIP EFLAGS      0E IP FLAGS             66 I/O map base
    28 EAX … EDI       12 AX … DI

References
----------
SDM Vol. 3A, Task Management (Task Switching; 16-Bit Task-State Segment (TSS)).
"""

from pykern_c.types cimport *
from pykern_c.cpu cimport *
from pykern_c.descriptors cimport *
from pykern_c.flags cimport set_arith_flags
from pykern_c.mmu cimport (
    ACCESS_READ, ACCESS_WRITE, context_changed, probe_slow, tlb_flush,
)
from pykern_c.paging cimport load_pdptes
from pykern_c.stacks cimport Stack, stack_commit, stack_current, stack_push

cdef enum:
    TSS32_SIZE = 0x68
    TSS16_SIZE = 0x2C
    TSS_CR3 = 0x1C
    TSS_TRAP = 0x64
    DR6_BT = 1 << 15
    TASK_FLAGS = 0x3F7FD7


# The part of a TSS that a switch saves and loads.
cdef struct TaskState:
    u64 cr3
    u64 rip
    u64 flags
    u64 regs[8]
    u32 seg[6]          # in the order of the selectors ES CS SS DS FS GS
    u32 ldt
    bint trap


cdef inline bint _wide(u32 attr) noexcept nogil:
    """Whether a TSS is a 32-bit one."""
    return (attr & 8) != 0


cdef inline u32 _size(u32 attr) noexcept nogil:
    return TSS32_SIZE if _wide(attr) else TSS16_SIZE


# ---------------------------------------------------------------------------------------------
# Memory images. What they touch has been probed: nothing here can fault.

cdef u64 _get(Cpu* cpu, u64 laddr, int size) noexcept nogil:
    cdef u64 value = 0
    system_read(cpu, laddr, size, &value)
    return value


cdef void _put(Cpu* cpu, u64 laddr, int size, u64 value) noexcept nogil:
    system_write(cpu, laddr, size, &value)


cdef void _save(Cpu* cpu, TaskSwitch* s) noexcept nogil:
    """Save the running task in its TSS."""
    cdef bint wide = _wide(cpu.tr.attr)
    cdef int size = 4 if wide else 2
    cdef u64 at = cpu.tr.base + (0x20 if wide else 0x0E)
    cdef u64 flags = s.flags
    cdef int i
    if s.kind == TASK_IRET:
        flags &= ~<u64>FLAG_NT
    _put(cpu, at, size, s.rip)
    _put(cpu, at + size, size, flags)
    for i in range(8):
        _put(cpu, at + (2 + i) * size, size, cpu.regs[i])
    for i in range(6 if wide else 4):
        _put(cpu, at + (10 + i) * size, 2, cpu.seg[i].sel)


cdef void _load(Cpu* cpu, const Descriptor* d, TaskState* t) noexcept nogil:
    """Read the new task's TSS."""
    cdef bint wide = _wide(d.attr)
    cdef int size = 4 if wide else 2
    cdef u64 at = d.base + (0x20 if wide else 0x0E)
    cdef u64 high = 0 if wide else 0xFFFF0000U              # of registers that a 16-bit TSS has not
    cdef int i
    t.rip = _get(cpu, at, size)
    t.flags = _get(cpu, at + size, size)
    for i in range(8):
        t.regs[i] = _get(cpu, at + (2 + i) * size, size) | high
    for i in range(6):
        t.seg[i] = <u32>_get(cpu, at + (10 + i) * size, 2) if wide or i < 4 else 0
    t.ldt = <u32>_get(cpu, d.base + (0x60 if wide else 0x2A), 2)
    t.cr3 = _get(cpu, d.base + TSS_CR3, 4) if wide else cpu.cr3
    t.trap = wide and _get(cpu, d.base + TSS_TRAP, 1) & 1


# ---------------------------------------------------------------------------------------------
# Checks before anything changes

cdef int _check_tss(Cpu* cpu, Descriptor* d, TaskSwitch* s) noexcept nogil:
    """The new TSS must be available (IRET: busy), present, and large enough."""
    cdef u32 error = (d.sel & 0xFFFC) | s.ext
    cdef u32 vector = TS if s.kind == TASK_IRET else GP
    cdef u32 busy = 2 if s.kind == TASK_IRET else 0
    if d.attr & (ATTR_S | 7) != SYS_TSS16 | busy:
        return raise_error(cpu, vector, error)
    if not d.attr & ATTR_P:
        return raise_error(cpu, NP, error)
    if d.limit + 1 < _size(d.attr):
        return raise_error(cpu, TS, error)
    if cpu.tr.limit + 1 < _size(cpu.tr.attr):
        return raise_error(cpu, TS, (cpu.tr.sel & 0xFFFC) | s.ext)
    return 0


cdef int _check_pages(Cpu* cpu, Descriptor* d, TaskSwitch* s) noexcept nogil:
    """Both TSSs must be in memory before the point of no return."""
    cdef int which = implicit_tlb(cpu)
    cdef bint nests = s.kind == TASK_CALL or s.kind == TASK_INTERRUPT
    if probe_slow(cpu, which, cpu.tr.base, _size(cpu.tr.attr), ACCESS_WRITE):
        return FAULT
    if probe_slow(cpu, which, d.base, _size(d.attr), ACCESS_READ):
        return FAULT
    return probe_slow(cpu, which, d.base, 2, ACCESS_WRITE) if nests else 0


cdef int _set_busy(Cpu* cpu, Descriptor* d, TaskSwitch* s) noexcept nogil:
    """Follow the busy bits: a task that is left by JMP or IRET is available again."""
    cdef Descriptor old
    cdef bint leaves = s.kind == TASK_JMP or s.kind == TASK_IRET
    if leaves and not is_null(cpu.tr.sel):
        if fetch_descriptor(cpu, cpu.tr.sel, TS, s.ext, &old):
            return FAULT
        if write_type(cpu, &old, old.attr & 0xD):
            return FAULT
    return write_type(cpu, d, (d.attr & 0xF) | 2)


# ---------------------------------------------------------------------------------------------
# Behind the point of no return: exceptions belong to the new task

cdef int _load_ldt(Cpu* cpu, u32 sel) noexcept nogil:
    cdef Descriptor d
    set_null_segment(&cpu.ldtr, sel, 0)
    if is_null(sel):
        return 0
    if sel & 4:
        return raise_error(cpu, TS, sel & 0xFFFC)
    if fetch_descriptor(cpu, sel, TS, 0, &d):
        return FAULT
    if d.attr & 0x1F != SYS_LDT or not d.attr & ATTR_P:
        return raise_error(cpu, TS, sel & 0xFFFC)
    set_segment(&cpu.ldtr, sel, &d)
    return 0


cdef int _load_code(Cpu* cpu, u32 sel) noexcept nogil:
    cdef Descriptor d
    cdef u32 rpl = sel & 3
    if is_null(sel):
        return raise_error(cpu, TS, 0)
    if fetch_descriptor(cpu, sel, TS, 0, &d):
        return FAULT
    if not is_code(d.attr):
        return raise_error(cpu, TS, sel & 0xFFFC)
    if dpl_of(d.attr) > rpl if d.attr & TYPE_CONFORMING else dpl_of(d.attr) != rpl:
        return raise_error(cpu, TS, sel & 0xFFFC)
    if not d.attr & ATTR_P:
        return raise_error(cpu, NP, sel & 0xFFFC)
    if mark_accessed(cpu, &d):
        return FAULT
    set_segment(&cpu.seg[CS], sel, &d)
    return 0


cdef int _load_data(Cpu* cpu, int seg, u32 sel) noexcept nogil:
    """Load a data segment: the checks of MOV, but what #GP is there is #TS here."""
    if load_segment(cpu, seg, sel) == 0:
        return 0
    if cpu.fault.vector == GP:
        cpu.fault.vector = TS
    return FAULT


cdef int _load_segments(Cpu* cpu, TaskState* t) noexcept nogil:
    """Load the hidden parts of all segment registers."""
    cdef Descriptor d
    if _load_ldt(cpu, t.ldt):
        return FAULT
    if cpu.rflags & FLAG_VM:
        return 0
    if check_stack_segment(cpu, t.seg[SS], cpu.cpl, TS, 0, &d):
        return FAULT
    set_segment(&cpu.seg[SS], t.seg[SS], &d)
    if _load_code(cpu, t.seg[CS]):
        return FAULT
    if _load_data(cpu, DS, t.seg[DS]) or _load_data(cpu, ES, t.seg[ES]):
        return FAULT
    if _load_data(cpu, FS, t.seg[FS]) or _load_data(cpu, GS, t.seg[GS]):
        return FAULT
    return 0


cdef void _take_registers(Cpu* cpu, TaskState* t, bint nests) noexcept nogil:
    """Load what needs no descriptor; the segments are unusable until theirs are checked."""
    cdef int i
    cpu.rip = t.rip
    cpu.rflags = t.flags & TASK_FLAGS & ~<u64>FLAGS_ARITH
    set_arith_flags(cpu, t.flags)
    if nests:
        cpu.rflags |= FLAG_NT
    for i in range(8):
        cpu.regs[i] = t.regs[i]
    cpu.cpl = 3 if cpu.rflags & FLAG_VM else t.seg[CS] & 3
    for i in range(6):
        if cpu.rflags & FLAG_VM:
            set_real_segment(cpu, i, t.seg[i])
        else:
            set_null_segment(&cpu.seg[i], t.seg[i], cpu.cpl if i == SS else 0)


cdef int _push_error(Cpu* cpu, u32 error, int w) noexcept nogil:
    """Push the error code of the exception on the new task's stack."""
    cdef Stack s
    stack_current(cpu, 0, &s)
    if stack_push(cpu, &s, w, error):
        return FAULT
    stack_commit(cpu, &s)
    return 0


cdef int _load_cr3(Cpu* cpu, u64 cr3) noexcept nogil:
    """Change the address space; with PAE paging the PDPTEs must be valid."""
    if not cpu.cr0 & CR0_PG or cr3 == cpu.cr3:
        return 0
    if cpu.cr4 & CR4_PAE and load_pdptes(cpu, cr3):
        return raise_error(cpu, TS, cpu.tr.sel & 0xFFFC)
    cpu.cr3 = cr3
    tlb_flush(cpu, False)
    return 0


cdef int _become(Cpu* cpu, const Descriptor* d, TaskState* t, TaskSwitch* s) noexcept nogil:
    """Take the new task's state: 0, or FAULT with an exception for the new task."""
    cdef bint nests = s.kind == TASK_CALL or s.kind == TASK_INTERRUPT
    cdef int status
    set_segment(&cpu.tr, d.sel, d)
    _take_registers(cpu, t, nests)
    cpu.cr0 |= CR0_TS
    cpu.dr[7] &= ~<u64>0x55                                 # local breakpoints end with their task
    context_changed(cpu)
    status = _load_cr3(cpu, t.cr3) or _load_segments(cpu, t)
    context_changed(cpu)
    if status:
        return FAULT
    if t.trap:
        cpu.pending_db |= DR6_BT
    if s.has_error and _push_error(cpu, s.error, 32 if _wide(d.attr) else 16):
        return FAULT
    return raise_gp(cpu, 0) if cpu.rip > cpu.seg[CS].limit else 0


# ---------------------------------------------------------------------------------------------

cdef int task_switch_tss(Cpu* cpu, Descriptor* d, TaskSwitch* s) noexcept nogil:
    """Switch to the task of a TSS descriptor."""
    cdef TaskState t
    cdef u32 link = cpu.tr.sel
    if _check_tss(cpu, d, s) or _check_pages(cpu, d, s) or _set_busy(cpu, d, s):
        return FAULT
    _save(cpu, s)
    if s.kind == TASK_CALL or s.kind == TASK_INTERRUPT:
        _put(cpu, d.base, 2, link)
    _load(cpu, d, &t)
    _become(cpu, d, &t, s)
    return 0


cdef int task_switch_gate(Cpu* cpu, u32 sel, TaskSwitch* s) noexcept nogil:
    """Switch to the task whose TSS selector a task gate holds."""
    cdef Descriptor d
    if is_null(sel) or sel & 4:
        return raise_gp(cpu, (sel & 0xFFFC) | s.ext)
    if fetch_descriptor(cpu, sel, GP, s.ext, &d):
        return FAULT
    return task_switch_tss(cpu, &d, s)


cdef int task_return(Cpu* cpu, TaskSwitch* s) noexcept nogil:
    """Go back to the task that the link field of the current TSS names."""
    cdef Descriptor d
    cdef u64 link = 0
    if system_read(cpu, cpu.tr.base, 2, &link):
        return FAULT
    if is_null(<u32>link) or link & 4:
        return raise_error(cpu, TS, link & 0xFFFC)
    if fetch_descriptor(cpu, <u32>link, TS, 0, &d):
        return FAULT
    return task_switch_tss(cpu, &d, s)
