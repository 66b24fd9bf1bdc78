"""Random values that find bugs: the edges of every number format, and what lies between them.

Every function takes a numpy `Generator` and a shape, and mixes special values with random ones.
"""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

from .state import FCW_INIT, MXCSR_INIT, ST, STATUS_FLAGS, Flag

U64 = NDArray[np.uint64]
Shape = int | tuple[int, ...]


def _integer_edges() -> U64:
    edges = {0, 1, 2, 3, 5, 10, 0x66, 0x99}
    for bits in (4, 7, 8, 15, 16, 31, 32, 47, 48, 63, 64):
        edges |= {(1 << bits) - 2, (1 << bits) - 1, 1 << bits, (1 << bits) + 1}
    edges |= {-edge for edge in edges}
    return np.array(sorted({edge & 0xFFFF_FFFF_FFFF_FFFF for edge in edges}), np.uint64)


def _float_edges(code: str, size: int) -> U64:
    """Bit patterns of one IEEE 754 format: all its classes, and the limits of the conversions."""
    fraction = {4: 23, 8: 52}[size]
    infinity = ((1 << (8 * size - 1 - fraction)) - 1) << fraction
    one = int.from_bytes(struct.pack(code, 1.0), "little")
    patterns = {0, 1, 2, (1 << fraction) - 1, 1 << fraction, (1 << fraction) + 1}
    patterns |= {infinity, infinity - 1, infinity + 1, infinity | 1 << (fraction - 1)}
    patterns |= {
        infinity | (1 << fraction) - 1,
        infinity | 3 << (fraction - 2),
        one,
        one + 1,
        one - 1,
    }
    for value in (0.5, 1.5, 2.0, 2.5, 3.0, 10.0, 0.1, 1 / 3, 32767.5, 65536.0):
        patterns.add(int.from_bytes(struct.pack(code, value), "little"))
    for bits in (31, 32, 52, 53, 62, 63, 64):
        patterns.add(int.from_bytes(struct.pack(code, 2.0**bits), "little"))
        patterns.add(int.from_bytes(struct.pack(code, 2.0**bits), "little") - 1)
    sign = 1 << (8 * size - 1)
    return np.array(sorted(patterns | {pattern | sign for pattern in patterns}), np.uint64)


INTEGERS = _integer_edges()
SINGLES = _float_edges("<f", 4)
DOUBLES = _float_edges("<d", 8)


def words(g: np.random.Generator, shape: Shape) -> U64:
    """Draw 64 random bits."""
    return g.integers(0, 1 << 64, shape, np.uint64)


def _mix(g: np.random.Generator, shape: Shape, *kinds: U64) -> U64:
    """Take each element from one of the arrays."""
    return np.choose(g.integers(0, len(kinds), shape), kinds)


def integers(g: np.random.Generator, shape: Shape) -> U64:
    """Draw edges, small numbers, random bits, and random bits of random length."""
    random = words(g, shape)
    return _mix(
        g,
        shape,
        g.choice(INTEGERS, shape),
        random,
        random >> g.integers(0, 64, shape, np.uint64),
        words(g, shape) & np.uint64(0xFF),
    )


def _floats(g: np.random.Generator, shape: Shape, edges: U64, fraction: int, bias: int) -> U64:
    """Draw edges, random bits, normal numbers close to each other, and their few-bit kin."""
    sign = words(g, shape) & np.uint64(1 << (63 if bias > 127 else 31))
    exponent = g.integers(bias - 4, bias + 5, shape, np.uint64) << np.uint64(fraction)
    wide = g.integers(1, 2 * bias, shape, np.uint64) << np.uint64(fraction)
    bits = words(g, shape) & np.uint64((1 << fraction) - 1)
    few = bits & np.uint64(0xF << (fraction - 4))
    return _mix(
        g, shape, g.choice(edges, shape), sign | exponent | bits, sign | exponent | few,
        sign | wide | bits,
    )  # fmt: skip


def singles(g: np.random.Generator, shape: Shape) -> U64:
    """Draw bit patterns of single precision, in the low 32 bits."""
    return _floats(g, shape, SINGLES, 23, 127)


def doubles(g: np.random.Generator, shape: Shape) -> U64:
    """Draw bit patterns of double precision."""
    return _floats(g, shape, DOUBLES, 52, 1023)


def single_pairs(g: np.random.Generator, shape: Shape) -> U64:
    """Draw two single-precision patterns per element."""
    return singles(g, shape) | singles(g, shape) << np.uint64(32)


