"""Bytes to `Insn`: the tables are generated from the instruction rows (isa/generate.py).

References
----------
SDM Vol. 2A, Instruction Format; Vol. 2D, Opcode Map.
"""

from pykern_c.types cimport u8, u16, u32, u64, i8
from pykern_c.cpu cimport Cpu, Insn, Handler, Body

# How a row's mandatory prefix matches.
cdef enum:
    PREFIX_ANY = 0
    PREFIX_NONE = 1
    PREFIX_66 = 2
    PREFIX_F3 = 3
    PREFIX_F2 = 4

# What the reg field, the rm field and the opcode's low bits name.
cdef enum:
    OPERAND_NONE = 0
    OPERAND_GPR8 = 1
    OPERAND_GPR = 2
    OPERAND_SEG = 3
    OPERAND_CR = 4
    OPERAND_DR = 5
    OPERAND_XMM = 6
    OPERAND_MMX = 7

cdef enum:
    IMM_NONE = 0
    IMM_IB = 1          # 8 bits, zero-extended
    IMM_IBS = 2         # 8 bits, sign-extended
    IMM_IW = 3
    IMM_IZ = 4          # 16 or 32 bits, sign-extended
    IMM_IV = 5          # 16, 32 or 64 bits
    IMM_CB = 6          # branch displacement, 8 bits
    IMM_CZ = 7          # branch displacement, 16 or 32 bits
    IMM_MOFFS = 8       # address, by address size
    IMM_FAR = 9         # offset 16 or 32, then selector
    IMM_IB2 = 10        # a second byte, into Insn.x (ENTER)

cdef enum:
    ROW_MODRM = 1
    ROW_LOCK = 2
    ROW_D64 = 4         # operand size defaults to 64 in 64-bit mode
    ROW_F64 = 8         # operand size is 64 in 64-bit mode
    ROW_ENDS = 16       # nothing behind it is decoded into the same block
    ROW_I64 = 32        # invalid in 64-bit mode
    ROW_O64 = 64        # only in 64-bit mode
    ROW_NOREXB = 128
    ROW_OPREG = 256     # register in the opcode's low three bits
    ROW_VVVV = 512      # VEX.vvvv is an operand; otherwise it must be 1111B
    ROW_VEX_L0 = 1024   # VEX.L must be 0
    ROW_VEX_L1 = 2048


cdef struct Row:
    u8 prefix
    i8 digit            # ModRM.reg, or -1
    i8 rm               # ModRM.rm, or -1
    u8 mod              # 0 any, 1 memory, 2 register
    u8 w                # 0 any, 1 W0, 2 W1
    u8 r_kind
    u8 b_kind
    u8 imm1
    u8 imm2
    u16 attr
    u16 feature         # 0: always there
    u16 handler[3]      # by operand size 16, 32, 64
    u16 next            # next candidate of the same opcode, 0: none


# Operations that the translator (train.pyx) can write as host code.
cdef enum:
    TEMPLATE_NONE = 0
    TEMPLATE_MOV = 1
    TEMPLATE_MOVZX = 2
    TEMPLATE_MOVSX = 3
    TEMPLATE_ADD = 4
    TEMPLATE_OR = 5
    TEMPLATE_AND = 6
    TEMPLATE_SUB = 7
    TEMPLATE_XOR = 8
    TEMPLATE_CMP = 9
    TEMPLATE_TEST = 10
    TEMPLATE_INC = 11
    TEMPLATE_DEC = 12
    TEMPLATE_NEG = 13
    TEMPLATE_NOT = 14
    TEMPLATE_SHL = 15
    TEMPLATE_SHR = 16
    TEMPLATE_SAR = 17
    TEMPLATE_ROL = 18
    TEMPLATE_ROR = 19
    TEMPLATE_IMUL = 20
    TEMPLATE_CMOV = 21
    TEMPLATE_SETCC = 22
    TEMPLATE_NOP = 23
    TEMPLATE_LEA = 24
    TEMPLATE_PUSH = 25
    TEMPLATE_POP = 26
    TEMPLATE_JCC = 27
    TEMPLATE_JMP = 28
    TEMPLATE_CALL = 29
    TEMPLATE_RET = 30
    TEMPLATE_JMP_INDIRECT = 31
    TEMPLATE_CALL_INDIRECT = 32

# Where an operand stands.
cdef enum:
    PLACE_NONE = 0
    PLACE_REG = 1       # Insn.r
    PLACE_RM = 2        # Insn.b, or memory
    PLACE_RAX = 3
    PLACE_IMM = 4
    PLACE_ONE = 5


cdef struct Template:
    u8 kind             # TEMPLATE_*
    u8 width
    u8 condition        # condition code of Jcc, CMOVcc, SETcc
    u8 to               # PLACE_*: first operand
    u8 source           # second operand
    u8 source_width
    bint third          # there is a third one, an immediate


# The generated handlers of a (row, width): the general body and the fast forms that exist.
cdef struct Handlers:
    Body body
    Handler slow        # calls body, then goes on
    Handler reg         # register operand
    Handler mem         # base + displacement in flat 64-bit addressing
    Handler memx        # base + index << scale + displacement, likewise
    Handler quiet       # reg, without flags
    Handler* pair       # reg with a Jcc right behind it, by condition code
    Handler* pair_mem
    Handler* pair_memx
    Handler* st             # reg, by the number of the x87 register
    u32 flow            # FLOW_*
    Template template   # what the translator knows of it
    u8 hot[4]           # number among the pieces that are fused (HOT_*); 0: none


# What the block builder knows of a form (icache.pyx).
cdef enum:
    FLOW_KILLS = 1      # overwrites all arithmetic flags, reads none
    FLOW_CLEAR = 2      # neither reads nor writes them; register forms cannot fault
    FLOW_JCC = 4        # condition code in bits 8-11


cdef enum:
    DECODE_OK = 0
    DECODE_MORE = 1     # the instruction goes on behind the bytes given
    DECODE_UD = 2
    DECODE_LONG = 3     # more than 15 bytes


# Decode one instruction. `insn.off` is set by the caller; everything else is filled in.
cdef int decode(Cpu* cpu, const u8* code, int available, Insn* insn, bint* ends) noexcept nogil
# Which of a form's handlers a piece stands for.
cdef enum:
    HOT_REG = 0
    HOT_QUIET = 1
    HOT_MEM = 2
    HOT_MEMX = 3


# The handler that does the work of two records, by the numbers of their pieces.
cdef Handler fused_handler(u32 first, u32 second) noexcept nogil
cdef Handlers* handlers_of(u32 form) noexcept nogil
# The fastest handler that fits the operands of a record by itself.
cdef Handler choose_handler(Cpu* cpu, Insn* insn) noexcept nogil
cdef void decode_init() noexcept
