"""The page walk: from a linear address through the tables to a physical one.

References
----------
SDM Vol. 3A, Paging (32-Bit Paging, PAE Paging, 4-Level Paging, Access Rights, Page-Fault
Exceptions, Accessed and Dirty Flags).
"""

from pykern_c.types cimport u32, u64
from pykern_c.cpu cimport *
from pykern_c.memory cimport phys_read, phys_write
from pykern_c.mmu cimport ACCESS_EXEC, ACCESS_WRITE

cdef enum:
    PTE_P = 1
    PTE_W = 2
    PTE_U = 4
    PTE_A = 0x20
    PTE_D = 0x40
    PTE_PS = 0x80
    PTE_G = 0x100
    PTE_NX_SHIFT = 63

    PF_P = 1
    PF_W = 2
    PF_U = 4
    PF_RSVD = 8
    PF_I = 16

cdef u64 ADDR_MASK = 0x000FFFFFFFFFF000ULL      # constant: physical address bits of an entry


cdef inline u64 _level_mask(int shift) noexcept nogil:
    return ((<u64>1) << shift) - 1


cdef bint _fail(Walk* walk, u32 error, u32 cause) noexcept nogil:
    walk.fault = True
    walk.error = error | cause
    return False


cdef u64 _reserved_bits(Cpu* cpu, u64 entry, int shift, bint leaf) noexcept nogil:
    """Return the reserved bits that are set in a PAE or 4-level entry."""
    cdef u64 reserved = cpu.platform.reserved_mask
    if not cpu.efer & EFER_NXE:
        reserved |= (<u64>1) << PTE_NX_SHIFT
    if leaf and shift > 12:
        reserved |= _level_mask(shift) & ~<u64>0x1FFF
    if not leaf and shift == 39:
        reserved |= PTE_PS
    if not long_mode(cpu):
        reserved |= 0x7FF0000000000000ULL
    return entry & reserved


cdef bint _walk_legacy(Cpu* cpu, u64 laddr, Walk* walk, u32 error) noexcept nogil:
    """32-bit paging: 4 KiB and 4 MiB pages, PSE-36."""
    cdef u64 table = cpu.cr3 & 0xFFFFF000U
    cdef u64 entry
    cdef int shift = 22
    while True:
        walk.entry_paddr[walk.levels] = table + ((laddr >> shift) & 0x3FF) * 4
        entry = phys_read(cpu, walk.entry_paddr[walk.levels], 4)
        walk.entry[walk.levels] = entry
        walk.levels += 1
        if not entry & PTE_P:
            return _fail(walk, error, 0)
        walk.writable &= (entry & PTE_W) != 0
        walk.user &= (entry & PTE_U) != 0
        if shift == 22 and entry & PTE_PS and cpu.cr4 & CR4_PSE:
            if entry & (1 << 21):
                return _fail(walk, error, PF_RSVD | PF_P)
            table = (entry & 0xFFC00000U) | ((entry >> 13) & 0xFF) << 32
            break
        table = entry & 0xFFFFF000U
        if shift == 12:
            break
        shift = 12
    walk.page_size = (<u64>1) << shift
    walk.paddr = table | (laddr & _level_mask(shift))
    return True


cdef bint _walk_pae(Cpu* cpu, u64 laddr, Walk* walk, u32 error) noexcept nogil:
    """PAE and 4-level paging."""
    cdef u64 table = cpu.cr3 & ADDR_MASK
    cdef u64 entry
    cdef int shift = 39
    cdef bint leaf
    if not long_mode(cpu):
        entry = cpu.pdpte[(laddr >> 30) & 3]
        walk.entry_paddr[0] = (cpu.cr3 & 0xFFFFFFE0U) + ((laddr >> 30) & 3) * 8
        walk.entry[0] = entry
        walk.levels = 1
        if not entry & PTE_P:
            return _fail(walk, error, 0)
        table = entry & ADDR_MASK
        shift = 21
    while True:
        walk.entry_paddr[walk.levels] = table + ((laddr >> shift) & 0x1FF) * 8
        entry = phys_read(cpu, walk.entry_paddr[walk.levels], 8)
        walk.entry[walk.levels] = entry
        walk.levels += 1
        if not entry & PTE_P:
            return _fail(walk, error, 0)
        leaf = shift == 12 or (shift < 39 and entry & PTE_PS != 0)
        if _reserved_bits(cpu, entry, shift, leaf):
            return _fail(walk, error, PF_RSVD | PF_P)
        walk.writable &= (entry & PTE_W) != 0
        walk.user &= (entry & PTE_U) != 0
        walk.no_execute |= (entry >> PTE_NX_SHIFT) != 0
        if leaf:
            break
        table = entry & ADDR_MASK
        shift -= 9
    walk.page_size = (<u64>1) << shift
    walk.paddr = (entry & ADDR_MASK & ~_level_mask(shift)) | (laddr & _level_mask(shift))
    return True


