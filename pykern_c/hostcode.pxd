"""Writing x86-64 host code: encoders, and the memory it stands in (hostcode.pyx).

References
----------
SDM Vol. 2A, Instruction Format; Vol. 2D, Opcode Map.
"""

from pykern_c.types cimport u8, u16, u32, u64, i8, i32, i64, memcpy
from pykern_c.cpu cimport CodeCache, Cpu, HostCode, Insn

# Host registers. What is not named here is not used in templates.
cdef enum:
    HOST_AX = 0
    HOST_CX = 1
    HOST_DX = 2
    HOST_CPU = 7            # RDI: handlers get the processor there
    HOST_SI = 6             # and their record here
    HOST_R8 = 8
    HOST_R9 = 9
    HOST_R10 = 10
    HOST_R11 = 11

# Opcodes; above FFH: map 0F. For those of the ALU +0 is "r/m, r" and +2 "r, r/m".
cdef enum:
    OP_ADD = 0x01
    OP_OR = 0x09
    OP_AND = 0x21
    OP_SUB = 0x29
    OP_XOR = 0x31
    OP_CMP = 0x39
    OP_FROM_RM = 2
    OP_TEST = 0x85
    OP_STORE = 0x89
    OP_LOAD = 0x8B
    OP_LEA = 0x8D
    OP_MOVSXD = 0x63
    OP_IMUL = 0x0FAF
    OP_MOVZX8 = 0x0FB6
    OP_MOVZX16 = 0x0FB7
    OP_MOVSX8 = 0x0FBE
    OP_MOVSX16 = 0x0FBF

# Condition codes.
cdef enum:
    IF_O = 0
    IF_B = 2
    IF_E = 4
    IF_NE = 5
    IF_A = 7
    IF_S = 8
    IF_P = 10

cdef enum:
    MAX_EXITS = 256         # of one train
    MAX_MISSES = 64


cdef struct Exit:
    u8* at                  # the displacement to be filled in
    u32 record


# An access whose page is not the one it was expected to be in.
cdef struct Miss:
    u8* at
    u8* back                # where to go on
    u32 record
    u32 entry               # the host register with the TLB entry that was tried
    u32 size
    bint write


# What stands in front of all code.
cdef struct Header:
    u64 carries             # where CF and its neighbour stand in cc_aux, and AF
    u64 cold                # bytes used of the upper half: code that is seldom executed


# Host code being written.
cdef struct Code:
    u8* p                   # where the next byte goes
    HostCode* host
    Cpu* cpu                # a processor, for the layout of its structure
    Insn* first             # the train's records
    u32 record              # which of them is being written
    Exit exit[MAX_EXITS]    # jumps to the slow handler of a record
    u32 exits
    Miss miss[MAX_MISSES]
    u32 misses
    int base[2]             # whose TLB entries R10 and RSI hold, as far as one can tell; -1: none
    u32 oldest              # which of the two is given up next


cdef inline void put(Code* c, u32 byte) noexcept nogil:
    c.p[0] = <u8>byte
    c.p += 1


cdef inline void put32(Code* c, u32 value) noexcept nogil:
    memcpy(c.p, &value, 4)
    c.p += 4


cdef inline void put64(Code* c, u64 value) noexcept nogil:
    memcpy(c.p, &value, 8)
    c.p += 8


cdef inline void opcode(Code* c, int w, u32 op, int reg, int index, int base) noexcept nogil:
    """REX if it is needed, and the opcode."""
    cdef u32 rex = (8 if w == 64 else 0) | (reg >> 3) << 2 | (index >> 3) << 1 | base >> 3
    if rex:
        put(c, 0x40 | rex)
    if op > 0xFF:
        put(c, op >> 8)
    put(c, op)


cdef inline void op_rr(Code* c, int w, u32 op, int reg, int rm) noexcept nogil:
    """Register and register."""
    opcode(c, w, op, reg, 0, rm)
    put(c, 0xC0 | (reg & 7) << 3 | rm & 7)


cdef inline void op_rm(Code* c, int w, u32 op, int reg, int base, i32 disp) noexcept nogil:
    """Register and [base + disp]; base is none of RSP, RBP, R12, R13."""
    cdef u32 fields = (reg & 7) << 3 | base & 7
    opcode(c, w, op, reg, 0, base)
    if disp == 0:
        put(c, fields)
    elif <i8>disp == disp:
        put(c, 0x40 | fields)
        put(c, <u8>disp)
    else:
        put(c, 0x80 | fields)
        put32(c, <u32>disp)


cdef inline void op_ri(Code* c, int w, u32 op, int rm, i32 imm) noexcept nogil:
    """Register and immediate, for the ALU opcodes."""
    opcode(c, w, 0x83 if <i8>imm == imm else 0x81, 0, 0, rm)
    put(c, 0xC0 | op & 0x38 | rm & 7)
    if <i8>imm == imm:
        put(c, <u8>imm)
    else:
        put32(c, <u32>imm)


