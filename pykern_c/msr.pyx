"""Model-specific registers.

References
----------
SDM Vol. 4, Architectural MSRs; SDM Vol. 3A, Memory Type Range Registers (MTRRs);
Page Attribute Table (PAT); Machine-Check Architecture; Time-Stamp Counter.
"""

from pykern_c.types cimport *
from pykern_c.apic cimport *
from pykern_c.apic_registers cimport (
    APIC_OK, apic_read_msr, apic_write_base, apic_write_msr, is_x2apic_msr,
)
from pykern_c.apic_timer cimport (
    apic_read_tsc_deadline, apic_set_tsc_offset, apic_write_tsc_deadline,
)
from pykern_c.cpu cimport *
from pykern_c.cpuid cimport *
from pykern_c.creg cimport write_efer
from pykern_c.descriptors cimport canonical_address

cdef enum:
    P5_MC_ADDR = 0
    P5_MC_TYPE = 1
    IA32_TSC = 0x10
    IA32_PLATFORM_ID = 0x17
    IA32_APIC_BASE = 0x1B
    IA32_FEATURE_CONTROL = 0x3A
    IA32_TSC_ADJUST = 0x3B
    IA32_BIOS_UPDT_TRIG = 0x79
    IA32_BIOS_SIGN_ID = 0x8B
    IA32_MTRRCAP = 0xFE
    IA32_ARCH_CAPABILITIES = 0x10A
    IA32_SYSENTER_CS = 0x174
    IA32_SYSENTER_ESP = 0x175
    IA32_SYSENTER_EIP = 0x176
    IA32_MCG_CAP = 0x179
    IA32_MCG_STATUS = 0x17A
    IA32_MISC_ENABLE = 0x1A0
    IA32_DEBUGCTL = 0x1D9
    IA32_MTRR_PHYSBASE0 = 0x200
    IA32_MTRR_FIX64K = 0x250
    IA32_MTRR_FIX16K = 0x258
    IA32_MTRR_FIX4K = 0x268
    IA32_PAT = 0x277
    IA32_MTRR_DEF_TYPE = 0x2FF
    IA32_TSC_DEADLINE = 0x6E0

cdef enum:
    IA32_EFER = 0xC0000080U
    IA32_STAR = 0xC0000081U
    IA32_LSTAR = 0xC0000082U
    IA32_CSTAR = 0xC0000083U
    IA32_FMASK = 0xC0000084U
    IA32_FS_BASE = 0xC0000100U
    IA32_GS_BASE = 0xC0000101U
    IA32_KERNEL_GS_BASE = 0xC0000102U
    IA32_TSC_AUX = 0xC0000103U

cdef enum:
    MTRR_COUNT = 8
    MTRR_CAP = MTRR_COUNT | 1 << 8 | 1 << 10    # fixed ranges, write combining
    # Fast strings; no branch trace, no PEBS; the rest can be switched.
    MISC_READ_ONLY = 1 << 11 | 1 << 12
    MISC_WRITABLE = MISC_FAST_STRINGS | 1 << 3 | 1 << 16 | 1 << 18 | MISC_LIMIT_CPUID
    # Nothing here speculates: RDCL_NO, SKIP_L1DFL_VMENTRY, SSB_NO, MDS_NO, PSCHANGE_MC_NO, TAA_NO,
    # SBDR_SSDP_NO, FBSDP_NO, PSDP_NO, BHI_NO, GDS_NO, RFDS_NO.
    ARCH_CAPABILITIES = (
        1 << 0 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 8 | 1 << 13 | 1 << 14 | 1 << 15
        | 1 << 20 | 1 << 26 | 1 << 27
    )


cdef inline int _refuse(Cpu* cpu) noexcept nogil:
    return raise_gp(cpu, 0)


cdef u64 read_tsc(Cpu* cpu) noexcept nogil:
    """Return the time-stamp counter."""
    return cpu_now(cpu) + cpu.tsc_offset


cdef void _write_tsc_offset(Cpu* cpu, u64 offset) noexcept nogil:
    """Change TSC and IA32_TSC_ADJUST by the same amount; an armed deadline follows."""
    cpu.tsc_offset = offset
    apic_set_tsc_offset(&cpu.lapic, offset, cpu_now(cpu))
    limit_slice(cpu, cpu.lapic.timer_deadline)


# ---------------------------------------------------------------------------------------------
# Memory types

cdef inline bint _memory_type(u64 type, bint pat) noexcept nogil:
    """UC, WC, WT, WP, WB; in the PAT also UC-."""
    return type == 0 or type == 1 or (type >= 4 and type <= 6) or (pat and type == 7)


cdef bint _memory_types(u64 value, bint pat) noexcept nogil:
    """Whether all eight bytes of a register are memory types."""
    cdef int i
    for i in range(8):
        if not _memory_type((value >> (i * 8)) & 0xFF, pat):
            return False
    return True


