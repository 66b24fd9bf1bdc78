"""The slow paths of linear memory: page walks, TLB fills, page crossings, devices.

References
----------
SDM Vol. 3A, Paging (32-Bit Paging, PAE Paging, 4-Level Paging, Access Rights, Page-Fault
Exceptions, Accessed and Dirty Flags); Caching Translation Information.
"""

from pykern_c.types cimport u8, u32, u64, i64, memset, likely_
from pykern_c.cpu cimport *
from pykern_c.memory cimport ram_find, page_written, phys_read, phys_write

cdef enum:
    PTE_P = 1
    PTE_W = 2
    PTE_U = 4
    PTE_A = 0x20
    PTE_D = 0x40
    PTE_PS = 0x80
    PTE_G = 0x100

    PF_P = 1
    PF_W = 2
    PF_U = 4
    PF_RSVD = 8
    PF_I = 16

cdef enum:
    PTE_NX_SHIFT = 63
    INFO_GLOBAL = 1
    INFO_LARGE = 2
    INFO_LISTED = 4

cdef u64 ADDR_MASK = 0x000FFFFFFFFFF000ULL      # constant: physical address bits of an entry


# ---------------------------------------------------------------------------------------------
# The walk

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


# ---------------------------------------------------------------------------------------------
# The TLB

cdef void _forget(Tlb* t, u32 i) noexcept nogil:
    cdef u64 bad = (<u64>(i ^ 1)) << 12
    t.entry[i].rtag = bad
    t.entry[i].wtag = bad
    t.entry[i].xtag = bad


cdef inline void _forget_aside(Tlb* t) noexcept nogil:
    if t.aside_used:
        memset(t.aside, 0, sizeof(t.aside))
        t.aside_used = False


cdef void tlb_flush(Cpu* cpu, bint globals_too) noexcept nogil:
    """Drop every entry, or every entry that is not global."""
    cdef u32 which, j, kept, i
    cdef Tlb* t
    for which in range(TLB_COUNT):
        t = &cpu.tlbs[which]
        kept = 0
        for j in range(t.count):
            i = t.used[j]
            if not globals_too and t.info[i] & INFO_GLOBAL:
                t.used[kept] = i
                kept += 1
                continue
            _forget(t, i)
            t.info[i] = 0
        t.count = kept
        _forget_aside(t)
        if kept == 0:
            t.large = 0
    _drop_stale(cpu, 0, 0, globals_too)
    cpu.tlb_flushes += 1
    _new_code_key(cpu)


cdef void _drop(Tlb* t, u64 laddr, u64 region) noexcept nogil:
    """Drop the entries of a region larger than a page."""
    cdef u32 j, i
    cdef u64 tag
    for j in range(t.count):
        i = t.used[j]
        tag = t.entry[i].rtag
        if tlb_index(tag) != i:
            tag = t.entry[i].xtag
        if (tag ^ laddr) & region == 0 or tlb_index(tag) != i:
            _forget(t, i)


cdef void tlb_invalidate(Cpu* cpu, u64 laddr) noexcept nogil:
    """INVLPG: drop the entries of the page that holds a linear address, global ones too."""
    cdef u32 which
    cdef Tlb* t
    cdef u64 region = ~<u64>0xFFF
    for which in range(TLB_COUNT):
        t = &cpu.tlbs[which]
        if t.large:
            region = ~_level_mask(30)               # the page may be 1 GiB; more is allowed
            _drop(t, laddr, region)
        else:
            _forget(t, tlb_index(laddr))            # the one place where it can be
        _forget_aside(t)
    if cpu.stale_count:
        _drop_stale(cpu, laddr, region, True)
    _new_code_key(cpu)


cdef void tlb_drop_page(Cpu* cpu, u8* host, bint writes_only) noexcept nogil:
    """Drop what maps a host page: it became code, a hook was set on it, dirty bits were cleared."""
    cdef u32 which, j, i
    cdef Tlb* t
    for which in range(TLB_COUNT):
        t = &cpu.tlbs[which]
        for j in range(t.count):
            i = t.used[j]
            if t.entry[i].page != host:
                continue
            t.entry[i].wtag = (<u64>(i ^ 1)) << 12
            if not writes_only:
                _forget(t, i)


