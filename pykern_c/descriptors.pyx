"""Segment descriptors: reading them, checking them, loading segment registers.

References
----------
SDM Vol. 3A, Segment Descriptors; Protection; SDM Vol. 2B, MOV; SDM Vol. 3A, Null Segment Checking.
"""

from pykern_c.types cimport *
from pykern_c.cpu cimport *
from pykern_c.mmu cimport context_changed, read_linear, write_linear


# ---------------------------------------------------------------------------------------------
# System accesses

cdef inline u64 _wrapped(Cpu* cpu, u64 laddr) noexcept nogil:
    return laddr if long_mode(cpu) else <u32>laddr


cdef int system_read_slow(Cpu* cpu, u64 laddr, int size, void* out) noexcept nogil:
    """Read a system structure that may cross a page."""
    cdef int first = <int>(4096 - (laddr & 0xFFF))
    cdef int which = implicit_tlb(cpu)
    laddr = _wrapped(cpu, laddr)
    if first >= size:
        return read_linear(cpu, which, laddr, size, out)
    if read_linear(cpu, which, laddr, first, out):
        return FAULT
    return read_linear(cpu, which, _wrapped(cpu, laddr + first), size - first, <u8*>out + first)


cdef int system_write(Cpu* cpu, u64 laddr, int size, const void* data) noexcept nogil:
    """Write a system structure; it may cross a page."""
    cdef int first = <int>(4096 - (laddr & 0xFFF))
    cdef int which = implicit_tlb(cpu)
    laddr = _wrapped(cpu, laddr)
    if first >= size:
        return write_linear(cpu, which, laddr, size, data)
    if write_linear(cpu, which, laddr, first, data):
        return FAULT
    return write_linear(cpu, which, _wrapped(cpu, laddr + first), size - first,
                        <const u8*>data + first)


# ---------------------------------------------------------------------------------------------
# Descriptors

cdef inline void _unpack(u64 raw, Descriptor* d) noexcept nogil:
    """Spread a descriptor over base, limit in bytes and attributes."""
    d.raw = raw
    d.high = 0
    d.attr = <u32>(raw >> 40) & 0xF0FF
    d.base = ((raw >> 16) & 0xFFFFFF) | ((raw >> 56) << 24)
    d.limit = <u32>((raw & 0xFFFF) | ((raw >> 32) & 0xF0000))
    if d.attr & 0x8000:
        d.limit = d.limit << 12 | 0xFFF


cdef bint _table_has(Cpu* cpu, u32 sel, u32 size, u64* base) noexcept nogil:
    """Whether a descriptor of `size` bytes lies within the table that the selector names."""
    if not sel & 4:
        base[0] = cpu.gdtr.base
        return (sel & 0xFFF8) + size - 1 <= cpu.gdtr.limit
    base[0] = cpu.ldtr.base
    return not cpu.ldtr.attr & ATTR_UNUSABLE and (sel & 0xFFF8) + size - 1 <= cpu.ldtr.limit


cdef bint descriptor_exists(Cpu* cpu, u32 sel) noexcept nogil:
    """Whether a selector is not null and within its table."""
    cdef u64 base
    return not is_null(sel) and _table_has(cpu, sel, 8, &base)


cdef int fetch_descriptor(Cpu* cpu, u32 sel, u32 vector, u32 ext, Descriptor* d) noexcept nogil:
    """Read the descriptor of a selector."""
    cdef u64 base, raw = 0
    if not _table_has(cpu, sel, 8, &base):
        return raise_error(cpu, vector, (sel & 0xFFFC) | ext)
    d.laddr = base + (sel & 0xFFF8)
    d.sel = sel
    if system_read(cpu, d.laddr, 8, &raw):
        return FAULT
    _unpack(raw, d)
    return 0


cdef int fetch_high(Cpu* cpu, u32 vector, u32 ext, Descriptor* d) noexcept nogil:
    """Read bits 63:32 of the base of a 16-byte descriptor; its type field must be 0.

    Source: SDM Vol. 3A, System Descriptor Types; 64-Bit Mode.
    """
    cdef u64 base
    if not _table_has(cpu, d.sel, 16, &base):
        return raise_error(cpu, vector, (d.sel & 0xFFFC) | ext)
    if system_read(cpu, d.laddr + 8, 8, &d.high):
        return FAULT
    if (d.high >> 40) & 0x1F:
        return raise_error(cpu, vector, (d.sel & 0xFFFC) | ext)
    d.base |= d.high << 32
    return 0


cdef int write_type(Cpu* cpu, Descriptor* d, u32 type) noexcept nogil:
    """Change the type field of a descriptor in memory: accessed and busy bits."""
    cdef u8 byte = <u8>((d.attr & 0xF0) | type)
    if system_write(cpu, d.laddr + 5, 1, &byte):
        return FAULT
    d.attr = (d.attr & ~<u32>0xF) | type
    return 0


# ---------------------------------------------------------------------------------------------
# Segment registers

cdef void set_segment(Seg* s, u32 sel, const Descriptor* d) noexcept nogil:
    """Fill the hidden part of a segment register."""
    s.sel = <u16>sel
    s.base = d.base
    s.limit = d.limit
    s.attr = d.attr


