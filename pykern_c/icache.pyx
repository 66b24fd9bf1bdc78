"""Decoded code: building blocks, finding them, and forgetting them when their bytes change."""

from libc.stdlib cimport calloc, free
from pykern_c.types cimport *
from pykern_c.cpu cimport *
from pykern_c.agent cimport Condition, condition_holds
from pykern_c.memory cimport ram_find, phys_read
from pykern_c.mmu cimport fetch_page, tlb_drop_page
from pykern_c.operands cimport instruction_pointer
from pykern_c.decode cimport *
from pykern_c.fuse cimport elide_flags, fuse
from pykern_c.hostcode cimport host_code_drop
from pykern_c.train cimport op_warm

cdef extern from "<sys/mman.h>" nogil:
    void* mmap(void* address, size_t length, int protection, int flags, int fd, long offset)
    int munmap(void* address, size_t length)
    enum: PROT_READ
    enum: PROT_WRITE
    enum: MAP_PRIVATE
    enum: MAP_ANONYMOUS
    enum: MAP_NORESERVE
    void* MAP_FAILED

cdef size_t ARENA_BYTES = ARENA_RECORDS * sizeof(Insn)      # constant


# ---------------------------------------------------------------------------------------------
# Records that are no instructions

cdef int op_refetch(Cpu* cpu, Insn* insn) noexcept nogil:
    """The bytes behind this record have changed: decode again."""
    cpu.budget += insn.n
    cpu.rip = instruction_pointer(cpu, insn)
    return LEFT


cdef int op_end(Cpu* cpu, Insn* insn) noexcept nogil:
    """The block was cut short here (n = 0): go on with another one."""
    cpu.rip = instruction_pointer(cpu, insn)
    return LEFT


cdef int op_undefined(Cpu* cpu, Insn* insn) noexcept nogil:
    """#UD, found while decoding."""
    cpu.budget += insn.n
    cpu.rip = instruction_pointer(cpu, insn)
    raise_fault(cpu, UD)
    return LEFT


cdef int op_too_long(Cpu* cpu, Insn* insn) noexcept nogil:
    """#GP(0): more than 15 bytes."""
    cpu.budget += insn.n
    cpu.rip = instruction_pointer(cpu, insn)
    raise_gp(cpu, 0)
    return LEFT


cdef bint hook_matches(Cpu* cpu, Hook* hook, u32 kinds, u64 first, u64 last) noexcept nogil:
    """Whether a hook listens to these kinds, this privilege level, space and part of the range."""
    return (hook.kinds & kinds) != 0 and (hook.cpls >> cpu.cpl & 1) != 0 and (
        first <= hook.last and last >= hook.first) and (
        hook.any_space or hook.space == address_space(cpu.cr3))


cdef int op_hooked(Cpu* cpu, Insn* insn) noexcept nogil:
    """An instruction that a hook may want: look closely, and let each one see it once."""
    cdef u64 laddr = cpu.regs[REG_PAGE] + insn.off
    if not in_64bit(cpu):
        laddr = <u32>(laddr + cpu.seg[CS].base)
    cpu.budget += insn.n
    cpu.rip = instruction_pointer(cpu, insn)
    if not _wanted(cpu, laddr, insn.imm):
        cpu.hook_pass = 1                   # execute it out of the scratch buffer
    return LEFT


cdef bint _wanted(Cpu* cpu, u64 laddr, u64 opcode) noexcept nogil:
    """Find the next hook that wants the present instruction; it ends the slice."""
    cdef Platform* p = cpu.platform
    cdef u64 time = execution_number(cpu)
    cdef Hook* hook
    cdef u32 i
    if cpu.hook_time != time or cpu.hook_laddr != laddr:
        cpu.hook_time, cpu.hook_laddr, cpu.hook_from = time, laddr, 0
    for i in range(cpu.hook_from, p.hook_count):
        hook = &p.hooks[i]
        if not hook_matches(cpu, hook, HOOK_EXEC, laddr, laddr) and not (
                hook_matches(cpu, hook, hook.kinds & HOOK_OPCODE, opcode, opcode)):
            continue
        if hook.condition != NULL and not condition_holds(cpu, <Condition*>hook.condition):
            continue
        cpu.hook_from = i + 1
        cpu.hook_id = hook.id
        cpu.exit_reason = EXIT_HOOK
        return True
    cpu.hook_from = MAX_HOOKS
    return False


# ---------------------------------------------------------------------------------------------
# The cache

