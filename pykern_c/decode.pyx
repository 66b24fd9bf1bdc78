"""The instruction decoder."""

from pykern_c.types cimport *
from pykern_c.cpu cimport *

include "_generated/tables.pxi"
include "_generated/templates.pxi"

cdef Handler fused_handler(u32 first, u32 second) noexcept nogil:
    return fused(first, second)


cdef Handlers* handlers_of(u32 form) noexcept nogil:
    return &HANDLERS[form]


cdef void decode_init() noexcept:
    """Collect the handlers of the instruction families; done once, at import."""
    install_all()
    install_templates(HANDLERS)


cdef struct Prefixes:
    bint operand        # 66
    bint address        # 67
    bint lock
    u8 rep              # 0, F2 or F3: the last one
    i8 segment          # SegReg or -1
    u8 rex              # of a VEX prefix: what REX would have said
    u8 vex              # 0, or the opcode map
    u8 vex_l
    u8 vvvv


# ---------------------------------------------------------------------------------------------

cdef inline int _prefix(u8 byte, bint mode64, Prefixes* p) noexcept nogil:
    """Take a legacy prefix; 0 if the byte is none."""
    if byte == 0x66:
        p.operand = True
    elif byte == 0x67:
        p.address = True
    elif byte == 0xF0:
        p.lock = True
    elif byte == 0xF2 or byte == 0xF3:
        p.rep = byte
    elif byte & 0xFE == 0x64:
        p.segment = <i8>(FS + (byte & 1))
    elif byte & 0xE7 == 0x26:
        if not mode64:
            p.segment = <i8>((byte >> 3) & 3)
    else:
        return 0
    return 1


cdef inline int _vex(const u8* code, int pos, int limit, bint mode64, Prefixes* p) noexcept nogil:
    """Take the rest of a VEX prefix, of which C5 or C4 is read.

    It carries map, mandatory prefix and REX, so that none of these may stand before it. Returns the
    new position, -1: more bytes needed, -2: #UD.
    """
    cdef int size = 1 if code[pos - 1] == 0xC5 else 2
    cdef u8 first, last
    if p.lock or p.operand or p.rep or p.rex:
        return -2
    if pos + size > limit:
        return -1
    first = ~code[pos]
    last = code[pos + size - 1]
    p.vex = 1 if size == 1 else code[pos] & 0x1F
    if p.vex == 0 or p.vex > 3:
        return -2
    if size == 1:
        p.rex = 0x40 | (first & 0x80) >> 5
    else:
        p.rex = 0x40 | (last & 0x80) >> 4 | first >> 5
    p.vvvv = (~last >> 3) & 15
    if not mode64:
        p.rex &= 0x48
        p.vvvv &= 7
    p.vex_l = (last >> 2) & 1
    p.operand = last & 3 == 1
    p.rep = 0xF3 if last & 3 == 2 else 0xF2 if last & 3 == 3 else 0
    return pos + size


cdef inline bint _vex_matches(const Row* row, Prefixes* p) noexcept nogil:
    if row.attr & (ROW_VEX_L1 if p.vex_l == 0 else ROW_VEX_L0):
        return False
    return row.attr & ROW_VVVV or p.vvvv == 0


cdef inline bint _row_matches(Cpu* cpu, const Row* row, Prefixes* p, u8 modrm,
                              bint mode64) noexcept nogil:
    if row.prefix != PREFIX_ANY:
        if row.prefix == PREFIX_NONE:
            if p.rep or p.operand:
                return False
        elif row.prefix == PREFIX_66:
            if p.rep or not p.operand:
                return False
        elif row.prefix == PREFIX_F3:
            if p.rep != 0xF3:
                return False
        elif p.rep != 0xF2:
            return False
    if row.digit >= 0 and (modrm >> 3) & 7 != row.digit:
        return False
    if row.rm >= 0 and modrm & 7 != row.rm:
        return False
    if row.mod and (row.mod == 2) != (modrm >= 0xC0):
        return False
    if row.w and (row.w == 2) != ((p.rex & 8) != 0):
        return False
    if row.attr & ROW_I64 and mode64:
        return False
    if row.attr & ROW_O64 and not mode64:
        return False
    if row.attr & ROW_NOREXB and p.rex & 1:
        return False
    if p.vex and not _vex_matches(row, p):
        return False
    return row.feature == 0 or feature(cpu, row.feature)