cdef u64* _fixed_mtrr(Cpu* cpu, u32 index) noexcept nogil:
    """Return the fixed-range register of an index, or NULL."""
    if index == IA32_MTRR_FIX64K:
        return &cpu.mtrr_fix[0]
    if index - IA32_MTRR_FIX16K < 2:
        return &cpu.mtrr_fix[1 + index - IA32_MTRR_FIX16K]
    if index - IA32_MTRR_FIX4K < 8:
        return &cpu.mtrr_fix[3 + index - IA32_MTRR_FIX4K]
    return NULL


cdef u64* _variable_mtrr(Cpu* cpu, u32 index) noexcept nogil:
    """Return the variable-range register of an index, or NULL."""
    cdef u32 i = index - IA32_MTRR_PHYSBASE0
    if i >= MTRR_COUNT * 2:
        return NULL
    return &cpu.mtrr_mask[i >> 1] if i & 1 else &cpu.mtrr_base[i >> 1]


cdef int _write_mtrr(Cpu* cpu, u32 index, u64 value) noexcept nogil:
    """Write a range register."""
    cdef u64 reserved = cpu.platform.reserved_mask | <u64>0xFFF << 52
    cdef u64* place = _fixed_mtrr(cpu, index)
    if place != NULL:
        if not _memory_types(value, False):
            return _refuse(cpu)
        place[0] = value
        return 0
    place = _variable_mtrr(cpu, index)
    if place == NULL:
        return _refuse(cpu)
    reserved |= 0x7FF if index & 1 else 0xF00
    if value & reserved or (not index & 1 and not _memory_type(value & 0xFF, False)):
        return _refuse(cpu)
    place[0] = value
    return 0


cdef int _write_mtrr_default(Cpu* cpu, u64 value) noexcept nogil:
    if value & ~<u64>0xCFF or not _memory_type(value & 0xFF, False):
        return _refuse(cpu)
    cpu.mtrr_def_type = value
    return 0


# ---------------------------------------------------------------------------------------------
# Reading

cdef int _read_system_call(Cpu* cpu, u32 index, u64* value) noexcept nogil:
    """SYSENTER_*, STAR and its like, the segment bases."""
    if index == IA32_SYSENTER_CS:
        value[0] = cpu.sysenter_cs
    elif index == IA32_SYSENTER_ESP:
        value[0] = cpu.sysenter_esp
    elif index == IA32_SYSENTER_EIP:
        value[0] = cpu.sysenter_eip
    elif index == IA32_EFER:
        value[0] = cpu.efer
    elif index == IA32_STAR:
        value[0] = cpu.star
    elif index == IA32_LSTAR:
        value[0] = cpu.lstar
    elif index == IA32_CSTAR:
        value[0] = cpu.cstar
    elif index == IA32_FMASK:
        value[0] = cpu.fmask
    elif index == IA32_FS_BASE:
        value[0] = cpu.seg[FS].base
    elif index == IA32_GS_BASE:
        value[0] = cpu.seg[GS].base
    elif index == IA32_KERNEL_GS_BASE:
        value[0] = cpu.kernel_gs_base
    elif index == IA32_TSC_AUX and feature(cpu, FEATURE_RDTSCP):
        value[0] = cpu.tsc_aux
    else:
        return _refuse(cpu)
    return 0


cdef int _read_memory_type(Cpu* cpu, u32 index, u64* value) noexcept nogil:
    """MTRRs and PAT."""
    cdef u64* place = _fixed_mtrr(cpu, index)
    if place == NULL:
        place = _variable_mtrr(cpu, index)
    if index == IA32_MTRRCAP:
        value[0] = MTRR_CAP
    elif index == IA32_PAT:
        value[0] = cpu.pat
    elif index == IA32_MTRR_DEF_TYPE:
        value[0] = cpu.mtrr_def_type
    elif place != NULL:
        value[0] = place[0]
    else:
        return _read_system_call(cpu, index, value)
    return 0


cdef int read_msr(Cpu* cpu, u32 index, u64* value) noexcept nogil:
    """RDMSR."""
    value[0] = 0
    if is_x2apic_msr(index):
        if apic_read_msr(&cpu.lapic, index, value, cpu_now(cpu)) != APIC_OK:
            return _refuse(cpu)
    elif index == IA32_TSC:
        value[0] = read_tsc(cpu)
    elif index == IA32_TSC_ADJUST:
        value[0] = cpu.tsc_offset
    elif index == IA32_TSC_DEADLINE and feature(cpu, FEATURE_TSCDEADLINE):
        value[0] = apic_read_tsc_deadline(&cpu.lapic, cpu_now(cpu))
    elif index == IA32_APIC_BASE:
        value[0] = cpu.lapic.apic_base
    elif index == IA32_FEATURE_CONTROL:
        value[0] = cpu.feature_control
    elif index == IA32_BIOS_SIGN_ID:
        value[0] = cpu.bios_sign
    elif index == IA32_MCG_STATUS:
        value[0] = cpu.mcg_status
    elif index == IA32_MISC_ENABLE:
        value[0] = cpu.misc_enable | MISC_READ_ONLY
    elif index == IA32_ARCH_CAPABILITIES and feature(cpu, FEATURE_ARCH_CAPABILITIES):
        value[0] = ARCH_CAPABILITIES
    elif index == P5_MC_ADDR or index == P5_MC_TYPE or index == IA32_PLATFORM_ID or (
            index == IA32_MCG_CAP or index == IA32_DEBUGCTL):
        value[0] = 0                                        # no banks, no branch records
    else:
        return _read_memory_type(cpu, index, value)
    return 0


