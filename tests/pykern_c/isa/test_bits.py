"""Encodings that mean another instruction on processors without a feature."""

from __future__ import annotations

import pytest

from tests.oracle.pykern_cpu import PykernCpu
from tests.oracle.state import Outcome, states

INVALID_OPCODE = 6
# Instruction on EAX and EBX, EBX, EAX behind it on a "max" and on a "v1" processor (None: #UD).
CASES = [
    ("f3 0f bc c3", 0x0000_1000, 12, 12),  # TZCNT, BSF
    ("f3 0f bc c3", 0, 32, 0x1234),
    ("f3 0f bd c3", 0x0000_1000, 19, 12),  # LZCNT, BSR
    ("f3 0f bd c3", 0, 32, 0x1234),
    ("f3 0f b8 c3", 0x0000_1010, 2, None),  # POPCNT
    ("f2 0f 38 f1 c3", 0, 0x7AAEBBC2, None),  # CRC32
    ("c4 e2 60 f2 c3", 0x0000_1010, 0, None),  # ANDN EAX, EBX, EBX
]


@pytest.mark.parametrize(("code", "operand", "modern", "old"), CASES)
def test_features_choose_the_instruction(
    code: str, operand: int, modern: int, old: int | None
) -> None:
    start = states(1)
    start["gpr"][0, 0], start["gpr"][0, 3] = 0x1234, operand
    end = PykernCpu(64, "max").run(bytes.fromhex(code), start)[0]
    assert (end["vector"], end["gpr"][0]) == (Outcome.DONE, modern)
    end = PykernCpu(64, "v1").run(bytes.fromhex(code), start)[0]
    if old is None:
        assert (end["vector"], end["gpr"][0]) == (INVALID_OPCODE, 0x1234)
    else:
        assert (end["vector"], end["gpr"][0]) == (Outcome.DONE, old)
