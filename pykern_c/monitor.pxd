"""The address range that MONITOR arms: MWAIT ends when it has been written to.

Nothing watches stores: what the line holds is compared whenever the processor could run again.

References
----------
SDM Vol. 3A, MONITOR/MWAIT; SDM Vol. 2B, MONITOR; MWAIT.
"""

from pykern_c.types cimport u64
from pykern_c.cpu cimport Cpu, MWAIT
from pykern_c.memory cimport phys_read

cdef enum:
    MONITOR_LINE = 64           # bytes, aligned; CPUID leaf 5 says so


cdef inline u64 monitor_line(Cpu* cpu) noexcept nogil:
    """Return a hash (FNV-1a over quadwords) of the monitored line."""
    cdef u64 value = 0xCBF29CE484222325ULL
    cdef u64 i
    for i in range(MONITOR_LINE // 8):
        value = (value ^ phys_read(cpu, cpu.monitor_address + i * 8, 8)) * 0x100000001B3ULL
    return value


cdef inline bint monitor_written(Cpu* cpu) noexcept nogil:
    """Whether a processor in MWAIT has to wake up."""
    return cpu.activity == MWAIT and monitor_line(cpu) != cpu.monitor_sum
