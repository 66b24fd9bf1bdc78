"""Fused handlers do what their two instructions do: random programs, run whole and step by step."""

from __future__ import annotations

import random
import string

import pytest

from pykern_c.exits import ExitReason
from pykern_c.isa import fusion, generate, rows
from tests.guest import ENTRY, assemble, long_mode_machine

REGISTERS = ("rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r15")
FORMS = (
    "mov {a}, [rbx + {m}]", "mov [rbx + {m}], {a}", "mov {a}, {b}", "mov {a}, {i}",
    "mov {a32}, {b32}", "mov {a32}, [rbx + {m}]", "mov [rbx + {m}], {a32}",
    "lea {a}, [{b} + {c}*4 + {i}]", "add {a}, {b}", "add {a}, [rbx + {m}]",
    "add [rbx + {m}], {a}", "add {a32}, {b32}", "sub {a}, {b}", "xor {a}, {b}", "and {a}, {b}",
    "or {a}, {b}", "xor {a}, [rbx + {m}]", "add {a}, {i}", "sub {a}, {i}", "xor {a}, {i}",
    "add {a32}, {i}", "inc {a}", "shl {a}, {s}", "shr {a}, {s}", "sar {a}, {s}",
    "push {a}\npop {b}", "movzx {a32}, byte ptr [rbx + {m}]", "adc {a}, {b}", "setc [rbx + {m}]",
    "cmp {a}, {b}\njb 1f\n1:",
)  # fmt: skip


def program(choose: random.Random, length: int) -> str:
    """Return random instructions; some memory operands lie across or behind the end of the page."""
    lines = ["mov rbx, 0x400000"]
    for _ in range(length):
        a, b, c = choose.choices(REGISTERS, k=3)
        lines.append(choose.choice(FORMS).format(
            a=a, b=b, c=c, a32=narrow(a), b32=narrow(b), i=choose.randrange(128),
            m=choose.choice((8 * choose.randrange(500), choose.randrange(4080, 4200))),
            s=choose.randrange(1, 64)))  # fmt: skip
    return "\n".join([*lines, "hlt"])


def narrow(register: str) -> str:
    return register + "d" if register[1].isdigit() else "e" + register[1:]


@pytest.mark.parametrize("seed", range(20))
def test_whole_blocks_and_single_steps_agree(seed: int) -> None:
    source = program(random.Random(seed), 300)
    whole, stepped = long_mode_machine(source), long_mode_machine(source)
    for machine in (whole, stepped):
        for i, name in enumerate(REGISTERS):
            machine.vcpus[0].write_register(name, 0x9E37_79B9_7F4A_7C15 * (i + seed) % (1 << 64))
    assert whole.run().reason is ExitReason.HLT
    while stepped.vcpus[0].activity == "active":
        stepped.vcpus[0].step(1)
    assert whole.vcpus[0].registers() == stepped.vcpus[0].registers()
    assert whole.read(0x40_0000, 8192) == stepped.read(0x40_0000, 8192)
    assert whole.retired == stepped.retired


def test_a_fault_in_the_second_half_is_the_second_instruction_s() -> None:
    code = assemble("mov rax, rcx\nmov rdx, [0x900000]")
    machine = long_mode_machine("mov rax, rcx\nmov rdx, [0x900000]")
    machine.vcpus[0].write_register("rcx", 7)
    end = machine.run()
    assert (end.faults[0].rip, end.faults[0].address) == (ENTRY + 3, 0x90_0000)
    assert len(code) == 11
    assert machine.vcpus[0].read_register("rax") == 7


def test_rows_ask_for_kinds_that_exist() -> None:
    for form in rows.load():
        kinds = {kind.rstrip(string.digits) for kind in form.options.get("hot", "").split("+")}
        assert kinds <= {"", *fusion.HOT}
    found, _ = generate.variants([f for f in rows.load() if f.family == "arith"])
    assert sum(len(fusion.pieces(variant)) for variant in found) == 13
