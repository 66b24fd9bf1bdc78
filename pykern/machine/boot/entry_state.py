"""Set the bootstrap processor to the state in which a boot protocol enters its kernel.

Segment attributes are given in the VMX access-rights format (SDM Vol. 3C, Guest Register State)::

    16        15 14  13  12  11..8  7 6..5 4 3..0
    unusable  G  D/B L   AVL  0     P DPL  S type
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pykern.machine.boot.protocol import VcpuRegisters

GENERAL_REGISTERS = tuple("rax rcx rdx rbx rsp rbp rsi rdi r8 r9 r10 r11 r12 r13 r14 r15".split())
DATA_SEGMENTS = ("ds", "es", "fs", "gs", "ss")

# Selectors of the GDT below: those the Linux boot protocol prescribes as __BOOT_CS and __BOOT_DS.
CODE_SELECTOR, DATA_SELECTOR, TSS_SELECTOR = 0x10, 0x18, 0x20

_CODE32, _CODE64, _DATA, _TSS_BUSY = 0xC09B, 0xA09B, 0xC093, 0x008B
_REAL_CODE, _REAL_DATA, _LDT_UNUSABLE = 0x009B, 0x0093, 0x10082
_FLAT_LIMIT, _REAL_LIMIT, _TSS_LIMIT = 0xFFFFFFFF, 0xFFFF, 0x67

_RFLAGS_FIXED, _RFLAGS_IF = 0x2, 0x200
_CR0_PE, _CR0_ET, _CR0_PG = 1 << 0, 1 << 4, 1 << 31
_CR4_PAE = 1 << 5
_EFER_LME, _EFER_LMA = 1 << 8, 1 << 10

GDT_SIZE = 0x30


def segment_descriptor(base: int, limit: int, attributes: int) -> bytes:
    """Encode a segment descriptor (SDM Vol. 3A, Segment Descriptors).

    Parameters
    ----------
    base : 32-bit linear address
    limit : bytes; in units of 4 KiB in the descriptor if G is set in `attributes`
    attributes : VMX access-rights format
    """
    if attributes & 0x8000:
        limit >>= 12
    value = limit & 0xFFFF
    value |= (base & 0xFFFFFF) << 16
    value |= (attributes & 0xFF) << 40
    value |= (limit >> 16 & 0xF) << 48
    value |= (attributes >> 12 & 0xF) << 52
    value |= (base >> 24 & 0xFF) << 56
    return value.to_bytes(8, "little")


def gdt(*, long_mode: bool) -> bytes:
    """Return the global descriptor table that every protocol but the real-mode ones starts with."""
    code = segment_descriptor(0, _FLAT_LIMIT, _CODE64 if long_mode else _CODE32)
    data = segment_descriptor(0, _FLAT_LIMIT, _DATA)
    tss = segment_descriptor(0, _TSS_LIMIT, _TSS_BUSY)
    return (bytes(16) + code + data + tss).ljust(GDT_SIZE, b"\0")


def _clear(vcpu: VcpuRegisters, rip: int, rflags: int) -> None:
    for name in GENERAL_REGISTERS:
        vcpu.write_register(name, 0)
    vcpu.write_register("rip", rip)
    vcpu.write_register("rflags", rflags)


def set_segment(
    vcpu: VcpuRegisters, name: str, selector: int, base: int, limit: int, attributes: int
) -> None:
    """Set selector and descriptor cache of a segment register."""
    vcpu.write_register(name, selector)
    vcpu.write_register(f"{name}.base", base)
    vcpu.write_register(f"{name}.limit", limit)
    vcpu.write_register(f"{name}.attr", attributes)


def _set_flat_segments(vcpu: VcpuRegisters, code_attributes: int, gdt_paddr: int) -> None:
    set_segment(vcpu, "cs", CODE_SELECTOR, 0, _FLAT_LIMIT, code_attributes)
    for name in DATA_SEGMENTS:
        set_segment(vcpu, name, DATA_SELECTOR, 0, _FLAT_LIMIT, _DATA)
    set_segment(vcpu, "tr", TSS_SELECTOR, 0, _TSS_LIMIT, _TSS_BUSY)
    set_segment(vcpu, "ldtr", 0, 0, 0, _LDT_UNUSABLE)
    vcpu.write_register("gdtr.base", gdt_paddr)
    vcpu.write_register("gdtr.limit", GDT_SIZE - 1)
    # No IDT: an exception before the kernel has one is a triple fault, and is reported as such.
    vcpu.write_register("idtr.base", 0)
    vcpu.write_register("idtr.limit", 0)


def enter_real_mode(vcpu: VcpuRegisters, cs: int, ip: int, *, data: int, ss: int, sp: int) -> None:
    """Enter 16-bit real mode at cs:ip with DS = ES = FS = GS = `data` and the stack at ss:sp."""
    vcpu.write_register("cr0", _CR0_ET)
    _clear(vcpu, ip, _RFLAGS_FIXED)
    vcpu.write_register("rsp", sp)
    set_segment(vcpu, "cs", cs, cs << 4, _REAL_LIMIT, _REAL_CODE)
    for name in DATA_SEGMENTS:
        selector = ss if name == "ss" else data
        set_segment(vcpu, name, selector, selector << 4, _REAL_LIMIT, _REAL_DATA)
    vcpu.write_register("idtr.base", 0)
    vcpu.write_register("idtr.limit", 0x3FF)


def enter_protected_mode(vcpu: VcpuRegisters, eip: int, gdt_paddr: int) -> None:
    """Enter 32-bit protected mode: flat segments, paging off, interrupts off."""
    vcpu.write_register("cr4", 0)
    vcpu.write_register("cr0", _CR0_ET | _CR0_PE)
    _clear(vcpu, eip, _RFLAGS_FIXED)
    _set_flat_segments(vcpu, _CODE32, gdt_paddr)


def enter_long_mode(vcpu: VcpuRegisters, rip: int, gdt_paddr: int, cr3: int) -> None:
    """Enter 64-bit mode: flat segments, paging on with the tables at `cr3`, interrupts off."""
    vcpu.write_register("cr4", _CR4_PAE)
    vcpu.write_register("cr3", cr3)
    vcpu.write_register("efer", _EFER_LME | _EFER_LMA)
    vcpu.write_register("cr0", _CR0_ET | _CR0_PE | _CR0_PG)
    _clear(vcpu, rip, _RFLAGS_FIXED)
    _set_flat_segments(vcpu, _CODE64, gdt_paddr)
