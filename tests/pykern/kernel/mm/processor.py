"""A processor that runs a two-instruction user program, page faults and all.

The program reads or writes one byte and then executes HLT, which user code must not. #GP and #PF
go through a real IDT to a stub that makes a hostcall: every access uses the real TLB.
"""

from __future__ import annotations

import struct

from pykern.kernel.core.units import PAGE_SIZE
from pykern.kernel.mm.frames import FrameAllocator
from pykern.kernel.x86.paging import NX, RW, US, G, PageTable
from pykern_c.exits import ExitReason
from tests.guest import assemble, long_mode

PORT = 0xE4
KERNEL = 0xFFFF_FFFF_8000_0000
PROGRAM = 0xFFFF_F000_0000_0000
CODE, TABLES, TSS, STACK, USER_CODE = (0x1_0000 + i * PAGE_SIZE for i in range(5))
TOP = STACK + PAGE_SIZE
GP, PF = 13, 14

STUBS = """
push rax
mov eax, 13
out 0xE4, eax
pop rax
add rsp, 8
iretq
.balign 64
push rax
mov eax, 14
out 0xE4, eax
pop rax
add rsp, 8
iretq
"""
WRITE, HLT, READ = PROGRAM, PROGRAM + 2, PROGRAM + 64
PROGRAMS = "mov [rdi], al\nhlt\n.balign 64\nmovzx eax, byte ptr [rdi]\nhlt\n"
USER_CODE_64, USER_DATA, KERNEL_CODE_64 = 0xAFFB_0000_00FFFF, 0xCFF3_0000_00FFFF, 0xAF9B_0000_00FFFF


def gate(laddr: int) -> bytes:
    return struct.pack(
        "<HHBBHII", laddr & 0xFFFF, 0x18, 0, 0x8E, laddr >> 16 & 0xFFFF, laddr >> 32, 0
    )


class Processor:
    """The first processor of a machine; `template` is the PML4 whose upper half it needs."""

    def __init__(self, machine):
        self.machine, self.vcpu = machine, machine.vcpus[0]
        machine.hostcall_port = PORT
        table = PageTable(machine, FrameAllocator(machine, [(0x2_0000, 0x2_0000)]))
        table.map(KERNEL, CODE, PAGE_SIZE, G)
        table.map(KERNEL + PAGE_SIZE, TABLES, 3 * PAGE_SIZE, RW | NX | G)
        table.map(PROGRAM, USER_CODE, PAGE_SIZE, US | G)
        self.template = table.root
        machine.write(CODE, assemble(STUBS, origin=KERNEL))
        machine.write(USER_CODE, assemble(PROGRAMS, origin=PROGRAM))
        machine.write(TABLES, struct.pack("<4Q", 0, USER_CODE_64, USER_DATA, KERNEL_CODE_64))
        machine.write(TABLES + 64 + 16 * GP, gate(KERNEL) + gate(KERNEL + 64))
        machine.write(TSS + 4, struct.pack("<Q", self.linear(TOP)))
        self._space = None
        self.stale: list[int] = []
        machine.report_stale_tlb(lambda _vcpu, laddr, _old: self.stale.append(laddr))
        self._start()

    @staticmethod
    def linear(paddr: int) -> int:
        return KERNEL + paddr - CODE

    def _start(self) -> None:
        """Run HLT in user mode, and stop in the stub of #GP, as every access does."""
        long_mode(self.vcpu, rip=HLT, cpl=3)
        write = self.vcpu.write_register
        write("cr3", self.template)
        for name, base, limit in (("gdtr", TABLES, 31), ("idtr", TABLES + 64, 0xEF)):
            write(f"{name}.base", self.linear(base))
            write(f"{name}.limit", limit)
        write("tr", 0x20)
        write("tr.base", self.linear(TSS))
        write("tr.limit", 0x67)
        write("tr.attr", 0x8B)
        exit_ = self.machine.run()
        assert (exit_.reason, exit_.code) == (ExitReason.HOSTCALL, GP), exit_

    def switch(self, space) -> None:
        """Load CR3 if another address space had it."""
        if self._space is not space:
            self._space = space
            self.vcpu.write_register("cr3", space.pml4)

    def leave(self, space) -> None:
        """Stop using a space that is about to go."""
        if self._space is space:
            self._space = None
            self.vcpu.write_register("cr3", self.template)

    def invalidate(self, space, laddr: int, pages: int) -> None:
        """Forget what is cached of a range, if the space is in use."""
        if self._space is space:
            self.vcpu.invalidate(laddr, pages * PAGE_SIZE)

    def access(self, space, laddr: int, value: int | None = None) -> int | None:
        """Read or write a byte as a user program; None: the space does not allow it."""
        self.switch(space)
        self.machine.write(TOP - 56, struct.pack("<Q", value or 0))
        self.machine.write(TOP - 40, struct.pack("<Q", READ if value is None else WRITE))
        self.vcpu.write_register("rdi", laddr)
        return self._run(space)

    def _run(self, space) -> int | None:
        for _ in range(5):
            exit_ = self.machine.run()
            assert exit_.reason is ExitReason.HOSTCALL, exit_
            rax, error = struct.unpack("<2Q", self.machine.read(TOP - 56, 16))
            if exit_.code == GP:
                return rax & 0xFF
            if not space.fault(self.vcpu.read_register("cr2"), error):
                return None
        raise AssertionError("the program faults again and again")
