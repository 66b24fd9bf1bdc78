"""Segment loads, descriptor inspection and far transfers, against what Bochs printed."""

from __future__ import annotations

import pytest

from pykern_c.machine import Machine
from tests.guest import assemble
from tests.privileged import cases, log, recorded

SEGMENTS = (
    r"(ds|ss|fs|gs|les|lss|pop ds|push seg|mov cs|mov seg|accessed|limit|expand-down|null access"
    r"|code write|read-only|execute-only|lar|lsl|verr|verw|arpl|sgdt|lldt|ltr|busy bit|sldt)\b"
)
TRANSFERS = (
    r"(jmp|call|retf|retfq|iret|iretq|iretd|indirect|user call|user jmp|user retf|user iret)\b"
)
PROGRAMS = ("protected", "long")


@pytest.mark.parametrize(
    ("program", "name"), [(p, n) for p in PROGRAMS for n in cases(p, f"{SEGMENTS}|{TRANSFERS}")]
)
def test_segments_and_far_transfers(program, name):
    assert log(program)[name] == recorded(program)[name]


def test_real_mode_keeps_a_large_limit():
    """A limit loaded in protected mode stays when real mode loads the register ("unreal mode")."""
    machine = Machine(4 << 20)
    machine.write(
        0x7C00,
        assemble(
            """
            lgdt [gdtr]
            mov eax, cr0
            or al, 1
            mov cr0, eax
            mov bx, 8
            mov ds, bx
            and al, 0xFE
            mov cr0, eax
            xor bx, bx
            mov ds, bx
            mov ebx, 0x200000
            mov dword ptr [ebx], 0x12345678
            cli
            hlt
            gdt: .quad 0, 0x00CF93000000FFFF
            gdtr: .word 15
            .long gdt
            """,
            bits=16,
            origin=0x7C00,
        ),
    )
    vcpu = machine.vcpus[0]
    vcpu.write_register("cs", 0)
    vcpu.write_register("cs.base", 0)
    vcpu.write_register("rip", 0x7C00)
    vcpu.write_register("cr0", 0x10)
    machine.run(1000)
    assert machine.read(0x20_0000, 4) == bytes.fromhex("78563412")
    assert vcpu.read_register("ds.limit") == 0xFFFF_FFFF