cdef inline int _opsize(const Row* row, Prefixes* p, u8 mode) noexcept nogil:
    """Return the operand size: 0 16, 1 32, 2 64 bits."""
    cdef bint small = p.operand and row.prefix != PREFIX_66
    if p.vex:
        return 2 if mode & MODE_64 and p.rex & 8 else 1
    if mode & MODE_64:
        if row.attr & ROW_F64 or p.rex & 8:
            return 2
        if small:
            return 0
        return 2 if row.attr & ROW_D64 else 1
    return (1 if small else 0) if not mode & MODE_32 else (0 if small else 1)


cdef inline u8 _gpr8(u32 number, u8 rex) noexcept nogil:
    """Byte offset in Cpu.regs of an 8-bit register."""
    if rex == 0 and number >= 4 and number < 8:
        return <u8>((number - 4) * 8 + 1)
    return <u8>(number * 8)


cdef inline u8 _register(u8 kind, u32 number, u8 rex) noexcept nogil:
    """Number a register operand the way handlers want it."""
    if kind == OPERAND_GPR8:
        return _gpr8(number, rex)
    if kind == OPERAND_SEG or kind == OPERAND_MMX:
        return <u8>(number & 7)
    return <u8>number


cdef inline int _imm_size(u8 kind, int opsize, int asize) noexcept nogil:
    if kind == IMM_NONE:
        return 0
    if kind == IMM_IW:
        return 2
    if kind == IMM_IZ or kind == IMM_CZ:
        return 2 if opsize == 0 else 4
    if kind == IMM_IV:
        return 2 << opsize
    if kind == IMM_MOFFS:
        return 2 << asize
    if kind == IMM_FAR:
        return 4 if opsize == 0 else 6
    return 1


cdef inline void _immediate(u8 kind, int size, const u8* at, Insn* insn) noexcept nogil:
    cdef u64 value = 0
    memcpy(&value, at, size)
    if kind == IMM_IBS or kind == IMM_CB:
        value = <u64><i64><i8>value
    elif kind == IMM_IZ or kind == IMM_CZ:
        value = <u64><i64><i16>value if size == 2 else <u64><i64><i32>value
    if kind == IMM_CB or kind == IMM_CZ:
        insn.disp = <i32>value
    elif kind == IMM_IB2:
        insn.x = <u8>value
    else:
        insn.imm = value


cdef inline int _memory16(const u8* code, int pos, int available, u8 modrm,
                          Insn* insn) noexcept nogil:
    """16-bit addressing forms; return the new position, -1: more bytes needed."""
    cdef u32 mod = modrm >> 6, rm = modrm & 7
    cdef int size = mod if mod < 3 else 0
    insn.b = RBX if rm in (0, 1, 7) else RBP if rm in (2, 3, 6) else RSI if rm == 4 else RDI
    insn.x = RSI if rm in (0, 2) else RDI if rm in (1, 3) else REG_ZERO
    if mod == 0 and rm == 6:
        insn.b = REG_ZERO
        size = 2
    if pos + size > available:
        return -1
    if size == 1:
        insn.disp = <i8>code[pos]
    elif size == 2:
        insn.disp = <i16>(code[pos] | <u16>(code[pos + 1]) << 8)
    insn.seg = SS if insn.b == RBP else DS
    return pos + size


cdef inline int _memory(const u8* code, int pos, int available, u8 modrm, u8 rex,
                        bint mode64, bint* relative, Insn* insn) noexcept nogil:
    """32- and 64-bit addressing forms; return the new position, -1: more bytes needed."""
    cdef u32 mod = modrm >> 6, rm = modrm & 7
    cdef int size = 1 if mod == 1 else 4 if mod == 2 else 0
    cdef u8 sib
    insn.b = <u8>(rm | (rex & 1) << 3)
    insn.x = REG_ZERO
    if rm == 4:
        if pos >= available:
            return -1
        sib = code[pos]
        pos += 1
        insn.scale = sib >> 6
        insn.x = ((sib >> 3) & 7) | (rex & 2) << 2
        if insn.x == RSP:
            insn.x = REG_ZERO
            insn.scale = 0
        insn.b = (sib & 7) | (rex & 1) << 3
        if sib & 7 == 5 and mod == 0:
            insn.b = REG_ZERO
            size = 4
    elif rm == 5 and mod == 0:
        insn.b = REG_PAGE if mode64 else REG_ZERO
        relative[0] = mode64
        size = 4
    if pos + size > available:
        return -1
    if size == 1:
        insn.disp = <i8>code[pos]
    elif size == 4:
        memcpy(&insn.disp, code + pos, 4)
    insn.seg = SS if insn.b == RSP or insn.b == RBP else DS
    return pos + size


