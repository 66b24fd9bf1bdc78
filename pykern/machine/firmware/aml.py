"""Encode the few ACPI Machine Language terms that the board's DSDT needs.

Each function returns the bytes of one AML term; terms nest by concatenation.

References
----------
ACPI Specification 6.5, ACPI Machine Language (AML) Specification (term encodings) and
Resource Data Types for ACPI (resource descriptors).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_ZERO_OP, _ONE_OP, _ONES_OP = b"\x00", b"\x01", b"\xff"
_NAME_OP, _SCOPE_OP, _BUFFER_OP, _PACKAGE_OP = b"\x08", b"\x10", b"\x11", b"\x12"
_DEVICE_OP = b"\x5b\x82"
_BYTE_PREFIX, _WORD_PREFIX, _DWORD_PREFIX, _QWORD_PREFIX = b"\x0a", b"\x0b", b"\x0c", b"\x0e"
_ROOT_CHAR, _DUAL_NAME_PREFIX, _MULTI_NAME_PREFIX = b"\\", b"\x2e", b"\x2f"

_END_TAG = b"\x79\x00"
_MEMORY_RANGE, _IO_RANGE, _BUS_NUMBER_RANGE = 0, 1, 2
_PRODUCER_MIN_MAX_FIXED = 0x0C  # general flags: _MIF and _MAF set, positively decoded, producer
_ENTIRE_IO_RANGE = 3  # ISA and non-ISA ranges


def integer(value: int) -> bytes:
    """Encode an integer in its shortest form (ConstObj, ByteConst … QWordConst)."""
    if value == 0:
        return _ZERO_OP
    if value == 1:
        return _ONE_OP
    for prefix, size in ((_BYTE_PREFIX, 1), (_WORD_PREFIX, 2), (_DWORD_PREFIX, 4)):
        if value < 1 << (8 * size):
            return prefix + value.to_bytes(size, "little")
    return _QWORD_PREFIX + value.to_bytes(8, "little")


def package_length(content: bytes) -> bytes:
    """Encode PkgLength for `content`; the length counts its own bytes."""
    if len(content) + 1 < 0x40:
        return bytes((len(content) + 1,))
    for extra in (1, 2, 3):
        total = len(content) + 1 + extra
        if total < 1 << (4 + 8 * extra):
            return bytes((extra << 6 | total & 0xF,)) + (total >> 4).to_bytes(extra, "little")
    raise ValueError(f"AML package of {len(content)} bytes exceeds the 2**28 limit of PkgLength")


def name_string(path: str) -> bytes:
    r"""Encode a NameString such as ``_HID``, ``\_SB`` or ``\_SB.PCI0``."""
    root = _ROOT_CHAR if path.startswith("\\") else b""
    segments = [segment.ljust(4, "_").encode("ascii") for segment in path.lstrip("\\").split(".")]
    if len(segments) == 1:
        return root + segments[0]
    if len(segments) == 2:
        return root + _DUAL_NAME_PREFIX + b"".join(segments)
    return root + _MULTI_NAME_PREFIX + bytes((len(segments),)) + b"".join(segments)


def name(path: str, value: bytes) -> bytes:
    """Encode ``Name (path, value)``."""
    return _NAME_OP + name_string(path) + value


def package(elements: Sequence[bytes]) -> bytes:
    """Encode ``Package () {elements}``."""
    content = bytes((len(elements),)) + b"".join(elements)
    return _PACKAGE_OP + package_length(content) + content


def scope(path: str, *terms: bytes) -> bytes:
    """Encode ``Scope (path) {terms}``."""
    content = name_string(path) + b"".join(terms)
    return _SCOPE_OP + package_length(content) + content


def device(path: str, *terms: bytes) -> bytes:
    """Encode ``Device (path) {terms}``."""
    content = name_string(path) + b"".join(terms)
    return _DEVICE_OP + package_length(content) + content


def eisa_id(text: str) -> bytes:
    """Encode a compressed EISA identifier such as ``PNP0A03`` as an integer term.

    Three letters of five bits each and four hexadecimal digits, most significant byte first.
    """
    letters = [ord(letter) - ord("A") + 1 for letter in text[:3]]
    big_endian = letters[0] << 26 | letters[1] << 21 | letters[2] << 16 | int(text[3:], 16)
    return _DWORD_PREFIX + big_endian.to_bytes(4, "big")


def resource_template(*descriptors: bytes) -> bytes:
    """Encode ``ResourceTemplate () {descriptors}``: a buffer closed by an End Tag."""
    data = b"".join(descriptors) + _END_TAG
    content = integer(len(data)) + data
    return _BUFFER_OP + package_length(content) + content


def io(port: int, length: int) -> bytes:
    """Encode an I/O Port Descriptor: fixed range, 16-bit decoding."""
    return (
        b"\x47\x01" + port.to_bytes(2, "little") + port.to_bytes(2, "little") + bytes((1, length))
    )


def irq(line: int) -> bytes:
    """Encode an IRQ Descriptor without flags: edge triggered, active high, exclusive."""
    return b"\x22" + (1 << line).to_bytes(2, "little")


def _address_space(kind: int, width: int, type_flags: int, first: int, last: int) -> bytes:
    tag = {2: 0x88, 4: 0x87, 8: 0x8A}[width]
    fields = (0, first, last, 0, last - first + 1)  # granularity, min, max, translation, length
    body = bytes((kind, _PRODUCER_MIN_MAX_FIXED, type_flags))
    body += b"".join(field.to_bytes(width, "little") for field in fields)
    return bytes((tag,)) + len(body).to_bytes(2, "little") + body


def word_bus_number(first: int, last: int) -> bytes:
    """Encode a Word Address Space Descriptor for bus numbers."""
    return _address_space(_BUS_NUMBER_RANGE, 2, 0, first, last)


def word_io(first: int, last: int) -> bytes:
    """Encode a Word Address Space Descriptor for I/O ports."""
    return _address_space(_IO_RANGE, 2, _ENTIRE_IO_RANGE, first, last)


def dword_memory(first: int, last: int) -> bytes:
    """Encode a DWord Address Space Descriptor for non-cacheable, writable memory."""
    return _address_space(_MEMORY_RANGE, 4, 1, first, last)