cdef CodeCache* code_cache_new() noexcept nogil:
    cdef CodeCache* cache = <CodeCache*>calloc(1, sizeof(CodeCache))
    cdef void* arena
    if cache == NULL:
        return NULL
    arena = mmap(NULL, ARENA_BYTES, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
    if arena == MAP_FAILED:
        free(cache)
        return NULL
    cache.arena = <Insn*>arena
    return cache


cdef void _free_pages(CodeCache* cache) noexcept nogil:
    cdef u32 i
    cdef CodePage* page
    cdef CodePage* following
    for i in range(CODE_BUCKETS):
        page = cache.bucket[i]
        while page != NULL:
            following = page.next
            free(page.entry)
            free(page)
            page = following
        cache.bucket[i] = NULL


cdef void code_cache_free(CodeCache* cache) noexcept nogil:
    if cache == NULL:
        return
    _free_pages(cache)
    host_code_drop(&cache.host)
    munmap(cache.arena, ARENA_BYTES)
    free(cache)


cdef void code_cache_empty(Platform* p) noexcept nogil:
    """Forget all code. No processor may stand inside a block."""
    cdef u32 i
    cdef u64 k
    cdef RamRange* r
    _free_pages(p.code)
    host_code_drop(&p.code.host)
    p.code.used = 0
    p.code.full = False
    p.code.generation += 1
    for i in range(p.cpu_count):
        memset(p.cpus[i].jumps, 0, JUMP_SIZE * sizeof(JumpEntry))
        memset(p.cpus[i].code_pages, 0, sizeof(p.cpus[i].code_pages))
        p.cpus[i].scratch_key = 0
        p.cpus[i].link = NULL
    for i in range(p.ram_count):
        r = &p.ram[i]
        for k in range(r.size >> 12):
            r.page[k] &= ~PAGE_CODE


cdef inline u32 _bucket(u64 paddr) noexcept nogil:
    return <u32>(paddr >> 12) & (CODE_BUCKETS - 1)


cdef CodePage* _page(Cpu* cpu, u64 paddr, bint create) noexcept nogil:
    """Return the code page of a physical page in the current mode."""
    cdef CodeCache* cache = cpu.platform.code
    cdef CodePage** head = &cache.bucket[_bucket(paddr)]
    cdef CodePage* page = head[0]
    while page != NULL:
        if page.paddr == paddr and page.mode == cpu.mode:
            return page
        page = page.next
    if not create:
        return NULL
    page = <CodePage*>calloc(1, sizeof(CodePage))
    if page == NULL:
        return NULL
    page.entry = <Insn**>calloc(4096, sizeof(Insn*))
    if page.entry == NULL:
        free(page)
        return NULL
    page.paddr = paddr
    page.mode = cpu.mode
    page.next = head[0]
    head[0] = page
    _mark_code(cpu.platform, paddr)
    return page


cdef void _mark_code(Platform* p, u64 paddr) noexcept nogil:
    """From now on writes to the page take the slow path, on every processor."""
    cdef RamRange* r = ram_find(p, paddr)
    cdef u32 i
    if r.page[(paddr - r.base) >> 12] & PAGE_CODE:
        return
    r.page[(paddr - r.base) >> 12] |= PAGE_CODE
    for i in range(p.cpu_count):
        tlb_drop_page(p.cpus[i], r.host + (paddr - r.base), True)


cdef u64 _lines(u32 first, u32 last) noexcept nogil:
    """Bits of the 64-byte lines from one page offset to another."""
    return ((~<u64>0) >> (63 - (last >> 6))) & ((~<u64>0) << (first >> 6))


cdef void _poison(CodePage* page) noexcept nogil:
    """Turn every record of a page into "decode again"."""
    cdef Block* block = page.blocks
    cdef Insn* insn
    cdef u32 i
    while block != NULL:
        insn = <Insn*>(<u8*>block + sizeof(Insn))
        for i in range(block.count):
            insn[i].fn = <Handler>op_refetch
        block = block.next
    page.blocks = NULL
    page.lines = 0
    memset(page.entry, 0, 4096 * sizeof(Insn*))


cdef void code_written(Platform* p, u64 paddr, int size) noexcept nogil:
    """Forget the code of a page if the bytes written may belong to it."""
    cdef u32 offset = paddr & 0xFFF
    cdef u32 last = offset + size - 1
    cdef u64 lines = _lines(offset, last if last < 4096 else 4095)
    cdef CodePage* page = p.code.bucket[_bucket(paddr)]
    while page != NULL:
        if page.paddr == paddr & ~<u64>0xFFF and page.lines & lines:
            _poison(page)
            _poison_scratch(p)
        page = page.next


cdef void code_forget(Platform* p, u64 first, u64 last) noexcept nogil:
    cdef u32 begin = first & 0xFFF, end = last & 0xFFF, i
    cdef u64 lines = ~<u64>0
    cdef CodePage* page
    if last - first < 4095:
        lines = _lines(begin, end) if begin <= end else _lines(begin, 4095) | _lines(0, end)
    for i in range(CODE_BUCKETS):
        page = p.code.bucket[i]
        while page != NULL:
            if page.lines & lines:
                _poison(page)
            page = page.next
    _poison_scratch(p)


cdef void _poison_scratch(Platform* p) noexcept nogil:
    """The same for the blocks that nobody keeps."""
    cdef u32 i, k
    for i in range(p.cpu_count):
        p.cpus[i].scratch_key = 0
        for k in range(MAX_BLOCK + 2):
            p.cpus[i].scratch[k].fn = <Handler>op_refetch


# ---------------------------------------------------------------------------------------------
# Building

cdef u32 _decode_run(Cpu* cpu, const u8* code, u32 off, u32 limit, Insn* out,
                     u32* end) noexcept nogil:
    """Decode up to `limit` instructions from a page into records; return how many.

    ``end`` receives the offset behind the last one. A record that leaves the block is appended.
    0 records: the first instruction goes on in the next page.
    """
    cdef u32 n = 0, i
    cdef bint ends = False
    cdef int result
    while n < limit and off < 4096:
        out[n].off = <u16>off
        result = decode(cpu, code + off, 4096 - off, &out[n], &ends)
        if result == DECODE_MORE:
            break
        if result != DECODE_OK:
            out[n].fn = <Handler>op_undefined if result == DECODE_UD else <Handler>op_too_long
            out[n].len = 1
            out[n].n = 1
            ends = True
        elif cpu.platform.hook_kinds & (HOOK_EXEC | HOOK_OPCODE):
            _hook(cpu, code + off, &out[n])
        off += out[n].len
        n += 1
        if ends:
            break
    if n == 0:
        return 0
    for i in range(n):
        out[i].n = <u8>(n - i)
    out[n].fn = <Handler>op_end
    out[n].off = <u16>off
    out[n].n = 0
    out[n].len = 0
    end[0] = off
    return n


cdef void _hook(Cpu* cpu, const u8* code, Insn* insn) noexcept nogil:
    """Mark a record if an execution hook might want it; op_hooked decides each time."""
    cdef u32 i
    cdef Hook* hook
    cdef u64 opcode
    if cpu.hook_pass:
        return
    opcode = opcode_of(code, insn.len, in_64bit(cpu))
    for i in range(cpu.platform.hook_count):
        hook = &cpu.platform.hooks[i]
        if hook.kinds & HOOK_EXEC and ((hook.last - hook.first) >= 4095 or (
                (insn.off - hook.first) & 0xFFF) <= hook.last - hook.first):
            insn.fn = <Handler>op_hooked
        if hook.kinds & HOOK_OPCODE and hook.first <= opcode <= hook.last:
            insn.fn = <Handler>op_hooked
    if insn.fn == <Handler>op_hooked:
        insn.imm = opcode


cdef u64 opcode_of(const u8* code, u32 length, bint mode64) noexcept nogil:
    """Return map << 8 | opcode byte of an instruction that has been decoded."""
    cdef u32 i = 0
    while i < length and (code[i] in (0x66, 0x67, 0xF0, 0xF2, 0xF3, 0x26, 0x2E, 0x36, 0x3E, 0x64,
                                      0x65) or (mode64 and code[i] & 0xF0 == 0x40)):
        i += 1
    if code[i] != 0x0F:
        return code[i]
    if code[i + 1] == 0x38:
        return 0x200 | code[i + 2]
    if code[i + 1] == 0x3A:
        return 0x300 | code[i + 2]
    return 0x100 | code[i + 1]


cdef Insn* _build(Cpu* cpu, CodePage* page, const u8* code, u32 off) noexcept nogil:
    """Decode a block into the arena; NULL if its first instruction leaves the page, or no room."""
    cdef CodeCache* cache = cpu.platform.code
    cdef Insn* records
    cdef Block* block
    cdef u32 n, end
    if cache.used + MAX_BLOCK + 2 > ARENA_RECORDS:
        cache.full = True
        return NULL
    block = <Block*>&cache.arena[cache.used]
    records = &cache.arena[cache.used + 1]
    n = _decode_run(cpu, code, off, MAX_BLOCK, records, &end)
    if n == 0:
        return NULL
    if not DEBUG_BUILD:
        elide_flags(records, n)
        fuse(records, n)
        # What is looked at by a hook has to be seen to be: `_alone` copies what is an instruction.
        if cache.translate_after and cpu.mode == MODE_64 | MODE_FLAT and is_instruction(records):
            block.heat = 0
            block.first = records.fn
            records.fn = <Handler>op_warm
    cache.used += n + 2
    block.count = n + 1
    block.next = page.blocks
    page.blocks = block
    page.lines |= _lines(off, end - 1)
    page.entry[off] = records
    return records


cdef Insn* _scratch(Cpu* cpu, u8* host, u64 laddr, i64 limit) noexcept nogil:
    """Decode at most `limit` instructions that nobody keeps."""
    cdef u8 bytes[32]
    cdef u32 off = <u32>(laddr & 0xFFF), first = 4096 - off, end
    cdef u8* more
    cdef u64 paddr
    cdef bint ends
    cdef int result
    cdef u32 wanted = <u32>limit if limit < MAX_BLOCK else MAX_BLOCK
    cdef Insn* insn = cpu.scratch
    cpu.scratch_key = 0
    if host != NULL and _decode_run(cpu, host - off, off, wanted, insn, &end):
        return _by_itself(insn) if wanted == 1 else insn
    # The instruction crosses into the next page, or stands in a device.
    if first > 15:
        first = 15
    _fetch_bytes(cpu, laddr, host, first, bytes)
    insn.off = <u16>off
    result = decode(cpu, bytes, first, insn, &ends)
    if result == DECODE_MORE:
        more = NULL
        laddr += first
        if not in_64bit(cpu):
            laddr = <u32>laddr
        if fetch_page(cpu, laddr, &more, &paddr):
            return NULL
        _fetch_bytes(cpu, laddr, more, 15 - first + 1, bytes + first)
        result = decode(cpu, bytes, 16, insn, &ends)
    if result != DECODE_OK:
        insn.fn = <Handler>op_undefined if result == DECODE_UD else <Handler>op_too_long
        insn.len = 1
    elif cpu.platform.hook_kinds & (HOOK_EXEC | HOOK_OPCODE):
        _hook(cpu, bytes, insn)
    insn.n = 1
    insn[1].fn = <Handler>op_end
    insn[1].off = <u16>(off + insn.len)         # may be beyond 4096: only added to REG_PAGE
    insn[1].n = 0
    return _by_itself(insn)


cdef Insn* _by_itself(Insn* insn) noexcept nogil:
    """Let a single instruction come back when it is done: a fast branch goes on at its target."""
    if not DEBUG_BUILD and is_instruction(insn):
        insn.fn = handlers_of(insn.form).slow
    return insn


cdef bint is_instruction(Insn* insn) noexcept nogil:
    """Whether a record stands for an instruction, not for something the builder put there."""
    return insn.fn != <Handler>op_refetch and insn.fn != <Handler>op_end and (
        insn.fn != <Handler>op_undefined and insn.fn != <Handler>op_too_long
        and insn.fn != <Handler>op_hooked)


cdef Insn* _alone(Cpu* cpu, const Insn* insn) noexcept nogil:
    """Copy the first instruction of a block, to be executed by itself: single steps, shadows."""
    cdef Insn* one = cpu.scratch
    one[0] = insn[0]
    if not DEBUG_BUILD:
        one.fn = handlers_of(insn.form).slow                # not a fused or quiet handler
    one.n = 1
    one[1].fn = <Handler>op_end
    one[1].off = insn.off + insn.len
    one[1].n = 0
    cpu.scratch_key = 0
    return one


cdef void _fetch_bytes(Cpu* cpu, u64 laddr, u8* host, u32 count, u8* out) noexcept nogil:
    """Copy instruction bytes of one page; a device is read byte by byte."""
    cdef u32 i
    cdef u8* unused
    cdef u64 paddr
    if host != NULL:
        memcpy(out, host, count)
        return
    if fetch_page(cpu, laddr, &unused, &paddr):
        return
    for i in range(count):
        out[i] = <u8>phys_read(cpu, paddr + i, 1)


cdef bint _segment_allows(Cpu* cpu, u64 off) noexcept nogil:
    """Whether the rest of the page lies inside CS, so that a block needs no limit checks."""
    return in_64bit(cpu) or cpu.mode & MODE_FLAT or (
        cpu.rip + (4095 - off) <= cpu.seg[CS].limit)


cdef inline void _remember(Cpu* cpu, u64 laddr, Insn* insn) noexcept nogil:
    """Enter a block into the jump cache."""
    cdef JumpEntry* j = jump_entry(cpu, laddr)
    j.laddr = laddr
    j.key = cpu.code_key
    j.insn = insn


cdef Insn* code_lookup(Cpu* cpu, u64 laddr) noexcept nogil:
    cdef PageEntry* e = &cpu.code_pages[(laddr >> 12) & (CODE_PAGES - 1)]
    cdef Insn* insn
    if e.laddr != laddr & ~<u64>0xFFF or e.key != cpu.code_key:
        return NULL
    insn = e.page.entry[laddr & 0xFFF]
    if insn != NULL:
        _remember(cpu, laddr, insn)
    return insn


cdef Insn* block_at(Cpu* cpu, i64 limit) noexcept nogil:
    """Return the block at the current instruction.

    Parameters
    ----------
    limit : the most instructions the block may have

    Returns
    -------
    The first record; REG_PAGE is set for it. NULL: a fault has been raised.
    """
    cdef u64 laddr = cpu.rip
    cdef u64 off, paddr
    cdef u8* host
    cdef Insn* insn
    cdef CodePage* page
    cdef Insn* branch = cpu.link
    cpu.link = NULL
    if not in_64bit(cpu):
        if cpu.rip > cpu.seg[CS].limit:
            raise_gp(cpu, 0)
            return NULL
        laddr = <u32>(cpu.rip + cpu.seg[CS].base)
    off = laddr & 0xFFF
    cpu.regs[REG_PAGE] = cpu.rip - off
    if limit == 1 and cpu.scratch_laddr == laddr and cpu.scratch_key == cpu.code_key and (
            not cpu.hook_pass):
        return cpu.scratch                          # as behind the last STI
    insn = find_block(cpu, laddr)
    if insn != NULL and limit > 1 and not cpu.hook_pass and insn.n <= limit and (
            insn.fn != <Handler>op_refetch and _segment_allows(cpu, off)):
        _link(cpu, branch, insn, laddr)
        return insn
    if limit == 1 and insn != NULL and not cpu.hook_pass and _segment_allows(cpu, off) and (
            is_instruction(insn)):
        return _alone(cpu, insn)
    if fetch_page(cpu, laddr, &host, &paddr):
        return NULL
    if host == NULL or not _segment_allows(cpu, off):
        insn = _limited(cpu, _scratch(cpu, host, laddr, 1))
        cpu.hook_pass = 0
        return insn
    page = _page(cpu, paddr - off, limit > 1)
    insn = page.entry[off] if page != NULL else NULL
    if insn == NULL and page != NULL and limit >= MAX_BLOCK:
        insn = _build(cpu, page, host - off, <u32>off)
    if insn == NULL or limit == 1 or insn.n > limit or cpu.hook_pass:
        return _uncached(cpu, page, host, laddr, 1 if cpu.hook_pass else limit)
    _remember(cpu, laddr, insn)
    _remember_page(cpu, laddr, page)
    _link(cpu, branch, insn, laddr)
    return insn


cdef void _remember_page(Cpu* cpu, u64 laddr, CodePage* page) noexcept nogil:
    """Enter a page of decoded code where code_lookup looks."""
    cdef PageEntry* e = &cpu.code_pages[(laddr >> 12) & (CODE_PAGES - 1)]
    e.laddr = laddr & ~<u64>0xFFF
    e.key = cpu.code_key
    e.page = page


cdef Insn* _uncached(Cpu* cpu, CodePage* page, u8* host, u64 laddr, i64 limit) noexcept nogil:
    """Decode what no block of the page fits; writes to its bytes are noticed all the same."""
    cdef Insn* insn = _scratch(cpu, host, laddr, limit)
    if insn != NULL and page != NULL:
        page.lines |= _lines(<u32>(laddr & 0xFFF), min(insn[insn.n].off, 4096) - 1)
        if limit == 1 and insn[1].off <= 4096 and in_64bit(cpu) and not cpu.hook_pass:
            cpu.scratch_laddr = laddr
            cpu.scratch_key = cpu.code_key
    cpu.hook_pass = 0
    return insn


cdef Insn* _limited(Cpu* cpu, Insn* insn) noexcept nogil:
    """Check the segment limit of a single instruction."""
    if insn != NULL and not in_64bit(cpu) and cpu.rip + insn.len - 1 > cpu.seg[CS].limit:
        raise_gp(cpu, 0)
        return NULL
    return insn


cdef void _link(Cpu* cpu, Insn* branch, Insn* target, u64 laddr) noexcept nogil:
    """Let the direct branch just executed go straight to its target, if that is in its own page."""
    if branch == NULL or not cpu.mode & MODE_FLAT:
        return
    if branch.fn == <Handler>op_refetch or cpu.link_page != laddr & ~<u64>0xFFF:
        return
    branch.imm = <u64>target
