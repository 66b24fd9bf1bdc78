"""Segment registers, far pointers, descriptor inspection."""

from pykern_c.types cimport *
from pykern_c.cpu cimport *
from pykern_c.descriptors cimport *
from pykern_c.flags cimport *
from pykern_c.mmu cimport MemRef, ref_read, ref_write
from pykern_c.operands cimport *


# ---------------------------------------------------------------------------------------------
# MOV, PUSH, POP

cdef inline int mov_from_segment(Cpu* cpu, Insn* insn) noexcept nogil:
    """Store a segment register: 16 bits to memory, zero-extended to a register.

    8C /r      MOV Ev, Sw    by=selector

    Flags: none.
    Source: SDM Vol. 2B, MOV.
    """
    cdef u64 sel
    if insn.r > GS:
        return raise_fault(cpu, UD)
    sel = cpu.seg[insn.r].sel
    if is_mem(insn):
        return store_ea(cpu, insn, 2, &sel)
    set_reg(cpu, operand_bits(insn), insn.b, sel)
    return NEXT


cdef inline int mov_to_segment(Cpu* cpu, Insn* insn) noexcept nogil:
    """Load a segment register; behind a load of SS nothing interrupts the next instruction.

    8E /r      MOV Sw, Ew    ends by=selector

    Flags: none.
    Source: SDM Vol. 2B, MOV.
    """
    cdef u64 sel
    cdef u8 mode = cpu.mode
    if insn.r > GS or insn.r == CS:
        return raise_fault(cpu, UD)
    if read_E(cpu, insn, 16, &sel) or load_segment(cpu, insn.r, <u32>sel):
        return FAULT
    if insn.r != SS:
        return NEXT if cpu.mode == mode else STOP
    cpu.shadow = 2
    return STOP


cdef inline int push_segment(Cpu* cpu, int seg, int w) noexcept nogil:
    """Push a selector; only its two bytes are written, as current processors do."""
    cdef int bits = stack_bits(cpu)
    cdef u64 sp = trunc(cpu.regs[RSP] - (w >> 3), bits)
    cdef u64 sel = cpu.seg[seg].sel
    if store(cpu, SS, sp, 8 if w == 64 else 2, &sel):
        return FAULT
    set_reg(cpu, bits, RSP, sp)
    return NEXT


cdef inline int pop_segment(Cpu* cpu, int seg, int w) noexcept nogil:
    """Pop a selector."""
    cdef u64 sel
    cdef u8 mode = cpu.mode
    if read_stack(cpu, w, 0, &sel) or load_segment(cpu, seg, <u32>sel & 0xFFFF):
        return FAULT
    add_sp(cpu, w >> 3)
    if seg != SS:
        return NEXT if cpu.mode == mode else STOP
    cpu.shadow = 2
    return STOP


