"""MIC-10, MEL-55: slots of swap space."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from pykern.kernel.core.bug import KernelBug
from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.core.units import PAGE_SIZE
from pykern.kernel.mm.swap import TRANSFER_NS, MemoryDisk, SwapDevice, SwapSpace
from tests.contracts.implementations import implementations

SLOTS = 6


class Slots(RuleBasedStateMachine):
    """Every slot in use keeps its page; the others can be had."""

    @staticmethod
    def device():
        raise NotImplementedError

    def __init__(self):
        super().__init__()
        self.swap = SwapSpace(self.device())
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


DEVICES = {MemoryDisk: lambda: MemoryDisk(SLOTS * PAGE_SIZE)}
"""Every swap device, and how a small one is made."""


@pytest.mark.parametrize("kind", DEVICES)
def test_no_slot_is_lost_on_any_device(kind):
    """MIC-10, MEL-55."""
    machine = type(f"Slots_{kind.__name__}", (Slots,), {"device": staticmethod(DEVICES[kind])})
    run_state_machine_as_test(machine, settings=settings(max_examples=30))


@pytest.mark.parametrize("kind", DEVICES)
def test_a_device_keeps_pages_until_they_are_discarded(kind):
    """MIC-10: each slot its own, the last write counts, and a look changes nothing."""
    device = DEVICES[kind]()
    pages = {slot: bytes([slot + 1]) * PAGE_SIZE for slot in range(device.slots)}
    for slot, page in pages.items():
        device.write(slot, b"old" + page[3:])
        changing = bytearray(page)
        device.write(slot, changing)
        changing[:] = bytes(PAGE_SIZE)
    assert {slot: device.read(slot) for slot in pages} == pages
    device.discard(1)
    assert {slot: device.peek(slot) for slot in pages if slot != 1} == {
        slot: page for slot, page in pages.items() if slot != 1
    }
    device.write(1, pages[2])
    assert device.read(1) == pages[2]


def test_every_device_is_tested():
    assert implementations(SwapDevice) == set(DEVICES)


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
