"""What stands around every x87 instruction: #NM, pending errors, pointers, unmasked exceptions.

The pointers follow processors that report CPUID.07H.EBX[6] (FDP_EXCPTN_ONLY) and [13] (FCS and
FDS deprecated): the instruction pointer is that of the last non-control instruction; opcode and
data pointer change only when an unmasked exception is recorded, and the selectors are always 0.

References
----------
SDM Vol. 1, x87 FPU Instruction and Data (Operand) Pointers; x87 FPU Exception Handling in
Software; Guidelines for Writing x87 FPU Exception Handlers. SDM Vol. 3A, Control Registers.
"""

from pykern_c.types cimport cold_int, cold_void, likely_, u8, u16, u32, u64, unlikely_
from pykern_c.cpu cimport *
from pykern_c.host_x87 cimport *
from pykern_c.operands cimport effective_address, is_mem

cdef enum:
    X87_BEFORE_RESULT = 0x1F    # unmasked, they keep a result from memory: all but precision


cdef inline cold_int x87_error(Cpu* cpu) noexcept nogil:
    """Report a pending unmasked exception before a waiting instruction; a Status.

    With CR0.NE=0 that is FERR#, once; an interrupt that is taken comes first. Then the instruction
    goes on as if IGNNE# were asserted, so that a handler can execute x87 code, and a missing one
    does not stop the machine.
    """
    if cpu.cr0 & CR0_NE:
        return raise_fault(cpu, MF)
    if cpu.ferr:
        return 0
    cpu.ferr = 1
    if cpu.platform.ferr != NULL:
        cpu.platform.ferr(cpu)
    cpu.attention = 1
    return RESTART


cdef inline int x87_unready(Cpu* cpu) noexcept nogil:
    """Raise #NM if x87 instructions cannot be executed now."""
    if likely_(cpu.fpu_ok):
        return 0
    return raise_fault(cpu, NM)


cdef inline int x87_wait(Cpu* cpu) noexcept nogil:
    """Make sure that an x87 instruction may be executed and no error is pending; a Status."""
    if unlikely_(not cpu.fpu_ok):
        return raise_fault(cpu, NM)
    if likely_(cpu.fpu_live or not cpu.fpu.fsw & X87_ES):
        return 0
    return x87_error(cpu)


cdef inline void x87_note(Cpu* cpu, Insn* insn) noexcept nogil:
    """Make an instruction the last non-control one."""
    cpu.fpu.fip = cpu.regs[REG_PAGE] + insn.off


cdef inline cold_void x87_look(Cpu* cpu, Insn* insn) noexcept nogil:
    """After an instruction with something unmasked: take the state off the host if it erred."""
    if not (host_fnstsw() & X87_ES or cpu.fpu_pending):
        return
    if not cpu.fpu_pending:
        cpu.ferr = 0
    x87_drain(cpu)
    cpu.fpu.fop = insn.imm & 0x7FF
    if is_mem(insn):
        cpu.fpu.fdp = effective_address(cpu, insn)


cdef inline void x87_done(Cpu* cpu, Insn* insn) noexcept nogil:
    """Finish a non-control instruction that the host has executed."""
    x87_note(cpu, insn)
    if unlikely_(not cpu.fpu_fast):
        x87_look(cpu, insn)


cdef inline bint x87_completed(Cpu* cpu) noexcept nogil:
    """Whether the instruction just executed delivers its result to memory."""
    return likely_(cpu.fpu_live) or not cpu.fpu.fsw & ~cpu.fpu.fcw & X87_BEFORE_RESULT


cdef inline void x87_derive(Cpu* cpu) noexcept nogil:
    """After a load from memory: ES and B are what flags and masks say, reserved control bits 0."""
    cdef Fpu* fpu = &cpu.fpu
    fpu.fcw = fpu.fcw & X87_FCW_VALID | X87_FCW_ONES
    fpu.fsw &= ~(X87_ES | X87_BUSY)
    if fpu.fsw & ~fpu.fcw & X87_EXCEPTIONS:
        fpu.fsw |= X87_ES | X87_BUSY
    else:
        cpu.ferr = 0
