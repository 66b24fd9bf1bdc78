"""Operands of an instruction: registers, effective addresses, memory, the stack.

Functions that touch memory return 0, or FAULT with the exception raised and nothing changed.

References
----------
SDM Vol. 1, Operand Addressing; SDM Vol. 3A, Limit Checking; Type Checking.
"""

from pykern_c.types cimport (
    u8, u16, u32, u64, i64, xmm_t, memcpy, trunc, mask, likely_, unlikely_,
)
from pykern_c.cpu cimport *
from pykern_c.mmu cimport (
    MemRef, TlbEntry, open_linear, read_linear, ref_read, ref_write, write_linear, tlb_index,
)


# ---------------------------------------------------------------------------------------------
# Registers. An 8-bit register is a byte offset into Cpu.regs, so that AH needs no branch.

cdef inline u64 get_reg(Cpu* cpu, int w, u32 r) noexcept nogil:
    if w == 8:
        return (<u8*>cpu.regs)[r]
    if w == 16:
        return <u16>cpu.regs[r]
    if w == 32:
        return <u32>cpu.regs[r]
    return cpu.regs[r]


cdef inline void set_reg(Cpu* cpu, int w, u32 r, u64 value) noexcept nogil:
    """Write a register; 32-bit writes clear the upper half.

    Narrow writes store all of the register: a later read of it would wait for a narrow store to
    leave
    the host's store queue.
    """
    cdef u64* whole
    cdef int shift
    if w == 8:
        whole = &cpu.regs[r >> 3]
        shift = (r & 1) << 3
        whole[0] = whole[0] & ~(<u64>0xFF << shift) | <u64><u8>value << shift
    elif w == 16:
        cpu.regs[r] = cpu.regs[r] & ~<u64>0xFFFF | <u16>value
    elif w == 32:
        cpu.regs[r] = <u32>value
    else:
        cpu.regs[r] = value


cdef inline u32 vvvv(Insn* insn) noexcept nogil:
    """Return the register in VEX.vvvv; the decoder leaves it behind an 8-bit immediate."""
    return <u32>(insn.imm >> 8) & 15


# ---------------------------------------------------------------------------------------------
# Addresses

cdef inline int address_bits(Insn* insn) noexcept nogil:
    """Return the address size: 16, 32 or 64."""
    return 16 << ((insn.flags & INSN_ASIZE) >> INSN_ASIZE_SHIFT)


cdef inline int operand_bits(Insn* insn) noexcept nogil:
    """Return the operand size: 16, 32 or 64."""
    return 16 << (insn.flags >> INSN_OPSIZE_SHIFT)


cdef inline u64 effective_address(Cpu* cpu, Insn* insn) noexcept nogil:
    """Return the offset of the ModR/M memory operand in its segment."""
    return trunc(cpu.regs[insn.b] + (cpu.regs[insn.x] << insn.scale) + <u64><i64>insn.disp,
                 address_bits(insn))


cdef inline u64 instruction_pointer(Cpu* cpu, Insn* insn) noexcept nogil:
    """Return the (E)IP of an instruction."""
    cdef u64 ip = cpu.regs[REG_PAGE] + insn.off
    return ip if in_64bit(cpu) else <u32>ip


cdef inline u64 next_ip(Cpu* cpu, Insn* insn) noexcept nogil:
    """Return the (E)IP behind an instruction."""
    cdef u64 ip = cpu.regs[REG_PAGE] + insn.off + insn.len
    return ip if in_64bit(cpu) else <u32>ip


cdef inline int _limit_fault(Cpu* cpu, int seg) noexcept nogil:
    return raise_error(cpu, SS_ if seg == SS else GP, 0)


cdef inline int check_segment(Cpu* cpu, int seg, u64 offset, int size,
                              bint write) noexcept nogil:
    """Limit and type checks of a segment access outside 64-bit mode."""
    cdef Seg* s = &cpu.seg[seg]
    cdef u64 last = offset + size - 1
    cdef u64 top
    if s.attr & 0x10000:                                    # unusable (null selector)
        return _limit_fault(cpu, seg)
    if cpu.cr0 & CR0_PE and not cpu.rflags & FLAG_VM:
        if s.attr & 8:                                      # code
            if write or not s.attr & 2:
                return _limit_fault(cpu, seg)
        elif write and not s.attr & 2:
            return _limit_fault(cpu, seg)
    if s.attr & 0xC == 4:                                   # expand-down data
        top = 0xFFFFFFFFU if s.attr & 0x4000 else 0xFFFF
        if offset <= s.limit or last > top:
            return _limit_fault(cpu, seg)
        return 0
    if last > s.limit:
        return _limit_fault(cpu, seg)
    return 0


cdef inline int linear_address(Cpu* cpu, int seg, u64 offset, int size, bint write,
                               u64* laddr) noexcept nogil:
    """Add the segment's base, after its checks."""
    if in_64bit(cpu):
        laddr[0] = offset + (cpu.seg[seg].base if seg >= FS else 0)
        if seg == SS and <u64>(<i64>(laddr[0] << 16) >> 16) != laddr[0]:
            return raise_error(cpu, SS_, 0)
        return 0
    laddr[0] = <u32>(offset + cpu.seg[seg].base)
    return check_segment(cpu, seg, offset, size, write)


# ---------------------------------------------------------------------------------------------
# Memory at segment:offset, `size` in bytes

