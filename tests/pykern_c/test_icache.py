"""Decoded code follows the bytes: self- and cross-modifying code works at the next instruction."""

from __future__ import annotations

from pykern_c.exits import ExitReason
from tests.guest import ENTRY, assemble, long_mode_machine


def result(source: str) -> int:
    machine = long_mode_machine(source)
    assert machine.run().reason is ExitReason.HLT
    return machine.vcpus[0].read_register("rbx")


def test_the_very_next_instruction_can_be_rewritten() -> None:
    assert result("""
        mov ecx, 5
    1:  mov byte ptr [rip + 2f + 1], cl
    2:  mov al, 0x55
        movzx eax, al
        add ebx, eax
        dec ecx
        jnz 1b
        hlt""") == 15  # fmt: skip


def test_data_beside_code_does_not_lose_code() -> None:
    assert result("""
        mov ecx, 1000
    1:  inc dword ptr [rip + 3f]
        mov ebx, [rip + 3f]
        dec ecx
        jnz 1b
        hlt
        .balign 64
    3:  .long 7""") == 1007  # fmt: skip


def test_an_instruction_across_pages_follows_both() -> None:
    machine = long_mode_machine("jmp 0x100ffd")
    source = ("mov ebx, 0x11111111\ncmp ebx, 0x22222222\nje 1f\n"
                    "mov dword ptr [0x100ffe], 0x22222222\njmp 0x100ffd\n1: hlt")  # fmt: skip
    code = assemble(source, 64, 0x100FFD)
    machine.write(0x100FFD, code)
    assert machine.run().reason is ExitReason.HLT
    assert machine.vcpus[0].read_register("rbx") == 0x22222222


def test_code_written_from_python_is_seen() -> None:
    machine = long_mode_machine("1: mov ebx, 1\njmp 1b")
    vcpu = machine.vcpus[0]
    vcpu.step(9)
    machine.write(ENTRY + 1, b"\x02")
    vcpu.step(2)
    assert vcpu.read_register("rbx") == 2


def test_another_processor_sees_modified_code() -> None:
    machine = long_mode_machine("""
        test edi, edi
        jnz 2f
        mov dword ptr [rip + 3f + 1], 42
    1:  pause
        cmp dword ptr [0x400000], 42
        jne 1b
        hlt
    2:  nop
    3:  mov ebx, 1
        mov [0x400000], ebx
        cmp ebx, 42
        jne 2b
        hlt""", cpus=2)  # fmt: skip
    machine.run()
    assert machine.vcpus[1].read_register("rbx") == 42
    assert all(vcpu.activity == "halted" for vcpu in machine.vcpus)


def test_a_thousand_pages_of_code_pass_through() -> None:
    machine = long_mode_machine("nop", megabytes=16)
    machine.write(
        0x40_0000, (assemble("inc rbx\n.rept 4090\nnop\n.endr")[:4093] + b"\x90\x90\x90") * 1024
    )
    machine.write(0x80_0000, b"\xf4")
    machine.vcpus[0].write_register("rip", 0x40_0000)
    assert machine.run().reason is ExitReason.HLT
    assert machine.vcpus[0].read_register("rbx") == 1024