def extended(g: np.random.Generator, shape: Shape) -> NDArray[np.void]:
    """Draw 80-bit values, also those only an 8087 knew (SDM Vol. 1, "Unsupported Double ...")."""
    exponents = np.array(
        [0, 1, 2, 0x3FBE, 0x3FC0, 0x3FDF, 0x3FFD, 0x3FFE, 0x3FFF, 0x4000, 0x400E, 0x400F, 0x401D,
         0x401E, 0x403C, 0x403D, 0x403E, 0x403F, 0x7FFD, 0x7FFE, 0x7FFF],
        np.uint64,
    )  # fmt: skip
    top = np.uint64(1 << 63)
    significands = np.array(
        [0, 1, 1 << 40, (1 << 62) - 1, 1 << 62, (1 << 62) + 1, (1 << 63) - 1, 1 << 63,
         (1 << 63) + 1, 0xC000 << 48, (0xC000 << 48) + 1, (1 << 64) - 1, (1 << 64) - 2,
         0xA000 << 48, 0xC90F_DAA2_2168_C235],
        np.uint64,
    )  # fmt: skip
    bits = words(g, shape)
    near = g.integers(0x3FFF - 5, 0x3FFF + 70, shape, np.uint64)
    result = np.zeros(shape, ST)
    result["significand"] = _mix(
        g,
        shape,
        g.choice(significands, shape),
        bits | top,
        bits & np.uint64(0xFF << 56) | top,
        bits,
    )
    exponent = _mix(g, shape, g.choice(exponents, shape), near, near, words(g, shape))
    result["sign_exponent"] = exponent & np.uint64(0x7FFF) | words(g, shape) << np.uint64(15)
    ordinary = g.random(shape) < 0.3  # exact small numbers, so that results are exact too
    result["significand"][ordinary] |= top
    result["sign_exponent"][ordinary] = 0x3FFF + (near[ordinary] & np.uint64(7))
    return result


def packed_bcd(g: np.random.Generator, count: int) -> NDArray[np.uint8]:
    """Draw 80-bit packed decimals, a few with digits above nine."""
    digits = g.integers(0, 10, (count, 20))
    digits[g.random(count) < 0.1] = g.integers(0, 16, (1, 20))
    packed = (digits[:, ::2] | digits[:, 1::2] << 4).astype(np.uint8)
    packed[:, 9] = g.choice(np.array([0, 0x80, 0x12, 0xFF], np.uint8), count)
    return packed


def status_flags(g: np.random.Generator, count: int) -> U64:
    """Draw OSZAPC, and DF once in four."""
    flags = words(g, count) & np.uint64(STATUS_FLAGS)
    return flags | np.where(g.random(count) < 0.25, np.uint64(Flag.DF), np.uint64(0))


def _pick(
    g: np.random.Generator, plain: int, masked: NDArray[np.int64], unmasked: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Take the plain value, one with exceptions masked, or, in one case of seven, any."""
    count = len(masked)
    kind = g.choice(3, count, p=(0.4, 0.45, 0.15))
    return np.where(kind == 0, plain, np.where(kind == 1, masked, unmasked))


def mxcsr(g: np.random.Generator, count: int) -> NDArray[np.uint32]:
    """Draw MXCSR: as reset, with any rounding, DAZ, FTZ and flags, or with exceptions unmasked."""
    masked = (g.integers(0, 1 << 16, count) & 0xE07F) | MXCSR_INIT
    return _pick(g, MXCSR_INIT, masked, g.integers(0, 1 << 16, count)).astype(np.uint32)


def fcw(g: np.random.Generator, count: int) -> NDArray[np.uint16]:
    """Draw the control word: any precision and rounding, sometimes exceptions unmasked."""
    rounding = g.integers(0, 4, count) << 10
    masked = rounding | (g.choice((0, 2, 3), count) << 8) | 0x7F
    unmasked = rounding | (3 << 8) | 0x40 | g.integers(0, 64, count)
    return _pick(g, FCW_INIT, masked, unmasked).astype(np.uint16)


def fsw(g: np.random.Generator, control: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Draw a status word: any TOP and conditions, flags; in one case of thirty an error pending.

    ES and B are what the control word makes of the flags, as FXRSTOR would set them.
    """
    count = len(control)
    status = g.integers(0, 1 << 16, count) & 0x7F7F
    pending = g.random(count) < 1 / 30
    masks = control.astype(np.int64) & 0x3F
    status = np.where(pending, status, status & (masks | 0x7F40))
    status &= np.where(g.random(count) < 0.5, 0x7F00, 0x7F7F)
    error = (status & 0x3F & ~masks) != 0
    return (status | np.where(error, 0x8080, 0)).astype(np.uint16)
