"""Writes of control registers and EFER with all their rules.

References
----------
SDM Vol. 3A, Control Registers; Initializing IA-32e Mode; PDPTE Registers;
SDM Vol. 2B, MOV, Move to/from Control Registers.
"""

from pykern_c.types cimport *
from pykern_c.cpu cimport *
from pykern_c.cpuid cimport *
from pykern_c.descriptors cimport ATTR_L
from pykern_c.mmu cimport context_changed, tlb_flush
from pykern_c.paging cimport load_pdptes

cdef enum:
    CR0_LOW = (
        CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD
    )
    PAGING_CR4 = CR4_PSE | CR4_PAE | CR4_PGE | CR4_PCIDE | CR4_SMEP | CR4_SMAP
    PDPTE_CR4 = CR4_PSE | CR4_PAE | CR4_PGE | CR4_SMEP


cdef inline bint _pae_paging(u64 cr0, u64 cr4, u64 efer) noexcept nogil:
    """Whether the PDPTE registers are in use."""
    return cr0 & CR0_PG != 0 and cr4 & CR4_PAE != 0 and not efer & EFER_LMA


cdef bint _cr0_valid(Cpu* cpu, u64 value) noexcept nogil:
    """Combinations that MOV to CR0 refuses."""
    cdef bint turned_on = value & CR0_PG != 0 and not cpu.cr0 & CR0_PG
    if value >> 32 or (value & CR0_PG and not value & CR0_PE):
        return False
    if value & CR0_NW and not value & CR0_CD:
        return False
    if not value & CR0_PG:
        if cpu.cr4 & CR4_PCIDE:
            return False
        return not (cpu.efer & EFER_LMA and in_64bit(cpu))
    if turned_on and cpu.efer & EFER_LME:
        # The TSS must be a 32-bit one, CS must not be 64-bit already.
        return cpu.cr4 & CR4_PAE and not cpu.seg[CS].attr & ATTR_L and cpu.tr.attr & 0xF != 3
    return True


cdef int write_cr0(Cpu* cpu, u64 value) noexcept nogil:
    """MOV CR0, LMSW."""
    cdef u64 before = cpu.cr0
    cdef u64 efer = cpu.efer
    if not _cr0_valid(cpu, value):
        return raise_gp(cpu, 0)
    value = (value & (CR0_LOW | CR0_PG)) | CR0_ET
    if value & CR0_PG and not before & CR0_PG and efer & EFER_LME:
        efer |= EFER_LMA
    elif not value & CR0_PG:
        efer &= ~<u64>EFER_LMA
    if _pae_paging(value, cpu.cr4, efer) and (before ^ value) & (CR0_PG | CR0_CD | CR0_NW):
        if load_pdptes(cpu, cpu.cr3):
            return raise_gp(cpu, 0)
    cpu.cr0 = value
    cpu.efer = efer
    if (before ^ value) & (CR0_PG | CR0_WP | CR0_PE):
        tlb_flush(cpu, True)
    context_changed(cpu)
    return 0


cdef int write_cr3(Cpu* cpu, u64 value) noexcept nogil:
    """MOV CR3: loads the PDPTEs, drops what is not global."""
    if long_mode(cpu):
        if cpu.cr4 & CR4_PCIDE:
            value &= ~(<u64>1 << 63)                        # "keep the entries of the PCID"
        if value & (cpu.platform.reserved_mask | <u64>0xFFF << 52):
            return raise_gp(cpu, 0)
    else:
        value = <u32>value
        if _pae_paging(cpu.cr0, cpu.cr4, cpu.efer) and load_pdptes(cpu, value):
            return raise_gp(cpu, 0)
    cpu.cr3 = value
    tlb_flush(cpu, False)
    return 0


cdef inline u64 _if_feature(Cpu* cpu, int bit, u64 flags) noexcept nogil:
    return flags if feature(cpu, bit) else 0


cdef u64 cr4_allowed(Cpu* cpu) noexcept nogil:
    """Return the bits of CR4 that are not reserved on this processor."""
    return (
        CR4_TSD | CR4_MCE | CR4_PCE | CR4_DE | CR4_PSE | CR4_PAE | CR4_PGE
        | CR4_OSFXSR | CR4_OSXMMEXCPT
        | _if_feature(cpu, FEATURE_VME, CR4_VME | CR4_PVI)
        | _if_feature(cpu, FEATURE_UMIP, CR4_UMIP)
        | _if_feature(cpu, FEATURE_FSGSBASE, CR4_FSGSBASE)
        | _if_feature(cpu, FEATURE_PCID, CR4_PCIDE)
        | _if_feature(cpu, FEATURE_XSAVE, CR4_OSXSAVE)
        | _if_feature(cpu, FEATURE_SMEP, CR4_SMEP)
        | _if_feature(cpu, FEATURE_SMAP, CR4_SMAP)
    )


cdef int write_cr4(Cpu* cpu, u64 value) noexcept nogil:
    """MOV CR4."""
    cdef u64 before = cpu.cr4
    if value & ~cr4_allowed(cpu):
        return raise_gp(cpu, 0)
    if long_mode(cpu) and not value & CR4_PAE:
        return raise_gp(cpu, 0)
    if value & ~before & CR4_PCIDE and (not long_mode(cpu) or cpu.cr3 & 0xFFF):
        return raise_gp(cpu, 0)
    if _pae_paging(cpu.cr0, value, cpu.efer) and (before ^ value) & PDPTE_CR4:
        if load_pdptes(cpu, cpu.cr3):
            return raise_gp(cpu, 0)
    cpu.cr4 = value
    if (before ^ value) & PAGING_CR4:
        tlb_flush(cpu, True)
    context_changed(cpu)
    return 0


cdef int write_efer(Cpu* cpu, u64 value) noexcept nogil:
    """WRMSR IA32_EFER: LMA is kept, LME changes only without paging."""
    cdef u64 allowed = EFER_SCE | EFER_LME | EFER_LMA
    cdef u64 before = cpu.efer
    if feature(cpu, FEATURE_NX):
        allowed |= EFER_NXE
    if value & ~allowed:
        return raise_gp(cpu, 0)
    if cpu.cr0 & CR0_PG and (before ^ value) & EFER_LME:
        return raise_gp(cpu, 0)
    cpu.efer = (value & ~<u64>EFER_LMA) | (before & EFER_LMA)
    if (before ^ value) & EFER_NXE:
        tlb_flush(cpu, True)
    context_changed(cpu)
    return 0
