"""Memory: m, M, x, X, qCRC, qSearch, and QEMU's switch to physical addresses.

References
----------
Debugging with GDB, Packets; General Query Packets. QEMU, GDB usage: PhyMemMode.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from gdbstub.replies import MOST_HEX, OK, UNSUPPORTED
from gdbstub.requests import RequestError, data, fields, number
from gdbstub.target import SupportsPhysicalMemory, SupportsSearch, TargetError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gdbstub.session import Session
    from gdbstub.tracer import Frame

_CHUNK = 1 << 16
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
"""Each byte with its bits in the other order."""
_SPACE = 1 << 64


def read_hex(session: Session, rest: bytes) -> bytes:
    """Read as hexadecimal (`m`): ADDRESS,LENGTH."""
    return _read(session, rest).hex().encode()


def read_binary(session: Session, rest: bytes) -> bytes:
    """Read as raw bytes (`x`): the reply is `b` and they follow."""
    return b"b" + _read(session, rest)


def _read(session: Session, rest: bytes) -> bytes:
    address, size = map(number, fields(rest, 2))
    size = min(size, MOST_HEX, _SPACE - address)
    if size == 0:
        return b""
    if session.frame is not None:
        return _traced(session, session.frame, address, size)
    return session.target.read_memory(session.general, address, size)


def _traced(session: Session, frame: Frame, address: int, size: int) -> bytes:
    """Return what a frame has collected, or what cannot have changed since."""
    found = frame.read(address, size)
    if found:
        return found
    if session.tracer is not None and session.tracer.is_read_only(address, size):
        return session.target.read_memory(session.general, address, size)
    raise RequestError(f"nothing was collected at {address:#x}", 1)


def write_hex(session: Session, rest: bytes) -> bytes:
    """Write as hexadecimal (`M`): ADDRESS,LENGTH:DATA."""
    where, colon, digits = rest.partition(b":")
    if not colon:
        raise RequestError("no data")
    return _write(session, where, data(digits))


def write_binary(session: Session, rest: bytes) -> bytes:
    """Write raw (`X`): ADDRESS,LENGTH:DATA; of length 0 it asks whether there is an X."""
    where, colon, raw = rest.partition(b":")
    if not colon:
        raise RequestError("no data")
    return _write(session, where, raw)


def _write(session: Session, where: bytes, raw: bytes) -> bytes:
    address, size = map(number, fields(where, 2))
    if size != len(raw):
        raise RequestError(f"{len(raw)} bytes of data, {size} announced")
    if address + size > _SPACE:
        raise RequestError(f"{size} bytes at {address:#x} reach beyond the address space")
    if session.frame is not None:
        raise RequestError("a frame of a trace cannot be changed")
    if size:
        session.target.write_memory(session.general, address, raw)
    return OK


def crc(session: Session, rest: bytes) -> bytes:
    """Checksum (`qCRC`): ADDRESS,LENGTH, by which `compare-sections` compares.

    It is the CRC-32 of most significant bits first with neither end inverted: zlib's of the
    reversed bytes, reversed.
    """
    address, size = map(number, fields(rest.removeprefix(b":"), 2))
    value = 0
    for _, chunk in _chunks(session, address, size):
        value = zlib.crc32(chunk.translate(_REVERSED), value)
    plain = (value ^ 0xFFFFFFFF).to_bytes(4, "little").translate(_REVERSED)
    return b"C%x" % int.from_bytes(plain, "big")


def _chunks(session: Session, address: int, size: int) -> Iterator[tuple[int, bytes]]:
    """Read a range of memory a piece at a time.

    Raises
    ------
    TargetError : some of it cannot be read
    """
    end = address + size
    if end > _SPACE:
        raise RequestError(f"{size} bytes at {address:#x} reach beyond the address space")
    while address < end:
        chunk = session.target.read_memory(session.looked_at, address, min(_CHUNK, end - address))
        if not chunk:
            raise TargetError(f"no memory at {address:#x}")
        yield address, chunk
        address += len(chunk)


def search(session: Session, rest: bytes) -> bytes:
    """Search: memory:ADDRESS;LENGTH;PATTERN, the pattern raw: `find`."""
    if not rest.startswith(b":memory:"):
        return UNSUPPORTED
    first, second, pattern = [*rest[8:].split(b";", 2), b"", b""][:3]
    address, size = number(first), number(second)
    if not pattern:
        raise RequestError("no pattern to search for")
    if isinstance(session.target, SupportsSearch):
        found = session.target.search_memory(session.looked_at, address, size, pattern)
    else:
        found = _search(session, address, size, pattern)
    return b"0" if found is None else b"1,%x" % found


def _search(session: Session, address: int, size: int, pattern: bytes) -> int | None:
    tail = b""
    for at, chunk in _chunks(session, address, size):
        piece = tail + chunk
        found = piece.find(pattern)
        if found >= 0:
            return at - len(tail) + found
        tail = piece[len(piece) - len(pattern) + 1 :] if len(pattern) > 1 else b""
    return None


def physical_mode(session: Session, _rest: bytes) -> bytes:
    """qqemu.PhyMemMode: 1 if addresses are physical."""
    if not isinstance(session.target, SupportsPhysicalMemory):
        return UNSUPPORTED
    return b"%d" % session.target.physical_memory


def set_physical_mode(session: Session, rest: bytes) -> bytes:
    """Qqemu.PhyMemMode:0 or 1."""
    if not isinstance(session.target, SupportsPhysicalMemory):
        return UNSUPPORTED
    if rest not in {b":0", b":1"}:
        raise RequestError("PhyMemMode is neither 0 nor 1")
    session.target.physical_memory = rest == b":1"
    return OK
