"""Linear memory: the translation look-aside buffer, and the slow paths behind it (mmu.pyx).

References
----------
SDM Vol. 3A, Paging; Caching Translation Information.
"""

from pykern_c.types cimport u8, u16, u32, u64, copy_small, likely_
from pykern_c.cpu cimport Cpu, Tlb, TlbEntry, TLB_SIZE

cdef enum:
    ACCESS_READ = 0
    ACCESS_WRITE = 1
    ACCESS_EXEC = 2
    ACCESS_MODIFY = 3           # for hooks: a read and a write of the same bytes


# A memory operand opened for read-modify-write: nothing behind this can fault.
cdef struct MemRef:
    u8* host            # NULL: two parts or a device
    u64 paddr[2]
    int size[2]         # bytes in each part


cdef inline u32 tlb_index(u64 laddr) noexcept nogil:
    """Hash a page number: powers of two apart must not collide."""
    return <u32>((laddr >> 12) ^ (laddr >> 21)) & (TLB_SIZE - 1)


cdef inline TlbEntry* tlb_entry(Cpu* cpu, u64 laddr) noexcept nogil:
    return &cpu.tlb.entry[tlb_index(laddr)]


# Slow paths. `which` is the TLB to fill (TlbIndex), which also says whose rights count.
cdef int read_slow(Cpu* cpu, int which, u64 laddr, int size, void* out) noexcept nogil
cdef int write_slow(Cpu* cpu, int which, u64 laddr, int size, const void* data) noexcept nogil
cdef int open_slow(Cpu* cpu, int which, u64 laddr, int size, MemRef* ref) noexcept nogil
cdef void ref_read_slow(Cpu* cpu, MemRef* ref, void* out) noexcept nogil
cdef void ref_write_slow(Cpu* cpu, MemRef* ref, const void* data) noexcept nogil
cdef int probe_slow(Cpu* cpu, int which, u64 laddr, int size, int kind) noexcept nogil
# Translate for a fetch: the host address of the page and its physical address; NULL host: a device.
cdef int fetch_page(Cpu* cpu, u64 laddr, u8** host, u64* paddr) noexcept nogil
cdef void tlb_flush(Cpu* cpu, bint globals_too) noexcept nogil
cdef void tlb_invalidate(Cpu* cpu, u64 laddr) noexcept nogil
cdef void tlb_drop_page(Cpu* cpu, u8* host, bint writes_only) noexcept nogil
# To be called after any change of CPL, CR0, CR3, CR4, EFER, EFLAGS.AC or CS: picks TLB, mode, keys.
cdef void context_changed(Cpu* cpu) noexcept nogil


cdef inline int read_linear(Cpu* cpu, int which, u64 laddr, int size, void* out) noexcept nogil:
    """Read `size` bytes at a linear address with the rights of one of the TLBs."""
    cdef TlbEntry* e = &cpu.tlbs[which].entry[tlb_index(laddr)]
    cdef u64 x = laddr ^ e.rtag
    if likely_(x <= <u64>(4096 - size)):
        copy_small(out, e.page + x, size)
        return 0
    return read_slow(cpu, which, laddr, size, out)


cdef inline int write_linear(Cpu* cpu, int which, u64 laddr, int size,
                             const void* data) noexcept nogil:
    """Write `size` bytes at a linear address with the rights of one of the TLBs."""
    cdef TlbEntry* e = &cpu.tlbs[which].entry[tlb_index(laddr)]
    cdef u64 x = laddr ^ e.wtag
    if likely_(x <= <u64>(4096 - size)):
        copy_small(e.page + x, data, size)
        return 0
    return write_slow(cpu, which, laddr, size, data)


cdef inline int open_linear(Cpu* cpu, int which, u64 laddr, int size, MemRef* ref) noexcept nogil:
    """Open `size` bytes for reading and writing; faults as a write does."""
    cdef TlbEntry* e = &cpu.tlbs[which].entry[tlb_index(laddr)]
    cdef u64 x = laddr ^ e.wtag
    if likely_(x <= <u64>(4096 - size)):
        ref.host = e.page + x
        return 0
    return open_slow(cpu, which, laddr, size, ref)


cdef inline void ref_read(Cpu* cpu, MemRef* ref, int size, void* out) noexcept nogil:
    """Read an opened operand; cannot fault."""
    if likely_(ref.host != NULL):
        copy_small(out, ref.host, size)
        return
    ref_read_slow(cpu, ref, out)


cdef inline void ref_write(Cpu* cpu, MemRef* ref, int size, const void* data) noexcept nogil:
    """Write an opened operand; cannot fault."""
    if likely_(ref.host != NULL):
        copy_small(ref.host, data, size)
        return
    ref_write_slow(cpu, ref, data)
