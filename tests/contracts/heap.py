"""The contract of every kernel heap: what `pykern.kernel.mm.heap.HeapAllocator` promises.

A test module derives from `HeapContract` and says in `name` which heap it is. That has 1 MiB at
BASE and may grow to 3 MiB, in memory whose linear and physical addresses are equal.
"""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pykern.kernel.core.bug import KernelBug
from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.core.units import MIB
from pykern.kernel.mm.heaps import HEAPS
from pykern_c.machine import Machine

BASE = 2 * MIB


class HeapContract(RuleBasedStateMachine):
    """Blocks never overlap, keep what is written to them, and leave nothing behind."""

    name = ""
    sizes = st.one_of(st.integers(1, 300), st.integers(1, MIB), st.sampled_from([64, 4096, MIB]))

    def __init__(self):
        super().__init__()
        self.machine = Machine(8 * MIB)
        self.machine.write(0, b"\xaa" * (8 * MIB))
        self.heap = HEAPS.get(self.name)(
            BASE, MIB, self.machine, limit=3 * MIB, grow=lambda *place: self.grow(*place)
        )
        self.refuse = False
        self.blocks: dict[int, tuple[int, int]] = {}
        self.count = 0

    def grow(self, laddr, size):
        assert laddr == BASE + self.heap.statistics().total
        assert size > 0
        if self.refuse:
            raise SysError(Errno.ENOMEM)

    @rule(refuse=st.booleans())
    def memory_is_short(self, refuse):
        self.refuse = refuse

    @rule(size=sizes)
    def kmalloc(self, size):
        before = self.heap.statistics()
        try:
            laddr = self.heap.kmalloc(size)
        except SysError:
            assert self.heap.statistics() == before
            assert before.largest_free < 2 * size or before.largest_free < 64
            return
        assert self.heap.statistics().total <= 3 * MIB
        assert BASE <= laddr <= BASE + self.heap.statistics().total - size
        assert laddr % 64 == 0
        for other, (length, _) in self.blocks.items():
            assert laddr + size <= other or other + length <= laddr
        assert not any(self.machine.read(laddr, size))
        self.count += 1
        tag = self.count % 255 + 1
        self.machine.write(laddr, bytes([tag]) * size)
        self.blocks[laddr] = (size, tag)

    @precondition(lambda self: self.blocks)
    @rule(data=st.data())
    def kfree(self, data):
        laddr = data.draw(st.sampled_from(sorted(self.blocks)))
        size, tag = self.blocks.pop(laddr)
        assert self.machine.read(laddr, size) == bytes([tag]) * size
        self.heap.kfree(laddr, size)
        before = self.heap.statistics()
        with pytest.raises(KernelBug):
            self.heap.kfree(laddr, size)
        assert self.heap.statistics() == before

    @precondition(lambda self: self.blocks)
    @rule(data=st.data(), offset=st.sampled_from([1, 8, 64, 4096]))
    def free_what_is_no_block(self, data, offset):
        laddr = data.draw(st.sampled_from(sorted(self.blocks))) + offset
        if laddr in self.blocks:
            return
        before = self.heap.statistics()
        with pytest.raises(KernelBug):
            self.heap.kfree(laddr, 64)
        assert self.heap.statistics() == before

    @rule(size=st.sampled_from([60_000, 300_000]))
    def exhaust(self, size):
        """Take all there is, in blocks of a size, and give most of it back."""
        taken = []
        while len(taken) < 3 * MIB // size + 1:
            try:
                taken.append(self.heap.kmalloc(size))
            except SysError:
                break
        else:
            raise AssertionError("more than the heap may have")
        for laddr in taken:
            self.heap.kfree(laddr, size)

    @invariant()
    def holds(self):
        self.heap.check()
        statistics = self.heap.statistics()
        assert statistics.used + statistics.free == statistics.total
        assert statistics.used >= sum(size for size, _ in self.blocks.values())
        assert statistics.allocations - statistics.frees == len(self.blocks)

    def teardown(self):
        for laddr, (size, _) in self.blocks.items():
            self.heap.kfree(laddr, size)
        self.heap.check()
        assert self.heap.statistics().used == 0
