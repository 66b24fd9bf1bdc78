"""Processor state at entry, and where the application processors wait for their work.

They really execute: until somebody writes to their `goto_address` they sit in a loop in
bootloader-reclaimable memory, in MWAIT where the processor has it.

References
----------
The Limine Boot Protocol: Machine state at entry (x86-64), MP (multiprocessor) Feature.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.machine.boot.entry_state import (
    DATA_SEGMENTS,
    GENERAL_REGISTERS,
    segment_descriptor,
    set_segment,
)
from pykern.machine.boot.limine_memory import PAT

if TYPE_CHECKING:
    from pykern.machine.boot.protocol import VcpuRegisters

CODE_SELECTOR, DATA_SELECTOR = 0x28, 0x30
_CODE16, _DATA16 = 0x009B, 0x0093
_CODE32, _DATA32 = 0xC09B, 0xC093
_CODE64, _DATA64 = 0xA09B, 0xC093
_LIMIT16, _LIMIT32 = 0xFFFF, 0xFFFFFFFF
_UNUSABLE = 0x10082
_TSS_BUSY, _TSS_LIMIT = 0x008B, 0x67

CR0 = 1 << 31 | 1 << 16 | 1 << 4 | 1 << 0  # PG, WP, ET, PE
CR4 = 1 << 5  # PAE
EFER = 1 << 11 | 1 << 10 | 1 << 8  # NXE, LMA, LME
_RFLAGS = 0x2

# RDI points to the limine_mp_info of the processor; goto_address is 16 bytes into it.
PARK = bytes.fromhex(
    "b8 01 00 00 00"  # mov eax, 1
    "0f a2"  # cpuid
    "f6 c1 08"  # test cl, 8              ; MONITOR/MWAIT
    "74 19"  # jz poll
    "48 8d 47 10"  # idle: lea rax, [rdi + 16]
    "31 c9"  # xor ecx, ecx
    "31 d2"  # xor edx, edx
    "0f 01 c8"  # monitor rax, ecx, edx
    "48 83 7f 10 00"  # cmp qword ptr [rdi + 16], 0
    "75 10"  # jne go
    "31 c0"  # xor eax, eax
    "0f 01 c9"  # mwait eax, ecx
    "eb e7"  # jmp idle
    "f3 90"  # poll: pause
    "48 83 7f 10 00"  # cmp qword ptr [rdi + 16], 0
    "74 f7"  # je poll
    "31 c0"  # go:   xor eax, eax
    "31 c9"  # xor ecx, ecx
    "31 d2"  # xor edx, edx
    "31 db"  # xor ebx, ebx
    "ff 67 10"  # jmp qword ptr [rdi + 16]
)


def gdt() -> bytes:
    """Return the descriptor table the protocol prescribes."""
    descriptors = (
        segment_descriptor(0, _LIMIT16, _CODE16),
        segment_descriptor(0, _LIMIT16, _DATA16),
        segment_descriptor(0, _LIMIT32, _CODE32),
        segment_descriptor(0, _LIMIT32, _DATA32),
        segment_descriptor(0, _LIMIT32, _CODE64),
        segment_descriptor(0, _LIMIT32, _DATA64),
    )
    return bytes(8) + b"".join(descriptors)


def enter(vcpu: VcpuRegisters, *, rip: int, rsp: int, cr3: int, gdt_laddr: int) -> None:
    """Set the state at entry; the return address of 0 has been pushed already."""
    control = {"cr4": CR4, "cr3": cr3, "efer": EFER, "cr0": CR0, "pat": PAT}
    for name, value in control.items():
        vcpu.write_register(name, value)
    for name in GENERAL_REGISTERS:
        vcpu.write_register(name, 0)
    set_segment(vcpu, "cs", CODE_SELECTOR, 0, _LIMIT32, _CODE64)
    for name in DATA_SEGMENTS:
        set_segment(vcpu, name, DATA_SELECTOR, 0, _LIMIT32, _DATA64)
    set_segment(vcpu, "tr", 0, 0, _TSS_LIMIT, _TSS_BUSY)
    set_segment(vcpu, "ldtr", 0, 0, 0, _UNUSABLE)
    vcpu.write_register("gdtr.base", gdt_laddr)
    vcpu.write_register("gdtr.limit", len(gdt()) - 1)
    # No IDT: an exception before the kernel has one is a triple fault, and is reported as such.
    vcpu.write_register("idtr.base", 0)
    vcpu.write_register("idtr.limit", 0)
    vcpu.write_register("rsp", rsp)
    vcpu.write_register("rip", rip)
    vcpu.write_register("rflags", _RFLAGS)


def park(
    vcpu: VcpuRegisters, info_laddr: int, *, code: int, rsp: int, cr3: int, gdt_laddr: int
) -> None:
    """Let an application processor wait in the code at linear address `code`."""
    enter(vcpu, rip=code, rsp=rsp, cr3=cr3, gdt_laddr=gdt_laddr)
    vcpu.write_register("rdi", info_laddr)
    vcpu.activate()
