"""IN and OUT; an OUT to the platform's hostcall port leaves run() instead."""

from pykern_c.types cimport *
from pykern_c.cpu cimport *
from pykern_c.ioperm cimport io_allowed
from pykern_c.operands cimport *


cdef inline int port_in(Cpu* cpu, u32 port, int w) noexcept nogil:
    """Read a port into AL, AX or EAX."""
    if io_allowed(cpu, port, w >> 3):
        return FAULT
    set_reg(cpu, w, 0, cpu.platform.port_read(cpu, port, w >> 3))
    cpu.attention = 1           # what the device raised is taken right behind this instruction
    return STOP


cdef inline int port_out(Cpu* cpu, u32 port, int w) noexcept nogil:
    """Write AL, AX or EAX to a port."""
    cdef u64 value = get_reg(cpu, w, 0)
    if io_allowed(cpu, port, w >> 3):
        return FAULT
    if port == cpu.platform.hostcall_port and port:
        cpu.exit_code = value
        cpu.exit_reason = EXIT_HOSTCALL
        return STOP
    cpu.platform.port_write(cpu, port, w >> 3, value)
    cpu.attention = 1
    return STOP


cdef inline int in_immediate(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """Input from a port named by the instruction.

    E4 ib      IN AL, Ib     ends
    E5 ib      IN eAX, Ib    ends

    Flags: none.
    Source: SDM Vol. 2A, IN.
    """
    return port_in(cpu, <u32>insn.imm & 0xFF, w)


cdef inline int in_dx(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """Input from the port in DX.

    EC         IN AL, DX     ends
    ED         IN eAX, DX    ends

    Flags: none.
    Source: SDM Vol. 2A, IN.
    """
    return port_in(cpu, <u16>cpu.regs[RDX], w)


cdef inline int out_immediate(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """Output to a port named by the instruction.

    E6 ib      OUT Ib, AL    ends
    E7 ib      OUT Ib, eAX   ends

    Flags: none.
    Source: SDM Vol. 2B, OUT.
    """
    return port_out(cpu, <u32>insn.imm & 0xFF, w)


cdef inline int out_dx_byte(Cpu* cpu, Insn* insn) noexcept nogil:
    """Output AL to the port in DX.

    EE         OUT DX, AL    ends

    Flags: none.
    Source: SDM Vol. 2B, OUT.
    """
    return port_out(cpu, <u16>cpu.regs[RDX], 8)


cdef inline int out_dx(Cpu* cpu, Insn* insn) noexcept nogil:
    """Output AX or EAX to the port in DX.

    EF         OUT DX, eAX   ends

    Flags: none.
    Source: SDM Vol. 2B, OUT.
    """
    return port_out(cpu, <u16>cpu.regs[RDX], 16 if operand_bits(insn) == 16 else 32)
