"""RMP-04: what a descriptor says, bit by bit."""

from __future__ import annotations

import pytest

from pykern.kernel.arm.descriptor import ADDRESS, AF, MAIR_EL1, NO_ACCESS, VALID, LpaeEntries


@pytest.mark.parametrize("prot", [1, 3, 5])
def test_rights(prot):
    entry = LpaeEntries.user_flags(prot) | 0x1234_5000
    assert LpaeEntries.is_present(entry)
    assert LpaeEntries.is_writable(entry) == bool(prot & 2)
    assert not LpaeEntries.is_writable(LpaeEntries.read_only(entry))
    assert LpaeEntries.paddr_of(entry) == 0x1234_5000


def test_a_page_without_rights_still_has_its_frame():
    entry = LpaeEntries.user_flags(0) | 0x5000
    assert entry & (NO_ACCESS | VALID) == NO_ACCESS
    assert LpaeEntries.paddr_of(LpaeEntries.read_only(entry)) == 0x5000
    assert not LpaeEntries.is_present(entry)
    assert not LpaeEntries.is_swapped(entry)


def test_nothing_stays_nothing():
    assert LpaeEntries.read_only(0) == 0


@pytest.mark.parametrize("slot", [0, 1, (1 << 36) - 1])
def test_a_slot_is_no_frame(slot):
    entry = LpaeEntries.swap_entry(slot)
    assert LpaeEntries.is_swapped(entry)
    assert LpaeEntries.slot_of(entry) == slot
    assert not LpaeEntries.is_present(entry)
    assert (entry & ADDRESS) >> 12 == slot


def test_the_access_flag():
    entry = LpaeEntries.user_flags(3)
    assert LpaeEntries.is_accessed(entry)
    assert LpaeEntries.unaccessed(entry) == entry & ~AF
    assert not LpaeEntries.is_accessed(LpaeEntries.unaccessed(entry))


def test_memory_types():
    """MAIR_EL1: 0x44 is normal non-cacheable, 0xFF write-back, 0 Device-nGnRnE."""
    assert MAIR_EL1.to_bytes(3, "little") == b"\x44\xff\x00"
