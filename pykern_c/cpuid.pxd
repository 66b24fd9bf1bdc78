"""CPUID: what the processor says of itself; features come from the words of `Cpu.features` only.

The processor claims to be a GenuineIntel of family 6 (docs/adr/0009-cpuid-says-genuineintel.md).

References
----------
SDM Vol. 2A, CPUID; SDM Vol. 3A, Detecting Hardware Multi-Threading Support and Topology.
"""

from pykern_c.types cimport u8, u32, u64, memcpy
from pykern_c.apic cimport apic_enabled
from pykern_c.cpu cimport Cpu, CR4_OSXSAVE, feature

include "_generated/features.pxi"

cdef enum:
    SIGNATURE = 0x000306C3      # family 6, model 60, stepping 3
    MICROCODE = 0x28            # the last one of that signature: no erratum is left to work around
    MAX_BASIC = 0x16
    TSC_MHZ = 1000              # one tick is one ns of virtual time
    LINE = 64
    XSAVE_LEGACY = 576          # FXSAVE image and XSAVE header
    XSAVE_YMM = 256

cdef enum:
    MAX_EXTENDED = 0x80000008U
    EXTENDED = 0x80000000U

cdef enum:
    XCR0_X87 = 1
    XCR0_SSE = 2
    XCR0_AVX = 4

cdef enum:
    MISC_FAST_STRINGS = 1
    MISC_LIMIT_CPUID = 1 << 22

cdef extern from *:
    """
    static const char PK_BRAND[48] = "pykern x86-64 CPU @ 1.00GHz";
    """
    const char* BRAND "PK_BRAND"


cdef inline u64 xcr0_supported(Cpu* cpu) noexcept nogil:
    """Return the state components that XCR0 may enable."""
    cdef u64 components = XCR0_X87 | XCR0_SSE
    if feature(cpu, FEATURE_AVX):
        components |= XCR0_AVX
    return components


cdef inline u32 xsave_size(u64 components) noexcept nogil:
    """Return the bytes of a standard-format XSAVE area."""
    return XSAVE_LEGACY + (XSAVE_YMM if components & XCR0_AVX else 0)


cdef inline u32 core_bits(Cpu* cpu) noexcept nogil:
    """Return how many bits of the APIC ID tell the cores of the package apart."""
    cdef u32 bits = 0
    while (1 << bits) < cpu.platform.cpu_count:
        bits += 1
    return bits