cdef inline void op_mi(Code* c, int w, u32 op, int base, i32 disp, i8 imm) noexcept nogil:
    """[base + disp] and a small immediate, for the ALU opcodes."""
    op_rm(c, w, 0x83, (op & 0x38) >> 3, base, disp)
    put(c, <u8>imm)


cdef inline void shift_ri(Code* c, int w, int digit, int rm, int count) noexcept nogil:
    """Shift or rotate a register: 0 ROL, 1 ROR, 4 SHL, 5 SHR, 7 SAR."""
    op_rr(c, w, 0xC1, digit, rm)
    put(c, count)


cdef inline void mov_ri(Code* c, int reg, u64 value) noexcept nogil:
    """Load a constant."""
    if value == <u32>value:
        opcode(c, 32, 0xB8 | reg & 7, 0, 0, reg)
        put32(c, <u32>value)
    elif value == <u64><i64><i32>value:
        op_rr(c, 64, 0xC7, 0, reg)
        put32(c, <u32>value)
    else:
        opcode(c, 64, 0xB8 | reg & 7, 0, 0, reg)
        put64(c, value)


cdef inline void lea_index(Code* c, int reg, int base, int index, int scale,
                           i32 disp) noexcept nogil:
    """reg = base + (index << scale) + disp, 64 bits wide."""
    opcode(c, 64, OP_LEA, reg, index, base)
    put(c, (0x40 if <i8>disp == disp else 0x80) | (reg & 7) << 3 | 4)
    put(c, scale << 6 | (index & 7) << 3 | base & 7)
    if <i8>disp == disp:
        put(c, <u8>disp)
    else:
        put32(c, <u32>disp)


# ---------------------------------------------------------------------------------------------
# Jumps

cdef inline void land(u8* at, const u8* target) noexcept nogil:
    """Fill in a 32-bit displacement."""
    cdef i32 distance = <i32>(target - (at + 4))
    memcpy(at, &distance, 4)


cdef inline void land_short(u8* at, const u8* target) noexcept nogil:
    """Fill in an 8-bit displacement."""
    at[0] = <u8>(target - (at + 1))


cdef inline u8* jcc(Code* c, int condition) noexcept nogil:
    """Jump on a condition; returns where the displacement stands."""
    put(c, 0x0F)
    put(c, 0x80 | condition)
    put32(c, 0)
    return c.p - 4


cdef inline u8* jcc_short(Code* c, int condition) noexcept nogil:
    put(c, 0x70 | condition)
    put(c, 0)
    return c.p - 1


cdef inline void jump(Code* c, const u8* target) noexcept nogil:
    put(c, 0xE9)
    put32(c, 0)
    land(c.p - 4, target)


cdef inline void call(Code* c, const u8* target) noexcept nogil:
    put(c, 0xE8)
    put32(c, 0)
    land(c.p - 4, target)


cdef inline void jump_through(Code* c, int reg) noexcept nogil:
    """Jump to where the word at [reg] points."""
    op_rm(c, 32, 0xFF, 4, reg, 0)


# ---------------------------------------------------------------------------------------------

cdef enum:
    HOST_CODE_BYTES = 1 << 26
    COLD_BYTES = 1 << 25        # the upper half


cdef inline void* host_address(HostCode* host, const u8* written) noexcept nogil:
    """Return where code is executed that was written at an address."""
    return host.execute + (written - host.write)


cdef inline Header* header(Code* c) noexcept nogil:
    return <Header*>c.host.write


cdef inline u8* turn_cold(Code* c) noexcept nogil:
    """From here on write what is seldom executed; returns where the other code goes on."""
    cdef u8* hot = c.p
    c.p = c.host.write + COLD_BYTES + header(c).cold
    return hot


cdef inline void turn_hot(Code* c, u8* hot) noexcept nogil:
    header(c).cold = c.p - c.host.write - COLD_BYTES
    c.p = hot


cdef inline void op_r_at(Code* c, u32 op, int reg, const void* place) noexcept nogil:
    """Register and memory at a fixed address, 64 bits; LEA takes the address itself."""
    cdef i64 distance = <i64><u64>place - <i64><u64>host_address(c.host, c.p + 7)
    if <i32>distance != distance:
        mov_ri(c, reg, <u64>place)
        if op != OP_LEA:
            op_rm(c, 64, op, reg, reg, 0)
        return
    opcode(c, 64, op, reg, 0, 0)
    put(c, (reg & 7) << 3 | 5)
    put32(c, <u32><i32>distance)


# Room for `size` bytes, at the address where they are written, or NULL. What stands there already
# stays executable; `host_address` says where.
cdef u8* host_code_room(CodeCache* cache, size_t size) noexcept nogil
cdef void host_code_drop(HostCode* host) noexcept nogil