# ---- stale entries: pykern walks anew where a real processor might still use what it has cached,
# and can say where that happens.

cdef void _drop_stale(Cpu* cpu, u64 laddr, u64 region, bint globals_too) noexcept nogil:
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


cdef void _watch_tables(Cpu* cpu, Walk* walk) noexcept nogil:
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


cdef void _report_stale(Cpu* cpu, u32 which, u64 laddr) noexcept nogil:
    """Say that an access would have found a stale entry; once for each."""
    cdef u32 i
    for i in range(cpu.stale_count):
        if cpu.stale[i].laddr == laddr & ~<u64>0xFFF and cpu.stale[i].which == which:
            cpu.platform.stale_used(cpu, laddr, cpu.stale[i].paddr | (laddr & 0xFFF))
            cpu.stale_count -= 1
            cpu.stale[i] = cpu.stale[cpu.stale_count]
            return


cdef bint _breakpoint_page(Cpu* cpu, u64 laddr) noexcept nogil:
    """Whether an enabled data breakpoint lies in the page."""
    cdef int i
    if not cpu.dr[7] & 0xFF:
        return False
    for i in range(4):
        if cpu.dr[7] >> (i * 2) & 3 and (cpu.dr[i] ^ laddr) & ~<u64>0xFFF == 0:
            return True
    return False


cdef void _fill(Cpu* cpu, int which, u64 laddr, int kind, Walk* walk,
                RamRange* r) noexcept nogil:
    """Enter a translation to RAM or ROM."""
    cdef Tlb* t = &cpu.tlbs[which]
    cdef u32 i = tlb_index(laddr)
    cdef TlbEntry* e = &t.entry[i]
    cdef u64 page = laddr & ~<u64>0xFFF
    cdef u64 bad = (<u64>(i ^ 1)) << 12
    cdef u64 offset = (walk.paddr & cpu.platform.a20_mask & ~<u64>0xFFF) - r.base
    cdef u8 flags = r.page[offset >> 12]
    if which == TLB_SLOW or flags & PAGE_HOOK or _breakpoint_page(cpu, laddr):
        return
    if not t.info[i] & INFO_LISTED:
        t.used[t.count] = i
        t.count += 1
    if e.page != r.host + offset or (e.rtag != page and e.xtag != page and e.wtag != page):
        e.rtag = bad
        e.wtag = bad
        e.xtag = bad
    e.page = r.host + offset
    t.paddr[i] = walk.paddr & cpu.platform.a20_mask & ~<u64>0xFFF
    t.info[i] = INFO_LISTED | (INFO_GLOBAL if walk.is_global else 0)
    if walk.page_size > 4096:
        t.info[i] |= INFO_LARGE
        t.large = 1
    if kind == ACCESS_EXEC:
        e.xtag = page
        return
    e.rtag = page
    if kind == ACCESS_WRITE and not r.rom and not flags & (PAGE_CODE | PAGE_TABLE) and (
            flags & PAGE_DIRTY):
        e.wtag = page


cdef bint canonical(u64 laddr) noexcept nogil:
    return <u64>(<i64>(laddr << 16) >> 16) == laddr


# ---------------------------------------------------------------------------------------------
# Accesses

cdef struct Part:
    # One page's share of an access.
    u64 laddr
    u64 paddr
    int size
    RamRange* ram       # NULL: device


cdef int _page_fault(Cpu* cpu, u64 laddr, u32 error) noexcept nogil:
    raise_error(cpu, PF, error)
    cpu.fault.address = laddr
    return FAULT


cdef bint _aside(Cpu* cpu, int which, u64 laddr, int kind, Part* part) noexcept nogil:
    """Look a page up that the entries do not answer for."""
    cdef AsideEntry* a = &cpu.tlbs[which].aside[kind][(laddr >> 12) & (ASIDE_SIZE - 1)]
    cdef u8* flags
    if a.tag != (laddr & ~<u64>0xFFF | 1):
        return False
    part.paddr = a.paddr | (laddr & 0xFFF)
    part.ram = ram_find(cpu.platform, part.paddr)
    if part.ram == NULL:
        return True
    flags = &part.ram.page[(part.paddr - part.ram.base) >> 12]
    if not flags[0] & PAGE_CODE:
        return False                            # no longer: let an entry answer
    flags[0] |= PAGE_DIRTY | PAGE_TOUCHED
    return True


