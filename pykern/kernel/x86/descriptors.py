"""GDT, TSS and IDT of one processor, as bytes for guest memory.

References
----------
SDM Vol. 3A, Segment Descriptors; TSS Descriptor in 64-bit Mode; 64-Bit Mode IDT; Interrupt Stack
Table.
"""

from __future__ import annotations

import struct

from pykern.kernel.x86 import layout

IST_STACKS = {"double_fault": 1, "nmi": 2, "debug": 3, "machine_check": 4}
"""Exceptions on stacks of their own → number of the stack in the TSS."""
TSS_SIZE = 104
RSP0 = 4
"""Offset of RSP0 in the TSS."""
SYSCALL_GATES = (3, 4, 0x80)
"""Vectors that user programs may raise with INT: #BP, #OF and the system call gate."""

# Descriptors of flat segments: G and P set, DPL in bits 45 and 46.
_KERNEL_CODE = 0x00AF9B000000FFFF
_KERNEL_DATA = 0x00CF93000000FFFF
_USER_CODE32 = 0x00CFFB000000FFFF
_USER_DATA = 0x00CFF3000000FFFF
_USER_CODE = 0x00AFFB000000FFFF

_INTERRUPT_GATE = 0x8E


def gdt(tss: int) -> bytes:
    """Return the global descriptor table.

    Parameters
    ----------
    tss : linear address of the task state segment
    """
    segments = (0, _KERNEL_CODE, _KERNEL_DATA, _USER_CODE32, _USER_DATA, _USER_CODE)
    return struct.pack("<6Q", *segments) + _tss_descriptor(tss)


def _tss_descriptor(base: int) -> bytes:
    """Return the 16 bytes of an available 64-bit TSS."""
    #  63      56 55  52 51  48 47  44 43  40 39          16 15     0
    # | base 31:24|G   A| limit | P DPL| type |  base 23:0    | limit |, then base 63:32
    low = (TSS_SIZE - 1) | (base & 0xFFFFFF) << 16 | 0x89 << 40 | (base >> 24 & 0xFF) << 56
    return struct.pack("<QQ", low, base >> 32)


def tss(rsp0: int, ist: dict[int, int]) -> bytes:
    """Return a task state segment without an I/O permission bitmap: user mode has no ports.

    Parameters
    ----------
    rsp0 : top of the stack for interrupts from user mode
    ist : number of a stack (1 to 7) → its top
    """
    stacks = [ist.get(number, 0) for number in range(1, 8)]
    return struct.pack("<I3QQ7QQHH", 0, rsp0, 0, 0, 0, *stacks, 0, 0, TSS_SIZE)


def idt(stubs: int) -> bytes:
    """Return an interrupt descriptor table: 256 interrupt gates to the image's vector stubs.

    Parameters
    ----------
    stubs : linear address of `vector_stubs`
    """
    ist = {
        vector: IST_STACKS[name] for vector, name in layout.EXCEPTIONS.items() if name in IST_STACKS
    }
    return b"".join(
        _gate(stubs + vector * layout.VECTOR_STUB_SIZE, vector, ist.get(vector, 0))
        for vector in range(256)
    )


def _gate(target: int, vector: int, ist: int) -> bytes:
    """Return one gate.

    ::

        127      96 95         64 63        48 47 46-45 44-40 34-32 31     16 15          0
        | reserved | offset 63:32 | offset 31:16 | P DPL  type  IST | selector | offset 15:0 |
    """
    rights = _INTERRUPT_GATE | (3 << 5 if vector in SYSCALL_GATES else 0)
    return struct.pack(
        "<HHBBHII",
        target & 0xFFFF,
        layout.SELECTORS["KERNEL_CS"],
        ist,
        rights,
        target >> 16 & 0xFFFF,
        target >> 32 & 0xFFFF_FFFF,
        0,
    )


def cpu_setup(
    *, gdtr: tuple[int, int], idtr: tuple[int, int], cr0: int, cr4: int, msrs: dict[int, int]
) -> bytes:
    """Return a `struct cpu_setup` for `load_cpu` in entry.S.

    Parameters
    ----------
    gdtr, idtr : linear address and size in bytes of the tables
    msrs : index → value, written in this order
    """
    tables = b"".join(struct.pack("<HQ6x", size - 1, base) for base, size in (gdtr, idtr))
    head = struct.pack("<QQII", cr0, cr4, 0x1F80, len(msrs))
    return tables + head + b"".join(struct.pack("<QQ", *msr) for msr in msrs.items())
