"""Large guest code: assembly text of many functions, each some two dozen random instructions."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

COUNT = 1500
SEED = 2718

_REGISTERS = ("rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10")
_CONDITIONS = ("e", "ne", "b", "ae", "a", "be", "l", "ge", "s", "ns")
_SCRATCH_WORDS = 512
_CALL_PROBABILITY = 0.3
_BRANCH_PROBABILITY = 0.12


def assembly(count: int = COUNT, seed: int = SEED) -> str:
    """Generate the functions and the table ``functions`` of their addresses.

    Parameters
    ----------
    count : int
        Number of functions.
    seed : int
        Seed of the choice of instructions; equal seeds give equal text.

    Returns
    -------
    str
        Source for GNU as, in Intel syntax. RBX is the base of 4 KiB of scratch memory; RAX to R10
        are free.
    """
    choose = random.Random(seed)
    lines = [".intel_syntax noprefix", ".text"]
    for number in range(count):
        lines += [".balign 16", f"f{number}:"]
        lines += _body(choose, number, count)
        lines.append("ret")
    lines += [".data", ".balign 8", ".globl functions", "functions:"]
    lines += [f".quad f{number}" for number in range(count)]
    return "\n".join(lines) + "\n"


def _body(choose: random.Random, number: int, count: int) -> Iterator[str]:
    instructions = choose.randint(12, 32)
    call_at = choose.randrange(instructions) if choose.random() < _CALL_PROBABILITY else -1
    skip_to = -1
    for index in range(instructions):
        if index == skip_to:
            yield "1:"
        if index == call_at and number + 1 < count:
            # Only upwards, so that calls end; three in ten call, so that they end soon.
            yield f"call f{choose.randrange(number + 1, count)}"
            continue
        if index > skip_to and choose.random() < _BRANCH_PROBABILITY:
            yield from _branch(choose)
            skip_to = index + choose.randint(2, 4)
            continue
        yield _straight(choose)
    if skip_to >= instructions:
        yield "1:"


def _branch(choose: random.Random) -> Iterator[str]:
    left, right = choose.sample(_REGISTERS, 2)
    yield choose.choice((f"cmp {left}, {right}", f"test {left}, {choose.randrange(1, 256)}"))
    yield f"j{choose.choice(_CONDITIONS)} 1f"


def _straight(choose: random.Random) -> str:
    to, other, third = choose.choices(_REGISTERS, k=3)
    memory = f"[rbx + {8 * choose.randrange(_SCRATCH_WORDS)}]"
    small = choose.randrange(1, 128)
    forms = (
        (5, f"mov {to}, {memory}"),
        (3, f"mov {memory}, {to}"),
        (3, f"mov {to}, {other}"),
        (2, f"mov {to}, {choose.randrange(1 << 31)}"),
        (3, f"lea {to}, [{other} + {third}*{choose.choice((1, 2, 4, 8))} + {small}]"),
        (4, f"{choose.choice(('add', 'sub', 'xor', 'and', 'or'))} {to}, {other}"),
        (4, f"{choose.choice(('add', 'sub', 'xor'))} {to}, {small}"),
        (2, f"{choose.choice(('add', 'xor'))} {to}, {memory}"),
        (2, f"add {memory}, {to}"),
        (2, f"{choose.choice(('shl', 'shr', 'sar', 'rol'))} {to}, {choose.randrange(1, 32)}"),
        (1, f"imul {to}, {other}"),
        (1, f"movzx {to}, byte ptr [rbx + {choose.randrange(4096)}]"),
        (1, f"inc {to}"),
        (1, f"push {other}; pop {to}"),
    )
    return choose.choices([text for _, text in forms], [weight for weight, _ in forms])[0]