cdef inline void cpuid_version(Cpu* cpu, u32* out) noexcept nogil:
    """Leaf 1: signature, APIC ID, features; leaves the microcode revision in IA32_BIOS_SIGN_ID.

    Source: SDM Vol. 3A, Microcode Update Facilities, Microcode Update Signature and Verification.
    """
    cpu.bios_sign = <u64>MICROCODE << 32
    out[0] = SIGNATURE
    out[1] = (cpu.lapic.id & 0xFF) << 24 | cpu.platform.cpu_count << 16 | (LINE // 8) << 8
    out[2] = <u32>cpu.features[1] & ~<u32>(1 << 27)
    if feature(cpu, FEATURE_OSXSAVE) and cpu.cr4 & CR4_OSXSAVE:
        out[2] |= 1 << 27
    out[3] = <u32>cpu.features[0] & ~<u32>(1 << 28)
    if not apic_enabled(&cpu.lapic):
        out[3] &= ~<u32>(1 << 9)
    if cpu.platform.cpu_count > 1:
        out[3] |= 1 << 28


cdef inline void cpuid_cache(Cpu* cpu, u32 sub, u32* out) noexcept nogil:
    """Leaf 4: L1 data and instruction, L2, L3; the last is shared by all cores."""
    cdef u32 ways = 16 if sub == 3 else 8
    cdef u32 kib = 8192 if sub == 3 else 256 if sub == 2 else 32
    cdef u32 level = 1 if sub < 2 else sub
    cdef u32 type = 1 if sub == 0 else 2 if sub == 1 else 3
    if sub > 3:
        return
    out[0] = type | level << 5 | 1 << 8 | ((1 << core_bits(cpu)) - 1) << 26
    if sub == 3:
        out[0] |= ((1 << core_bits(cpu)) - 1) << 14
    out[1] = (LINE - 1) | (ways - 1) << 22
    out[2] = kib * 1024 // (ways * LINE) - 1


cdef inline void cpuid_topology(Cpu* cpu, u32 sub, u32* out) noexcept nogil:
    """Leaf 0BH: one thread a core, all cores in one package."""
    out[2] = sub & 0xFF
    out[3] = cpu.lapic.id
    if sub == 0:
        out[1] = 1
        out[2] |= 1 << 8
    elif sub == 1:
        out[0] = core_bits(cpu)
        out[1] = cpu.platform.cpu_count
        out[2] |= 2 << 8


cdef inline void cpuid_xsave(Cpu* cpu, u32 sub, u32* out) noexcept nogil:
    """Leaf 0DH: the XSAVE area."""
    if not feature(cpu, FEATURE_XSAVE):
        return
    if sub == 0:
        out[0] = <u32>xcr0_supported(cpu)
        out[1] = xsave_size(cpu.xcr0)
        out[2] = xsave_size(xcr0_supported(cpu))
    elif sub == 1:
        out[0] = <u32>cpu.features[6]
    elif sub == 2 and feature(cpu, FEATURE_AVX):
        out[0] = XSAVE_YMM
        out[1] = XSAVE_LEGACY


cdef inline void cpuid_basic(Cpu* cpu, u32 leaf, u32 sub, u32* out) noexcept nogil:
    """Leaves 0 to 16H."""
    if leaf == 0:
        out[0] = 2 if cpu.misc_enable & MISC_LIMIT_CPUID else MAX_BASIC
        memcpy(&out[1], "Genu", 4)
        memcpy(&out[3], "ineI", 4)
        memcpy(&out[2], "ntel", 4)
    elif leaf == 1:
        cpuid_version(cpu, out)
    elif leaf == 2:
        out[0] = 0xFF01                         # "see leaf 4"
    elif leaf == 4:
        cpuid_cache(cpu, sub, out)
    elif leaf == 5 and feature(cpu, FEATURE_MONITOR):
        out[0] = out[1] = LINE
        out[2] = 3                              # interrupts wake MWAIT even if masked by IF
    elif leaf == 6:
        out[0] = 1 << 2                         # the APIC timer always runs
    elif leaf == 7 and sub == 0:
        out[1] = <u32>cpu.features[2]
        out[2] = <u32>cpu.features[3]
        out[3] = <u32>cpu.features[7]
    elif leaf == 0xB:
        cpuid_topology(cpu, sub, out)
    elif leaf == 0xD:
        cpuid_xsave(cpu, sub, out)
    elif leaf == 0x15:
        out[0] = out[1] = 1
        out[2] = TSC_MHZ * 1000000
    elif leaf == 0x16:
        out[0] = out[1] = TSC_MHZ
        out[2] = 100


cdef inline void cpuid_extended(Cpu* cpu, u32 leaf, u32* out) noexcept nogil:
    """Leaves 80000000H to 80000008H."""
    if leaf == EXTENDED:
        out[0] = MAX_EXTENDED
    elif leaf == EXTENDED + 1:
        out[2] = <u32>cpu.features[5]
        out[3] = <u32>cpu.features[4]
    elif leaf >= EXTENDED + 2 and leaf <= EXTENDED + 4:
        memcpy(out, BRAND + (leaf - EXTENDED - 2) * 16, 16)
    elif leaf == EXTENDED + 6:
        out[2] = 256 << 16 | 6 << 12 | LINE     # L2: KiB, 8 ways
    elif leaf == EXTENDED + 7:
        out[3] = 1 << 8                         # invariant TSC
    elif leaf == EXTENDED + 8:
        out[0] = 48 << 8 | cpu.lapic.physical_bits


cdef inline void cpuid_leaf(Cpu* cpu, u32 leaf, u32 sub, u32* out) noexcept nogil:
    """Fill EAX, EBX, ECX, EDX of a leaf; one beyond the last is like the last basic leaf."""
    cdef int i
    for i in range(4):
        out[i] = 0
    if leaf >= EXTENDED and leaf <= MAX_EXTENDED:
        cpuid_extended(cpu, leaf, out)
    else:
        cpuid_basic(cpu, leaf if leaf <= MAX_BASIC else MAX_BASIC, sub, out)
