"""The stack that a control transfer pushes to.

References
----------
SDM Vol. 3A, Stack Switching; Task-State Segment (TSS); Interrupt Stack Table.
"""

from pykern_c.types cimport *
from pykern_c.cpu cimport *
from pykern_c.descriptors cimport *
from pykern_c.mmu cimport write_linear
from pykern_c.operands cimport stack_bits


cdef void stack_current(Cpu* cpu, u32 ext, Stack* s) noexcept nogil:
    """Describe the stack in use."""
    s.ss = cpu.seg[SS]
    s.sp = cpu.regs[RSP]
    s.mask = mask(stack_bits(cpu))
    s.which = cpu.which
    s.long_mode = in_64bit(cpu)
    s.error = ext


cdef int _tss_field(Cpu* cpu, u32 offset, u32 size, u32 ext, u64* value) noexcept nogil:
    """Read a field of the TSS; #TS(TR) if it lies beyond the limit."""
    value[0] = 0
    if offset + size - 1 > cpu.tr.limit:
        return raise_error(cpu, TS, (cpu.tr.sel & 0xFFFC) | ext)
    return system_read(cpu, cpu.tr.base + offset, size, value)


cdef int _stack_long(Cpu* cpu, u32 offset, u32 cpl, u32 ext, Stack* s) noexcept nogil:
    """Take a stack pointer of the 64-bit TSS."""
    if _tss_field(cpu, offset, 8, ext, &s.sp):
        return FAULT
    if not canonical_address(s.sp):
        return raise_error(cpu, SS_, ext)
    s.mask = ~<u64>0
    s.which = explicit_tlb(cpu, cpl)
    s.long_mode = True
    s.error = ext
    s.ss = cpu.seg[SS]
    if cpl != cpu.cpl:
        set_null_segment(&s.ss, cpl, cpl)
    return 0


cdef int stack_inner(Cpu* cpu, u32 cpl, u32 ext, Stack* s) noexcept nogil:
    """Take the stack of privilege level `cpl` from the TSS."""
    cdef Descriptor d
    cdef u64 sel
    cdef u32 wide = cpu.tr.attr & 8                         # 32-bit TSS
    if long_mode(cpu):
        return _stack_long(cpu, 4 + cpl * 8, cpl, ext, s)
    if (8 * cpl + 11 if wide else 4 * cpl + 5) > cpu.tr.limit:
        return raise_error(cpu, TS, (cpu.tr.sel & 0xFFFC) | ext)
    if _tss_field(cpu, 4 + cpl * 8 if wide else 2 + cpl * 4, 4 if wide else 2, ext, &s.sp):
        return FAULT
    if _tss_field(cpu, 8 + cpl * 8 if wide else 4 + cpl * 4, 2, ext, &sel):
        return FAULT
    if check_stack_segment(cpu, <u32>sel, cpl, TS, ext, &d):
        return FAULT
    set_segment(&s.ss, <u32>sel, &d)
    s.mask = 0xFFFFFFFFU if d.attr & ATTR_DB else 0xFFFF
    s.which = explicit_tlb(cpu, cpl)
    s.long_mode = False
    s.error = (<u32>sel & 0xFFFC) | ext
    return 0


cdef int stack_ist(Cpu* cpu, u32 ist, u32 cpl, u32 ext, Stack* s) noexcept nogil:
    """Take a stack of the interrupt stack table."""
    return _stack_long(cpu, 0x24 + (ist - 1) * 8, cpl, ext, s)


cdef bint _within(Stack* s, u64 offset, int size) noexcept nogil:
    """Whether a push stays within the limit of SS."""
    cdef u64 last = offset + size - 1
    if s.ss.attr & ATTR_UNUSABLE:
        return False
    if s.ss.attr & (TYPE_CODE | TYPE_EXPAND_DOWN) == TYPE_EXPAND_DOWN:
        return offset > s.ss.limit and last <= (0xFFFFFFFFU if s.ss.attr & ATTR_DB else 0xFFFF)
    return last <= s.ss.limit


cdef int stack_push(Cpu* cpu, Stack* s, int w, u64 value) noexcept nogil:
    """Push `w` bits; #SS outside the segment or at a non-canonical address."""
    cdef int size = w >> 3
    cdef u64 offset = (s.sp - size) & s.mask
    cdef u64 laddr = offset
    if s.long_mode:
        if not canonical_address(offset) or not canonical_address(offset + size - 1):
            return raise_error(cpu, SS_, s.error)
    elif not _within(s, offset, size):
        return raise_error(cpu, SS_, s.error)
    else:
        laddr = <u32>(offset + s.ss.base)
    if write_linear(cpu, s.which, laddr, size, &value):
        return FAULT
    s.sp = (s.sp & ~s.mask) | offset
    return 0


cdef void stack_commit(Cpu* cpu, Stack* s) noexcept nogil:
    """Make it the stack in use. The caller sets CPL and calls context_changed."""
    cpu.seg[SS] = s.ss
    cpu.regs[RSP] = s.sp