cdef inline void _relative(Insn* insn) noexcept nogil:
    """Make a RIP-relative displacement count from the start of the page."""
    cdef i64 disp = <i64>insn.disp + insn.off + insn.len
    if disp > 0x7FFFFFFF:
        insn.x = REG_4096
        disp -= 4096
    insn.disp = <i32>disp


cdef Handler choose_handler(Cpu* cpu, Insn* insn) noexcept nogil:
    """Pick the fastest handler that fits the operands."""
    cdef Handlers* h = &HANDLERS[insn.form]
    if DEBUG_BUILD or insn.flags & INSN_LOCK:
        return <Handler>h.body if DEBUG_BUILD else h.slow
    if not insn.flags & INSN_MEM:
        if h.st != NULL:
            return h.st[insn.b & 7]
        return h.reg if h.reg != NULL else h.slow
    if not cpu.mode & MODE_FLAT or insn.seg >= FS or (
            insn.flags & INSN_ASIZE != (cpu.mode & 3) << INSN_ASIZE_SHIFT):
        return h.slow
    if insn.x == REG_ZERO:
        if h.mem != NULL:
            return h.mem
    return h.memx if h.memx != NULL else h.slow


# ---------------------------------------------------------------------------------------------
# An instruction, part by part. Each part takes bytes from `s`; 0, or a DECODE_ code that ends it.

cdef struct Stream:
    const u8* code
    int pos
    int limit
    int short_of        # what it means that the bytes are used up


cdef inline int _take(Stream* s, u8* byte) noexcept nogil:
    if s.pos >= s.limit:
        return s.short_of
    byte[0] = s.code[s.pos]
    s.pos += 1
    return 0


cdef inline int _prefixes(Stream* s, bint mode64, Prefixes* p, u8* opcode) noexcept nogil:
    """Take the legacy prefixes and REX, and the byte behind them."""
    cdef int end
    p.operand = p.address = p.lock = False
    p.rep = p.rex = p.vex = p.vvvv = 0
    p.segment = -1
    while True:
        end = _take(s, opcode)
        if end:
            return end
        if mode64 and opcode[0] & 0xF0 == 0x40:
            p.rex = opcode[0]
            continue
        if not _prefix(opcode[0], mode64, p):
            return 0
        p.rex = 0                               # REX counts only right before the opcode


cdef inline int _escapes(Cpu* cpu, Stream* s, bint mode64, Prefixes* p, u8* opcode,
                         u32* table) noexcept nogil:
    """Take what selects the opcode map: 0F, 0F 38, 0F 3A, or VEX."""
    cdef int end
    table[0] = 0
    if opcode[0] & 0xFE == 0xC4:
        if s.pos >= s.limit:
            return s.short_of
        # Outside 64-bit mode VEX is what would be LES and LDS of a register.
        if mode64 or (s.code[s.pos] >= 0xC0 and protected_mode(cpu)):
            s.pos = _vex(s.code, s.pos, s.limit, mode64, p)
            if s.pos < 0:
                return DECODE_UD if s.pos == -2 else s.short_of
            table[0] = 4 + p.vex
            return _take(s, opcode)
    if opcode[0] != 0x0F:
        return 0
    table[0] = 1
    end = _take(s, opcode)
    if end or (opcode[0] != 0x38 and opcode[0] != 0x3A):
        return end
    table[0] = 2 if opcode[0] == 0x38 else 3
    return _take(s, opcode)


cdef inline int _find_row(Cpu* cpu, Stream* s, bint mode64, Prefixes* p, u16 index, u8* modrm,
                          const Row** row) noexcept nogil:
    """Take ModR/M, if the opcode has it, and choose among the opcode's rows."""
    cdef int end
    if index == 0:
        return DECODE_UD
    if ROWS[index].attr & ROW_MODRM:
        end = _take(s, modrm)
        if end:
            return end
    while index and not _row_matches(cpu, &ROWS[index], p, modrm[0], mode64):
        index = ROWS[index].next
    if index == 0:
        return DECODE_UD
    row[0] = &ROWS[index]
    if p.lock and (not row[0].attr & ROW_LOCK or modrm[0] >= 0xC0):
        return DECODE_UD
    return 0


