"""What the processor tells, counts and draws: CPUID, MSRs, TSC, random numbers, XCR0, MONITOR."""

from pykern_c.types cimport *
from pykern_c.cpu cimport *
from pykern_c.cpuid cimport (
    XCR0_AVX, XCR0_SSE, XCR0_X87, cpuid_leaf, xcr0_supported,
)
from pykern_c.flags cimport *
from pykern_c.memory cimport ram_find
from pykern_c.mmu cimport ACCESS_READ
from pykern_c.monitor cimport MONITOR_LINE, monitor_line
from pykern_c.msr cimport read_msr, read_tsc, write_msr
from pykern_c.paging cimport Walk, page_walk
from pykern_c.operands cimport *


cdef inline u64 edx_eax(Cpu* cpu) noexcept nogil:
    """Return EDX:EAX."""
    return cpu.regs[RDX] << 32 | <u32>cpu.regs[RAX]


cdef inline void set_edx_eax(Cpu* cpu, u64 value) noexcept nogil:
    cpu.regs[RAX] = <u32>value
    cpu.regs[RDX] = value >> 32


cdef inline int cpuid(Cpu* cpu, Insn* insn) noexcept nogil:
    """Identify the processor.

    0F A2      CPUID

    Flags: none.
    Source: SDM Vol. 2A, CPUID.
    """
    cdef u32 out[4]
    cpuid_leaf(cpu, <u32>cpu.regs[RAX], <u32>cpu.regs[RCX], out)
    cpu.regs[RAX] = out[0]
    cpu.regs[RBX] = out[1]
    cpu.regs[RCX] = out[2]
    cpu.regs[RDX] = out[3]
    return NEXT


# ---------------------------------------------------------------------------------------------
# Model-specific registers

cdef inline int rdmsr(Cpu* cpu, Insn* insn) noexcept nogil:
    """Read a model-specific register.

    0F 32      RDMSR    MSR cpl0

    Flags: none.
    Source: SDM Vol. 2B, RDMSR.
    """
    cdef u64 value
    if read_msr(cpu, <u32>cpu.regs[RCX], &value):
        return FAULT
    set_edx_eax(cpu, value)
    return NEXT


cdef inline int wrmsr(Cpu* cpu, Insn* insn) noexcept nogil:
    """Write a model-specific register.

    0F 30      WRMSR    MSR cpl0 ends

    Flags: none.
    Source: SDM Vol. 2D, WRMSR.
    """
    return FAULT if write_msr(cpu, <u32>cpu.regs[RCX], edx_eax(cpu)) else STOP


# ---------------------------------------------------------------------------------------------
# Time and counters

cdef inline bint tsc_forbidden(Cpu* cpu) noexcept nogil:
    return cpu.cr4 & CR4_TSD and cpu.cpl


cdef inline int rdtsc(Cpu* cpu, Insn* insn) noexcept nogil:
    """Read the time-stamp counter.

    0F 31      RDTSC    TSC

    Flags: none.
    Source: SDM Vol. 2B, RDTSC.
    """
    if tsc_forbidden(cpu):
        return raise_gp(cpu, 0)
    set_edx_eax(cpu, read_tsc(cpu))
    return NEXT


cdef inline int rdtscp(Cpu* cpu, Insn* insn) noexcept nogil:
    """Read the time-stamp counter and IA32_TSC_AUX.

    0F 01 F9   RDTSCP    RDTSCP

    Flags: none.
    Source: SDM Vol. 2B, RDTSCP.
    """
    if tsc_forbidden(cpu):
        return raise_gp(cpu, 0)
    set_edx_eax(cpu, read_tsc(cpu))
    cpu.regs[RCX] = <u32>cpu.tsc_aux
    return NEXT


cdef inline int rdpid(Cpu* cpu, Insn* insn) noexcept nogil:
    """Read IA32_TSC_AUX.

    F3 0F C7 /7   RDPID Rv    RDPID f64

    Flags: none.
    Source: SDM Vol. 2B, RDPID.
    """
    set_reg(cpu, 64 if in_64bit(cpu) else 32, insn.b, cpu.tsc_aux)
    return NEXT


cdef inline int rdpmc(Cpu* cpu, Insn* insn) noexcept nogil:
    """Read a performance counter: there are none, so every number is one too high.

    0F 33      RDPMC

    Flags: none.
    Source: SDM Vol. 2B, RDPMC.
    """
    return raise_gp(cpu, 0)


# ---------------------------------------------------------------------------------------------
# Random numbers: the machine's seed decides them

