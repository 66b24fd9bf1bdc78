"""One processor as the kernel knows it: its number, its registers, its data behind GS.

The per-CPU page holds, from its start: the per-CPU fields (`layout.PERCPU_FIELDS`), the TSS, the
GDT and the `cpu_setup` that entry.S loads. GS points at its first byte while the kernel runs.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pykern.kernel.x86 import descriptors, layout

if TYPE_CHECKING:
    from pykern.kernel.core.memory import PhysicalMemory
    from pykern_c import Vcpu

_TSS, _GDT, _SETUP = 0x100, 0x180, 0x200
_QWORD = struct.Struct("<Q")
_CR0 = ("PE", "MP", "ET", "NE", "WP", "PG")
_CR4 = ("PAE", "PGE", "OSFXSR", "OSXMMEXCPT", "UMIP", "FSGSBASE", "SMEP")
_SYSCALL_CLEARS = ("TF", "IF", "DF", "NT", "AC", "IOPL")


@dataclass(frozen=True)
class CallTables:
    """Where a gate finds its functions: linear address of the table and its number of entries."""

    syscall: tuple[int, int]
    int80: tuple[int, int]


NO_CALLS = CallTables((0, 0), (0, 0))
"""Both gates closed."""


class Processor:
    """A processor.

    Parameters
    ----------
    number : counted from 0, the boot processor
    apic_id : of its local APIC
    vcpu : the machine's side of it
    memory : guest RAM

    Attributes
    ----------
    page : physical address of its per-CPU page; 0 before `prepare`
    base : linear address of the per-CPU fields, which GS holds
    gprs : the general registers, by their numbers in instruction encodings
    current : the thread it executes
    idle : the thread it executes when there is no other
    """

    def __init__(self, number: int, apic_id: int, vcpu: Vcpu, memory: PhysicalMemory) -> None:
        self.number = number
        self.apic_id = apic_id
        self.vcpu = vcpu
        self.gprs = vcpu.gprs
        self.page = self.base = 0
        self.current: Any = None
        self.idle: Any = None
        self._memory = memory
        self._work = False
        self._tables: CallTables | None = None

    def prepare(
        self,
        page: int,
        idt: tuple[int, int],
        stubs: dict[str, int],
        ist: dict[int, int],
        hhdm: int = layout.HHDM_BASE,
    ) -> int:
        """Write the per-CPU page; return the linear address of the `cpu_setup` in it.

        Parameters
        ----------
        page : its physical address
        idt : linear address and size in bytes
        stubs : symbols of the kernel image
        ist : number of an interrupt stack → its top
        hhdm : linear address of the direct map
        """
        self.page, self.base = page, hhdm + page
        gdt = descriptors.gdt(self.base + _TSS)
        setup = descriptors.cpu_setup(
            gdtr=(self.base + _GDT, len(gdt)),
            idtr=idt,
            cr0=sum(layout.CR0[name] for name in _CR0),
            cr4=sum(layout.CR4[name] for name in _CR4),
            msrs=self._msrs(stubs["syscall_entry"]),
        )
        self._memory.write(self.page + _TSS, descriptors.tss(0, ist))
        self._memory.write(self.page + _GDT, gdt)
        self._memory.write(self.page + _SETUP, setup)
        self._set("self", self.base)
        self._set("number", self.number | self.apic_id << 32)
        return self.base + _SETUP

    def _msrs(self, entry: int) -> dict[int, int]:
        selectors, msr, efer = layout.SELECTORS, layout.MSR, layout.EFER
        star = selectors["KERNEL_CS"] << 32 | selectors["USER_CS32"] << 48
        mask = sum(layout.RFLAGS[name] for name in _SYSCALL_CLEARS)
        return {
            msr["EFER"]: efer["SCE"] | efer["LME"] | efer["LMA"] | efer["NXE"],
            msr["STAR"]: star,
            msr["LSTAR"]: entry,
            msr["FMASK"]: mask,
            msr["GS_BASE"]: self.base,
            msr["KERNEL_GS_BASE"]: 0,
            msr["TSC_AUX"]: self.number,
        }

    def _set(self, field: str, value: int) -> None:
        self._memory.write(self.page + layout.PERCPU[field], _QWORD.pack(value))

    def enter_thread(self, tid: int, stack_top: int, tables: CallTables) -> None:
        """Make interrupts and system calls of a thread arrive on its kernel stack.

        Parameters
        ----------
        stack_top : linear address just behind the stack
        tables : of the thread's personality
        """
        self._memory.write(self.page + _TSS + descriptors.RSP0, _QWORD.pack(stack_top))
        self._set("kernel_rsp", stack_top)
        self._set("current_tid", tid)
        if tables is not self._tables:
            self._tables = tables
            where = self.page + layout.PERCPU["syscall_table"]
            self._memory.write(where, struct.pack("<4Q", *tables.syscall, *tables.int80))

    def set_work(self, pending: bool) -> None:
        """Say whether something has to be done before user code goes on (`exit_to_user`)."""
        if pending is not self._work:
            self._work = pending
            where = self.page + layout.PERCPU["work"]
            self._memory.write(where, (1 if pending else 0).to_bytes(4, "little"))

    def __repr__(self) -> str:
        """Return what names it in messages."""
        return f"<CPU {self.number}>"
