"""The slow paths of linear memory: TLB fills, page crossings, devices.

References
----------
SDM Vol. 3A, Caching Translation Information.
"""

from pykern_c.types cimport u8, u32, u64, i64, memset, likely_
from pykern_c.cpu cimport *
from pykern_c.memory cimport ram_find, page_written
from pykern_c.paging cimport Walk, page_walk
from pykern_c.stale cimport INFO_GLOBAL, drop_stale, report_stale, watch_tables

cdef enum:
    INFO_LARGE = 2
    INFO_LISTED = 4


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
    if cpu.stale_count:
        drop_stale(cpu, 0, 0, globals_too)
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
            region = ~<u64>0x3FFFFFFF               # the page may be 1 GiB; more is allowed
            _drop(t, laddr, region)
        else:
            _forget(t, tlb_index(laddr))            # the one place where it can be
        _forget_aside(t)
    if cpu.stale_count:
        drop_stale(cpu, laddr, region, True)
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


cdef bint _breakpoint_page(Cpu* cpu, u64 laddr) noexcept nogil:
    """Whether an enabled data breakpoint lies in the page."""
    cdef int i
    if not cpu.dr[7] & 0xFF:
        return False
    for i in range(4):
        if cpu.dr[7] >> (i * 2) & 3 and (cpu.dr[i] ^ laddr) & ~<u64>0xFFF == 0:
            return True
    return False


cdef bint _hooked_page(Cpu* cpu, u64 laddr) noexcept nogil:
    """Whether a hook watches accesses to the page: they all take the slow path."""
    cdef Platform* p = cpu.platform
    cdef u64 page = laddr & ~<u64>0xFFF
    cdef u32 i
    if not p.hook_kinds & (HOOK_READ | HOOK_WRITE):
        return False
    for i in range(p.hook_count):
        if p.hooks[i].kinds & (HOOK_READ | HOOK_WRITE) and (
                p.hooks[i].first <= page + 0xFFF and p.hooks[i].last >= page):
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
    if which == TLB_SLOW or _hooked_page(cpu, laddr) or _breakpoint_page(cpu, laddr):
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
            report_stale(cpu, which, laddr)
        return _page_fault(cpu, laddr, walk.error)
    if cpu.platform.report_stale:
        watch_tables(cpu, &walk)
        report_stale(cpu, which, laddr)
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
    if cpu.platform.hook_kinds & (HOOK_READ | HOOK_WRITE):
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
        if rw == 0 or rw == 2 or (rw == 1 and kind == ACCESS_READ):
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
        _watch(cpu, &part[i], ACCESS_MODIFY)
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
