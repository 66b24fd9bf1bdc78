"""Segment descriptors: reading them, checking them, loading segment registers (descriptors.pyx).

A descriptor in memory, and `Seg.attr` made of it (the access-rights format of VMX)::

     63      56 55 52 51  48 47 46 45 44 43  40 39      16 15         0
    +----------+-----+------+--+-----+--+------+----------+------------+
    | base 31: | G   | lim. |P | DPL |S | type | base     | limit      |
    |       24 | D L |19:16 |  |     |  |      | 23:0     | 15:0       |
    |          | AVL |      |  |     |  |      |          |            |
    +----------+-----+------+--+-----+--+------+----------+------------+
    attr:  15 G  14 D/B  13 L  12 AVL   7 P  6:5 DPL  4 S  3:0 type    16: unusable

References
----------
SDM Vol. 3A, Segment Descriptors; System Descriptor Types; Protection.
"""

from pykern_c.types cimport u8, u16, u32, u64, i64, copy_small, likely_
from pykern_c.cpu cimport (
    Cpu, Seg, CR4_SMAP, TLB_SMAP, TLB_SUPER, TLB_USER, FLAG_AC, FLAG_VM, long_mode,
)
from pykern_c.mmu cimport TlbEntry, tlb_index

cdef enum:
    ATTR_S = 0x10
    ATTR_P = 0x80
    ATTR_L = 0x2000
    ATTR_DB = 0x4000
    ATTR_UNUSABLE = 0x10000

# Type field with S: data and code.
cdef enum:
    TYPE_ACCESSED = 1
    TYPE_WRITABLE = 2       # data
    TYPE_READABLE = 2       # code
    TYPE_CONFORMING = 4     # code
    TYPE_EXPAND_DOWN = 4    # data
    TYPE_CODE = 8

# Type field without S.
cdef enum:
    SYS_TSS16 = 1
    SYS_LDT = 2
    SYS_TSS16_BUSY = 3
    SYS_CALL16 = 4
    SYS_TASK_GATE = 5
    SYS_INT16 = 6
    SYS_TRAP16 = 7
    SYS_TSS32 = 9           # and the 64-bit TSS
    SYS_TSS32_BUSY = 11
    SYS_CALL32 = 12         # and the 64-bit call gate
    SYS_INT32 = 14
    SYS_TRAP32 = 15


cdef struct Descriptor:
    u64 raw
    u64 high                # second half of a 16-byte descriptor, else 0
    u64 laddr               # where it stands
    u64 base
    u32 limit
    u32 attr
    u32 sel


cdef inline bint canonical_address(u64 laddr) noexcept nogil:
    """Whether bits 63 to 47 are equal."""
    return <u64>(<i64>(laddr << 16) >> 16) == laddr


cdef inline int implicit_tlb(Cpu* cpu) noexcept nogil:
    """Return the rights of implicit supervisor accesses: SMAP holds whatever EFLAGS.AC is.

    Source: SDM Vol. 3A, Access Rights, Determination of Access Rights.
    """
    return TLB_SMAP if cpu.cr4 & CR4_SMAP else TLB_SUPER


cdef inline int explicit_tlb(Cpu* cpu, u32 cpl) noexcept nogil:
    """Return the rights of stack accesses made at a privilege level."""
    if cpl == 3:
        return TLB_USER
    return TLB_SMAP if cpu.cr4 & CR4_SMAP and not cpu.rflags & FLAG_AC else TLB_SUPER


cdef inline u32 dpl_of(u32 attr) noexcept nogil:
    """Return the DPL of an attribute word."""
    return (attr >> 5) & 3


cdef inline bint is_null(u32 sel) noexcept nogil:
    """Whether a selector is one of the four null selectors."""
    return sel & 0xFFFC == 0


cdef inline bint is_code(u32 attr) noexcept nogil:
    """Whether attributes are those of a code segment."""
    return attr & (ATTR_S | TYPE_CODE) == ATTR_S | TYPE_CODE


cdef inline bint is_writable_data(u32 attr) noexcept nogil:
    """Whether attributes are those of a writable data segment."""
    return attr & (ATTR_S | TYPE_CODE | TYPE_WRITABLE) == ATTR_S | TYPE_WRITABLE


# System accesses: with supervisor rights whatever CPL is. 0, or FAULT with #PF raised.
cdef int system_read_slow(Cpu* cpu, u64 laddr, int size, void* out) noexcept nogil


cdef inline int system_read(Cpu* cpu, u64 laddr, int size, void* out) noexcept nogil:
    """Read a system structure."""
    cdef u64 at = laddr if long_mode(cpu) else <u32>laddr
    cdef TlbEntry* e = &cpu.tlbs[implicit_tlb(cpu)].entry[tlb_index(at)]
    cdef u64 x = at ^ e.rtag
    if likely_(x <= <u64>(4096 - size)):
        copy_small(out, e.page + x, size)
        return 0
    return system_read_slow(cpu, laddr, size, out)


cdef int system_write(Cpu* cpu, u64 laddr, int size, const void* data) noexcept nogil
# Read the descriptor of a selector that is not null; outside its table: `vector`(selector | ext).
cdef int fetch_descriptor(Cpu* cpu, u32 sel, u32 vector, u32 ext, Descriptor* d) noexcept nogil
# Read the second half of a system descriptor in IA-32e mode (also of a call gate).
cdef int fetch_high(Cpu* cpu, u32 vector, u32 ext, Descriptor* d) noexcept nogil
# Whether an 8- or 16-byte descriptor is within its table, without faulting for it (LAR, VERR).
cdef bint descriptor_exists(Cpu* cpu, u32 sel) noexcept nogil
cdef int write_type(Cpu* cpu, Descriptor* d, u32 type) noexcept nogil


cdef inline int mark_accessed(Cpu* cpu, Descriptor* d) noexcept nogil:
    """Set the accessed bit of a code or data segment, if it is not."""
    if likely_(d.attr & TYPE_ACCESSED):
        return 0
    return write_type(cpu, d, d.attr & 0xF | TYPE_ACCESSED)


cdef void set_segment(Seg* s, u32 sel, const Descriptor* d) noexcept nogil
cdef void set_null_segment(Seg* s, u32 sel, u32 cpl) noexcept nogil
cdef void set_real_segment(Cpu* cpu, int seg, u32 sel) noexcept nogil
# Load ES, SS, DS, FS or GS as MOV and POP do, in the current mode.
cdef int load_segment(Cpu* cpu, int seg, u32 sel) noexcept nogil
# The checks of an SS for privilege level `cpl`; the errors differ by where it came from.
cdef int check_stack_segment(Cpu* cpu, u32 sel, u32 cpl, u32 vector, u32 ext,
                             Descriptor* d) noexcept nogil
# Enter a code segment: CS, CPL (also as DPL of SS), mode.
cdef void enter_code(Cpu* cpu, u32 sel, const Descriptor* d, u32 cpl) noexcept nogil
# After a return to an outer level: segments the new level may not use become null.
cdef void drop_inner_segments(Cpu* cpu) noexcept nogil
