"""Interrupts and exceptions: from the vector to the handler (exceptions.pyx).

References
----------
SDM Vol. 3A, Interrupt and Exception Handling.
"""

from pykern_c.types cimport u32
from pykern_c.cpu cimport Cpu

cdef enum:
    INT_EXTERNAL = 0        # interrupt controller, NMI: no DPL check, EXT set in error codes
    INT_FAULT = 1           # exception of an instruction: cpu.fault says which
    INT_SOFT = 2            # INT n, INT3, INTO: DPL is checked, return address is behind it
    INT_PRIVILEGED = 3      # INT1: like a hardware exception, return address is behind it

# In cpu.pending_db: the instruction was a software interrupt, which is not single-stepped.
cdef enum:
    DB_NO_STEP = 1 << 30


# Deliver cpu.fault; a fault on the way becomes a double fault, then shutdown (activity SHUTDOWN,
# exit_reason EXIT_SHUTDOWN, cpu.chain[0..nesting], the latest last). Clears cpu.fault.
cdef void deliver_fault(Cpu* cpu) noexcept nogil
# Deliver an external interrupt or NMI at cpu.rip.
cdef void deliver_external(Cpu* cpu, u32 vector) noexcept nogil
# INT n and its like from inside an instruction whose next instruction is at `next_rip`: returns
# JUMP, or FAULT.
cdef int deliver_soft(Cpu* cpu, u32 vector, unsigned long long next_rip) noexcept nogil
# The same for INT1.
cdef int deliver_int1(Cpu* cpu, unsigned long long next_rip) noexcept nogil
# INT n through the interrupt vector table of the 8086 program in virtual-8086 mode (CR4.VME).
cdef int deliver_vme(Cpu* cpu, u32 vector, unsigned long long next_rip) noexcept nogil
