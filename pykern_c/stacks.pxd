"""The stack that a control transfer pushes to: the current one, or one of the TSS (stacks.pyx).

References
----------
SDM Vol. 3A, Stack Switching; Task-State Segment (TSS); Interrupt Stack Table.
"""

from pykern_c.types cimport u32, u64
from pykern_c.cpu cimport Cpu, Seg


# Registers change only at stack_commit: until then a fault leaves nothing behind but what was
# written below the stack pointer.
cdef struct Stack:
    Seg ss
    u64 sp
    u64 mask                # bits of the stack pointer that move
    int which               # rights of the accesses
    bint long_mode          # no limits; canonical addresses instead
    u32 error               # error code of #SS


# The stack in use, for pushes at the privilege level `cpl`.
cdef void stack_current(Cpu* cpu, u32 ext, Stack* s) noexcept nogil
# The stack of an inner level: SS:ESP of the TSS, or RSPn with a null SS in IA-32e mode.
cdef int stack_inner(Cpu* cpu, u32 cpl, u32 ext, Stack* s) noexcept nogil
# Interrupt stack table, IA-32e mode; `ist` is 1 to 7, `cpl` the level of the handler.
cdef int stack_ist(Cpu* cpu, u32 ist, u32 cpl, u32 ext, Stack* s) noexcept nogil
cdef int stack_push(Cpu* cpu, Stack* s, int w, u64 value) noexcept nogil
cdef void stack_commit(Cpu* cpu, Stack* s) noexcept nogil
