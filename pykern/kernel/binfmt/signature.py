r"""Signed programs: what stands behind a file's last byte, and whose signature is good (MIC-17).

::

    the file ... | public key, 32 bytes | signature, 64 bytes | b"PYKERN-SIGNED-1\\n"

What is signed is everything in front of the public key. Loaders look at headers only, so that a
signed program runs where nobody asks for signatures.
"""

from __future__ import annotations

import re

from pykern.kernel.binfmt import ed25519
from pykern.kernel.core.errno import Errno, SysError

__all__ = ["NotSigned", "check", "parse_keys", "signed"]

MAGIC = b"PYKERN-SIGNED-1\n"
_TRAILER = ed25519.KEY_SIZE + ed25519.SIGNATURE_SIZE + len(MAGIC)


class NotSigned(SysError):  # noqa: N818 - named as `binfmt.elf.NotExecutable`
    """A program that may not run because of its signature (EACCES); `reason` says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(Errno.EACCES)
        self.reason = reason

    def __str__(self) -> str:
        """Return the reason."""
        return self.reason


def signed(program: bytes, secret: bytes) -> bytes:
    """Return a program with a signature behind it; one that it had is replaced."""
    if program.endswith(MAGIC):
        program = program[:-_TRAILER]
    signature = ed25519.sign(secret, program)
    return program + ed25519.public_key(secret) + signature + MAGIC


def check(program: bytes, trusted: frozenset[bytes], name: str) -> None:
    """Refuse a program that nobody who is trusted has signed.

    Parameters
    ----------
    trusted : public keys
    name : for the message

    Raises
    ------
    NotSigned : there is no signature, it is another's, or the file has changed since
    """
    if len(program) < _TRAILER or not program.endswith(MAGIC):
        raise NotSigned(f"{name}: not signed, expected a signature behind the program")
    body, trailer = program[:-_TRAILER], program[-_TRAILER:]
    public = trailer[: ed25519.KEY_SIZE]
    if public not in trusted:
        raise NotSigned(f"{name}: signed by {public.hex()[:16]}..., whom nobody trusts")
    if not ed25519.verify(public, body, trailer[ed25519.KEY_SIZE : -len(MAGIC)]):
        raise NotSigned(f"{name}: its signature is not that of these bytes")


def parse_keys(text: str) -> frozenset[bytes]:
    """Return public keys as the command line has them: hexadecimal, with commas between.

    Raises
    ------
    ValueError : one is not 64 hexadecimal digits
    """
    return frozenset(_key(word) for word in text.split(",") if word)


def _key(word: str) -> bytes:
    digits = 2 * ed25519.KEY_SIZE
    if not re.fullmatch(f"[0-9a-fA-F]{{{digits}}}", word):
        raise ValueError(f"trusted key {word!r}, expected {digits} hexadecimal digits")
    return bytes.fromhex(word)