cdef inline int _asize(Prefixes* p, u8 mode) noexcept nogil:
    """Return the address size: 0 16, 1 32, 2 64 bits."""
    if mode & MODE_64:
        return 1 if p.address else 2
    return (1 if p.address else 0) if not mode & MODE_32 else (0 if p.address else 1)


cdef inline int _operands(Stream* s, const Row* row, Prefixes* p, u8 opcode, u8 modrm, bint mode64,
                          bint* relative, Insn* insn) noexcept nogil:
    """Fill in the registers and the memory operand."""
    if row.attr & ROW_OPREG:
        insn.r = _register(row.r_kind, (opcode & 7) | (p.rex & 1) << 3, p.rex)
    elif row.attr & ROW_MODRM:
        insn.r = _register(row.r_kind, ((modrm >> 3) & 7) | (p.rex & 4) << 1, p.rex)
    if row.attr & ROW_MODRM:
        if modrm >= 0xC0 or row.r_kind == OPERAND_CR or row.r_kind == OPERAND_DR:
            insn.b = _register(row.b_kind, (modrm & 7) | (p.rex & 1) << 3, p.rex)
        else:
            insn.flags |= INSN_MEM
            if insn.flags & INSN_ASIZE == 0:
                s.pos = _memory16(s.code, s.pos, s.limit, modrm, insn)
            else:
                s.pos = _memory(s.code, s.pos, s.limit, modrm, p.rex, mode64, relative, insn)
            if s.pos < 0:
                return s.short_of
    if p.segment >= 0:
        insn.seg = <u8>p.segment
    return 0


cdef inline int _immediates(Stream* s, const Row* row, int opsize, int asize,
                            Insn* insn) noexcept nogil:
    """Take up to two immediates."""
    cdef int size
    if row.imm1:
        size = _imm_size(row.imm1, opsize, asize)
        if s.pos + size > s.limit:
            return s.short_of
        _immediate(row.imm1, size, s.code + s.pos, insn)
        s.pos += size
        if row.imm2:
            if s.pos + 1 > s.limit:
                return s.short_of
            _immediate(row.imm2, 1, s.code + s.pos, insn)
            s.pos += 1
    return 0


cdef inline void _clear(Insn* insn) noexcept nogil:
    insn.disp = 0
    insn.imm = 0
    insn.r = insn.b = 0
    insn.x = 0
    insn.scale = 0
    insn.seg = DS
    insn.flags = 0
    insn.n = 1


cdef int decode(Cpu* cpu, const u8* code, int available, Insn* insn, bint* ends) noexcept nogil:
    cdef Prefixes p
    cdef Stream s
    cdef int opsize, asize, end
    cdef u32 table
    cdef u8 opcode, modrm = 0
    cdef u8 mode = cpu.mode
    cdef bint mode64 = (mode & MODE_64) != 0, relative = False
    cdef const Row* row

    s.code = code
    s.pos = 0
    s.limit = available if available < 15 else 15
    s.short_of = DECODE_MORE if available < 15 else DECODE_LONG
    _clear(insn)
    ends[0] = True
    end = _prefixes(&s, mode64, &p, &opcode)
    if end == 0:
        end = _escapes(cpu, &s, mode64, &p, &opcode, &table)
    if end == 0:
        end = _find_row(cpu, &s, mode64, &p, FIRST_ROW[table * 256 + opcode], &modrm, &row)
    if end:
        return end
    opsize = _opsize(row, &p, mode)
    asize = _asize(&p, mode)
    insn.form = row.handler[opsize]
    insn.flags = <u8>(asize << INSN_ASIZE_SHIFT | opsize << INSN_OPSIZE_SHIFT)
    if p.lock:
        insn.flags |= INSN_LOCK
    if p.rep and not p.vex:
        insn.flags |= INSN_REP if p.rep == 0xF3 else INSN_REPNE
    if table == 0 and opcode & 0xF8 == 0xD8:
        insn.imm = (opcode & 7) << 8 | modrm        # as the x87 opcode register wants it
    end = _operands(&s, row, &p, opcode, modrm, mode64, &relative, insn)
    if end == 0:
        end = _immediates(&s, row, opsize, asize, insn)
    if end:
        return end
    insn.imm |= <u64>p.vvvv << 8
    insn.len = <u8>s.pos
    if relative:
        _relative(insn)
    insn.fn = choose_handler(cpu, insn)
    ends[0] = (row.attr & ROW_ENDS) != 0
    return DECODE_OK