cdef void _put_aside(Tlb* t, u64 laddr, int kind, Part* part) noexcept nogil:
    cdef AsideEntry* a = &t.aside[kind][(laddr >> 12) & (ASIDE_SIZE - 1)]
    a.tag = laddr & ~<u64>0xFFF | 1
    a.paddr = part.paddr & ~<u64>0xFFF
    t.aside_used = True


cdef int _translate(Cpu* cpu, int which, u64 laddr, int size, int kind,
                    Part* part) noexcept nogil:
    """Translate an access that stays in one page; enter it into the TLB."""
    cdef Walk walk
    cdef Tlb* t = &cpu.tlbs[which]
    cdef bint user = which == TLB_USER or which == TLB_SLOW
    if t.aside_used and kind != ACCESS_EXEC and _aside(cpu, which, laddr, kind, part):
        part.laddr = laddr
        part.size = size
        return 0
    if not page_walk(cpu, laddr, kind, user, which == TLB_SMAP, True, &walk):
        if cpu.platform.report_stale:
            _report_stale(cpu, which, laddr)
        return _page_fault(cpu, laddr, walk.error)
    if cpu.platform.report_stale:
        _watch_tables(cpu, &walk)
        _report_stale(cpu, which, laddr)
    part.laddr = laddr
    part.paddr = walk.paddr & cpu.platform.a20_mask
    part.size = size
    part.ram = ram_find(cpu.platform, part.paddr)
    if part.ram != NULL:
        if kind == ACCESS_WRITE and not part.ram.rom:
            part.ram.page[(part.paddr - part.ram.base) >> 12] |= PAGE_DIRTY | PAGE_TOUCHED
        _fill(cpu, which, laddr, kind, &walk, part.ram)
    if which == TLB_SLOW or kind == ACCESS_EXEC or cpu.platform.report_stale:
        return 0
    if part.ram == NULL or (kind == ACCESS_WRITE and not part.ram.rom and (
            part.ram.page[(part.paddr - part.ram.base) >> 12] & PAGE_CODE)):
        _put_aside(t, laddr, kind, part)
    return 0


cdef int _translate_all(Cpu* cpu, int which, u64 laddr, int size, int kind,
                        Part* part) noexcept nogil:
    """Check and translate an access of up to two pages; return the number of parts, or 0: fault."""
    cdef int first = <int>(4096 - (laddr & 0xFFF))
    cdef u64 rest
    if in_64bit(cpu) and not (canonical(laddr) and canonical(laddr + size - 1)):
        raise_gp(cpu, 0)
        return 0
    if which == TLB_SLOW and laddr & (size - 1) and size <= 8:
        raise_error(cpu, AC, 0)
        return 0
    if first >= size:
        return 1 if _translate(cpu, which, laddr, size, kind, part) == 0 else 0
    rest = laddr + first
    if not in_64bit(cpu):
        rest = <u32>rest
    if _translate(cpu, which, laddr, first, kind, part) != 0:
        return 0
    if _translate(cpu, which, rest, size - first, kind, part + 1) != 0:
        return 0
    return 2


cdef void _watch(Cpu* cpu, Part* part, int kind) noexcept nogil:
    """Tell hooks and data breakpoints of an access."""
    cdef u8 flags
    if part.ram != NULL:
        flags = part.ram.page[(part.paddr - part.ram.base) >> 12]
        if flags & PAGE_HOOK:
            cpu.platform.access_hook(cpu, part.laddr, part.paddr, part.size, kind)
    if cpu.dr[7] & 0xFF:
        _match_breakpoints(cpu, part.laddr, part.size, kind)


cdef void _match_breakpoints(Cpu* cpu, u64 laddr, int size, int kind) noexcept nogil:
    """Data breakpoints of DR7: a match is a trap after the instruction.

    Source: SDM Vol. 3B, Debug Address Registers; Breakpoint Field Recognition.
    """
    cdef int i
    cdef u32 rw, length
    cdef u64 start
    for i in range(4):
        if not cpu.dr[7] >> (i * 2) & 3:
            continue
        rw = <u32>(cpu.dr[7] >> (16 + i * 4)) & 3
        if rw == 0 or rw == 2 or (rw == 1 and kind != ACCESS_WRITE):
            continue
        length = <u32>(cpu.dr[7] >> (18 + i * 4)) & 3
        length = 8 if length == 2 else length + 1
        start = cpu.dr[i] & ~<u64>(length - 1)
        if laddr < start + length and start < laddr + size:
            cpu.pending_db |= 1 << i
            cpu.attention = 1


