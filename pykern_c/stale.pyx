"""Stale TLB entries: where a real processor might still use what it has cached.

pykern walks anew there, and can say that the guest relies on it. After a write to a page table
every TLB entry is compared with the tables; one that no longer says the same is taken out and kept
in a list, until software invalidates it or an access would have found it.

References
----------
SDM Vol. 3A, Invalidation of TLBs and Paging-Structure Caches.
"""

from pykern_c.types cimport u8, u32, u64
from pykern_c.cpu cimport *
from pykern_c.memory cimport ram_find
from pykern_c.mmu cimport ACCESS_EXEC, ACCESS_READ, ACCESS_WRITE, tlb_drop_page, tlb_index
from pykern_c.paging cimport Walk, page_walk


cdef void drop_stale(Cpu* cpu, u64 laddr, u64 region, bint globals_too) noexcept nogil:
    """Forget stale entries that software has invalidated."""
    cdef u32 i, kept = 0
    for i in range(cpu.stale_count):
        if (cpu.stale[i].laddr ^ laddr) & region == 0 and (
                globals_too or not cpu.stale[i].is_global):
            continue
        cpu.stale[kept] = cpu.stale[i]
        kept += 1
    cpu.stale_count = kept


cdef void _note_stale(Cpu* cpu, u32 which, u32 i) noexcept nogil:
    """Compare a TLB entry with the page tables; take it out if they no longer say the same."""
    cdef Tlb* t = &cpu.tlbs[which]
    cdef TlbEntry* e = &t.entry[i]
    cdef Walk walk
    cdef u64 laddr = e.rtag if tlb_index(e.rtag) == i else e.xtag
    cdef int kind = ACCESS_WRITE if e.wtag == laddr else (
        ACCESS_READ if e.rtag == laddr else ACCESS_EXEC)
    cdef RamRange* r
    if tlb_index(laddr) != i:
        return
    if page_walk(cpu, laddr, kind, which == TLB_USER, which == TLB_SMAP, False, &walk):
        r = ram_find(cpu.platform, walk.paddr & cpu.platform.a20_mask)
        if r != NULL and r.host + (walk.paddr - r.base) == e.page:
            return
    if cpu.stale_count < MAX_STALE:
        cpu.stale[cpu.stale_count].laddr = laddr
        cpu.stale[cpu.stale_count].paddr = _paddr_of(cpu.platform, e.page)
        cpu.stale[cpu.stale_count].which = which
        cpu.stale[cpu.stale_count].is_global = t.info[i] & INFO_GLOBAL
        cpu.stale_count += 1
    e.rtag = e.wtag = e.xtag = (<u64>(i ^ 1)) << 12


cdef u64 _paddr_of(Platform* p, u8* host) noexcept nogil:
    cdef u32 i
    for i in range(p.ram_count):
        if host >= p.ram[i].host and host < p.ram[i].host + p.ram[i].size:
            return p.ram[i].base + <u64>(host - p.ram[i].host)
    return 0


cdef void table_written(Platform* p) noexcept nogil:
    cdef u32 c, which, j
    for c in range(p.cpu_count):
        for which in range(TLB_COUNT):
            for j in range(p.cpus[c].tlbs[which].count):
                _note_stale(p.cpus[c], which, p.cpus[c].tlbs[which].used[j])


cdef void watch_tables(Cpu* cpu, Walk* walk) noexcept nogil:
    """Make writes to the tables just walked visible."""
    cdef int i
    cdef u32 c
    cdef RamRange* r
    cdef u8* flags
    for i in range(walk.levels):
        r = ram_find(cpu.platform, walk.entry_paddr[i])
        if r == NULL:
            continue
        flags = &r.page[(walk.entry_paddr[i] - r.base) >> 12]
        if flags[0] & PAGE_TABLE:
            continue
        flags[0] |= PAGE_TABLE
        for c in range(cpu.platform.cpu_count):
            tlb_drop_page(cpu.platform.cpus[c],
                          r.host + ((walk.entry_paddr[i] - r.base) & ~<u64>0xFFF), True)


cdef void report_stale(Cpu* cpu, u32 which, u64 laddr) noexcept nogil:
    """Say that an access would have found a stale entry; once for each."""
    cdef u32 i
    for i in range(cpu.stale_count):
        if cpu.stale[i].laddr == laddr & ~<u64>0xFFF and cpu.stale[i].which == which:
            cpu.platform.stale_used(cpu, laddr, cpu.stale[i].paddr | (laddr & 0xFFF))
            cpu.stale_count -= 1
            cpu.stale[i] = cpu.stale[cpu.stale_count]
            return