cdef inline int load(Cpu* cpu, int seg, u64 offset, int size, void* out) noexcept nogil:
    cdef u64 laddr
    if linear_address(cpu, seg, offset, size, False, &laddr):
        return FAULT
    return read_linear(cpu, cpu.which, laddr, size, out)


cdef inline int store(Cpu* cpu, int seg, u64 offset, int size, const void* data) noexcept nogil:
    cdef u64 laddr
    if linear_address(cpu, seg, offset, size, True, &laddr):
        return FAULT
    return write_linear(cpu, cpu.which, laddr, size, data)


cdef inline int open_rw(Cpu* cpu, int seg, u64 offset, int size, MemRef* ref) noexcept nogil:
    cdef u64 laddr
    if linear_address(cpu, seg, offset, size, True, &laddr):
        return FAULT
    return open_linear(cpu, cpu.which, laddr, size, ref)


cdef inline int load_ea(Cpu* cpu, Insn* insn, int size, void* out) noexcept nogil:
    """Read the ModR/M memory operand."""
    return load(cpu, insn.seg, effective_address(cpu, insn), size, out)


cdef inline int store_ea(Cpu* cpu, Insn* insn, int size, const void* data) noexcept nogil:
    """Write the ModR/M memory operand."""
    return store(cpu, insn.seg, effective_address(cpu, insn), size, data)


cdef inline int open_ea(Cpu* cpu, Insn* insn, int size, MemRef* ref) noexcept nogil:
    """Open the ModR/M memory operand for reading and writing."""
    return open_rw(cpu, insn.seg, effective_address(cpu, insn), size, ref)


cdef inline bint is_mem(Insn* insn) noexcept nogil:
    return insn.flags & INSN_MEM


cdef inline int read_E(Cpu* cpu, Insn* insn, int w, u64* value) noexcept nogil:
    """Read the ModR/M operand, register or memory."""
    value[0] = 0
    if is_mem(insn):
        return load_ea(cpu, insn, w >> 3, value)
    value[0] = get_reg(cpu, w, insn.b)
    return 0


cdef inline int write_E(Cpu* cpu, Insn* insn, int w, u64 value) noexcept nogil:
    """Write the ModR/M operand, register or memory."""
    if is_mem(insn):
        return store_ea(cpu, insn, w >> 3, &value)
    set_reg(cpu, w, insn.b, value)
    return 0


# ---------------------------------------------------------------------------------------------
# The stack

cdef inline int stack_bits(Cpu* cpu) noexcept nogil:
    """Return the width of the stack pointer: 16, 32 or 64."""
    if in_64bit(cpu):
        return 64
    return 32 if cpu.seg[SS].attr & 0x4000 else 16


cdef inline int push(Cpu* cpu, int w, u64 value) noexcept nogil:
    """Push `w` bits; RSP changes only if that does not fault."""
    cdef int bits = stack_bits(cpu)
    cdef u64 sp = trunc(cpu.regs[RSP] - (w >> 3), bits)
    if store(cpu, SS, sp, w >> 3, &value):
        return FAULT
    set_reg(cpu, bits, RSP, sp)
    return 0


cdef inline int read_stack(Cpu* cpu, int w, int index, u64* value) noexcept nogil:
    """Read the item `index` places above the top of the stack, without popping."""
    cdef u64 sp = trunc(cpu.regs[RSP] + index * (w >> 3), stack_bits(cpu))
    value[0] = 0
    return load(cpu, SS, sp, w >> 3, value)


cdef inline void add_sp(Cpu* cpu, u64 count) noexcept nogil:
    """Add to the stack pointer in its own width."""
    cdef int bits = stack_bits(cpu)
    set_reg(cpu, bits, RSP, trunc(cpu.regs[RSP] + count, bits))


cdef inline int pop(Cpu* cpu, int w, u64* value) noexcept nogil:
    """Pop `w` bits; RSP changes only if that does not fault."""
    if read_stack(cpu, w, 0, value):
        return FAULT
    add_sp(cpu, w >> 3)
    return 0


# ---------------------------------------------------------------------------------------------
# Leaving a block

cdef inline void leave(Cpu* cpu, Insn* insn, int status) noexcept nogil:
    """Give back the budget of what has not retired and say where to go on."""
    if status == NEXT or status == STOP:
        cpu.budget += insn.n - 1
        cpu.rip = next_ip(cpu, insn)
        return
    if status == JUMP:
        cpu.budget += insn.n - 1
        return
    cpu.budget += insn.n
    cpu.rip = instruction_pointer(cpu, insn)


cdef inline Insn* enter_block(Cpu* cpu, Insn* insn, Insn* target) noexcept nogil:
    """Pay for a block that a retiring branch goes to; NULL if the budget does not reach."""
    cpu.budget += <i64>insn.n - 1 - target.n
    if likely_(cpu.budget >= 0):
        return target
    cpu.budget += target.n
    cpu.rip = cpu.regs[REG_PAGE] + target.off
    return NULL


cdef inline void take_branch(Cpu* cpu, Insn* branch) noexcept nogil:
    """Take a conditional branch whose condition has been found true."""
    cdef Insn* target = <Insn*>branch.imm
    if unlikely_(target == NULL):
        branch.fn(cpu, branch)                      # looks at the flags again, and links
        return
    target = enter_block(cpu, branch, target)
    if likely_(target != NULL):
        target.fn(cpu, target)
