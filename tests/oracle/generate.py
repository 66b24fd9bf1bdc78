"""Random cases for one instruction form: encodings, and start states that make them interesting.

An encoding is drawn together with a place for its memory operand: inside the `mem` bytes, across a
page boundary, at the edge of what is mapped or writable, or at a non-canonical address. The
registers of its address are then solved so that it points there, in each of a few random states.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
from numpy.typing import NDArray

from . import values
from .encode import BIT_TESTS, Address, Encoded, Encoder, Form, is_string
from .state import (
    LAYOUT,
    LAYOUT_16,
    MEM_SIZE,
    PAGE,
    STATE,
    Instructions,
    Layout,
    Outcome,
    States,
    instructions,
)
from .values import U64, Shape

Bytes = NDArray[np.uint8]
Pool = Callable[[np.random.Generator, Shape], U64]
RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI = range(8)


@dataclass(frozen=True)
class Cases:
    """A batch for `HostCpu.run` or `UnicornCpu.run`, and the encodings behind it."""

    code: Instructions
    start: States
    encodings: list[Encoded]


@dataclass(frozen=True)
class Place:
    """Where the operands of one encoding lie."""

    mem_base: int
    target: int
    rsp: int


def cases(
    form: Form, count: int, seed: int, *, mode: int = 64, states_each: int | None = None
) -> Cases:
    """Draw `count` cases of one form.

    Parameters
    ----------
    seed
        The same seed and form give the same cases.
    mode
        16, 32 or 64: the size of the code segment.
    states_each
        States per encoding; by default 16, and more where `count` is large.
    """
    layout = LAYOUT_16 if mode == 16 else LAYOUT
    identity = f"{form.mnemonic} {form.opcode.hex()} {form.prefix} {form.modrm} {form.operands}"
    key = zlib.crc32(identity.encode())
    source = Random(seed << 32 | key)
    g = np.random.Generator(np.random.PCG64([seed, key]))
    each = states_each or max(16, count // 2000)
    encoder = Encoder(source, mode, layout)
    encodings: list[Encoded] = []
    start = draw_states(g, form, count, layout)
    operand = _x87_operands(g, count) if _is_x87(form) else _operands(g, form, count)
    stack = _stack(g, count, layout)
    for done in range(0, count, each):
        place = draw_place(source, layout, mode, _alignments(form))
        encoded = encoder.encode(form, place.target)
        rows = slice(done, done + each)
        part = start[rows]
        part["gpr"][:, RSP] = place.rsp
        part["mem_base"] = place.mem_base
        _write(part, place.target, operand[rows])
        _write(part, place.rsp, stack[rows])
        _implied(g, form, encoded, part, place)
        if encoded.address is not None:
            solve(encoded.address, part, place.target)
        encodings += [encoded] * len(part)
    if mode != 64:
        _without_64_bit_registers(start)
    return Cases(instructions(e.code for e in encodings), start, encodings)


def _alignments(form: Form) -> tuple[int, ...]:
    """Return what to align the operand to: 16 bytes mostly, where a misaligned one faults."""
    wide = any(operand[0] in "VW" or operand in {"M", "Mdq"} for operand in form.operands)
    return (1, 8, 16, 16, 16, 16) if wide else (1, 1, 4, 16)


def draw_place(source: Random, layout: Layout, mode: int, alignments: tuple[int, ...]) -> Place:
    """Choose the `mem` bytes, the memory operand and the stack.

    The operand is in the first half of `mem` and the stack in the second, where both fit.
    """
    page = layout.data_base + PAGE
    middle = page - MEM_SIZE // 2
    inside = 128 + source.randrange(320)
    inside -= inside % source.choice(alignments)
    stack = MEM_SIZE // 2 + 48 + 8 * source.randrange(40) + source.choice((0, 0, 0, 0, 1, 2, 4, 7))
    edge = source.randrange(1, source.choice((4, 8, 16)))
    near = source.choice((edge, source.randrange(-64, 1)))
    highest = layout.data_end - MEM_SIZE
    kinds = [
        (68, Place(middle, middle + inside, middle + stack)),
        (12, Place(middle, page - edge, middle + stack)),
        (3, Place(layout.data_base, layout.data_base - edge, layout.data_base + stack)),
        (6, Place(layout.read_only - MEM_SIZE // 2, layout.read_only - near, middle + stack)),
        (5, Place(highest, layout.data_end - near, middle + stack)),
        (2, Place(layout.data_base, layout.data_base + inside, layout.data_base + edge - 1)),
        (2, Place(highest, highest + inside, layout.data_end + 1 - edge)),
        (2, Place(middle, _not_canonical(source, mode, middle + inside), middle + stack)),
    ]
    if mode == 16:  # real mode has no pages and no edges
        del kinds[2:]
    return source.choices([kind for _, kind in kinds], [weight for weight, _ in kinds])[0]


def _not_canonical(source: Random, mode: int, address: int) -> int:
    """Spoil bits 47 to 63, which must be equal (SDM Vol. 1, "Canonical Addressing")."""
    if mode != 64:
        return address
    return address | source.choice((1 << 47, 1 << 63, source.randrange(1, 0x1_FFFF) << 47))


def draw_states(g: np.random.Generator, form: Form, count: int, layout: Layout) -> States:
    """Draw registers and memory, still without regard to where the operands are."""
    start = np.zeros(count, STATE)
    start["vector"] = Outcome.DONE
    start["rip"] = layout.entry
    start["rflags"] = values.status_flags(g, count) | np.uint64(0x202)
    start["gpr"] = values.integers(g, (count, 16))
    start["mem"] = values.words(g, (count, MEM_SIZE // 8)).view(np.uint8)
    _vectors(g, form, start)
    _x87(g, start)
    return start


def _without_64_bit_registers(start: States) -> None:
    start["gpr"] &= np.uint64(0xFFFF_FFFF)
    start["gpr"][:, 8:] = 0
    start["ymm"][:, 8:] = 0


def _write(start: States, address: int, data: Bytes) -> None:
    """Write one row of `data` per state at an address, as far as that is in `mem`."""
    offset = address - int(start["mem_base"][0])
    low, high = max(0, offset), min(MEM_SIZE, offset + data.shape[1])
    if low < high:
        start["mem"][:, low:high] = data[:, low - offset : high - offset]


def _kinds_of(form: Form) -> Sequence[Pool]:
    """Return the value pools for 64-bit elements that suit the operand types of a form."""
    types = {operand[1:] for operand in form.operands}
    if types & {"ps", "ss"}:
        return [values.single_pairs] * 3 + [values.integers]
    if types & {"pd", "sd"}:
        return [values.doubles] * 3 + [values.integers]
    return [values.integers, values.words, values.single_pairs, values.doubles]


def _vectors(g: np.random.Generator, form: Form, start: States) -> None:
    """Fill XMM0-15, each state from one pool; the upper halves stay zero as after VZEROUPPER."""
    count = len(start)
    pools = _kinds_of(form)
    chosen = g.integers(0, len(pools), count)
    for number, pool in enumerate(pools):
        rows = np.flatnonzero(chosen == number)
        start["ymm"][rows, :, :2] = pool(g, (len(rows), 16, 2))
    start["mxcsr"] = values.mxcsr(g, count)


def _x87(g: np.random.Generator, start: States) -> None:
    """Fill the x87 stack: full, or partly empty so that it can overflow and underflow."""
    count = len(start)
    start["fcw"] = values.fcw(g, count)
    start["fsw"] = values.fsw(g, start["fcw"])
    start["ftw"] = np.where(g.random(count) < 0.6, 0xFF, g.integers(0, 256, count))
    start["fop"] = g.integers(0, 1 << 11, count)
    start["st"] = values.extended(g, (count, 8))


def _is_x87(form: Form) -> bool:
    return form.vex is None and 0xD8 <= form.opcode[0] <= 0xDF


def _operands(g: np.random.Generator, form: Form, count: int) -> Bytes:
    """Draw 16 bytes for the memory operand of each state, of the pools that suit the form."""
    pools = _kinds_of(form)
    drawn = [pool(g, (count, 2)) for pool in pools]
    chosen = g.integers(0, len(pools), (count, 1))
    return np.choose(chosen, drawn).view(np.uint8).reshape(count, 16)


def _x87_operands(g: np.random.Generator, count: int) -> Bytes:
    """Draw numbers in the memory formats of the x87: any of them, for any instruction."""
    drawn = np.zeros((5, count, 16), np.uint8)
    drawn[0] = values.single_pairs(g, (count, 2)).view(np.uint8)
    drawn[1] = values.doubles(g, (count, 2)).view(np.uint8)
    drawn[2] = values.extended(g, count).view(np.uint8).reshape(count, 16)
    drawn[3, :, :10] = values.packed_bcd(g, count)
    drawn[4] = values.integers(g, (count, 2)).view(np.uint8)
    return drawn[g.integers(0, 5, count), np.arange(count)]


def _stack(g: np.random.Generator, count: int, layout: Layout) -> Bytes:
    """Draw what is on top of the stack: return addresses, flags, integers."""
    near = np.uint64(layout.entry) + g.integers(32, 256, (count, 8), np.uint64)
    return np.where(g.random((count, 8)) < 0.4, near, values.integers(g, (count, 8))).view(np.uint8)


def _implied(
    g: np.random.Generator, form: Form, encoded: Encoded, start: States, place: Place
) -> None:
    """Prepare operands that are not in ModRM, and the cases that chance alone would never hit."""
    if is_string(form):
        _string(g, encoded, start, place)
    elif form.mnemonic in {"DIV", "IDIV"}:
        _dividend(g, start)
    elif form.mnemonic.startswith("CMPXCHG"):
        _comparand(g, form, start, place)
    elif form.mnemonic in BIT_TESTS and form.modrm == "r":
        start["gpr"][:, encoded.reg] = g.integers(-900, 900, len(start)).astype(np.uint64)
    elif form.mnemonic in {"XLAT", "XLATB"}:
        _point(start, RBX, place.target - 100, encoded.address_bits)
        start["gpr"][:, RAX] &= np.uint64(0xFFFF_FFFF_FFFF_FF3F)
    elif form.mnemonic.startswith("MASKMOV"):
        _point(start, RDI, place.target, encoded.address_bits)
    elif form.mnemonic in {"ENTER", "LEAVE"}:
        start["gpr"][:, RBP] = place.rsp + 8 * int(g.integers(-4, 8))
    elif form.mnemonic.startswith(("LOOP", "J")):
        few = g.integers(0, 3, len(start), np.uint64)
        start["gpr"][:, RCX] = np.where(g.random(len(start)) < 0.5, few, start["gpr"][:, RCX])


def _point(start: States, register: int, address: int, bits: int) -> None:
    """Make the low `bits` of a register an address; the rest stays random."""
    mask = (1 << bits) - 1
    kept = start["gpr"][:, register] & np.uint64(~mask & 0xFFFF_FFFF_FFFF_FFFF)
    start["gpr"][:, register] = kept | np.uint64(address & mask)


def _string(g: np.random.Generator, encoded: Encoded, start: States, place: Place) -> None:
    """Point RSI and RDI into memory, overlapping at times, and count up to some tens."""
    source, destination = place.target, place.mem_base + int(g.integers(100, 420))
    if g.random() < 0.5:
        source, destination = destination, source
    if g.random() < 0.3:
        source = destination + int(g.integers(-20, 20))
    _point(start, RSI, source, encoded.address_bits)
    _point(start, RDI, destination, encoded.address_bits)
    count = g.integers(0, 40, len(start), np.uint64)
    if encoded.repeat and g.random() < 0.05:
        count |= np.uint64(0x10_0000)
    mask = np.uint64((1 << encoded.address_bits) - 1)
    start["gpr"][:, RCX] = start["gpr"][:, RCX] & ~mask | count & mask
    equal = g.random(len(start)) < 0.4  # so that REPE has something to repeat
    start["mem"][equal] = start["mem"][equal, :1]


def _dividend(g: np.random.Generator, start: States) -> None:
    """Make most quotients fit: RDX small or the sign of RAX, in all widths."""
    gpr = start["gpr"]
    sign = (gpr[:, RAX].view(np.int64) >> 63).view(np.uint64)
    small = g.integers(0, 100, len(start), np.uint64)
    kind = g.integers(0, 4, len(start))
    gpr[:, RDX] = np.choose(kind, (gpr[:, RDX], sign, small, np.zeros_like(sign)))
    high_byte = g.random(len(start)) < 0.5  # AH, for the 8-bit forms
    gpr[high_byte, RAX] &= np.uint64(0xFFFF_FFFF_FFFF_07FF)


def _comparand(g: np.random.Generator, form: Form, start: States, place: Place) -> None:
    """Make the accumulator equal the destination in half of the states."""
    offset = place.target - place.mem_base
    if not 0 <= offset <= MEM_SIZE - 16:
        return
    equal = np.flatnonzero(g.random(len(start)) < 0.5)
    memory = np.ascontiguousarray(start["mem"][equal, offset : offset + 16]).view(np.uint64)
    start["gpr"][equal, RAX] = memory[:, 0]
    if form.mnemonic == "CMPXCHG8B":
        start["gpr"][equal, RDX] = memory[:, 0] >> np.uint64(32)
    elif form.mnemonic == "CMPXCHG16B":
        start["gpr"][equal, RDX] = memory[:, 1]
    else:
        start["gpr"][equal, :] = np.where(
            g.random((len(equal), 16)) < 0.5, memory[:, :1], start["gpr"][equal, :]
        )
        start["gpr"][equal, RSP] = place.rsp


def solve(address: Address, start: States, target: int) -> None:
    """Set the base or index register so that the operand lies at `target`, or within 8 bytes."""
    mask = (1 << address.bits) - 1
    if address.base is None and address.index is None:
        return
    wanted = target - address.disp
    if address.base is None:
        assert address.index is not None
        _point(start, address.index, (wanted & mask) // address.scale, address.bits)
        return
    if address.index == address.base:
        _point(start, address.base, (wanted & mask) // (1 + address.scale), address.bits)
        return
    index = np.zeros(len(start), np.uint64)
    if address.index is not None:
        index = start["gpr"][:, address.index] * np.uint64(address.scale)
    base = (np.uint64(wanted & (1 << 64) - 1) - index) & np.uint64(mask)
    kept = start["gpr"][:, address.base] & np.uint64(~mask & (1 << 64) - 1)
    start["gpr"][:, address.base] = kept | base
