"""Instructions on single flags, HLT and NOP-like control of the processor's flags."""

from pykern_c.types cimport *
from pykern_c.cpu cimport *
from pykern_c.flags cimport *
from pykern_c.operands cimport *


cdef inline int clc(Cpu* cpu, Insn* insn) noexcept nogil:
    """Clear CF.

    F8         CLC

    Flags: C.
    Source: SDM Vol. 2A, CLC.
    """
    set_cf(cpu, 0)
    return NEXT


cdef inline int stc(Cpu* cpu, Insn* insn) noexcept nogil:
    """Set CF.

    F9         STC

    Flags: C.
    Source: SDM Vol. 2B, STC.
    """
    set_cf(cpu, 1)
    return NEXT


cdef inline int cmc(Cpu* cpu, Insn* insn) noexcept nogil:
    """Complement CF.

    F5         CMC

    Flags: C.
    Source: SDM Vol. 2A, CMC.
    """
    set_cf(cpu, 1 - flag_cf(cpu))
    return NEXT


cdef inline int cld(Cpu* cpu, Insn* insn) noexcept nogil:
    """Clear DF.

    FC         CLD

    Flags: D.
    Source: SDM Vol. 2A, CLD.
    """
    cpu.rflags &= ~<u64>FLAG_DF
    return NEXT


cdef inline int std(Cpu* cpu, Insn* insn) noexcept nogil:
    """Set DF.

    FD         STD

    Flags: D.
    Source: SDM Vol. 2B, STD.
    """
    cpu.rflags |= FLAG_DF
    return NEXT


cdef inline int lahf(Cpu* cpu, Insn* insn) noexcept nogil:
    """Load status flags into AH.

    9F         LAHF

    Flags: none.
    Source: SDM Vol. 2A, LAHF.
    """
    (<u8*>cpu.regs)[1] = <u8>(get_arith_flags(cpu) & 0xD5 | 2)
    return NEXT


cdef inline int sahf(Cpu* cpu, Insn* insn) noexcept nogil:
    """Store AH into the flags.

    9E         SAHF

    Flags: SZAPC.
    Source: SDM Vol. 2B, SAHF.
    """
    set_arith_flags(cpu, (<u8*>cpu.regs)[1] & 0xD5 | (flag_of(cpu) << 11))
    return NEXT


cdef inline int hlt(Cpu* cpu, Insn* insn) noexcept nogil:
    """Halt until an interrupt.

    F4         HLT    cpl0 ends

    Flags: none.
    Source: SDM Vol. 2A, HLT.
    """
    cpu.activity = HALTED
    return STOP
