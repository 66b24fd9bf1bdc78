"""What an oracle is given and what it returns: the visible state of one CPU and a little memory.

``STATE`` is one record of registers, x87/SSE state, memory and the fault, if any. The same record
describes the state before and after the instruction, so a test reads: fill an array of ``STATE``,
let two implementations run it, compare the arrays with
`compare.differences`.

Memory of a case::

    DATA_BASE            DATA_BASE + 0x1000    DATA_BASE + 0x2000   DATA_END
    | RW page            | RW page             | read-only page     |
    unmapped on both sides; all of it zero but for the `mem` bytes at `mem_base`.

``CODE_BASE`` .. ``CODE_END`` is executable and filled with INT3 but for the instruction, which
starts at the `rip` of the case. 16-bit code has a map of its own, `LAYOUT_16`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PAGE = 0x1000
MEM_SIZE = 1024
GPR_NAMES = (
    "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
    "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
)  # fmt: skip
SREG_NAMES = ("es", "cs", "ss", "ds", "fs", "gs")


@dataclass(frozen=True)
class Layout:
    """Linear addresses of the code and data a case may use."""

    code_base: int
    code_size: int
    entry: int
    data_base: int

    @property
    def code_end(self) -> int:
        """First address behind the code; fetching from it faults."""
        return self.code_base + self.code_size

    @property
    def read_only(self) -> int:
        """Start of the read-only page."""
        return self.data_base + 2 * PAGE

    @property
    def data_end(self) -> int:
        """First address behind the data; it is not mapped."""
        return self.data_base + 3 * PAGE


# Below 2 GiB, so that disp32, RIP-relative and 67h addressing reach the data.
LAYOUT = Layout(code_base=0x6000_0000, code_size=2 * PAGE, entry=0x6000_0800, data_base=0x7000_0000)
LAYOUT_16 = Layout(code_base=0x1000, code_size=2 * PAGE, entry=0x1800, data_base=0x8000)
CODE_BASE, CODE_END, ENTRY = LAYOUT.code_base, LAYOUT.code_end, LAYOUT.entry
DATA_BASE, READ_ONLY, DATA_END = LAYOUT.data_base, LAYOUT.read_only, LAYOUT.data_end
DATA_SIZE = DATA_END - DATA_BASE

# ST(i) in the FXSAVE image: 80 bits in a slot of 16 bytes (SDM Vol. 1, "FXSAVE Area").
ST = np.dtype([("significand", "<u8"), ("sign_exponent", "<u2"), ("unused", "<u2", 3)])

# Repeated by `struct State` in host_cpu.pyx. Without padding: numpy would not keep it.
STATE = np.dtype(
    [
        ("gpr", "<u8", 16),  # in encoding order: GPR_NAMES
        ("rip", "<u8"),
        ("rflags", "<u8"),
        ("fip", "<u8"),  # x87 instruction and data pointers, 64-bit form
        ("fdp", "<u8"),
        ("fcw", "<u2"),
        ("fsw", "<u2"),
        ("fop", "<u2"),
        ("ftw", "u1"),  # abridged as in FXSAVE: bit i = physical register i is not empty
        ("unused", "u1"),
        ("mxcsr", "<u4"),
        ("vector", "<i4"),  # exception raised, or one of Outcome
        ("error_code", "<u4"),
        ("sreg", "<u2", 6),  # selectors: SREG_NAMES; results only
        ("cr2", "<u8"),  # of a #PF only
        ("ymm", "<u8", (16, 4)),  # ymm[i][:2] is XMMi
        ("st", ST, 8),  # ST(0) first
        ("mem_base", "<u8"),
        ("stray", "<u8"),  # data_hash() if bytes outside `mem` were changed, else 0
        ("mem", "u1", MEM_SIZE),
    ]
)

INSTRUCTION = np.dtype([("bytes", "u1", 15), ("length", "u1")])

States = NDArray[np.void]
Instructions = NDArray[np.void]


class Outcome(IntEnum):
    """Values of `vector` that are not exception vectors."""

    DONE = -1  # the instruction completed
    REFUSED = -2  # this oracle must not or cannot execute it


class Flag(IntFlag):
    """RFLAGS bits (SDM Vol. 1, "EFLAGS Register")."""

    CF = 1 << 0
    PF = 1 << 2
    AF = 1 << 4
    ZF = 1 << 6
    SF = 1 << 7
    TF = 1 << 8
    IF = 1 << 9
    DF = 1 << 10
    OF = 1 << 11
    RF = 1 << 16
    AC = 1 << 18


STATUS_FLAGS = int(Flag.CF | Flag.PF | Flag.AF | Flag.ZF | Flag.SF | Flag.OF)
RFLAGS_INIT = 0x202  # IF and the bit that is always one
FCW_INIT = 0x37F  # FNINIT
MXCSR_INIT = 0x1F80  # reset


def states(count: int, layout: Layout = LAYOUT) -> States:
    """Return records in a plain start state: registers zero, stack in the middle of `mem`."""
    result = np.zeros(count, STATE)
    result["rip"] = layout.entry
    result["rflags"] = RFLAGS_INIT
    result["fcw"] = FCW_INIT
    result["mxcsr"] = MXCSR_INIT
    result["mem_base"] = layout.data_base + PAGE - MEM_SIZE // 2
    result["gpr"][:, GPR_NAMES.index("rsp")] = layout.data_base + PAGE
    result["vector"] = Outcome.DONE
    return result


def instructions(codes: Iterable[bytes]) -> Instructions:
    """Pack byte strings of 1 to 15 bytes for a batch."""
    listed = list(codes)
    packed = np.zeros(len(listed), INSTRUCTION)
    for row, code in zip(packed, listed, strict=True):
        if not 1 <= len(code) <= 15:
            raise ValueError(f"instruction {code.hex(' ')!r} has {len(code)} bytes, not 1 to 15")
        row["bytes"][: len(code)] = np.frombuffer(code, np.uint8)
        row["length"] = len(code)
    return packed


def code_bytes(instruction: np.void) -> bytes:
    """Return the bytes of one packed instruction."""
    return bytes(instruction["bytes"][: instruction["length"]])


_WEIGHTS = (np.arange(DATA_SIZE // 8, dtype=np.uint64) * np.uint64(2) + np.uint64(1)) * np.uint64(
    0x9E37_79B9_7F4A_7C15
)


def data_hash(data: bytes | memoryview) -> int:
    """Hash the data pages, for the `stray` field: the sum of words times odd weights."""
    words = np.frombuffer(data, "<u8")
    return int((words * _WEIGHTS).sum(dtype=np.uint64))


def stray_hash(data: bytes, mem_base: int, layout: Layout = LAYOUT) -> int:
    """Return what `stray` must be for these contents of the data pages."""
    start = mem_base - layout.data_base
    outside = data[:start] + data[start + MEM_SIZE :]
    if outside.count(0) == len(outside):
        return 0
    return data_hash(data)


def batch(
    code: bytes | Sequence[bytes] | Instructions, start: States, layout: Layout = LAYOUT
) -> Instructions:
    """Check a batch and return one packed instruction per state."""
    if isinstance(code, bytes):
        code = [code]
    packed = code if isinstance(code, np.ndarray) else instructions(code)
    if start.dtype != STATE:
        raise TypeError(f"start states have dtype {start.dtype}, expected state.STATE")
    if len(packed) not in {1, len(start)}:
        raise ValueError(f"{len(packed)} instructions for {len(start)} states")
    _within(start["mem_base"], MEM_SIZE, layout.data_base, layout.data_end, "mem_base")
    _within(start["rip"], 1, layout.code_base, layout.code_end, "rip")
    return np.ascontiguousarray(np.broadcast_to(packed, start.shape))


def _within(values: NDArray[np.uint64], size: int, low: int, high: int, name: str) -> None:
    outside = (values < np.uint64(low)) | (values > np.uint64(high - size))
    if outside.any():
        first = int(values[outside][0])
        raise ValueError(f"{name} is {first:#x}, expected {low:#x} to {high - size:#x}")
