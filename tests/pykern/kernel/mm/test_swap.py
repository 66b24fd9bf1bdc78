"""MIC-10, MEL-55: slots of swap space."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pykern.kernel.core.bug import KernelBug
from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.core.units import PAGE_SIZE
from pykern.kernel.mm.swap import TRANSFER_NS, MemoryDisk, SwapSpace

SLOTS = 6


class Slots(RuleBasedStateMachine):
    """Every slot in use keeps its page; the others can be had."""

    def __init__(self):
        super().__init__()
        self.disk = MemoryDisk(SLOTS * PAGE_SIZE)
        self.swap = SwapSpace(self.disk)
        self.stored = {}

    @rule(byte=st.integers(0, 255), references=st.integers(1, 3))
    def store(self, byte, references):
        data = bytes([byte]) * PAGE_SIZE
        if len(self.stored) == SLOTS:
            with pytest.raises(SysError) as caught:
                self.swap.store(data)
            assert caught.value.errno == Errno.ENOMEM
            return
        slot = self.swap.store(data, references)
        assert slot not in self.stored
        assert 0 <= slot < SLOTS
        self.stored[slot] = [data, references]

    @precondition(lambda self: self.stored)
    @rule(data=st.data(), more=st.booleans())
    def refer(self, data, more):
        slot = data.draw(st.sampled_from(sorted(self.stored)))
        (self.swap.get if more else self.swap.put)(slot)
        self.stored[slot][1] += 1 if more else -1
        if not self.stored[slot][1]:
            del self.stored[slot]

    @rule(slot=st.integers(0, SLOTS - 1))
    def a_free_slot_is_nobodys(self, slot):
        if slot in self.stored:
            return
        for use in (self.swap.load, self.swap.get, self.swap.put):
            with pytest.raises(KernelBug, match=f"swap slot {slot} of {SLOTS} is free"):
                use(slot)

    @invariant()
    def nothing_is_lost(self):
        for slot, (data, references) in self.stored.items():
            assert self.swap.load(slot) == data
            assert self.swap.references(slot) == references
        assert self.swap.used_bytes == len(self.stored) * PAGE_SIZE
        assert self.swap.free_bytes == (SLOTS - len(self.stored)) * PAGE_SIZE


TestSlots = Slots.TestCase
TestSlots.settings = settings(max_examples=30, deadline=None)


def test_a_transfer_takes_time():
    spent = []
    swap = SwapSpace(MemoryDisk(PAGE_SIZE, spent.append))
    swap.load(swap.store(bytes(PAGE_SIZE)))
    assert spent == [TRANSFER_NS, TRANSFER_NS]


def test_who_only_looks_at_a_slot_pays_nothing():
    charged = []
    swap = SwapSpace(MemoryDisk(PAGE_SIZE, charged.append))
    slot = swap.store(b"p" * PAGE_SIZE)
    assert charged == [TRANSFER_NS]
    assert swap.peek(slot) == b"p" * PAGE_SIZE
    assert charged == [TRANSFER_NS]
    swap.put(slot)
    with pytest.raises(KernelBug, match="is free"):
        swap.peek(slot)