cdef bint _allowed(Cpu* cpu, int kind, bint user, bint smap, Walk* walk) noexcept nogil:
    """Access rights of a completed walk."""
    if kind == ACCESS_EXEC:
        if walk.no_execute:
            return False
        if user:
            return walk.user
        return not (walk.user and cpu.cr4 & CR4_SMEP)
    if user and not walk.user:
        return False
    if smap and walk.user:
        return False
    if kind == ACCESS_WRITE and not walk.writable:
        return not user and not cpu.cr0 & CR0_WP
    return True


cdef void _set_accessed(Cpu* cpu, int kind, Walk* walk) noexcept nogil:
    """Set A in every entry used and D in the last one if it is a write."""
    cdef int i = 0
    cdef int width = 8 if cpu.cr4 & CR4_PAE else 4
    cdef u64 wanted
    if width == 8 and not long_mode(cpu):
        i = 1                                   # PDPTEs have no A
    while i < walk.levels:
        wanted = PTE_A
        if i == walk.levels - 1 and kind == ACCESS_WRITE:
            wanted |= PTE_D
        if walk.entry[i] & wanted != wanted:
            walk.entry[i] |= wanted
            phys_write(cpu, walk.entry_paddr[i], width, walk.entry[i])
        i += 1


cdef bint page_walk(Cpu* cpu, u64 laddr, int kind, bint user, bint smap, bint update,
                    Walk* walk) noexcept nogil:
    """Translate a canonical linear address.

    Parameters
    ----------
    kind : AccessKind
    user, smap : whose rights count; `smap`: user pages are forbidden to a supervisor
    update : set the accessed and dirty flags
    walk : receives everything seen on the way

    Returns
    -------
    True, or False with walk.error being the error code of the page fault.
    """
    cdef u32 error = 0
    walk.levels = 0
    walk.writable = True
    walk.user = True
    walk.no_execute = False
    walk.is_global = False
    walk.dirty = True
    walk.fault = False
    walk.error = 0
    if not cpu.cr0 & CR0_PG:
        walk.paddr = laddr
        walk.page_size = 4096
        return True
    if kind == ACCESS_WRITE:
        error |= PF_W
    if user:
        error |= PF_U
    if kind == ACCESS_EXEC and (cpu.cr4 & CR4_SMEP or
                                (cpu.cr4 & CR4_PAE and cpu.efer & EFER_NXE)):
        error |= PF_I
    if cpu.cr4 & CR4_PAE:
        if not _walk_pae(cpu, laddr, walk, error):
            return False
    elif not _walk_legacy(cpu, laddr, walk, error):
        return False
    if not _allowed(cpu, kind, user, smap, walk):
        return _fail(walk, error, PF_P)
    if update:
        _set_accessed(cpu, kind, walk)
    walk.dirty = (walk.entry[walk.levels - 1] & PTE_D) != 0
    walk.is_global = (cpu.cr4 & CR4_PGE and walk.entry[walk.levels - 1] & PTE_G) != 0
    return True


cdef int load_pdptes(Cpu* cpu, u64 cr3) noexcept nogil:
    """Load the four PDPTEs of PAE paging; FAULT (no exception raised) if one has a reserved bit.

    Source: SDM Vol. 3A, PDPTE Registers.
    """
    cdef u64 value[4]
    cdef int i
    for i in range(4):
        value[i] = phys_read(cpu, (cr3 & 0xFFFFFFE0U) + i * 8, 8)
        if value[i] & PTE_P and value[i] & (cpu.platform.reserved_mask
                                            | 0xFFF00000000001E6ULL):
            return FAULT
    for i in range(4):
        cpu.pdpte[i] = value[i]
    return 0
