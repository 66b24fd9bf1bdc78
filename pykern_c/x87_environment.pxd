"""The x87 state in memory: environment and save image in their four formats.

32-bit protected-mode format; the 16-bit one has the same seven fields, 2 bytes each::

    +0 control word   +4 status word   +8 tag word
    +12 FIP   +16 FCS, opcode << 16   +20 FDP   +24 FDS

In the real-address formats (virtual-8086 mode too) FIP and FDP are split: the low 16 bits stand in
their field, the rest from bit 12 of the field behind it, with the opcode below the rest of FIP.
The save image goes on with ST to ST(7).

References
----------
SDM Vol. 1, Saving the x87 FPU's State with FSTENV/FNSTENV and FSAVE/FNSAVE.
"""

from pykern_c.types cimport memcpy, memset, u8, u16, u32, u64
from pykern_c.cpu cimport *
from pykern_c.host_x87 cimport *
from pykern_c.operands cimport operand_bits
from pykern_c.x87 cimport x87_derive

cdef enum:
    X87_REGISTERS = 80          # bytes behind the environment in a save image


cdef inline int environment_size(Insn* insn) noexcept nogil:
    """Return the bytes of an environment."""
    return 14 if operand_bits(insn) == 16 else 28


cdef inline u32 _tag(const u8* register) noexcept nogil:
    """Classify a register that is not empty: 0 valid, 1 zero, 2 special."""
    cdef u64 significand
    cdef u16 exponent
    memcpy(&significand, register, 8)
    memcpy(&exponent, register + 8, 2)
    exponent &= 0x7FFF
    if exponent == 0 and significand == 0:
        return 1
    if exponent == 0 or exponent == 0x7FFF or not significand >> 63:
        return 2
    return 0


cdef inline u32 tag_word(Fpu* fpu) noexcept nogil:
    """Return the full tag word."""
    cdef u32 i, tags = full_tags(fpu.ftw)
    for i in range(8):
        if fpu.ftw >> i & 1:
            tags |= _tag(fpu.st[i]) << (2 * i)
    return tags


cdef inline void _fields(Cpu* cpu, u32* field) noexcept nogil:
    """Fill in the seven fields, before they are cut to their size."""
    cdef Fpu* fpu = &cpu.fpu
    field[0], field[1], field[2] = fpu.fcw, fpu.fsw, tag_word(fpu)
    field[3], field[5] = <u32>fpu.fip, <u32>fpu.fdp
    if protected_mode(cpu):
        field[4] = fpu.fcs | <u32>fpu.fop << 16
        field[6] = fpu.fds
        return
    field[4] = field[3] >> 16 << 12 | fpu.fop
    field[6] = field[5] >> 16 << 12
    field[3] &= 0xFFFF
    field[5] &= 0xFFFF


cdef inline void environment_out(Cpu* cpu, Insn* insn, u8* out) noexcept nogil:
    """Write the environment; the state is in `Cpu.fpu`. Unused halves are ones."""
    cdef u32 field[7]
    cdef u16 half
    cdef u32 i
    cdef u32 words = 0x47 if protected_mode(cpu) else 0x2F      # fields of 16 bits
    _fields(cpu, field)
    if operand_bits(insn) == 16:
        for i in range(7):
            half = <u16>field[i]
            memcpy(out + 2 * i, &half, 2)
        return
    for i in range(7):
        if words >> i & 1:
            field[i] |= 0xFFFF0000U
    memcpy(out, field, 28)


cdef inline void environment_in(Cpu* cpu, Insn* insn, const u8* source) noexcept nogil:
    """Load the environment into `Cpu.fpu`."""
    cdef Fpu* fpu = &cpu.fpu
    cdef u32 field[7]
    cdef u32 i
    if operand_bits(insn) == 16:
        for i in range(7):
            field[i] = source[2 * i] | <u32>source[2 * i + 1] << 8
    else:
        memcpy(field, source, 28)
    fpu.fcw, fpu.fsw, fpu.ftw = <u16>field[0], <u16>field[1], abridged_tags(field[2])
    if protected_mode(cpu):
        fpu.fip, fpu.fdp = field[3], field[5]
        fpu.fop = field[4] >> 16 & 0x7FF if operand_bits(insn) != 16 else fpu.fop
    else:
        fpu.fip = field[3] & 0xFFFF | (field[4] >> 12 & 0xFFFF) << 16
        fpu.fdp = field[5] & 0xFFFF | (field[6] >> 12 & 0xFFFF) << 16
        fpu.fop = field[4] & 0x7FF
    fpu.fcs = fpu.fds = 0
    x87_derive(cpu)


cdef inline void registers_out(Fpu* fpu, u8* out) noexcept nogil:
    """Write ST to ST(7)."""
    cdef u32 top = fpu.fsw >> 11 & 7, i
    for i in range(8):
        memcpy(out + 10 * i, fpu.st[(top + i) & 7], 10)


cdef inline void registers_in(Fpu* fpu, const u8* source) noexcept nogil:
    """Load ST to ST(7)."""
    cdef u32 top = fpu.fsw >> 11 & 7, i
    for i in range(8):
        memcpy(fpu.st[(top + i) & 7], source + 10 * i, 10)


cdef inline void x87_initialize(Cpu* cpu) noexcept nogil:
    """FNINIT: everything but the registers' contents."""
    cdef Fpu* fpu = &cpu.fpu
    x87_spill(cpu)
    fpu.fcw = X87_FCW_INIT
    fpu.fsw = 0
    fpu.ftw = 0
    fpu.fop = fpu.fcs = fpu.fds = 0
    fpu.fip = fpu.fdp = 0
    cpu.ferr = 0
