"""Whether the current program may access an I/O port.

References
----------
SDM Vol. 1, Protected-Mode I/O; I/O Permission Bit Map.
"""

from pykern_c.types cimport u16, u32, u64, unlikely_
from pykern_c.cpu cimport Cpu, CR0_PE, CR4_DE, FAULT, FLAG_VM, raise_gp
from pykern_c.descriptors cimport system_read


cdef inline int io_bitmap(Cpu* cpu, u32 port, int size) noexcept nogil:
    """Look `size` ports up in the TSS; #GP(0) unless all their bits are there and clear."""
    cdef u16 base = 0, bits = 0
    cdef u64 at
    if not cpu.tr.attr & 8 or cpu.tr.limit < 103:           # a 16-bit TSS has no bit map
        return raise_gp(cpu, 0)
    if system_read(cpu, cpu.tr.base + 102, 2, &base):
        return FAULT
    at = <u64>base + (port >> 3)
    if at + 1 > cpu.tr.limit:
        return raise_gp(cpu, 0)
    if system_read(cpu, cpu.tr.base + at, 2, &bits):
        return FAULT
    if (bits >> (port & 7)) & ((1 << size) - 1):
        return raise_gp(cpu, 0)
    return 0


cdef inline void io_breakpoints(Cpu* cpu, u32 port, u32 size) noexcept nogil:
    """Match an allowed access with the I/O breakpoints of DR7: a trap behind the instruction.

    Source: SDM Vol. 3B, Data Memory and I/O Breakpoint Exception Conditions.
    """
    cdef u32 i, control, length
    cdef u64 first
    for i in range(4):
        control = <u32>(cpu.dr[7] >> (16 + i * 4)) & 0xF
        if not cpu.dr[7] >> (i * 2) & 3 or control & 3 != 2:
            continue
        length = (control >> 2) + 1
        first = cpu.dr[i] & ~<u64>(length - 1)
        if port < first + length and first < port + size:
            cpu.pending_db |= 1 << i


cdef inline int io_allowed(Cpu* cpu, u32 port, int size) noexcept nogil:
    """Check an access of `size` bytes to a port: 0, or FAULT with #GP (or a page fault) raised."""
    if cpu.cr0 & CR0_PE and (cpu.rflags & FLAG_VM or cpu.cpl > (cpu.rflags >> 12 & 3)):
        if io_bitmap(cpu, port, size):
            return FAULT
    if unlikely_(cpu.dr[7] & 0xFF and cpu.cr4 & CR4_DE):
        io_breakpoints(cpu, port, size)
    return 0
