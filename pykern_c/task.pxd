"""Hardware task switches (task.pyx).

References
----------
SDM Vol. 3A, Task Management.
"""

from pykern_c.types cimport u32, u64
from pykern_c.cpu cimport Cpu
from pykern_c.descriptors cimport Descriptor

cdef enum:
    TASK_JMP = 0
    TASK_CALL = 1
    TASK_INTERRUPT = 2      # nests as a call does
    TASK_IRET = 3


# What leads to a switch. `rip` and `flags` are saved in the old task.
cdef struct TaskSwitch:
    int kind                # TASK_*
    u32 ext                 # EXT bit of error codes
    bint has_error          # an error code goes onto the new stack
    u32 error
    u64 rip
    u64 flags


# Each returns 0 when the switch is done: cpu.rip is the new task's, and cpu.fault may hold an
# exception that the new task takes at its first instruction. FAULT: nothing has happened.

# Switch to the task whose TSS selector a task gate holds.
cdef int task_switch_gate(Cpu* cpu, u32 sel, TaskSwitch* s) noexcept nogil
# Switch to the task of a TSS descriptor (JMP, CALL).
cdef int task_switch_tss(Cpu* cpu, Descriptor* d, TaskSwitch* s) noexcept nogil
# IRET with NT set: back to the task that the link field names.
cdef int task_return(Cpu* cpu, TaskSwitch* s) noexcept nogil