cdef void _read_part(Cpu* cpu, Part* part, void* out) noexcept nogil:
    cdef u64 value
    cdef int done = 0, n
    if part.ram != NULL:
        copy_small(out, part.ram.host + (part.paddr - part.ram.base), part.size)
        return
    while done < part.size:                     # a device sees 8, 4, 2 or 1 bytes, aligned
        n = _device_size(part.paddr + done, part.size - done)
        value = cpu.platform.mmio_read(cpu, part.paddr + done, n)
        copy_small(<u8*>out + done, &value, n)
        done += n


cdef void _write_part(Cpu* cpu, Part* part, const void* data) noexcept nogil:
    cdef u64 value
    cdef int done = 0, n
    cdef u64 offset
    if part.ram != NULL:
        if part.ram.rom:
            return
        offset = part.paddr - part.ram.base
        copy_small(part.ram.host + offset, data, part.size)
        page_written(cpu.platform, part.ram, offset, part.size)
        return
    while done < part.size:
        n = _device_size(part.paddr + done, part.size - done)
        value = 0
        copy_small(&value, <u8*>data + done, n)
        cpu.platform.mmio_write(cpu, part.paddr + done, n, value)
        done += n


cdef int _device_size(u64 paddr, int size) noexcept nogil:
    """Return how much of an access goes to a device at once."""
    cdef int n = 8
    while n > size or paddr & (n - 1):
        n >>= 1
    return n


cdef int read_slow(Cpu* cpu, int which, u64 laddr, int size, void* out) noexcept nogil:
    cdef Part part[2]
    cdef int n = _translate_all(cpu, which, laddr, size, ACCESS_READ, part)
    cdef int i, done = 0
    if n == 0:
        return FAULT
    for i in range(n):
        _watch(cpu, &part[i], ACCESS_READ)
        _read_part(cpu, &part[i], <u8*>out + done)
        done += part[i].size
    return 0


cdef int write_slow(Cpu* cpu, int which, u64 laddr, int size, const void* data) noexcept nogil:
    cdef Part part[2]
    cdef int n = _translate_all(cpu, which, laddr, size, ACCESS_WRITE, part)
    cdef int i, done = 0
    if n == 0:
        return FAULT
    for i in range(n):
        _watch(cpu, &part[i], ACCESS_WRITE)
        _write_part(cpu, &part[i], <u8*>data + done)
        done += part[i].size
    return 0


cdef int open_slow(Cpu* cpu, int which, u64 laddr, int size, MemRef* ref) noexcept nogil:
    cdef Part part[2]
    cdef int n = _translate_all(cpu, which, laddr, size, ACCESS_WRITE, part)
    cdef int i
    if n == 0:
        return FAULT
    ref.host = NULL
    ref.size[1] = 0
    for i in range(n):
        _watch(cpu, &part[i], ACCESS_WRITE)
        ref.paddr[i] = part[i].paddr
        ref.size[i] = part[i].size
    return 0


cdef void _ref_part(Cpu* cpu, MemRef* ref, int i, Part* part) noexcept nogil:
    part.paddr = ref.paddr[i]
    part.size = ref.size[i]
    part.ram = ram_find(cpu.platform, part.paddr)


cdef void ref_read_slow(Cpu* cpu, MemRef* ref, void* out) noexcept nogil:
    cdef Part part
    cdef int i
    for i in range(2):
        if ref.size[i]:
            _ref_part(cpu, ref, i, &part)
            _read_part(cpu, &part, <u8*>out + (ref.size[0] if i else 0))


cdef void ref_write_slow(Cpu* cpu, MemRef* ref, const void* data) noexcept nogil:
    cdef Part part
    cdef int i
    for i in range(2):
        if ref.size[i]:
            _ref_part(cpu, ref, i, &part)
            _write_part(cpu, &part, <u8*>data + (ref.size[0] if i else 0))


