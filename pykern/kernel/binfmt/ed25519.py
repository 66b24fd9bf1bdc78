"""Ed25519: keys, signing, and checking a signature.

Slow, and not in constant time: for checking programs with a public key, and for signing them on a
machine that nobody else measures. See ADR 21.

References
----------
RFC 8032, Edwards-Curve Digital Signature Algorithm (EdDSA), 5.1 Ed25519ph, Ed25519ctx, and Ed25519.
"""

from __future__ import annotations

import hashlib
from typing import TypeAlias

__all__ = ["KEY_SIZE", "SIGNATURE_SIZE", "public_key", "sign", "verify"]

KEY_SIZE, SIGNATURE_SIZE = 32, 64

_P = 2**255 - 19
_ORDER = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, _P) % _P
_SQRT_MINUS_1 = pow(2, (_P - 1) // 4, _P)
_Y_MASK = (1 << 255) - 1

_Point: TypeAlias = tuple[int, int, int, int]
"""Extended coordinates X, Y, Z, T of x = X/Z, y = Y/Z, x * y = T/Z."""
_NEUTRAL: _Point = (0, 1, 1, 0)


def public_key(secret: bytes) -> bytes:
    """Return the public key of a secret one; 32 bytes each."""
    scalar, _ = _expand(secret)
    return _encode(_multiply(scalar, _BASE))


def sign(secret: bytes, message: bytes) -> bytes:
    """Return the signature of a message, 64 bytes."""
    scalar, prefix = _expand(secret)
    public = _encode(_multiply(scalar, _BASE))
    nonce = _hash_number(prefix, message) % _ORDER
    commitment = _encode(_multiply(nonce, _BASE))
    challenge = _hash_number(commitment, public, message) % _ORDER
    response = (nonce + challenge * scalar) % _ORDER
    return commitment + response.to_bytes(32, "little")


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Return whether a signature is that of a message by the owner of a public key."""
    if len(public) != KEY_SIZE or len(signature) != SIGNATURE_SIZE:
        return False
    key, commitment = _decode(public), _decode(signature[:32])
    response = int.from_bytes(signature[32:], "little")
    if key is None or commitment is None or response >= _ORDER:
        return False
    challenge = _hash_number(signature[:32], public, message) % _ORDER
    return _equal(_multiply(response, _BASE), _add(commitment, _multiply(challenge, key)))


def _expand(secret: bytes) -> tuple[int, bytes]:
    """Return the scalar of a secret key, and what its nonces are made from."""
    if len(secret) != KEY_SIZE:
        raise ValueError(f"secret key of {len(secret)} bytes, expected {KEY_SIZE}")
    digest = hashlib.sha512(secret).digest()
    scalar = int.from_bytes(digest[:32], "little") & (1 << 254) - 8 | 1 << 254
    return scalar, digest[32:]


def _hash_number(*parts: bytes) -> int:
    return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little")


def _add(a: _Point, b: _Point) -> _Point:
    """Add two points (RFC 8032, 5.1.4)."""
    low, high = (a[1] - a[0]) * (b[1] - b[0]) % _P, (a[1] + a[0]) * (b[1] + b[0]) % _P
    cross, scale = 2 * a[3] * b[3] * _D % _P, 2 * a[2] * b[2] % _P
    e, f, g, h = high - low, scale - cross, scale + cross, high + low
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _multiply(scalar: int, point: _Point) -> _Point:
    total = _NEUTRAL
    while scalar:
        if scalar & 1:
            total = _add(total, point)
        point = _add(point, point)
        scalar >>= 1
    return total


def _equal(a: _Point, b: _Point) -> bool:
    return not (a[0] * b[2] - b[0] * a[2]) % _P and not (a[1] * b[2] - b[1] * a[2]) % _P


def _encode(point: _Point) -> bytes:
    inverse = pow(point[2], -1, _P)
    x, y = point[0] * inverse % _P, point[1] * inverse % _P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def _decode(data: bytes) -> _Point | None:
    """Return the point that 32 bytes stand for; None: there is none (RFC 8032, 5.1.3)."""
    number = int.from_bytes(data, "little")
    y, odd = number & _Y_MASK, number >> 255
    if y >= _P:
        return None
    x = _recover_x(y, odd)
    return None if x is None else (x, y, 1, x * y % _P)


def _recover_x(y: int, odd: int) -> int | None:
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    if not square:
        return None if odd else 0
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * _SQRT_MINUS_1 % _P
    if (x * x - square) % _P:
        return None
    return x if x & 1 == odd else _P - x


def _base() -> _Point:
    y = 4 * pow(5, -1, _P) % _P
    x = _recover_x(y, 0)
    assert x is not None
    return x, y, 1, x * y % _P


_BASE = _base()
