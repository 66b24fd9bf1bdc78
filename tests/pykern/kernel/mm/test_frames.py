"""MEL-24, MEL-28 (RMP-01, RMP-02): frames."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pykern.kernel.core.bug import KernelBug
from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.core.units import MIB, PAGE_SIZE
from pykern.kernel.mm.frames import FrameAllocator
from pykern_c.machine import Machine


def allocator(*regions, machine=None, **options):
    return FrameAllocator(machine or Machine(16 * MIB), regions or [(MIB, 4 * MIB)], **options)


def test_every_frame_is_handed_out_once_and_comes_back():
    """MEL-24: allocate all, free all."""
    frames = allocator()
    taken = [frames.alloc(zero=False) for _ in range(4 * MIB // PAGE_SIZE)]
    assert sorted(taken) == list(range(MIB, 5 * MIB, PAGE_SIZE))
    assert frames.free_bytes == 0
    with pytest.raises(SysError, match="ENOMEM") as raised:
        frames.alloc()
    assert raised.value.errno is Errno.ENOMEM
    random.Random(1).shuffle(taken)
    for paddr in taken:
        frames.free(paddr)
    assert frames.free_bytes == frames.total_bytes == 4 * MIB


def test_double_free_and_foreign_frames_are_named():
    """MEL-24: double free detected."""
    frames = allocator()
    paddr = frames.alloc(2)
    frames.free(paddr + PAGE_SIZE)
    with pytest.raises(KernelBug, match=rf"frame {paddr + PAGE_SIZE:#x} is free already"):
        frames.free(paddr, 2)
    frames.free(paddr)
    with pytest.raises(KernelBug, match=rf"{paddr:#x} is free already \(double free\)"):
        frames.free(paddr)
    with pytest.raises(KernelBug, match=r"foreign frame 0x800000: .* has 0x100000-0x4fffff"):
        frames.free(8 * MIB)
    with pytest.raises(KernelBug, match="not whole frames"):
        frames.free(MIB + 8)
    with pytest.raises(KernelBug, match=r"put: .* free already"):
        frames.put(paddr)
    with pytest.raises(KernelBug, match=r"get: .* is free"):
        frames.get(paddr)
    assert frames.free_bytes == frames.total_bytes


def test_a_shared_frame_cannot_be_freed_and_lives_until_its_last_reference():
    frames = allocator()
    paddr = frames.alloc()
    assert frames.get(paddr) == paddr
    assert frames.references(paddr) == 2
    with pytest.raises(KernelBug, match="2 references, expected 1"):
        frames.free(paddr)
    frames.put(paddr)
    assert frames.free_bytes == frames.total_bytes - PAGE_SIZE
    frames.put(paddr)
    assert frames.free_bytes == frames.total_bytes
    assert frames.references(paddr) == 0


def test_memory_is_zeroed():
    """MEL-27: nobody sees what the last owner left."""
    machine = Machine(16 * MIB)
    machine.write(0, b"\xaa" * (16 * MIB))
    frames = allocator(machine=machine)
    assert machine.read(frames.alloc(), PAGE_SIZE) == bytes(PAGE_SIZE)
    assert machine.read(frames.alloc(600), 600 * PAGE_SIZE) == bytes(600 * PAGE_SIZE)
    assert machine.read(frames.alloc(zero=False), 4) == b"\xaa" * 4
    assert machine.read(5 * MIB, 4) == b"\xaa" * 4


def test_contiguous_aligned_and_below():
    frames = allocator((0, MIB), (2 * MIB, 6 * MIB))
    assert frames.alloc() == 0
    assert frames.alloc(4, align=0x10000) == 0x10000
    assert frames.alloc(1, align=2 * MIB) == 2 * MIB
    assert frames.alloc(512, align=2 * MIB) == 4 * MIB
    assert frames.alloc(2, below=0x4000) == 0x1000
    assert frames.alloc(below=0x4000) == 0x3000
    with pytest.raises(SysError, match="ENOMEM"):
        frames.alloc(below=0x4000)
    with pytest.raises(SysError, match="ENOMEM"):
        frames.alloc(2048)
    with pytest.raises(KernelBug, match="aligned"):
        frames.alloc(align=3)


def test_holes_and_reserved_ranges_are_never_returned():
    """RMP-01: several regions; partial pages at their ends are left out."""
    frames = allocator((0x800, 0x9F000), (MIB, MIB), (12 * MIB - 0x800, 0x3000))
    frames.reserve(0x8000, 1)
    frames.reserve(0x9E000, 2 * MIB)
    count = frames.free_bytes // PAGE_SIZE
    everything = {frames.alloc(zero=False) for _ in range(count)}
    low = set(range(0x1000, 0x9E000, PAGE_SIZE)) - {0x8000}
    assert everything == low | {12 * MIB, 12 * MIB + 0x1000}
    assert frames.statistics().reserved == PAGE_SIZE + PAGE_SIZE + MIB
    with pytest.raises(KernelBug, match="0x9000 is in use"):
        frames.reserve(0x9000, 1)


def test_regions_must_not_overlap_and_must_exist():
    with pytest.raises(KernelBug, match="overlaps the one that ends at 0x1fffff"):
        allocator((MIB, MIB), (2 * MIB - PAGE_SIZE, MIB))
    with pytest.raises(KernelBug, match="no usable page"):
        allocator((0x10, 0x20))


def test_statistics_match_the_memory():
    """MEL-28."""
    frames = allocator((0, 640 * 1024), (MIB, 15 * MIB))
    frames.reserve(0, MIB)
    frames.alloc(16)
    statistics = frames.statistics()
    assert statistics.total == 640 * 1024 + 15 * MIB
    assert statistics.used == 640 * 1024 + 16 * PAGE_SIZE
    assert statistics.free == statistics.total - statistics.used


def test_memory_of_the_wanted_node_comes_first_then_of_the_nearest():
    """RMP-02: local allocation, fall-back by distance."""
    nodes = [(i * MIB, MIB, i) for i in range(3)]
    frames = allocator(*nodes, distances=[[10, 40, 20], [40, 10, 30], [20, 30, 10]])
    assert [frames.alloc(256, node=0) >> 20 for _ in range(3)] == [0, 2, 1]
    frames.free(MIB, 256)
    assert frames.alloc(node=0) >> 20 == 1
    assert frames.statistics(1).free == MIB - PAGE_SIZE
    assert frames.statistics(2).free == 0


def test_many_references_at_once_are_the_same_as_one_by_one():
    frames = allocator((0, MIB), (2 * MIB, MIB))
    taken = [frames.alloc() for _ in range(400)]
    frames.get_each([*taken, *taken[:100]])
    assert [frames.references(p) for p in taken] == [3] * 100 + [2] * 300
    frames.put_each([*taken, *taken[:100], *taken[50:]])
    assert [frames.references(p) for p in taken] == [1] * 50 + [0] * 350
    assert frames.free_bytes == frames.total_bytes - 50 * PAGE_SIZE
    with pytest.raises(KernelBug, match=f"put: frame {taken[60]:#x} is free already"):
        frames.put_each([taken[0]] + [taken[60]] * 40)
    with pytest.raises(KernelBug, match=f"get: frame {taken[60]:#x} is free"):
        frames.get_each([taken[0]] * 40 + [taken[60]])
    with pytest.raises(KernelBug, match="1 of 41 frames are none of this"):
        frames.get_each([taken[0]] * 40 + [MIB])


class Frames(RuleBasedStateMachine):
    """The allocator against a dictionary of reference counts."""

    REGIONS = ((0x3000, 67 * PAGE_SIZE), (MIB, 200 * PAGE_SIZE))

    def __init__(self):
        super().__init__()
        self.frames = FrameAllocator(Machine(2 * MIB), self.REGIONS)
        self.every = {
            paddr for base, size in self.REGIONS for paddr in range(base, base + size, PAGE_SIZE)
        }
        self.model: dict[int, int] = {}

    def run_fits(self, count, align, below):
        return any(
            all(start + i * PAGE_SIZE in self.every - self.model.keys() for i in range(count))
            and start + count * PAGE_SIZE <= below
            for start in self.every
            if start % align == 0
        )

    @rule(
        count=st.one_of(st.just(1), st.integers(1, 90)),
        align=st.sampled_from([PAGE_SIZE, 2 * PAGE_SIZE, 16 * PAGE_SIZE]),
        below=st.sampled_from([None, 2 * MIB, MIB + 0x30000, 0x40000, 0x2000]),
    )
    def alloc(self, count, align, below):
        try:
            paddr = self.frames.alloc(count, align=align, below=below)
        except SysError:
            assert not self.run_fits(count, align, below or 2 * MIB)
            return
        taken = {paddr + i * PAGE_SIZE for i in range(count)}
        assert paddr % align == 0
        assert paddr + count * PAGE_SIZE <= (below or 2 * MIB)
        assert taken <= self.every - self.model.keys()
        self.model |= dict.fromkeys(taken, 1)

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def get(self, data):
        paddr = data.draw(st.sampled_from(sorted(self.model)))
        self.frames.get(paddr)
        self.model[paddr] += 1

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def get_and_put_many(self, data):
        chosen = data.draw(st.lists(st.sampled_from(sorted(self.model)), min_size=33))
        self.frames.get_each(chosen)
        for paddr in chosen:
            self.model[paddr] += 1
        dropped = [*chosen, *self.model][: data.draw(st.integers(33, len(chosen) + 40))]
        self.frames.put_each(dropped)
        for paddr in dropped:
            self.model[paddr] -= 1
            if not self.model[paddr]:
                del self.model[paddr]

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def put(self, data):
        paddr = data.draw(st.sampled_from(sorted(self.model)))
        self.frames.put(paddr)
        self.model[paddr] -= 1
        if not self.model[paddr]:
            del self.model[paddr]

    @rule(data=st.data(), many=st.booleans())
    def a_free_frame_is_nobodys(self, data, many):
        """Double free: refused, by its address, and nothing has changed."""
        free = sorted(self.every - self.model.keys())
        if not free:
            with pytest.raises(SysError, match="ENOMEM"):
                self.frames.alloc()
            return
        paddr = data.draw(st.sampled_from(free))
        for use in (self.frames.get, self.frames.put, self.frames.free):
            with pytest.raises(KernelBug, match=f"{paddr:#x}"):
                use(paddr)
        for use in (self.frames.get_each, self.frames.put_each) if many else ():
            with pytest.raises(KernelBug, match=f"{paddr:#x}"):
                use([paddr] * 40)

    @precondition(lambda self: self.model)
    @rule(data=st.data(), count=st.integers(1, 20))
    def free(self, data, count):
        paddr = data.draw(st.sampled_from(sorted(self.model)))
        wanted = [paddr + i * PAGE_SIZE for i in range(count)]
        if all(self.model.get(p) == 1 for p in wanted):
            self.frames.free(paddr, count)
            for p in wanted:
                del self.model[p]
            return
        with pytest.raises(KernelBug):
            self.frames.free(paddr, count)

    @invariant()
    def agrees(self):
        assert self.frames.free_bytes == (len(self.every) - len(self.model)) * PAGE_SIZE
        for paddr in self.every:
            assert self.frames.references(paddr) == self.model.get(paddr, 0)
        every = sorted(self.every)
        counts = self.frames.references_of(np.array(every, dtype=np.int64))
        assert counts.tolist() == [self.model.get(paddr, 0) for paddr in every]


TestFrames = Frames.TestCase
TestFrames.settings = settings(max_examples=30, stateful_step_count=30)