cdef int probe_slow(Cpu* cpu, int which, u64 laddr, int size, int kind) noexcept nogil:
    """Fault as an access would, but access nothing."""
    cdef Part part[2]
    return 0 if _translate_all(cpu, which, laddr, size, kind, part) else FAULT


cdef int fetch_page(Cpu* cpu, u64 laddr, u8** host, u64* paddr) noexcept nogil:
    """Translate for an instruction fetch; host is the byte itself, NULL if a device is there."""
    cdef int which = TLB_USER if cpu.cpl == 3 else TLB_SUPER
    cdef Tlb* t = &cpu.tlbs[which]
    cdef u32 i = tlb_index(laddr)
    cdef u64 x = laddr ^ t.entry[i].xtag
    cdef Part part
    if likely_(x <= 4095):
        host[0] = t.entry[i].page + x
        paddr[0] = t.paddr[i] | x
        return 0
    if in_64bit(cpu) and not canonical(laddr):
        return raise_gp(cpu, 0)
    if _translate(cpu, which, laddr, 1, ACCESS_EXEC, &part) != 0:
        return FAULT
    paddr[0] = part.paddr
    host[0] = NULL
    if part.ram != NULL:
        host[0] = part.ram.host + (part.paddr - part.ram.base)
    return 0


# ---------------------------------------------------------------------------------------------
# Context

cdef void _pick_code_key(Cpu* cpu) noexcept nogil:
    """Choose the jump-cache context of the current mode and privilege."""
    cdef u32 i = cpu.mode | (8 if cpu.cpl == 3 else 0)
    if cpu.code_keys[i] == 0:
        cpu.code_serial += 1
        cpu.code_keys[i] = cpu.code_serial
    cpu.code_key = cpu.code_keys[i]


cdef void _new_code_key(Cpu* cpu) noexcept nogil:
    """Forget every jump-cache entry by giving new contexts."""
    memset(cpu.code_keys, 0, sizeof(cpu.code_keys))
    _pick_code_key(cpu)


cdef bint _flat_data(Seg* s) noexcept nogil:
    """Whether a data segment needs no checks: 4 GiB from 0, writable, expand-up, 32-bit."""
    return s.base == 0 and s.limit == 0xFFFFFFFFU and s.attr & 0x1401E == 0x4012


cdef u8 _code_mode(Cpu* cpu) noexcept nogil:
    """Return the Mode of the current segments."""
    cdef Seg* cs = &cpu.seg[CS]
    if cpu.efer & EFER_LMA and cs.attr & 0x2000:
        return MODE_64 | MODE_FLAT
    if not cs.attr & 0x4000:
        return MODE_16
    if cs.base == 0 and cs.limit == 0xFFFFFFFFU and cs.attr & 2 and _flat_data(&cpu.seg[DS]) and (
            _flat_data(&cpu.seg[ES]) and _flat_data(&cpu.seg[SS])):
        return MODE_32 | MODE_FLAT
    return MODE_32


cdef void context_changed(Cpu* cpu) noexcept nogil:
    """Follow a change of CPL, CR0, CR4, EFER, EFLAGS.AC/VM or CS: TLB choice, code mode, keys."""
    cdef u32 which = TLB_SUPER
    if cpu.cpl == 3:
        which = TLB_USER
        if cpu.cr0 & CR0_AM and cpu.rflags & FLAG_AC:
            which = TLB_SLOW
    elif cpu.cr4 & CR4_SMAP and not cpu.rflags & FLAG_AC:
        which = TLB_SMAP
    cpu.which = which
    cpu.tlb = &cpu.tlbs[which]
    cpu.mode = _code_mode(cpu)
    cpu.address_mask = ~<u64>0 if in_64bit(cpu) else 0xFFFFFFFFU
    cpu.fpu_ok = not cpu.cr0 & (CR0_EM | CR0_TS)
    cpu.fpu_fast = cpu.fpu_fast and cpu.fpu_ok
    cpu.sse_ok = cpu.fpu_ok and cpu.cr4 & CR4_OSFXSR != 0
    cpu.sse_fast = cpu.sse_ok and not cpu.fp_unmasked
    _pick_code_key(cpu)
