"""Leave out of a program what is never loaded: symbols, debug information, section headers.

A debugger takes them from the program on the host; in an image they only take room.

References
----------
System V Application Binary Interface, Object Files, ELF Header; Program Loading.
"""

from __future__ import annotations

import struct

_ELF64_LITTLE = b"\x7fELF\2\1"
_EHDR_SIZE, _PHDR_SIZE = 64, 56
_PHOFF, _SHOFF, _PHENTSIZE, _SHENTSIZE = 32, 40, 54, 58
_P_OFFSET, _P_FILESZ = 8, 32


def strip(program: bytes) -> bytes:
    """Return an ELF-64 program up to the end of its last segment; anything else as it is."""
    if len(program) < _EHDR_SIZE or not program.startswith(_ELF64_LITTLE):
        return program
    table = struct.unpack_from("<Q", program, _PHOFF)[0]
    size, count = struct.unpack_from("<HH", program, _PHENTSIZE)
    end = table + size * count
    if size < _PHDR_SIZE or end > len(program):
        return program
    for at in range(table, end, size):
        offset = struct.unpack_from("<Q", program, at + _P_OFFSET)[0]
        end = max(end, offset + struct.unpack_from("<Q", program, at + _P_FILESZ)[0])
    stripped = bytearray(program[:end])
    struct.pack_into("<Q", stripped, _SHOFF, 0)
    struct.pack_into("<HHH", stripped, _SHENTSIZE, 0, 0, 0)
    return bytes(stripped)
