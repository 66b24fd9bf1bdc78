"""The host harness tested on instructions whose result is computed here from the SDM."""

from __future__ import annotations

import random
import signal
import struct

import numpy as np
import pytest

from . import host
from .compare import differences, report
from .state import (
    CODE_END,
    DATA_BASE,
    DATA_END,
    DATA_SIZE,
    ENTRY,
    GPR_NAMES,
    MEM_SIZE,
    PAGE,
    READ_ONLY,
    STATE,
    Flag,
    Outcome,
    States,
    data_hash,
    instructions,
    states,
    stray_hash,
)

MASK = (1 << 64) - 1
EDGES = (0, 1, 2, 0x7F, 0x80, 0xFF, 1 << 31, (1 << 31) - 1, 1 << 63, (1 << 63) - 1, MASK - 1, MASK)


@pytest.fixture(scope="module")
def cpu() -> host.HostCpu:
    reason = host.unavailable()
    if reason:
        pytest.skip(reason)
    return host.HostCpu()


def one(cpu: host.HostCpu, code: str, start: States | None = None, **gprs: int) -> np.void:
    """Execute one instruction given in hexadecimal and return the state behind it."""
    begin = states(1) if start is None else start
    for name, value in gprs.items():
        begin["gpr"][0, GPR_NAMES.index(name)] = value & MASK
    end: np.void = cpu.run(bytes.fromhex(code), begin)[0]
    return end


def gpr(state: np.void, name: str) -> int:
    return int(state["gpr"][GPR_NAMES.index(name)])


def flag(state: np.void, which: Flag) -> bool:
    return bool(int(state["rflags"]) & which)


def pairs(count: int = 500) -> list[tuple[int, int]]:
    source = random.Random(1)
    drawn = [(source.getrandbits(64), source.getrandbits(64)) for _ in range(count)]
    return drawn + [(a, b) for a in EDGES for b in EDGES]


def test_structures_agree(cpu: host.HostCpu) -> None:
    fields = STATE.fields
    assert fields is not None
    for name, (offset, size) in host._module().layout().items():
        assert (fields[name][1], fields[name][0].itemsize) == (offset, size), name


def test_adc_flags(cpu: host.HostCpu) -> None:
    """ADC RAX, RCX; the flags from their definitions (SDM Vol. 1, "Status Flags")."""
    operands = pairs()
    start = states(len(operands))
    start["gpr"][:, 0] = [a for a, _ in operands]
    start["gpr"][:, 1] = [b for _, b in operands]
    start["rflags"][::2] |= np.uint64(Flag.CF)
    end = cpu.run(bytes.fromhex("48 11 c8"), start)
    assert (end["vector"] == Outcome.DONE).all()
    assert (end["rip"] == ENTRY + 3).all()
    for (a, b), before, after in zip(operands, start, end, strict=True):
        carry = int(before["rflags"]) & 1
        total = a + b + carry
        result = total & MASK
        flags = Flag(0)
        flags |= Flag.CF if total > MASK else Flag(0)
        flags |= Flag.PF if (result & 0xFF).bit_count() % 2 == 0 else Flag(0)
        flags |= Flag.AF if (a & 15) + (b & 15) + carry > 15 else Flag(0)
        flags |= Flag.ZF if result == 0 else Flag(0)
        flags |= Flag.SF if result >> 63 else Flag(0)
        flags |= Flag.OF if (~(a ^ b) & (a ^ result)) >> 63 & 1 else Flag(0)
        assert gpr(after, "rax") == result
        assert Flag(int(after["rflags"])) == flags | Flag.IF | 2


def test_imul_and_div(cpu: host.HostCpu) -> None:
    def signed(value: int) -> int:
        return value - (1 << 64) if value >> 63 else value

    for a, b in pairs(50):
        product = signed(a) * signed(b)
        end = one(cpu, "48 f7 e9", rax=a, rcx=b)
        assert (gpr(end, "rdx") << 64 | gpr(end, "rax")) == product & ((1 << 128) - 1)
        overflow = not -(1 << 63) <= product < 1 << 63
        assert flag(end, Flag.CF) == flag(end, Flag.OF) == overflow
        if b:
            end = one(cpu, "48 f7 f1", rax=a, rdx=b - 1, rcx=b)
            assert (gpr(end, "rax"), gpr(end, "rdx")) == divmod((b - 1) << 64 | a, b)


