"""Frames of the remote protocol: `$payload#checksum`, acknowledgements, and Ctrl-C between them.

References
----------
Debugging with GDB, Remote Protocol: Overview; Notification Packets; Interrupts.
"""

from __future__ import annotations

import enum
import re
import zlib

_DOLLAR, _HASH, _STAR, _BRACE = b"$#*}"
_INTERRUPT = 0x03
_WHOLE = re.compile(rb"\$([^#$]*)#([0-9a-fA-F]{2})", re.DOTALL)
_RUN = re.compile(rb"\}.|(.)\1{3,97}", re.DOTALL)
"""An escape sequence, which is never part of a run, or a run; the longest is written `~`."""
_ESCAPED = re.compile(rb"\}(.)", re.DOTALL)
_BROKEN = re.compile(rb"(?:\A|[^}])(?:\}\})*\}\Z", re.DOTALL)
"""A body that ends in the middle of an escape sequence."""
_WORTH_IT = 98
"""Runs are looked for, which takes time, only in long bodies with one of the longest."""
_WORTH_A_LOOK = 2048
_LONG_RUNS = tuple(bytes((byte,)) * _WORTH_IT for byte in b"0f\0\xff")
_PIECE = 256
"""Bytes whose sum is less than the modulus of Adler-32, 65521."""


class Mark(enum.Enum):
    """What comes between packets."""

    ACK = enum.auto()
    NAK = enum.auto()
    INTERRUPT = enum.auto()
    CORRUPT = enum.auto()
    """A packet whose checksum is wrong, or that is longer than any may be."""


class _State(enum.Enum):
    BETWEEN = enum.auto()
    BODY = enum.auto()
    CHECKSUM = enum.auto()


def checksum(body: bytes) -> int:
    """Return the sum of the bytes of a packet's body, modulo 256."""
    if len(body) <= _PIECE:
        return (zlib.adler32(body) - 1) & 0xFF
    view = memoryview(body)
    pieces = range(0, len(body), _PIECE)
    return (sum(zlib.adler32(view[at : at + _PIECE]) for at in pieces) - len(pieces)) & 0xFF


def frame(payload: bytes) -> bytes:
    """Return the packet that carries a payload; if it has long runs they are shortened."""
    body = escape(payload)
    if len(body) >= _WORTH_A_LOOK and any(run in body for run in _LONG_RUNS):
        body = shorten_runs(body)
    return b"$%b#%02x" % (body, checksum(body))


def notification(payload: bytes) -> bytes:
    """Return the packet that tells what nobody has asked for; it is not acknowledged."""
    body = shorten_runs(escape(payload))
    return b"%%%b#%02x" % (body, checksum(body))


def escape(payload: bytes) -> bytes:
    """Return the payload with the characters escaped that frame a packet."""
    for special in (b"}", b"$", b"#", b"*"):
        if special in payload:
            payload = payload.replace(special, bytes((_BRACE, special[0] ^ 0x20)))
    return payload


def shorten_runs(body: bytes) -> bytes:
    """Return the body with each run of more than three equal characters as `c*n`."""
    return _RUN.sub(_shortened, body)


def _shortened(found: re.Match[bytes]) -> bytes:
    if found[1] is None:
        return found[0]
    return _run(found[1][0], len(found[0]))


def _run(byte: int, count: int) -> bytes:
    """Return a character so many times, as short as it can be said without `$` and `#`."""
    repeats = count - 1
    while repeats + 29 in {_DOLLAR, _HASH}:
        repeats -= 1
    left = count - 1 - repeats
    return bytes((byte, _STAR, repeats + 29)) + bytes((byte,)) * left


def payload_of(body: bytes) -> bytes | None:
    """Return what a packet's body means: runs at length, escapes undone; None: it is malformed."""
    if _STAR not in body:
        return _unescaped(body)
    out, at = bytearray(), 0
    while at < len(body):
        byte = body[at]
        if byte in {_BRACE, _STAR}:
            at += 1
            if at == len(body) or (byte == _STAR and (not out or body[at] < 29)):
                return None
            out += bytes((body[at] ^ 0x20,)) if byte == _BRACE else out[-1:] * (body[at] - 29)
        else:
            out.append(byte)
        at += 1
    return bytes(out)


def _unescaped(body: bytes) -> bytes | None:
    if _BRACE not in body:
        return body
    if _BROKEN.search(body):
        return None
    return _ESCAPED.sub(lambda one: bytes((one[1][0] ^ 0x20,)), body)


class Decoder:
    """Cuts a stream of bytes into packets.

    Parameters
    ----------
    longest : bytes that the body of a packet may have
    """

    def __init__(self, longest: int = 1 << 17) -> None:
        self._longest = longest
        self._state = _State.BETWEEN
        self._body = bytearray()
        self._sum = bytearray()

    def feed(self, data: bytes) -> list[bytes | Mark]:
        """Return the payloads and marks that are complete with these bytes."""
        out: list[bytes | Mark] = []
        at = 0
        while at < len(data):
            if self._state is _State.BODY:
                at = self._take_body(data, at)
                continue
            whole = _WHOLE.match(data, at) if self._state is _State.BETWEEN else None
            if whole is not None:
                out.append(self._checked(whole[1], whole[2]))
                at = whole.end()
                continue
            found = self._take(data[at])
            if found is not None:
                out.append(found)
            at += 1
        return out

    def _take_body(self, data: bytes, at: int) -> int:
        """Take bytes up to the end of the body; return where the next ones are."""
        end = data.find(_HASH, at)
        part = data[at:] if end < 0 else data[at:end]
        restart = part.rfind(_DOLLAR)
        if restart >= 0:  # a new packet begins where the last one has not ended
            self._body.clear()
            part = part[restart + 1 :]
        if len(self._body) <= self._longest:
            self._body += part
        if end < 0:
            return len(data)
        self._state = _State.CHECKSUM
        self._sum.clear()
        return end + 1

    def _take(self, byte: int) -> bytes | Mark | None:
        if self._state is _State.CHECKSUM:
            self._sum.append(byte)
            return self._complete() if len(self._sum) == 2 else None
        if byte == _DOLLAR:
            self._state = _State.BODY
            self._body.clear()
        return {ord("+"): Mark.ACK, ord("-"): Mark.NAK, _INTERRUPT: Mark.INTERRUPT}.get(byte)

    def _complete(self) -> bytes | Mark:
        self._state = _State.BETWEEN
        body = bytes(self._body)
        self._body.clear()
        return self._checked(body, bytes(self._sum))

    def _checked(self, body: bytes, digits: bytes) -> bytes | Mark:
        if len(body) > self._longest or digits.lower() != b"%02x" % checksum(body):
            return Mark.CORRUPT
        payload = payload_of(body)
        return Mark.CORRUPT if payload is None else payload
