"""Moves of general registers, memory and immediates; exchanges, extensions, XLAT."""

from pykern_c.types cimport *
from pykern_c.cpu cimport *
from pykern_c.flags cimport *
from pykern_c.operands cimport *
from pykern_c.mmu cimport MemRef, ref_read, ref_write


cdef inline u64 mov(Cpu* cpu, int w, u64 src) noexcept nogil:
    """Move.

    88 /r      MOV Eb, Gb    nodst
    89 /r      MOV Ev, Gv    nodst hot=reg64+mem64+reg32+mem32
    8A /r      MOV Gb, Eb    nodst
    8B /r      MOV Gv, Ev    nodst hot=mem64+mem32
    A0 moffs   MOV AL, Ob    nodst
    A1 moffs   MOV rAX, Ov   nodst
    A2 moffs   MOV Ob, AL    nodst
    A3 moffs   MOV Ov, rAX   nodst
    B0+r ib    MOV Zb, Ib    nodst
    B8+r iv    MOV Zv, Iv    nodst
    C6 /0 ib   MOV Eb, Ib    nodst
    C7 /0 iz   MOV Ev, Iz    nodst hot=reg64

    Flags: none.
    Liveness: clear.
    Source: SDM Vol. 2B, MOV.
    """
    return src


cdef inline u64 movzx(Cpu* cpu, int w, u64 src) noexcept nogil:
    """Move with zero-extension.

    0F B6 /r   MOVZX Gv, Eb   nodst hot=mem32
    0F B7 /r   MOVZX Gv, Ew   nodst

    Flags: none.
    Liveness: clear.
    Source: SDM Vol. 2B, MOVZX.
    """
    return src


cdef inline u64 movsx8(Cpu* cpu, int w, u64 src) noexcept nogil:
    """Move with sign-extension from 8 bits.

    0F BE /r   MOVSX Gv, Eb   nodst

    Flags: none.
    Liveness: clear.
    Source: SDM Vol. 2B, MOVSX/MOVSXD.
    """
    return sext(src, 8)


cdef inline u64 movsx16(Cpu* cpu, int w, u64 src) noexcept nogil:
    """Move with sign-extension from 16 bits.

    0F BF /r   MOVSX Gv, Ew   nodst

    Flags: none.
    Liveness: clear.
    Source: SDM Vol. 2B, MOVSX/MOVSXD.
    """
    return sext(src, 16)


cdef inline u64 movsxd(Cpu* cpu, int w, u64 src) noexcept nogil:
    """Move with sign-extension from 32 bits, read whole even for a 16-bit destination.

    63 /r      MOVSXD Gv, Ed   nodst o64

    Flags: none.
    Liveness: clear.
    Source: SDM Vol. 2B, MOVSX/MOVSXD; the operand's size as AMD64 Architecture Programmer's Manual
    Vol. 3, MOVSXD.
    """
    return sext(src, 32)