def test_divide_error_changes_nothing(cpu: host.HostCpu) -> None:
    end = one(cpu, "48 f7 f1", rax=5, rdx=7, rcx=7)
    assert (end["vector"], end["error_code"], end["rip"]) == (0, 0, ENTRY)
    assert [gpr(end, name) for name in ("rax", "rdx", "rcx")] == [5, 7, 7]


def test_every_register_arrives_and_leaves(cpu: host.HostCpu) -> None:
    source = np.random.Generator(np.random.PCG64(2))
    start = states(100)
    start["gpr"] = source.integers(0, 1 << 64, start["gpr"].shape, np.uint64)
    start["ymm"] = source.integers(0, 1 << 64, start["ymm"].shape, np.uint64)
    start["st"]["significand"] = source.integers(0, 1 << 64, (100, 8), np.uint64)
    start["st"]["sign_exponent"] = source.integers(0, 1 << 16, (100, 8))
    start["ftw"] = source.integers(0, 256, 100)
    start["fsw"] = source.integers(0, 8, 100) << 11
    start["mem"] = source.integers(0, 256, start["mem"].shape)
    end = cpu.run(b"\x90", start)
    start["rip"] += 1
    if not host.has_feature("AVX"):
        start["ymm"][:, :, 2:] = end["ymm"][:, :, 2:] = 0
    assert differences(start, end, flags=0xFFFF_FFFF) == {}
    faulting = start.copy()
    faulting["rip"] = ENTRY
    end = cpu.run(b"\x0f\x0b", faulting)
    assert (end["vector"] == 6).all()
    end["vector"] = Outcome.DONE
    if not host.has_feature("AVX"):
        end["ymm"][:, :, 2:] = 0
    assert differences(faulting, end, flags=0xFFFF_FFFF) == {}


@pytest.mark.parametrize(
    ("code", "address", "vector", "error", "cr2"),
    [
        ("8b 00", DATA_END, 14, 4, DATA_END),
        ("8b 00", DATA_END - 2, 14, 4, DATA_END),
        ("89 00", DATA_BASE - 4, 14, 6, DATA_BASE - 4),
        ("89 00", READ_ONLY, 14, 7, READ_ONLY),
        ("89 00", ENTRY + 64, 14, 7, ENTRY + 64),
        ("89 00", READ_ONLY - 2, 14, 7, READ_ONLY),
        ("01 00", READ_ONLY + 8, 14, 7, READ_ONLY + 8),
        ("8b 00", 1 << 63, 13, 0, 0),
        ("36 8b 45 00", 1 << 63, 12, 0, 0),
        ("0f 28 00", DATA_BASE + 8, 13, 0, 0),
    ],
)
def test_memory_faults(
    cpu: host.HostCpu, code: str, address: int, vector: int, error: int, cr2: int
) -> None:
    end = one(cpu, code, rax=address, rbp=address)
    assert (end["vector"], end["error_code"], end["cr2"]) == (vector, error, cr2)
    assert end["rip"] == ENTRY


def test_memory_in_and_out(cpu: host.HostCpu) -> None:
    start = states(1)
    start["mem_base"] = DATA_BASE + PAGE - 4
    start["mem"][0, :8] = list(struct.pack("<q", -3))
    end = one(cpu, "48 01 08", start, rax=DATA_BASE + PAGE - 4, rcx=10)
    assert struct.unpack("<q", bytes(end["mem"][:8])) == (7,)
    assert end["stray"] == 0


def test_write_outside_mem_is_noticed_and_forgotten(cpu: host.HostCpu) -> None:
    end = one(cpu, "89 08", rax=DATA_BASE + 8, rcx=0x1234)
    data = bytearray(DATA_SIZE)
    data[8:10] = b"\x34\x12"
    assert end["stray"] == data_hash(bytes(data)) == stray_hash(bytes(data), int(end["mem_base"]))
    end = one(cpu, "8b 08", rax=DATA_BASE + 8, rcx=1)
    assert (gpr(end, "rcx"), end["stray"]) == (0, 0)


