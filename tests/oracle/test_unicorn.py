"""The Unicorn harness tested against the host CPU, and on code that only it can run."""

from __future__ import annotations

import numpy as np
import pytest

from . import host
from .compare import differences
from .generate import cases
from .state import (
    DATA_BASE,
    DATA_END,
    GPR_NAMES,
    LAYOUT_16,
    MEM_SIZE,
    PAGE,
    READ_ONLY,
    STATUS_FLAGS,
    Flag,
    Outcome,
    states,
)
from .test_generate import ROWS, STRING_ROWS, Row, name

pytest.importorskip("unicorn", reason="Unicorn is not installed")
from .unicorn_cpu import UNRELIABLE, UnicornCpu

AX, CX, DX, BX, SP, BP, SI, DI = range(8)
UNDEFINED = {"DIV": STATUS_FLAGS, "BTS": STATUS_FLAGS & ~Flag.CF}


INTEGER_ROWS = [row for row in ROWS[:16] if row.mnemonic != "CMPXCHG"]  # see unicorn_cpu.py


@pytest.mark.parametrize("row", INTEGER_ROWS + STRING_ROWS, ids=name)
def test_agrees_with_the_host(row: Row) -> None:
    """Integer instructions that complete on the host: both oracles must say the same."""
    reason = host.unavailable()
    if reason:
        pytest.skip(reason)
    drawn = cases(row, 200, seed=1)
    expected = host.HostCpu().run(drawn.code, drawn.start)
    actual = UnicornCpu(64).run(drawn.code, drawn.start)
    expected["vector"][expected["vector"] != Outcome.DONE] = Outcome.REFUSED
    assert (expected["vector"] == Outcome.DONE).sum() > 50
    flags = (STATUS_FLAGS | Flag.DF) & ~UNDEFINED.get(row.mnemonic, 0)
    assert differences(expected, actual, flags=flags, ignore=UNRELIABLE) == {}


def test_agrees_with_the_host_on_page_faults() -> None:
    reason = host.unavailable()
    if reason:
        pytest.skip(reason)
    drawn = cases(ROWS[2], 4000, seed=1)
    expected = host.HostCpu().run(drawn.code, drawn.start)
    faults = expected["vector"] == 14
    assert faults.sum() > 50
    actual = UnicornCpu(64).run(drawn.code[faults], drawn.start[faults])
    actual["error_code"] |= 4  # Unicorn is at CPL 0
    assert differences(expected[faults], actual, flags=STATUS_FLAGS, ignore=UNRELIABLE) == {}


def test_decimal_adjust_in_32_bits() -> None:
    """DAA after ADD of packed decimals is decimal addition (SDM Vol. 2A, "DAA")."""
    cpu = UnicornCpu(32)
    for a, b in ((15, 27), (99, 1), (50, 50), (8, 9)):
        start = states(1)
        start["gpr"][0, AX], start["gpr"][0, CX] = int(str(a), 16), int(str(b), 16)
        added = cpu.run(b"\x00\xc8", start)
        added["rip"] = start["rip"]
        end = cpu.run(b"\x27", added)[0]
        assert int(end["gpr"][AX]) == int(f"{(a + b) % 100:02}", 16)
        assert bool(int(end["rflags"]) & Flag.CF) == (a + b > 99)


def test_push_and_pop_all_in_32_bits() -> None:
    cpu = UnicornCpu(32)
    start = states(1)
    start["gpr"][0, :8] = np.arange(8) + 0x1111
    start["gpr"][0, SP] = DATA_BASE + PAGE
    end = cpu.run(b"\x60", start)
    offset = MEM_SIZE // 2 - 32
    pushed = end["mem"][0, offset : offset + 32].copy().view("<u4")
    assert pushed.tolist() == [
        0x1118,
        0x1117,
        0x1116,
        DATA_BASE + PAGE,
        0x1114,
        0x1113,
        0x1112,
        0x1111,
    ]
    assert end["gpr"][0, SP] == DATA_BASE + PAGE - 32


def test_real_mode_addressing_and_stack() -> None:
    cpu = UnicornCpu(16)
    start = states(1, LAYOUT_16)
    base = int(start["mem_base"][0])
    start["gpr"][0, BX], start["gpr"][0, SI] = base, 0x10
    start["mem"][0, 0x12:0x14] = (0x34, 0x12)
    end = cpu.run(bytes.fromhex("ff 70 02"), start)[0]  # PUSH WORD PTR [BX+SI+2]
    assert end["mem"][MEM_SIZE // 2 - 2 : MEM_SIZE // 2].tolist() == [0x34, 0x12]
    assert int(end["gpr"][SP]) == LAYOUT_16.data_base + PAGE - 2
    assert int(end["rip"]) == LAYOUT_16.entry + 3


@pytest.mark.parametrize(
    ("code", "vector", "error", "cr2"),
    [
        ("f7 f1", 0, 0, 0),
        ("0f 0b", 6, 0, 0),
        ("cc", 3, 0, 0),
        ("8b 03", 14, 0, DATA_END),
        ("89 06", 14, 3, READ_ONLY),
    ],
)
def test_faults(code: str, vector: int, error: int, cr2: int) -> None:
    start = states(1)
    start["gpr"][0, BX], start["gpr"][0, SI] = DATA_END - 1, READ_ONLY
    end = UnicornCpu(32).run(bytes.fromhex(code), start)[0]
    assert (end["vector"], end["error_code"], int(end["cr2"])) == (vector, error, cr2)
    assert int(end["rip"]) == int(start["rip"][0]) + (code == "cc")


def test_nothing_is_left_for_the_next_case() -> None:
    cpu = UnicornCpu(64)
    start = states(2)
    start["gpr"][0, AX] = DATA_BASE
    start["gpr"][1, CX] = 3
    end = cpu.run([bytes.fromhex("48 89 00"), bytes.fromhex("48 8b 04 25 00 00 00 70")], start)
    assert end["stray"][0] != 0
    assert end["gpr"][1, GPR_NAMES.index("rax")] == 0
    assert end["vector"].tolist() == [Outcome.DONE, Outcome.DONE]
