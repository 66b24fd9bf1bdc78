"""MEL-25: bits of paging entries."""

from __future__ import annotations

import pytest

from pykern.kernel.core.units import PAGE_SIZE
from pykern.kernel.x86.pte import (
    NX,
    PAGE_2M,
    PS,
    RW,
    US,
    D,
    G,
    Leaf,
    P,
    UserEntries,
    flag_names,
    is_canonical,
)


def test_flags_are_spelt():
    assert flag_names(P | RW | NX | 0x1234_5000) == "P RW NX"
    assert flag_names(0) == ""


def test_canonical_addresses_have_a_hole_between_them():
    edge, end = 1 << 47, 1 << 64
    assert all(map(is_canonical, (0, edge - 1, end - edge, end - 1)))
    assert not any(map(is_canonical, (edge, end - edge - 1)))
    assert not is_canonical(-1)
    assert not is_canonical(1 << 64)


def test_a_large_leaf_has_no_low_address_bits():
    leaf = Leaf(0x20_0000, PAGE_2M, 0x60_0000 | 1 << 12 | P | PS | G | NX)
    assert (leaf.paddr, leaf.flags) == (0x60_0000, P | G | NX)
    assert Leaf(0, PAGE_SIZE, 0x1000 | P | D).flags == P | D


@pytest.mark.parametrize(
    ("prot", "flags"),
    [(0, US | NX), (1, P | US | NX), (2, P | RW | US | NX), (3, P | RW | US | NX), (5, P | US)],
)
def test_rights_of_user_pages(prot, flags):
    entry = 0x5000 | UserEntries.user_flags(prot)
    assert entry == 0x5000 | flags
    assert UserEntries.is_present(entry) == bool(prot)
    assert UserEntries.is_writable(entry) == bool(prot & 2)
    assert UserEntries.paddr_of(entry) == 0x5000
    assert not UserEntries.is_writable(UserEntries.read_only(entry))
