"""MEL-26, SCA-03, SCA-22, RMP-06: every kernel heap keeps the contract."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from pykern.kernel.core.units import MIB
from pykern.kernel.mm.first_fit import FirstFitHeap
from pykern.kernel.mm.heap import BuddyHeap
from pykern.kernel.mm.heaps import HEAPS
from pykern.kernel.mm.slab import SlabHeap
from tests.contracts.heap import BASE, HeapContract

if TYPE_CHECKING:
    from pykern.kernel.mm.heap import HeapAllocator


class Buddy(HeapContract):
    def make(self, memory, grow):
        return BuddyHeap(BASE, MIB, memory, limit=3 * MIB, grow=grow)


class FirstFit(HeapContract):
    def make(self, memory, grow):
        return FirstFitHeap(BASE, MIB, memory, limit=3 * MIB, grow=grow)


class Slab(HeapContract):
    def make(self, memory, grow):
        return SlabHeap(BASE, MIB, memory, limit=3 * MIB, grow=grow)


TestBuddyHeap, TestFirstFitHeap = Buddy.TestCase, FirstFit.TestCase
TestSlabHeap = Slab.TestCase
TestBuddyHeap.settings = settings(max_examples=30, stateful_step_count=40)
TestFirstFitHeap.settings = TestSlabHeap.settings = TestBuddyHeap.settings


def test_every_heap_has_a_name_and_a_contract():
    heaps = {name: HEAPS.get(name) for name in HEAPS.names()}
    assert heaps == {"buddy": BuddyHeap, "first-fit": FirstFitHeap, "slab": SlabHeap}


def test_a_profile_that_misspells_one_is_told_which_there_are():
    with pytest.raises(
        LookupError, match="no kernel heap 'body'; registered: buddy, first-fit, slab"
    ):
        HEAPS.get("body")


def kinds() -> tuple[type[HeapAllocator], ...]:
    """What mypy checks: all fulfil the protocol."""
    return BuddyHeap, FirstFitHeap, SlabHeap