cdef inline int push_es(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """Push ES.

    06         PUSH ES    i64

    Flags: none.
    Source: SDM Vol. 2B, PUSH.
    """
    return push_segment(cpu, ES, operand_bits(insn))


cdef inline int push_cs(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """Push CS.

    0E         PUSH CS    i64

    Flags: none.
    Source: SDM Vol. 2B, PUSH.
    """
    return push_segment(cpu, CS, operand_bits(insn))


cdef inline int push_ss(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """Push SS.

    16         PUSH SS    i64

    Flags: none.
    Source: SDM Vol. 2B, PUSH.
    """
    return push_segment(cpu, SS, operand_bits(insn))


cdef inline int push_ds(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """Push DS.

    1E         PUSH DS    i64

    Flags: none.
    Source: SDM Vol. 2B, PUSH.
    """
    return push_segment(cpu, DS, operand_bits(insn))


cdef inline int push_fs(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """Push FS.

    0F A0      PUSH FS    d64

    Flags: none.
    Source: SDM Vol. 2B, PUSH.
    """
    return push_segment(cpu, FS, operand_bits(insn))


cdef inline int push_gs(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """Push GS.

    0F A8      PUSH GS    d64

    Flags: none.
    Source: SDM Vol. 2B, PUSH.
    """
    return push_segment(cpu, GS, operand_bits(insn))


cdef inline int pop_es(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """Pop ES.

    07         POP ES     i64

    Flags: none.
    Source: SDM Vol. 2B, POP.
    """
    return pop_segment(cpu, ES, operand_bits(insn))


cdef inline int pop_ss(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """Pop SS.

    17         POP SS     i64 ends

    Flags: none.
    Source: SDM Vol. 2B, POP.
    """
    return pop_segment(cpu, SS, operand_bits(insn))


cdef inline int pop_ds(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """Pop DS.

    1F         POP DS     i64

    Flags: none.
    Source: SDM Vol. 2B, POP.
    """
    return pop_segment(cpu, DS, operand_bits(insn))


cdef inline int pop_fs(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """Pop FS.

    0F A1      POP FS     d64

    Flags: none.
    Source: SDM Vol. 2B, POP.
    """
    return pop_segment(cpu, FS, operand_bits(insn))


cdef inline int pop_gs(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """Pop GS.

    0F A9      POP GS     d64

    Flags: none.
    Source: SDM Vol. 2B, POP.
    """
    return pop_segment(cpu, GS, operand_bits(insn))


# ---------------------------------------------------------------------------------------------
# Far pointers in memory

cdef inline int load_far_pointer(Cpu* cpu, Insn* insn, int w, u64* offset,
                                 u32* sel) noexcept nogil:
    """Read offset and selector of a far pointer, `w` bits of offset first."""
    cdef u64 ea = effective_address(cpu, insn)
    cdef u16 high
    offset[0] = 0
    if load(cpu, insn.seg, ea, w >> 3, offset):
        return FAULT
    if load(cpu, insn.seg, trunc(ea + (w >> 3), address_bits(insn)), 2, &high):
        return FAULT
    sel[0] = high
    return 0


cdef inline int load_far(Cpu* cpu, Insn* insn, int seg, int w) noexcept nogil:
    """Load a segment register and a general register from a far pointer."""
    cdef u64 offset
    cdef u32 sel
    cdef u8 mode = cpu.mode
    if load_far_pointer(cpu, insn, w, &offset, &sel) or load_segment(cpu, seg, sel):
        return FAULT
    set_reg(cpu, w, insn.r, offset)
    return NEXT if cpu.mode == mode else STOP


cdef inline int les(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """Load ES and a register.

    C4 /r      LES Gz, Mp    i64

    Flags: none.
    Source: SDM Vol. 2A, LDS/LES/LFS/LGS/LSS.
    """
    return load_far(cpu, insn, ES, w)


cdef inline int lds(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """Load DS and a register.

    C5 /r      LDS Gz, Mp    i64

    Flags: none.
    Source: SDM Vol. 2A, LDS/LES/LFS/LGS/LSS.
    """
    return load_far(cpu, insn, DS, w)


cdef inline int lss(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """Load SS and a register.

    0F B2 /r   LSS Gv, Mp    ends

    Flags: none.
    Source: SDM Vol. 2A, LDS/LES/LFS/LGS/LSS.
    """
    return load_far(cpu, insn, SS, w)


cdef inline int lfs(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """Load FS and a register.

    0F B4 /r   LFS Gv, Mp

    Flags: none.
    Source: SDM Vol. 2A, LDS/LES/LFS/LGS/LSS.
    """
    return load_far(cpu, insn, FS, w)


cdef inline int lgs(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """Load GS and a register.

    0F B5 /r   LGS Gv, Mp

    Flags: none.
    Source: SDM Vol. 2A, LDS/LES/LFS/LGS/LSS.
    """
    return load_far(cpu, insn, GS, w)


# ---------------------------------------------------------------------------------------------
# Looking at descriptors

cdef inline int zf_is(Cpu* cpu, bint value) noexcept nogil:
    """Set ZF alone."""
    set_arith_flags(cpu, (get_arith_flags(cpu) & ~<u64>FLAG_ZF) | (FLAG_ZF if value else 0))
    return NEXT


cdef inline bint privileged_enough(Cpu* cpu, u32 sel, u32 attr) noexcept nogil:
    """Whether CPL and RPL reach a descriptor; conforming code is open to all."""
    if attr & (ATTR_S | TYPE_CODE | TYPE_CONFORMING) == ATTR_S | TYPE_CODE | TYPE_CONFORMING:
        return True
    return dpl_of(attr) >= cpu.cpl and dpl_of(attr) >= (sel & 3)


cdef inline int inspect(Cpu* cpu, Insn* insn, Descriptor* d, bint* found) noexcept nogil:
    """Read the selector operand of LAR, LSL, VERR, VERW and its descriptor, if that may be seen."""
    cdef u64 sel
    found[0] = False
    if not protected_mode(cpu):
        return raise_fault(cpu, UD)
    if read_E(cpu, insn, 16, &sel):
        return FAULT
    if not descriptor_exists(cpu, <u32>sel):
        return 0
    if fetch_descriptor(cpu, <u32>sel, GP, 0, d):
        return FAULT
    found[0] = privileged_enough(cpu, <u32>sel, d.attr)
    return 0


cdef inline bint system_type_in(Cpu* cpu, u32 attr, u32 legacy, u32 longs) noexcept nogil:
    """Whether a descriptor is of code or data, or of a system type in a set of bits."""
    if attr & ATTR_S:
        return True
    return (longs if long_mode(cpu) else legacy) >> (attr & 0xF) & 1


cdef inline int lar(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """Load the access rights of a descriptor; ZF says whether it may be seen.

    0F 02 /r   LAR Gv, Ew    by=selector

    Flags: Z.
    Source: SDM Vol. 2A, LAR.
    """
    cdef Descriptor d
    cdef bint found
    if inspect(cpu, insn, &d, &found):
        return FAULT
    if not found or not system_type_in(cpu, d.attr, 0x1A3E, 0x1A04):
        return zf_is(cpu, False)
    set_reg(cpu, w, insn.r, (d.raw >> 32) & 0xFFFF00)
    return zf_is(cpu, True)


cdef inline int lsl(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """Load the limit of a segment in bytes; ZF says whether it may be seen.

    0F 03 /r   LSL Gv, Ew    by=selector

    Flags: Z.
    Source: SDM Vol. 2A, LSL.
    """
    cdef Descriptor d
    cdef bint found
    if inspect(cpu, insn, &d, &found):
        return FAULT
    if not found or not system_type_in(cpu, d.attr, 0x0A0E, 0x0A04):
        return zf_is(cpu, False)
    set_reg(cpu, w, insn.r, d.limit)
    return zf_is(cpu, True)


cdef inline int verr(Cpu* cpu, Insn* insn) noexcept nogil:
    """Verify a segment for reading.

    0F 00 /4   VERR Ew

    Flags: Z.
    Source: SDM Vol. 2B, VERR/VERW.
    """
    cdef Descriptor d
    cdef bint found
    if inspect(cpu, insn, &d, &found):
        return FAULT
    return zf_is(cpu, found and d.attr & ATTR_S and (
        d.attr & (TYPE_CODE | TYPE_READABLE) != TYPE_CODE))


cdef inline int verw(Cpu* cpu, Insn* insn) noexcept nogil:
    """Verify a segment for writing.

    0F 00 /5   VERW Ew

    Flags: Z.
    Source: SDM Vol. 2B, VERR/VERW.
    """
    cdef Descriptor d
    cdef bint found
    if inspect(cpu, insn, &d, &found):
        return FAULT
    return zf_is(cpu, found and is_writable_data(d.attr))


cdef inline int arpl(Cpu* cpu, Insn* insn) noexcept nogil:
    """Raise the RPL of a selector to that of another.

    63 /r      ARPL Ew, Gw    i64

    Flags: Z.
    Source: SDM Vol. 2A, ARPL.
    """
    cdef MemRef ref
    cdef u64 dst = 0, rpl = cpu.regs[insn.r] & 3
    if not protected_mode(cpu):
        return raise_fault(cpu, UD)
    if is_mem(insn):
        if open_ea(cpu, insn, 2, &ref):
            return FAULT
        ref_read(cpu, &ref, 2, &dst)
    else:
        dst = get_reg(cpu, 16, insn.b)
    if (dst & 3) >= rpl:
        return zf_is(cpu, False)
    dst = (dst & ~<u64>3) | rpl
    if is_mem(insn):
        ref_write(cpu, &ref, 2, &dst)
    else:
        set_reg(cpu, 16, insn.b, dst)
    return zf_is(cpu, True)
