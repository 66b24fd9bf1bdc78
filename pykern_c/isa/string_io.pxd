"""String instructions on ports: INS and OUTS.

Permission and memory are checked before the device is asked: an input cannot be taken back.
"""

from pykern_c.types cimport *
from pykern_c.cpu cimport *
from pykern_c.ioperm cimport io_allowed
from pykern_c.isa.string cimport advance, destination, nothing_to_do, paid, repeated, source
from pykern_c.mmu cimport MemRef, ref_write
from pykern_c.operands cimport *


cdef inline int ins_once(Cpu* cpu, int size, int bits) noexcept nogil:
    cdef MemRef ref
    cdef u64 value
    if open_rw(cpu, ES, destination(cpu, bits), size, &ref):
        return FAULT
    value = cpu.platform.port_read(cpu, <u16>cpu.regs[RDX], size)
    ref_write(cpu, &ref, size, &value)
    advance(cpu, bits, size, RDI, 1)
    cpu.attention = 1           # what the device raised is taken before the next iteration
    return NEXT


cdef inline int ins(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """Input from a port to a string.

    6C         INS Yb, DX    rep=all ends
    6D         INS Yz, DX    rep=all ends

    Flags: none.
    Source: SDM Vol. 2A, INS/INSB/INSW/INSD; REP/REPE/REPZ/REPNE/REPNZ.
    """
    cdef int bits = address_bits(insn)
    if io_allowed(cpu, <u16>cpu.regs[RDX], w >> 3):
        return FAULT                            # even with a count of 0
    if not repeated(insn):
        return ins_once(cpu, w >> 3, bits)
    if nothing_to_do(cpu, bits):
        return NEXT
    if ins_once(cpu, w >> 3, bits):
        return FAULT
    return paid(cpu, insn, bits, 1, False)      # attention is set: never GO_ON


cdef inline int outs_once(Cpu* cpu, Insn* insn, int size, int bits) noexcept nogil:
    cdef u64 value = 0
    if load(cpu, insn.seg, source(cpu, bits), size, &value):
        return FAULT
    cpu.platform.port_write(cpu, <u16>cpu.regs[RDX], size, value)
    advance(cpu, bits, size, RSI, 1)
    cpu.attention = 1
    return NEXT


cdef inline int outs_repeat(Cpu* cpu, Insn* insn, int size) noexcept nogil:
    cdef int bits = address_bits(insn)
    if io_allowed(cpu, <u16>cpu.regs[RDX], size):
        return FAULT
    if not repeated(insn):
        return outs_once(cpu, insn, size, bits)
    if nothing_to_do(cpu, bits):
        return NEXT
    if outs_once(cpu, insn, size, bits):
        return FAULT
    return paid(cpu, insn, bits, 1, False)


cdef inline int outs_byte(Cpu* cpu, Insn* insn) noexcept nogil:
    """Output a string of bytes to a port.

    6E         OUTS DX, Xb    rep=all ends

    Flags: none.
    Source: SDM Vol. 2B, OUTS/OUTSB/OUTSW/OUTSD; REP/REPE/REPZ/REPNE/REPNZ.
    """
    return outs_repeat(cpu, insn, 1)


cdef inline int outs(Cpu* cpu, Insn* insn) noexcept nogil:
    """Output a string of words or doublewords to a port.

    6F         OUTS DX, Xz    rep=all ends

    Flags: none.
    Source: SDM Vol. 2B, OUTS/OUTSB/OUTSW/OUTSD; REP/REPE/REPZ/REPNE/REPNZ.
    """
    return outs_repeat(cpu, insn, 2 if operand_bits(insn) == 16 else 4)
