"""Sections that become longer, and files that have none."""

from __future__ import annotations

import struct

import pytest

from pykern.debug.python_source import elf

HEADER = struct.Struct("<IIQQQQIIQQ")


def small():
    """Return a file of two sections: `.debug_str` and the names."""
    names = b"\0.debug_str\0.names\0"
    head = bytearray(64)
    head[:6] = b"\x7fELF\2\1"
    body = b"abc\0" + names
    struct.pack_into("<Q", head, 40, 64 + len(body))
    struct.pack_into("<HHH", head, 58, 64, 3, 2)
    sections = [
        HEADER.pack(0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
        HEADER.pack(1, 1, 0, 0, 64, 4, 0, 0, 1, 0),
        HEADER.pack(12, 3, 0, 0, 68, len(names), 0, 0, 1, 0),
    ]
    return bytes(head) + body + b"".join(sections)


def test_sections_grow_behind_what_they_had():
    made = elf.extended(small(), {".debug_str": b"de\0", ".new": b"x"}, ".lines", 0x1000, 8)
    assert made[64:68] == b"abc\0"
    sizes = elf.sizes(made)
    assert sizes == {"": 0, ".debug_str": 7, ".names": sizes[".names"], ".lines": 0, ".new": 1}
    assert b"abc\0de\0" in made
    again = elf.extended(made, {".debug_str": b"f"}, ".more", 0x2000, 8)
    assert elf.sizes(again)[".debug_str"] == 8


@pytest.mark.parametrize(
    "file",
    [b"", b"\x7fELF", b"MZ" + bytes(100), small()[:-1], small()[:62] + b"\7\0" + small()[64:]],
    ids=["empty", "short", "other", "cut", "names out of range"],
)
def test_files_without_sections(file):
    with pytest.raises(elf.NotElfError):
        elf.sizes(file)


def test_every_cut_is_told_from_a_file():
    whole = small()
    for size in range(len(whole)):
        with pytest.raises(elf.NotElfError):
            elf.sizes(whole[:size])
