"""Descriptor-table and task registers: GDTR, IDTR, LDTR, TR, and the machine status word."""

from pykern_c.types cimport *
from pykern_c.cpu cimport *
from pykern_c.creg cimport write_cr0
from pykern_c.descriptors cimport *
from pykern_c.operands cimport *


cdef inline bint umip_forbids(Cpu* cpu) noexcept nogil:
    """User-mode instruction prevention: SGDT, SIDT, SLDT, SMSW, STR outside CPL 0."""
    return cpu.cpl and cpu.cr4 & CR4_UMIP


cdef inline int store_table(Cpu* cpu, Insn* insn, TableReg* table) noexcept nogil:
    """Store limit and base: 6 bytes, in 64-bit mode 10."""
    cdef u64 ea = effective_address(cpu, insn)
    cdef u8 image[10]
    cdef int size = 10 if in_64bit(cpu) else 6
    cdef u16 limit = <u16>table.limit
    if umip_forbids(cpu):
        return raise_gp(cpu, 0)
    memcpy(image, &limit, 2)
    memcpy(image + 2, &table.base, 8)
    return store(cpu, insn.seg, ea, size, image)


cdef inline int load_table(Cpu* cpu, Insn* insn, TableReg* table) noexcept nogil:
    """Load limit and base; a 16-bit operand has 24 bits of base."""
    cdef u64 ea = effective_address(cpu, insn)
    cdef u64 base = 0
    cdef u16 limit = 0
    cdef int size = 8 if in_64bit(cpu) else 4
    if load(cpu, insn.seg, ea, 2, &limit):
        return FAULT
    if load(cpu, insn.seg, trunc(ea + 2, address_bits(insn)), size, &base):
        return FAULT
    if not canonical_address(base):
        return raise_gp(cpu, 0)
    if not in_64bit(cpu) and operand_bits(insn) == 16:
        base &= 0xFFFFFF
    table.base = base
    table.limit = limit
    return NEXT


cdef inline int sgdt(Cpu* cpu, Insn* insn) noexcept nogil:
    """Store GDTR.

    0F 01 /0   SGDT Ms

    Flags: none.
    Source: SDM Vol. 2B, SGDT.
    """
    return store_table(cpu, insn, &cpu.gdtr)


cdef inline int sidt(Cpu* cpu, Insn* insn) noexcept nogil:
    """Store IDTR.

    0F 01 /1   SIDT Ms

    Flags: none.
    Source: SDM Vol. 2B, SIDT.
    """
    return store_table(cpu, insn, &cpu.idtr)


cdef inline int lgdt(Cpu* cpu, Insn* insn) noexcept nogil:
    """Load GDTR.

    0F 01 /2   LGDT Ms    cpl0

    Flags: none.
    Source: SDM Vol. 2A, LGDT/LIDT.
    """
    return load_table(cpu, insn, &cpu.gdtr)


cdef inline int lidt(Cpu* cpu, Insn* insn) noexcept nogil:
    """Load IDTR.

    0F 01 /3   LIDT Ms    cpl0

    Flags: none.
    Source: SDM Vol. 2A, LGDT/LIDT.
    """
    return load_table(cpu, insn, &cpu.idtr)


cdef inline int store_word(Cpu* cpu, Insn* insn, u64 value) noexcept nogil:
    """Store 16 bits to memory, or all of a value to a register of the operand size."""
    if is_mem(insn):
        return store_ea(cpu, insn, 2, &value)
    set_reg(cpu, operand_bits(insn), insn.b, value)
    return NEXT


cdef inline int sldt(Cpu* cpu, Insn* insn) noexcept nogil:
    """Store the selector of LDTR.

    0F 00 /0   SLDT Ev    by=selector

    Flags: none.
    Source: SDM Vol. 2B, SLDT.
    """
    if not protected_mode(cpu):
        return raise_fault(cpu, UD)
    if umip_forbids(cpu):
        return raise_gp(cpu, 0)
    return store_word(cpu, insn, cpu.ldtr.sel)