# ---------------------------------------------------------------------------------------------
# Writing

cdef int _write_address(Cpu* cpu, u64* place, u64 value) noexcept nogil:
    """Write a register that holds a linear address."""
    if not canonical_address(value):
        return _refuse(cpu)
    place[0] = value
    return 0


cdef int _write_system_call(Cpu* cpu, u32 index, u64 value) noexcept nogil:
    """SYSENTER_*, STAR and its like, the segment bases."""
    if index == IA32_SYSENTER_ESP:
        return _write_address(cpu, &cpu.sysenter_esp, value)
    if index == IA32_SYSENTER_EIP:
        return _write_address(cpu, &cpu.sysenter_eip, value)
    if index == IA32_EFER:
        return write_efer(cpu, value)
    if index == IA32_LSTAR:
        return _write_address(cpu, &cpu.lstar, value)
    if index == IA32_CSTAR:
        return _write_address(cpu, &cpu.cstar, value)
    if index == IA32_FS_BASE:
        return _write_address(cpu, &cpu.seg[FS].base, value)
    if index == IA32_GS_BASE:
        return _write_address(cpu, &cpu.seg[GS].base, value)
    if index == IA32_KERNEL_GS_BASE:
        return _write_address(cpu, &cpu.kernel_gs_base, value)
    if index == IA32_SYSENTER_CS:
        cpu.sysenter_cs = <u32>value
    elif index == IA32_STAR:
        cpu.star = value
    elif index == IA32_FMASK:
        cpu.fmask = <u32>value
    elif index == IA32_TSC_AUX and feature(cpu, FEATURE_RDTSCP) and value >> 32 == 0:
        cpu.tsc_aux = value
    else:
        return _refuse(cpu)
    return 0


cdef int _write_memory_type(Cpu* cpu, u32 index, u64 value) noexcept nogil:
    """MTRRs and PAT."""
    if index == IA32_MTRR_DEF_TYPE:
        return _write_mtrr_default(cpu, value)
    if index == IA32_PAT:
        if not _memory_types(value, True):
            return _refuse(cpu)
        cpu.pat = value
        return 0
    if index >= IA32_MTRR_PHYSBASE0 and index < IA32_MTRR_DEF_TYPE:
        return _write_mtrr(cpu, index, value)
    return _write_system_call(cpu, index, value)


cdef int _write_apic(Cpu* cpu, u32 index, u64 value) noexcept nogil:
    """The local APIC's registers and its base; the timer may have been armed."""
    cdef int status
    if index == IA32_APIC_BASE:
        status = apic_write_base(&cpu.lapic, value, cpu_now(cpu))
    else:
        status = apic_write_msr(&cpu.lapic, index, value, cpu_now(cpu))
    if status != APIC_OK:
        return _refuse(cpu)
    limit_slice(cpu, cpu.lapic.timer_deadline)
    return 0


cdef int _write_feature_control(Cpu* cpu, u64 value) noexcept nogil:
    """Bit 0 locks the register."""
    if cpu.feature_control & 1 or value & ~<u64>1:
        return _refuse(cpu)
    cpu.feature_control = value
    return 0


cdef int _write_misc_enable(Cpu* cpu, u64 value) noexcept nogil:
    if value & ~<u64>(MISC_WRITABLE | MISC_READ_ONLY):
        return _refuse(cpu)
    cpu.misc_enable = value & MISC_WRITABLE
    return 0


cdef int write_msr(Cpu* cpu, u32 index, u64 value) noexcept nogil:
    """WRMSR."""
    if index == IA32_APIC_BASE or is_x2apic_msr(index):
        return _write_apic(cpu, index, value)
    if index == IA32_FEATURE_CONTROL:
        return _write_feature_control(cpu, value)
    if index == IA32_MISC_ENABLE:
        return _write_misc_enable(cpu, value)
    if index == IA32_TSC:
        _write_tsc_offset(cpu, value - cpu_now(cpu))
    elif index == IA32_TSC_ADJUST:
        _write_tsc_offset(cpu, value)
    elif index == IA32_TSC_DEADLINE and feature(cpu, FEATURE_TSCDEADLINE):
        apic_write_tsc_deadline(&cpu.lapic, value, cpu_now(cpu))
        limit_slice(cpu, cpu.lapic.timer_deadline)
    elif index == IA32_BIOS_SIGN_ID:
        cpu.bios_sign = value
    elif index == IA32_BIOS_UPDT_TRIG:
        pass                                                # there is no microcode to update
    elif index == IA32_MCG_STATUS:
        cpu.mcg_status = value & 7
    elif index == P5_MC_ADDR or index == P5_MC_TYPE:
        pass
    elif index == IA32_DEBUGCTL and value == 0:
        pass
    else:
        return _write_memory_type(cpu, index, value)
    return 0