cdef void set_null_segment(Seg* s, u32 sel, u32 cpl) noexcept nogil:
    """Load a null selector; `cpl` is the DPL that a null SS keeps."""
    s.sel = <u16>sel
    s.base = 0
    s.limit = 0
    s.attr = ATTR_UNUSABLE | cpl << 5


cdef void set_real_segment(Cpu* cpu, int seg, u32 sel) noexcept nogil:
    """Load a segment register in real or virtual-8086 mode.

    In real mode limit and granularity stay what they were ("unreal mode").
    Source: SDM Vol. 3B, Real-Address Mode Operation; Segment Registers in virtual-8086 mode.
    """
    cdef Seg* s = &cpu.seg[seg]
    s.sel = <u16>sel
    s.base = <u64>(sel & 0xFFFF) << 4
    if cpu.rflags & FLAG_VM:
        s.limit = 0xFFFF
        s.attr = 0xF3
        return
    if s.attr & ATTR_UNUSABLE:
        s.limit = 0xFFFF
        s.attr = 0
    s.attr = (s.attr & 0xF000) | (0x9B if seg == CS else 0x93)


cdef int check_stack_segment(Cpu* cpu, u32 sel, u32 cpl, u32 vector, u32 ext,
                             Descriptor* d) noexcept nogil:
    """Check a selector for SS at privilege level `cpl`; #SS if it is not present."""
    cdef u32 error = (sel & 0xFFFC) | ext
    if is_null(sel):
        return raise_error(cpu, vector, ext)
    if fetch_descriptor(cpu, sel, vector, ext, d):
        return FAULT
    if sel & 3 != cpl or dpl_of(d.attr) != cpl or not is_writable_data(d.attr):
        return raise_error(cpu, vector, error)
    if not d.attr & ATTR_P:
        return raise_error(cpu, SS_, error)
    return mark_accessed(cpu, d)


cdef int _load_ss(Cpu* cpu, u32 sel) noexcept nogil:
    cdef Descriptor d
    if is_null(sel) and in_64bit(cpu) and cpu.cpl < 3 and sel & 3 == cpu.cpl:
        set_null_segment(&cpu.seg[SS], sel, cpu.cpl)
        return 0
    if check_stack_segment(cpu, sel, cpu.cpl, GP, 0, &d):
        return FAULT
    set_segment(&cpu.seg[SS], sel, &d)
    return 0


cdef int load_segment(Cpu* cpu, int seg, u32 sel) noexcept nogil:
    """Load a segment register other than CS in the current mode; the code mode may follow."""
    cdef int status
    if protected_mode(cpu):
        status = _load_protected(cpu, seg, sel & 0xFFFF)
    else:
        set_real_segment(cpu, seg, sel & 0xFFFF)
        status = 0
    if seg < FS and not in_64bit(cpu) and status == 0:
        context_changed(cpu)                                # flat, or not any longer
    return status


cdef int _load_protected(Cpu* cpu, int seg, u32 sel) noexcept nogil:
    """Load a segment register from its descriptor.

    Source: SDM Vol. 2B, MOV, "Loading a segment register while in protected mode".
    """
    cdef Descriptor d
    if seg == SS:
        return _load_ss(cpu, sel)
    if is_null(sel):
        set_null_segment(&cpu.seg[seg], sel, 0)
        return 0
    if fetch_descriptor(cpu, sel, GP, 0, &d):
        return FAULT
    if not d.attr & ATTR_S or d.attr & (TYPE_CODE | TYPE_READABLE) == TYPE_CODE:
        return raise_gp(cpu, sel & 0xFFFC)
    if d.attr & (TYPE_CODE | TYPE_CONFORMING) != TYPE_CODE | TYPE_CONFORMING:
        if dpl_of(d.attr) < (sel & 3) or dpl_of(d.attr) < cpu.cpl:
            return raise_gp(cpu, sel & 0xFFFC)
    if not d.attr & ATTR_P:
        return raise_error(cpu, NP, sel & 0xFFFC)
    if mark_accessed(cpu, &d):
        return FAULT
    set_segment(&cpu.seg[seg], sel, &d)
    return 0


cdef void enter_code(Cpu* cpu, u32 sel, const Descriptor* d, u32 cpl) noexcept nogil:
    """Load CS with RPL = CPL and follow the change of privilege and mode."""
    set_segment(&cpu.seg[CS], (sel & 0xFFFC) | cpl, d)
    cpu.cpl = <u8>cpl
    context_changed(cpu)


cdef void drop_inner_segments(Cpu* cpu) noexcept nogil:
    """Make null what a return to an outer level leaves unusable: data and non-conforming code.

    Source: SDM Vol. 2B, RET, "RETURN-OUTER-PRIVILEGE-LEVEL".
    """
    cdef int seg
    cdef Seg* s
    for seg in range(6):
        s = &cpu.seg[seg]
        if seg == CS or seg == SS or s.attr & ATTR_UNUSABLE:
            continue
        if s.attr & (TYPE_CODE | TYPE_CONFORMING) == TYPE_CODE | TYPE_CONFORMING:
            continue
        if dpl_of(s.attr) < cpu.cpl:
            set_null_segment(s, 0, 0)
    if not in_64bit(cpu):
        context_changed(cpu)                                # flat no longer
