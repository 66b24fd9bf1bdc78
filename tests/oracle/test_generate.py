"""The generator tested through the host CPU: what it draws must run, meet memory and repeat."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import Literal

import numpy as np
import pytest

from . import host
from .compare import differences
from .encode import Encoder
from .generate import cases
from .state import (
    DATA_BASE,
    DATA_END,
    MEM_SIZE,
    READ_ONLY,
    Outcome,
    code_bytes,
)


@dataclass(frozen=True)
class Row:
    """A form written by hand."""

    mnemonic: str
    opcode: bytes
    modrm: Literal["r"] | int | None = None
    operands: tuple[str, ...] = ()
    immediates: str = ""
    prefix: int | None = None
    plus_r: bool = False
    rexw: bool | None = None
    vex: tuple[int, int | None] | None = None
    mem_only: bool = False
    reg_only: bool = False
    attributes: frozenset[str] = field(default=frozenset())

    def imm_sizes(self, opsize: int) -> list[int]:
        sizes = {"b": 1, "w": 2, "d": 4, "v": opsize // 8, "z": min(opsize // 8, 4)}
        return [sizes[letter] for letter in self.immediates]


LOCK = frozenset({"lock"})
ROWS = [
    Row("ADD", b"\x01", "r", ("Ev", "Gv"), attributes=LOCK),
    Row("ADD", b"\x00", "r", ("Eb", "Gb"), attributes=LOCK),
    Row("MOV", b"\x8b", "r", ("Gv", "Ev")),
    Row("MOV", b"\xb8", None, ("Zv", "Iv"), "v", plus_r=True),
    Row("MOV", b"\xa1", None, ("rAX", "Ov")),
    Row("ADD", b"\x81", 0, ("Ev", "Iz"), "z", attributes=LOCK),
    Row("LEA", b"\x8d", "r", ("Gv", "M"), mem_only=True),
    Row("DIV", b"\xf7", 6, ("Ev",)),
    Row("BTS", b"\x0f\xab", "r", ("Ev", "Gv"), attributes=LOCK),
    Row("CMPXCHG", b"\x0f\xb1", "r", ("Ev", "Gv"), attributes=LOCK),
    Row("CMPXCHG16B", b"\x0f\xc7", 1, ("Mdq",), mem_only=True, rexw=True, attributes=LOCK),
    Row("PUSH", b"\xff", 6, ("Ev",)),
    Row("POP", b"\x58", None, ("Zv",), plus_r=True),
    Row("ENTER", b"\xc8", None, ("Iw", "Ib"), "wb"),
    Row("XLAT", b"\xd7"),
    Row("JZ", b"\x74", None, ("Jb",), "b"),
    Row("CALL", b"\xe8", None, ("Jz",), "d"),
    Row("RET", b"\xc3"),
    Row("ADDPS", b"\x0f\x58", "r", ("Vps", "Wps"), prefix=0),
    Row("ADDSD", b"\x0f\x58", "r", ("Vsd", "Wsd"), prefix=0xF2),
    Row("PSHUFB", b"\x0f\x38\x00", "r", ("Vx", "Wx"), prefix=0x66),
    Row("PSHUFD", b"\x0f\x70", "r", ("Vx", "Wx"), "b", prefix=0x66),
    Row("FADD", b"\xd8", 0, ("Ms",), mem_only=True),
    Row("FADD", b"\xd8\xc0", None, plus_r=True),
    Row("FSQRT", b"\xd9\xfa"),
    Row("FBLD", b"\xdf", 4, ("Mt",), mem_only=True),
    Row("FXSAVE", b"\x0f\xae", 0, ("M",), mem_only=True, prefix=0),
]
STRING_ROWS = [
    Row("MOVSB", b"\xa4", None, ("Yb", "Xb")),
    Row("CMPSD", b"\xa7", None, ("Xv", "Yv")),
    Row("STOS", b"\xab", None, ("Yv", "rAX")),
]


@pytest.fixture(scope="module")
def cpu() -> host.HostCpu:
    reason = host.unavailable()
    if reason:
        pytest.skip(reason)
    return host.HostCpu()


def name(row: Row) -> str:
    return f"{row.mnemonic} {row.opcode.hex()}"


@pytest.mark.parametrize("row", ROWS, ids=name)
def test_lengths_are_right_and_both_endings_agree(cpu: host.HostCpu, row: Row) -> None:
    """A jump behind the instruction and a single step must see the same end."""
    drawn = cases(row, 600, seed=1)
    jumped = cpu.run(drawn.code, drawn.start)
    stepped = cpu.run(drawn.code, drawn.start, step=True)
    assert differences(stepped, jumped, also=("fop", "fip", "fdp", "sreg")) == {}
    outcomes = Counter(int(vector) for vector in jumped["vector"])
    assert outcomes[Outcome.DONE] > 200, outcomes


@pytest.mark.parametrize("row", STRING_ROWS, ids=name)
def test_strings_run_and_repeat(cpu: host.HostCpu, row: Row) -> None:
    drawn = cases(row, 600, seed=1)
    end = cpu.run(drawn.code, drawn.start)
    done = end["vector"] == Outcome.DONE
    before = drawn.start["gpr"][:, 7].astype(np.int64)
    moved = np.abs(end["gpr"][:, 7].astype(np.int64) - before)
    assert done.sum() > 300
    assert (moved > 20).sum() > 50
    assert ((moved == 0) & done).sum() > 3


def test_memory_operands_meet_the_edges(cpu: host.HostCpu) -> None:
    loads = cases(ROWS[2], 4000, seed=2)
    assert DATA_END in cpu.run(loads.code, loads.start)["cr2"]
    drawn = cases(ROWS[0], 16_000, seed=2)
    end = cpu.run(drawn.code, drawn.start)
    faults = Counter((int(v), int(e)) for v, e in end[["vector", "error_code"]])
    assert faults.keys() >= {(-1, 0), (6, 0), (12, 0), (13, 0), (14, 6), (14, 7)}
    edges = set(end["cr2"][end["vector"] == 14].tolist())
    assert READ_ONLY in edges
    assert any(DATA_BASE - 16 < edge < DATA_BASE for edge in edges)
    changed = (end["mem"] != drawn.start["mem"]).any(axis=1)
    assert changed.sum() > 4000


def test_encodings_are_varied() -> None:
    codes = [code_bytes(row) for row in cases(ROWS[2], 4000, seed=3, states_each=1).code]
    drawn = cases(ROWS[2], 4000, seed=3, states_each=1).encodings
    bases = {e.address.base for e in drawn if e.address}
    indexes = {e.address.index for e in drawn if e.address}
    assert bases == {None, *range(16)}
    assert indexes == {None, *range(16)} - {4}
    assert any(e.address and e.address.rip for e in drawn)
    assert {e.opsize for e in drawn} == {16, 32, 64}
    assert {e.address_bits for e in drawn} == {32, 64}
    assert {len(code) for code in codes} >= set(range(2, 12))


def test_loads_see_their_operand(cpu: host.HostCpu) -> None:
    """MOV Gb, Eb from inside `mem`: recompute the address here and look the byte up."""
    drawn = cases(Row("MOVZX", b"\x0f\xb6", "r", ("Gv", "Eb"), mem_only=True), 2000, seed=4)
    end = cpu.run(drawn.code, drawn.start)
    seen = 0
    for start, after, encoded in zip(drawn.start, end, drawn.encodings, strict=True):
        a = encoded.address
        assert a is not None
        address = a.disp + (int(start["rip"]) + len(encoded.code) if a.rip else 0)
        address += int(start["gpr"][a.base]) if a.base is not None else 0
        address += int(start["gpr"][a.index]) * a.scale if a.index is not None else 0
        offset = address % (1 << a.bits) - int(start["mem_base"])
        if after["vector"] != Outcome.DONE or not 0 <= offset < MEM_SIZE:
            continue
        assert int(after["gpr"][encoded.reg]) & 0xFF == start["mem"][offset]
        seen += 1
    assert seen > 1500


def test_same_seed_same_cases() -> None:
    first, again, other = (cases(ROWS[0], 200, seed) for seed in (5, 5, 6))
    assert first.code.tobytes() == again.code.tobytes()
    assert first.start.tobytes() == again.start.tobytes()
    assert first.code.tobytes() != other.code.tobytes()


@pytest.mark.parametrize("mode", [16, 32])
def test_legacy_modes_have_no_rex(mode: Literal[16, 32]) -> None:
    drawn = cases(ROWS[0], 800, seed=7, mode=mode)
    prefixes = {0x66, 0x67, 0xF0, 0x2E, 0x36, 0x3E, 0x26, 0x65}
    for row in drawn.code:
        code = code_bytes(row)
        while code[0] in prefixes:
            code = code[1:]
        assert code[0] == 0x01
    assert {e.address_bits for e in drawn.encodings} == {16, 32}
    assert (drawn.start["gpr"] >> np.uint64(32) == 0).all()


def test_what_cannot_be_encoded_is_named() -> None:
    class Endless(Row):
        def imm_sizes(self, opsize: int) -> list[int]:
            return [8, 8]

    with pytest.raises(ValueError, match="no encoding of LONG 01 fits 15 bytes"):
        Encoder(Random(0)).encode(Endless("LONG", b"\x01"), DATA_BASE)