cdef inline int lea(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """Load effective address.

    8D /r      LEA Gv, M    fast=lea_flat kind=mem+memx hot=mem64+memx64

    Flags: none.
    Liveness: clear.
    Source: SDM Vol. 2A, LEA.
    """
    set_reg(cpu, w, insn.r, effective_address(cpu, insn))
    return NEXT


cdef inline bint lea_flat(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """LEA with the addressing of flat code."""
    set_reg(cpu, w, insn.r,
            (cpu.regs[insn.b] + (cpu.regs[insn.x] << insn.scale) + <u64><i64>insn.disp)
            & cpu.address_mask)
    return True


cdef inline int xchg(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """Exchange; locked by itself when one operand is memory.

    86 /r      XCHG Eb, Gb   lock
    87 /r      XCHG Ev, Gv   lock

    Flags: none.
    Source: SDM Vol. 2C, XCHG.
    """
    cdef MemRef ref
    cdef u64 dst = 0, src = get_reg(cpu, w, insn.r)
    if not is_mem(insn):
        dst = get_reg(cpu, w, insn.b)
        set_reg(cpu, w, insn.b, src)
        set_reg(cpu, w, insn.r, dst)
        return NEXT
    if open_ea(cpu, insn, w >> 3, &ref):
        return FAULT
    ref_read(cpu, &ref, w >> 3, &dst)
    ref_write(cpu, &ref, w >> 3, &src)
    set_reg(cpu, w, insn.r, dst)
    return NEXT


cdef inline int xchg_rax(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """Exchange with the accumulator.

    90+r       XCHG Zv, rAX

    Flags: none.
    Source: SDM Vol. 2C, XCHG.
    """
    cdef u64 value = get_reg(cpu, w, insn.r)
    set_reg(cpu, w, insn.r, get_reg(cpu, w, RAX))
    set_reg(cpu, w, RAX, value)
    return NEXT


cdef inline int nop(Cpu* cpu, Insn* insn) noexcept nogil:
    """No operation; the F3 form is PAUSE.

    90         NOP           norexb fast=nop_fast
    66 90      XCHG AX, AX   norexb fast=nop_fast
    F3 90      PAUSE         norexb fast=nop_fast
    0F 1F /r   NOP Ev        fast=nop_fast kind=reg+mem+memx
    0F 18 /r   NOP Ev        fast=nop_fast kind=reg+mem+memx
    0F 18 /0   PREFETCHNTA Mb    fast=nop_fast kind=mem+memx
    0F 18 /1   PREFETCHT0 Mb     fast=nop_fast kind=mem+memx
    0F 18 /2   PREFETCHT1 Mb     fast=nop_fast kind=mem+memx
    0F 18 /3   PREFETCHT2 Mb     fast=nop_fast kind=mem+memx
    0F 0D /0   PREFETCH Mb       fast=nop_fast kind=mem+memx
    0F 0D /1   PREFETCHW Mb      fast=nop_fast kind=mem+memx
    0F 0D /2   PREFETCHWT1 Mb    fast=nop_fast kind=mem+memx
    0F 19 /r   NOP Ev        fast=nop_fast kind=reg+mem+memx
    0F 1A /r   NOP Ev        fast=nop_fast kind=reg+mem+memx
    0F 1B /r   NOP Ev        fast=nop_fast kind=reg+mem+memx
    0F 1C /r   NOP Ev        fast=nop_fast kind=reg+mem+memx
    0F 1D /r   NOP Ev        fast=nop_fast kind=reg+mem+memx
    0F 1E /r   NOP Ev        fast=nop_fast kind=reg+mem+memx
    F3 0F 1E FA   ENDBR64    fast=nop_fast
    F3 0F 1E FB   ENDBR32    fast=nop_fast

    Flags: none.
    Liveness: clear.
    Source: SDM Vol. 2B, NOP; PAUSE; PREFETCHh; Vol. 2D, Two-byte Opcode Map (reserved NOPs: without
    CET and MPX, their instructions are such).
    """
    return NEXT


cdef inline bint nop_fast(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    return True


cdef inline u64 cmov(Cpu* cpu, int w, u64 dst, u64 src, int cc) noexcept nogil:
    """Conditional move; a 32-bit destination is zero-extended whether or not it moves.

    0F 40+cc /r   CMOVcc Gv, Ev   CMOV

    Flags: none.
    Source: SDM Vol. 2A, CMOVcc.
    """
    return src if condition(cpu, cc) else dst


cdef inline u64 setcc(Cpu* cpu, int w, int cc) noexcept nogil:
    """Set byte on condition.

    0F 90+cc /0   SETcc Eb   nodst

    Flags: none.
    Source: SDM Vol. 2B, SETcc.
    """
    return condition(cpu, cc)


cdef inline u64 bswap(Cpu* cpu, int w, u64 dst) noexcept nogil:
    """Byte swap; with a 16-bit operand the result is undefined, and zero on current CPUs.

    0F C8+r    BSWAP Zv

    Flags: none.
    Liveness: clear.
    Source: SDM Vol. 2A, BSWAP.
    """
    if w == 16:
        return 0
    dst = (dst & 0x00FF00FF00FF00FFULL) << 8 | (dst >> 8) & 0x00FF00FF00FF00FFULL
    dst = (dst & 0x0000FFFF0000FFFFULL) << 16 | (dst >> 16) & 0x0000FFFF0000FFFFULL
    dst = dst << 32 | dst >> 32
    return dst >> 32 if w == 32 else dst


cdef inline int cbw(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """Sign-extend the accumulator into its own upper half: CBW, CWDE, CDQE.

    98         CBW    names=CBW/CWDE/CDQE

    Flags: none.
    Source: SDM Vol. 2A, CBW/CWDE/CDQE.
    """
    set_reg(cpu, w, RAX, sext(cpu.regs[RAX], w >> 1))
    return NEXT


cdef inline int cwd(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """Sign-extend the accumulator into rDX: CWD, CDQ, CQO.

    99         CWD    names=CWD/CDQ/CQO

    Flags: none.
    Source: SDM Vol. 2A, CWD/CDQ/CQO.
    """
    set_reg(cpu, w, RDX, -sign_bit(cpu.regs[RAX], w))
    return NEXT


cdef inline int xlat(Cpu* cpu, Insn* insn) noexcept nogil:
    """Table look-up: AL becomes byte AL of the table at rBX.

    D7         XLAT

    Flags: none.
    Source: SDM Vol. 2C, XLAT/XLATB.
    """
    cdef u64 value = 0
    cdef u64 offset = trunc(cpu.regs[RBX] + (cpu.regs[RAX] & 0xFF), address_bits(insn))
    if load(cpu, insn.seg, offset, 1, &value):
        return FAULT
    set_reg(cpu, 8, 0, value)
    return NEXT


cdef inline int salc(Cpu* cpu, Insn* insn) noexcept nogil:
    """Set AL from the carry: FFH or 0.

    D6         SALC    i64

    Flags: none.
    Source: AMD64 Architecture Programmer's Manual Vol. 3, Opcode Map (undocumented by Intel).
    """
    set_reg(cpu, 8, 0, -flag_cf(cpu))
    return NEXT
