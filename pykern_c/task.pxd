"""Hardware task switches (task.pyx).

References
----------
SDM Vol. 3A, Task Management.
"""

from pykern_c.types cimport u32
from pykern_c.cpu cimport Cpu
from pykern_c.descriptors cimport Descriptor

cdef enum:
    TASK_JMP = 0
    TASK_CALL = 1
    TASK_INTERRUPT = 2      # nests as a call does
    TASK_IRET = 3


# Before each of these cpu.rip must be the return address. They return 0 when the switch is done:
# cpu.rip is the new task's, and cpu.fault may hold an exception that the new task takes at its
# first instruction. FAULT: nothing has happened.

# Switch to the task whose TSS selector a task gate holds.
cdef int task_switch_gate(Cpu* cpu, u32 sel, int kind, u32 ext, bint has_error,
                          u32 error) noexcept nogil
# Switch to the task of a TSS descriptor (JMP, CALL).
cdef int task_switch_tss(Cpu* cpu, Descriptor* d, int kind) noexcept nogil
# IRET with NT set: back to the task that the link field names.
cdef int task_return(Cpu* cpu) noexcept nogil
