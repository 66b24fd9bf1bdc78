"""The memory map."""

from __future__ import annotations

import itertools
import struct

from hypothesis import given
from hypothesis import strategies as st

from pykern.machine.firmware import e820
from pykern.machine.firmware.e820 import AddressRangeType

MIB = 1 << 20


def usable(entries):
    return [(e.base, e.end) for e in entries if e.type is AddressRangeType.MEMORY]


def test_a_small_pc():
    entries = e820.memory_map([(0, 32 * MIB)])
    assert usable(entries) == [(0, 0x9FC00), (MIB, 32 * MIB)]
    assert e820.conventional_kib(entries) == 639
    assert e820.extended_kib(entries) == 31 * 1024


def test_memory_above_4_gib():
    entries = e820.memory_map([(0, 3 << 30), (4 << 30, 1 << 30)])
    assert usable(entries)[-1] == (4 << 30, 5 << 30)


def test_ram_under_the_apics_is_not_usable():
    entries = e820.memory_map([(0, 4 << 30)])
    for first, last in usable(entries):
        for page in (0xA0000, 0xE0000, 0xFEC00000, 0xFED00000, 0xFEE00000):
            assert not first <= page < last


@given(
    st.lists(st.tuples(st.integers(0, 64), st.integers(1, 32)), max_size=3),
    st.lists(st.tuples(st.integers(0, 4096), st.integers(1, 512)), max_size=4),
)
def test_entries_are_sorted_and_do_not_overlap(ram, reserved):
    ranges = [(i * 128 * MIB + base * MIB, size * MIB) for i, (base, size) in enumerate(ram)]
    spans = [(first << 12, (first + pages) << 12) for first, pages in reserved]
    entries = e820.memory_map(ranges, spans)
    for before, after in itertools.pairwise(entries):
        assert before.end <= after.base
    assert all(entry.length > 0 for entry in entries)
    for first, last in usable(entries):
        assert all(last <= start or end <= first for start, end in spans)
        assert any(base <= first and last <= base + size for base, size in ranges)


def test_encoding_is_that_of_int_15h():
    entry = e820.AddressRange(0x100000, 0x1F00000, AddressRangeType.MEMORY)
    assert e820.encode([entry, entry]) == struct.pack("<QQI", 0x100000, 0x1F00000, 1) * 2
    parsed = e820.AddressRangeDescriptor.parse(e820.encode([entry]))
    assert (parsed.BaseAddr, parsed.Length, int(parsed.Type)) == entry