def test_read_only_page_has_contents(cpu: host.HostCpu) -> None:
    start = states(1)
    start["mem_base"] = READ_ONLY
    start["mem"][0, 16] = 0x5A
    assert gpr(one(cpu, "8a 40 10", start, rax=READ_ONLY), "rax") & 0xFF == 0x5A


def test_rep_runs_to_its_end_or_fault(cpu: host.HostCpu) -> None:
    end = one(cpu, "f3 aa", rcx=100, rdi=DATA_BASE + PAGE - 50, rax=0xEE)
    assert (gpr(end, "rcx"), gpr(end, "rdi")) == (0, DATA_BASE + PAGE + 50)
    assert end["mem"].tolist().count(0xEE) == 100
    end = one(cpu, "f3 aa", rcx=1 << 40, rdi=READ_ONLY - 3, rax=0xEE)
    assert (end["vector"], end["cr2"], gpr(end, "rdi")) == (14, READ_ONLY, READ_ONLY)
    assert gpr(end, "rcx") == (1 << 40) - 3


@pytest.mark.parametrize(
    ("code", "rip", "rsp"),
    [
        ("eb 10", ENTRY + 0x12, 0),
        ("eb fe", ENTRY, 0),
        ("e9 00 00 00 f0", ENTRY + 5 - 0x1000_0000, 0),
        ("74 10", ENTRY + 2, 0),
        ("75 80", ENTRY + 2 - 0x80, 0),
        ("0f 85 00 10 00 00", ENTRY + 0x1006, 0),
        ("e8 00 01 00 00", ENTRY + 0x105, -8),
        ("e2 f0", ENTRY + 2 - 16, 0),
        ("c3", 0x1234, 8),
        ("c2 08 00", 0x1234, 16),
        ("ff e1", 0x4321, 0),
        ("ff d1", 0x4321, -8),
        ("48 cf", ENTRY + 0x40, None),
    ],
)
def test_branches(cpu: host.HostCpu, code: str, rip: int, rsp: int | None) -> None:
    start = states(1)
    start["mem"][0, MEM_SIZE // 2 :] = 0
    frame = struct.pack("<5Q", 0x1234, 0x33, 0x202, 0x7777, 0x2B)
    if code == "48 cf":
        frame = struct.pack("<5Q", rip, 0x33, 0x202 | Flag.CF, 0x7777, 0x2B)
    start["mem"][0, MEM_SIZE // 2 :][: len(frame)] = list(frame)
    end = one(cpu, code, start, rcx=0x4321)
    assert (end["vector"], int(end["rip"])) == (Outcome.DONE, rip)
    if rsp is None:
        assert (gpr(end, "rsp"), int(end["rflags"])) == (0x7777, 0x202 | Flag.CF)
        return
    assert gpr(end, "rsp") == DATA_BASE + PAGE + rsp
    if rsp == -8:
        pushed = bytes(end["mem"][MEM_SIZE // 2 - 8 : MEM_SIZE // 2])
        assert pushed == struct.pack("<Q", ENTRY + len(bytes.fromhex(code)))


def test_popf_may_set_any_user_flag(cpu: host.HostCpu) -> None:
    wanted = 0x202 | Flag.TF | Flag.AC | Flag.DF | Flag.CF | Flag.OF
    start = states(1)
    start["mem"][0, MEM_SIZE // 2 :][:8] = list(struct.pack("<Q", wanted))
    end = one(cpu, "9d", start)
    assert (end["vector"], end["rip"], int(end["rflags"])) == (Outcome.DONE, ENTRY + 1, wanted)
    assert one(cpu, "90")["rflags"] == 0x202


@pytest.mark.parametrize(
    ("code", "vector", "length"),
    [
        ("cc", 3, 1), ("f1", Outcome.REFUSED, 0), ("0f 0b", 6, 0), ("f4", 13, 0), ("fa", 13, 0),
        ("0f 20 c0", 13, 0), ("e4 10", 13, 0), ("06", 6, 0), ("f0 01 c8", 6, 0),
        (" ".join(["66"] * 14 + ["90"]), Outcome.DONE, 15), ("0f 01 c1", Outcome.REFUSED, 0),
        ("0f 05", Outcome.REFUSED, 0), ("cd 80", Outcome.REFUSED, 0), ("0f a2", Outcome.REFUSED, 0),
        ("f3 48 0f ae d0", Outcome.REFUSED, 0), ("64 8b 00", Outcome.REFUSED, 0),
        ("0f ae 28", Outcome.REFUSED, 0), ("8e e0", Outcome.REFUSED, 0),
    ],
)  # fmt: skip
def test_traps_and_refusals(cpu: host.HostCpu, code: str, vector: int, length: int) -> None:
    end = one(cpu, code)
    assert (end["vector"], int(end["rip"])) == (vector, ENTRY + length)


def test_fetch_across_the_end_of_the_code(cpu: host.HostCpu) -> None:
    start = states(2)
    start["rip"] = CODE_END - 3
    end = cpu.run([bytes.fromhex("b8 01 00 00 00"), bytes.fromhex("48 ff c0")], start)
    assert (end[0]["vector"], end[0]["cr2"], end[0]["rip"]) == (14, CODE_END, CODE_END - 3)
    assert end[0]["error_code"] in {0x14, 0x04}  # bit 4 only where NX is in use
    assert (end[1]["vector"], end[1]["rip"], gpr(end[1], "rax")) == (Outcome.DONE, CODE_END, 1)


@pytest.mark.parametrize(
    ("sign_exponent", "significand", "tag", "codes"),
    [
        (0x3FFF, 1 << 63, 1, "C2"),
        (0xBFFF, 1 << 63, 1, "C2 C1"),
        (0x0000, 0, 1, "C3"),
        (0x8000, 1, 1, "C3 C2 C1"),
        (0x7FFF, 1 << 63, 1, "C2 C0"),
        (0x7FFF, 3 << 62, 1, "C0"),
        (0x7FFF, 1, 1, ""),
        (0x1234, 1, 1, ""),
        (0x1234, 1, 0, "C3 C0"),
    ],
)
def test_fxam(
    cpu: host.HostCpu, sign_exponent: int, significand: int, tag: int, codes: str
) -> None:
    """FXAM's classes (SDM Vol. 2A, "FXAM"): also proof that ST(0) arrives unchanged."""
    bits = {"C0": 1 << 8, "C1": 1 << 9, "C2": 1 << 10, "C3": 1 << 14}
    start = states(1)
    start["fsw"] = 5 << 11
    start["ftw"] = tag << 5
    start["st"][0, 0] = (significand, sign_exponent, 0)
    end = one(cpu, "d9 e5", start)
    assert int(end["fsw"]) == 5 << 11 | sum(bits[name] for name in codes.split())


def test_x87_exception_is_raised_by_the_next_instruction(cpu: host.HostCpu) -> None:
    start = states(1)
    start["fcw"] = 0x37B  # ZM clear
    start["ftw"] = 0xC0
    start["fsw"] = 6 << 11
    start["st"][0, 0] = (1 << 63, 0x3FFF, 0)
    end = one(cpu, "d8 f1", start)
    assert (end["vector"], int(end["fsw"])) == (Outcome.DONE, 6 << 11 | 0x8084)
    end["rip"] = ENTRY
    again = one(cpu, "d9 e8", end.reshape(1).copy())
    assert (again["vector"], int(again["rip"])) == (16, ENTRY)


def test_addps_and_its_exceptions(cpu: host.HostCpu) -> None:
    source = np.random.Generator(np.random.PCG64(3))
    start = states(200)
    values = source.integers(0, 1 << 32, (200, 2, 4), np.uint32)
    values[(values & 0x7F80_0000) == 0x7F80_0000] = 0x7F80_0000  # no NaN: Python cannot say which
    start["ymm"][:, 0, :2] = values[:, 0].copy().view(np.uint64)
    start["ymm"][:, 1, :2] = values[:, 1].copy().view(np.uint64)
    end = cpu.run(bytes.fromhex("0f 58 c1"), start)
    with np.errstate(all="ignore"):
        expected = values[:, 0].view(np.float32) + values[:, 1].view(np.float32)
    got = end["ymm"][:, 0, :2].copy().view(np.float32)
    assert np.array_equal(np.nan_to_num(expected, nan=7.0), np.nan_to_num(got, nan=7.0))
    start["mxcsr"] = 0x1F80 & ~0x1000  # PM clear
    start["ymm"][:, :2, :2] = [[0x3F80_0000, 0], [0x3080_0001, 0]]
    end = cpu.run(bytes.fromhex("0f 58 c1"), start)
    assert (end["vector"] == 19).all()
    assert (end["mxcsr"] == 0x0FA0).all()
    assert np.array_equal(end["ymm"], start["ymm"])


def test_process_is_left_as_it_was(cpu: host.HostCpu) -> None:
    before = [signal.getsignal(s) for s in (signal.SIGSEGV, signal.SIGFPE, signal.SIGTRAP)]
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    start = states(1)
    start["mxcsr"], start["fcw"] = 0x7F80, 0xF7F  # round toward zero in both
    start["rflags"] |= np.uint64(Flag.DF)
    start["ftw"] = 0xFF
    for code in ("90", "0f 0b", "8b 00", "8e d8", "8e c0"):
        one(cpu, code, start.copy(), rax=0x2B)
    assert np.float32(1) / np.float32(3) > np.float64(1) / 3  # SSE rounds to nearest again
    third = np.longdouble(1) / 3
    assert not np.longdouble(2) / 3 - third - third  # and the x87, to 64 bits
    assert bytes(bytearray(range(256)) * 40)[5000] == 5000 % 256
    assert [signal.getsignal(s) for s in (signal.SIGSEGV, signal.SIGFPE, signal.SIGTRAP)] == before
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == mask
    assert one(cpu, "8c d8")["gpr"][0] & 0xFFFF == end_selector(cpu, 3)


def end_selector(cpu: host.HostCpu, index: int) -> int:
    return int(one(cpu, "90")["sreg"][index])


def test_step_takes_one_iteration_and_finds_the_length(cpu: host.HostCpu) -> None:
    start = states(1)
    start["gpr"][0, GPR_NAMES.index("rcx")] = 5
    start["gpr"][0, GPR_NAMES.index("rdi")] = DATA_BASE + PAGE
    end = cpu.run(bytes.fromhex("f3 aa 90 90"), start, step=True)[0]
    assert (gpr(end, "rcx"), int(end["rip"])) == (4, ENTRY)
    end = cpu.run(bytes.fromhex("48 ff c0 48 ff c0"), start, step=True)[0]
    assert (gpr(end, "rax"), int(end["rip"])) == (1, ENTRY + 3)


def test_random_bytes_do_no_harm(cpu: host.HostCpu) -> None:
    source = np.random.Generator(np.random.PCG64(4))
    start = states(3000)
    near = source.integers(DATA_BASE, DATA_END, start["gpr"].shape, np.uint64)
    start["gpr"] = np.where(source.random(near.shape) < 0.8, near, near << np.uint64(20))
    # Zeros behind four bytes: a random displacement could reach data of this process.
    code = [bytes(row) + bytes(11) for row in source.integers(0, 256, (3000, 4), np.uint8)]
    end = cpu.run(code, start, step=True)
    seen = set(end["vector"].tolist())
    assert seen >= {Outcome.DONE, Outcome.REFUSED, 6, 13, 14}
    assert differences(end, cpu.run(code, start, step=True)) == {}


def test_wrong_input_is_named(cpu: host.HostCpu) -> None:
    start = states(2)
    with pytest.raises(ValueError, match="3 instructions for 2 states"):
        cpu.run([b"\x90"] * 3, start)
    with pytest.raises(ValueError, match="not 1 to 15"):
        cpu.run(bytes(16), start)
    start["mem_base"] = DATA_END - 8
    with pytest.raises(ValueError, match="mem_base is 0x70002ff8"):
        cpu.run(b"\x90", start)


def test_differences_names_what_differs(cpu: host.HostCpu) -> None:
    expected = cpu.run(b"\x90", states(3))
    actual = expected.copy()
    actual["gpr"][1, 5] = 7
    actual["rflags"][1] |= np.uint64(Flag.ZF)
    assert differences(expected, actual) == {
        1: ["rflags: expected no flag, got ZF", "rbp: expected 0x0, got 0x7"]
    }
    assert list(differences(expected, actual, flags=int(Flag.CF), ignore=["gpr"])) == []
    told = report(instructions([b"\x90"]), states(3), differences(expected, actual))
    assert told.startswith("1 of 3 cases differ\ncase 1: 90\n")
    assert told.endswith("rbp: expected 0x0, got 0x7")
