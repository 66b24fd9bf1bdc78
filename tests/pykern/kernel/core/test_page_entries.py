"""Entries of both processors, for whoever gives frames to pages."""

from __future__ import annotations

import pytest

from pykern.kernel.arm.descriptor import LpaeEntries
from pykern.kernel.mm.vma import PROT_READ, PROT_WRITE
from pykern.kernel.x86.pte import UserEntries

FRAME, SLOT = 0x1234_5000, 0x1_2345


@pytest.fixture(params=[UserEntries, LpaeEntries])
def entries(request):
    return request.param


def test_a_page_has_a_frame_or_a_slot(entries):
    """MEL-55, RMP-04: and none is taken for the other."""
    here = entries.user_flags(PROT_READ | PROT_WRITE) | FRAME
    gone, unreachable = entries.swap_entry(SLOT), entries.user_flags(0) | FRAME
    told = [(entries.is_present(e), entries.is_swapped(e)) for e in (here, gone, unreachable)]
    assert told == [(True, False), (False, True), (False, False)]
    assert (entries.paddr_of(here), entries.paddr_of(unreachable)) == (FRAME, FRAME)
    assert entries.slot_of(gone) == SLOT


def test_a_use_is_seen_once(entries):
    used = entries.user_flags(PROT_READ) | FRAME | entries.ACCESSED
    assert entries.is_accessed(used)
    unused = entries.unaccessed(used)
    assert not entries.is_accessed(unused)
    assert entries.is_present(unused)
    assert entries.paddr_of(unused) == FRAME
    assert not entries.is_accessed(entries.swap_entry(SLOT) | entries.ACCESSED)


def test_the_right_to_write(entries):
    writable = entries.user_flags(PROT_READ | PROT_WRITE) | FRAME
    assert entries.is_writable(writable)
    assert not entries.is_writable(entries.read_only(writable))
    assert not entries.is_writable(entries.swap_entry(SLOT))