cdef inline int str_(Cpu* cpu, Insn* insn) noexcept nogil:
    """Store the selector of TR.

    0F 00 /1   STR Ev    by=selector

    Flags: none.
    Source: SDM Vol. 2B, STR.
    """
    if not protected_mode(cpu):
        return raise_fault(cpu, UD)
    if umip_forbids(cpu):
        return raise_gp(cpu, 0)
    return store_word(cpu, insn, cpu.tr.sel)


cdef inline int fetch_system(Cpu* cpu, Insn* insn, u64* sel) noexcept nogil:
    """Begin LLDT and LTR: mode, privilege, and a selector that must not name the LDT."""
    if not protected_mode(cpu):
        return raise_fault(cpu, UD)
    if cpu.cpl:
        return raise_gp(cpu, 0)
    if read_E(cpu, insn, 16, sel):
        return FAULT
    if sel[0] & 4 and not is_null(<u32>sel[0]):
        return raise_gp(cpu, sel[0] & 0xFFFC)
    return 0


cdef inline int check_system(Cpu* cpu, u32 sel, u32 first, u32 second,
                             Descriptor* d) noexcept nogil:
    """Read a system descriptor that must be of one of two types and present."""
    if fetch_descriptor(cpu, sel, GP, 0, d):
        return FAULT
    if d.attr & 0x1F != first and d.attr & 0x1F != second:
        return raise_gp(cpu, sel & 0xFFFC)
    if not d.attr & ATTR_P:
        return raise_error(cpu, NP, sel & 0xFFFC)
    if long_mode(cpu):
        return fetch_high(cpu, GP, 0, d)
    return 0


cdef inline int lldt(Cpu* cpu, Insn* insn) noexcept nogil:
    """Load LDTR; with a null selector there is no LDT.

    0F 00 /2   LLDT Ew

    Flags: none.
    Source: SDM Vol. 2A, LLDT.
    """
    cdef Descriptor d
    cdef u64 sel
    if fetch_system(cpu, insn, &sel):
        return FAULT
    if is_null(<u32>sel):
        set_null_segment(&cpu.ldtr, <u32>sel, 0)
        return NEXT
    if check_system(cpu, <u32>sel, SYS_LDT, SYS_LDT, &d):
        return FAULT
    set_segment(&cpu.ldtr, <u32>sel, &d)
    return NEXT


cdef inline int ltr(Cpu* cpu, Insn* insn) noexcept nogil:
    """Load TR and mark the TSS busy.

    0F 00 /3   LTR Ew

    Flags: none.
    Source: SDM Vol. 2A, LTR.
    """
    cdef Descriptor d
    cdef u64 sel
    if fetch_system(cpu, insn, &sel):
        return FAULT
    if is_null(<u32>sel):
        return raise_gp(cpu, 0)
    if check_system(cpu, <u32>sel, SYS_TSS32, SYS_TSS32 if long_mode(cpu) else SYS_TSS16, &d):
        return FAULT
    if write_type(cpu, &d, (d.attr & 0xF) | 2):
        return FAULT
    set_segment(&cpu.tr, <u32>sel, &d)
    return NEXT


cdef inline int smsw(Cpu* cpu, Insn* insn) noexcept nogil:
    """Store the machine status word: the low half of CR0, to a register all of it.

    0F 01 /4   SMSW Ev    by=selector

    Flags: none.
    Source: SDM Vol. 2B, SMSW.
    """
    if umip_forbids(cpu):
        return raise_gp(cpu, 0)
    return store_word(cpu, insn, cpu.cr0)


cdef inline int lmsw(Cpu* cpu, Insn* insn) noexcept nogil:
    """Load PE, MP, EM and TS; PE can only be set.

    0F 01 /6   LMSW Ew    cpl0 ends

    Flags: none.
    Source: SDM Vol. 2A, LMSW.
    """
    cdef u64 value
    if read_E(cpu, insn, 16, &value):
        return FAULT
    value = (cpu.cr0 & ~<u64>(CR0_MP | CR0_EM | CR0_TS)) | (value & 0xF)
    return FAULT if write_cr0(cpu, value) else STOP