cdef inline u64 next_random(Cpu* cpu) noexcept nogil:
    """Return 64 random bits (splitmix64)."""
    cdef u64 z
    cpu.random += 0x9E3779B97F4A7C15ULL
    z = cpu.random
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL
    return z ^ (z >> 31)


cdef inline u64 rdrand(Cpu* cpu, int w) noexcept nogil:
    """Draw a random number; CF says that there was one.

    0F C7 /6   RDRAND Rv    RDRAND nodst

    Flags: OSZAPC.
    Source: SDM Vol. 2B, RDRAND.
    """
    set_arith_flags(cpu, FLAG_CF)
    return next_random(cpu)


cdef inline u64 rdseed(Cpu* cpu, int w) noexcept nogil:
    """Draw a random seed; CF says that there was one.

    0F C7 /7   RDSEED Rv    RDSEED nodst

    Flags: OSZAPC.
    Source: SDM Vol. 2B, RDSEED.
    """
    set_arith_flags(cpu, FLAG_CF)
    return next_random(cpu)


# ---------------------------------------------------------------------------------------------
# Extended control registers

cdef inline int xgetbv(Cpu* cpu, Insn* insn) noexcept nogil:
    """Read XCR0, or with ECX = 1 the components in use.

    NP 0F 01 D0   XGETBV    XSAVE

    Flags: none.
    Source: SDM Vol. 2D, XGETBV.
    """
    if not cpu.cr4 & CR4_OSXSAVE:
        return raise_fault(cpu, UD)
    if <u32>cpu.regs[RCX] > 1:
        return raise_gp(cpu, 0)
    set_edx_eax(cpu, cpu.xcr0)
    return NEXT


cdef inline int xsetbv(Cpu* cpu, Insn* insn) noexcept nogil:
    """Write XCR0.

    NP 0F 01 D1   XSETBV    XSAVE ends

    Flags: none.
    Source: SDM Vol. 2D, XSETBV; SDM Vol. 1, Enabling the XSAVE Feature Set.
    """
    cdef u64 value = edx_eax(cpu)
    if not cpu.cr4 & CR4_OSXSAVE:
        return raise_fault(cpu, UD)
    if cpu.cpl or <u32>cpu.regs[RCX]:
        return raise_gp(cpu, 0)
    if not value & XCR0_X87 or value & ~xcr0_supported(cpu):
        return raise_gp(cpu, 0)
    if value & XCR0_AVX and not value & XCR0_SSE:
        return raise_gp(cpu, 0)
    cpu.xcr0 = value
    return STOP


# ---------------------------------------------------------------------------------------------
# Waiting for a store

cdef inline int monitor(Cpu* cpu, Insn* insn) noexcept nogil:
    """Arm the monitor on the line at DS:rAX.

    NP 0F 01 C8   MONITOR    MONITOR

    Flags: none.
    Source: SDM Vol. 2B, MONITOR.
    """
    cdef u64 laddr, offset = trunc(cpu.regs[RAX], address_bits(insn))
    cdef u8 byte
    cdef Walk walk
    if cpu.cpl:
        return raise_fault(cpu, UD)
    if <u32>cpu.regs[RCX]:
        return raise_gp(cpu, 0)
    if load(cpu, insn.seg, offset, 1, &byte):
        return FAULT
    linear_address(cpu, insn.seg, offset, 1, False, &laddr)
    page_walk(cpu, laddr, ACCESS_READ, False, False, False, &walk)
    cpu.monitor_address = walk.paddr & ~<u64>(MONITOR_LINE - 1)
    cpu.monitor_armed = ram_find(cpu.platform, cpu.monitor_address) != NULL
    if cpu.monitor_armed:                       # reading a device would be seen by it
        cpu.monitor_sum = monitor_line(cpu)
    return NEXT


cdef inline int mwait(Cpu* cpu, Insn* insn) noexcept nogil:
    """Wait for a store to the monitored line or an interrupt.

    NP 0F 01 C9   MWAIT    MONITOR ends

    Flags: none.
    Source: SDM Vol. 2B, MWAIT.
    """
    if cpu.cpl:
        return raise_fault(cpu, UD)
    if <u32>cpu.regs[RCX] > 1:
        return raise_gp(cpu, 0)
    if cpu.monitor_armed and monitor_line(cpu) == cpu.monitor_sum:
        cpu.activity = MWAIT
    cpu.mwait_masked = cpu.regs[RCX] & 1
    cpu.monitor_armed = False
    return STOP
