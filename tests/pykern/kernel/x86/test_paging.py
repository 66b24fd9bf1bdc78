"""MEL-25, MEL-27, MEL-38 (SCA-01, RMP-05): page tables, walked by the emulated processor."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from pykern.kernel.core.bug import KernelBug
from pykern.kernel.core.errno import SysError
from pykern.kernel.core.units import GIB, MIB, PAGE_SIZE
from pykern.kernel.mm.frames import FrameAllocator
from pykern.kernel.x86.paging import (
    NX,
    PAGE_1G,
    PAGE_2M,
    PF_I,
    PF_P,
    PF_U,
    PF_W,
    RW,
    US,
    A,
    D,
    G,
    P,
    PageTable,
    user_table,
)
from pykern_c.machine import Machine
from tests.guest import assemble, long_mode

HIGH = 0xFFFF_8000_0000_0000
KERNEL = 0xFFFF_FFFF_8000_0000


class Bench:
    """A machine, frames, one table, and the processor as the judge."""

    def __init__(self, regions=((MIB, 15 * MIB),), **options):
        self.machine = Machine(16 * MIB)
        self.frames = FrameAllocator(self.machine, regions)
        self.start = self.frames.free_bytes
        self.told: list[tuple[int, int]] = []
        self.table = PageTable(
            self.machine, self.frames, invalidate=lambda *r: self.told.append(r), **options
        )
        self.vcpu = self.machine.vcpus[0]

    def translate(self, laddr, access="r", *, cpl=0):
        """Translate with CR0.WP and EFER.NXE, as the kernel runs."""
        long_mode(self.vcpu, cpl=cpl)
        self.vcpu.write_register("cr3", self.table.root)
        return self.vcpu.translate(laddr, access)


@pytest.fixture
def bench():
    return Bench()


def test_the_processor_finds_what_was_mapped(bench):
    bench.table.map(0x40_0000, 0x20_0000, 2 * PAGE_SIZE, RW | US | NX)
    assert bench.translate(0x40_1234).paddr == 0x20_1234
    assert bench.translate(0x40_1234, "w", cpl=3).paddr == 0x20_1234
    assert bench.translate(0x40_1234, "x", cpl=3).error == PF_P | PF_U | PF_I
    assert bench.translate(0x40_2000).error == 0
    assert bench.table.translate(0x40_1234) == 0x20_1234
    assert bench.table.translate(0x40_2000) is None
    assert bench.table.lookup(1 << 47) is None


@pytest.mark.parametrize(
    ("flags", "faults"),
    [
        (0, {("w", 0): PF_P | PF_W, ("r", 3): PF_P | PF_U}),
        (NX, {("w", 0): PF_P | PF_W, ("x", 0): PF_P | PF_I}),
        (RW | NX, {("x", 0): PF_P | PF_I, ("w", 3): PF_P | PF_W | PF_U}),
        (US, {("w", 0): PF_P | PF_W, ("w", 3): PF_P | PF_W | PF_U}),
    ],
)
def test_rights(bench, flags, faults):
    """MEL-25: RX, R and RW+NX pages; MEL-27: CR0.WP and NX hold for the kernel too."""
    bench.table.map(KERNEL, 0x20_0000, PAGE_SIZE, flags)
    for access, cpl in [("r", 0), ("w", 0), ("x", 0), ("r", 3), ("w", 3), ("x", 3)]:
        translation = bench.translate(KERNEL, access, cpl=cpl)
        expected = faults.get((access, cpl))
        if cpl == 3 and not flags & US:
            assert translation.error is not None
            assert translation.error & PF_U
        else:
            assert translation.error == expected


def test_user_pages_have_us_at_every_level(bench):
    """MYR-10."""
    bench.table.map(0x1_0000, 0x20_0000, PAGE_SIZE, US)
    assert all(entry & US for _, _, entry in bench.table.walk(0x1_0000).steps)
    bench.table.map(HIGH, 0x20_0000, PAGE_SIZE, 0)
    assert not any(entry & US for _, _, entry in bench.table.walk(HIGH).steps)
    with pytest.raises(KernelBug, match="under a supervisor entry"):
        bench.table.map(HIGH + PAGE_SIZE, 0x20_0000, PAGE_SIZE, US)


def test_writable_and_executable_is_refused_unless_asked_for(bench):
    """MEL-25: W^X."""
    with pytest.raises(KernelBug, match="P RW is writable and executable"):
        bench.table.map(KERNEL, 0, PAGE_SIZE, RW)
    bench.table.map(KERNEL, 0, PAGE_SIZE, RW, wx=True)
    with pytest.raises(KernelBug, match="writable and executable"):
        bench.table.protect(KERNEL, PAGE_SIZE, RW)
    with pytest.raises(KernelBug, match="writable and executable"):
        bench.table.set_entry(0x1000, 0x1000, P | RW)


@pytest.mark.parametrize("largest", [PAGE_SIZE, PAGE_2M, PAGE_1G])
def test_the_largest_pages_that_fit(largest):
    """RMP-05: 4 KiB, 2 MiB and 1 GiB."""
    bench = Bench(largest=largest)
    size = 2 * GIB + 4 * MIB + 3 * PAGE_SIZE if largest > PAGE_SIZE else 5 * MIB
    base = HIGH + GIB - PAGE_2M - 2 * PAGE_SIZE
    paddr = 3 * GIB - PAGE_2M - 2 * PAGE_SIZE
    bench.table.map(base, paddr, size, RW | NX | G)
    assert list(bench.table.mappings()) == [(base, size, paddr, P | RW | NX | G)]
    sizes = {leaf.size for leaf in bench.table.leaves()}
    assert sizes == {s for s in (PAGE_SIZE, PAGE_2M, PAGE_1G) if s <= largest}
    for leaf in list(bench.table.leaves())[::97]:
        found = bench.translate(leaf.laddr + leaf.size - 1, "w")
        assert (found.paddr, found.page_size) == (leaf.paddr + leaf.size - 1, leaf.size)
    assert bench.translate(base - 1).error == 0
    assert bench.translate(base + size).error == 0


def test_a_large_page_is_split_where_a_part_changes():
    bench = Bench(largest=PAGE_1G)
    bench.table.map(HIGH, 0, GIB, RW | NX)
    bench.table.protect(HIGH + 3 * MIB, 2 * PAGE_SIZE, 0)
    bench.table.unmap(HIGH + 5 * MIB, PAGE_SIZE)
    assert bench.translate(HIGH + 3 * MIB + 5, "x").paddr == 3 * MIB + 5
    assert bench.translate(HIGH + 3 * MIB, "w").error == PF_P | PF_W
    assert bench.translate(HIGH + 3 * MIB - 1, "w").paddr == 3 * MIB - 1
    assert bench.translate(HIGH + 5 * MIB).error == 0
    assert [m[:2] for m in bench.table.mappings()] == [
        (HIGH, 3 * MIB),
        (HIGH + 3 * MIB, 2 * PAGE_SIZE),
        (HIGH + 3 * MIB + 2 * PAGE_SIZE, 2 * MIB - 2 * PAGE_SIZE),
        (HIGH + 5 * MIB + PAGE_SIZE, GIB - 5 * MIB - PAGE_SIZE),
    ]
    assert (HIGH, GIB) in bench.told


def test_accessed_and_dirty_survive_protect(bench):
    bench.table.map(0x40_0000, 0x20_0000, PAGE_SIZE, RW | NX)
    bench.table.set_entry(0x40_0000, 0x20_0000, P | RW | NX | A | D)
    bench.table.protect(0x40_0000, PAGE_SIZE, NX)
    assert bench.table.entry(0x40_0000) == 0x20_0000 | P | NX | A | D


def test_a_running_processor_sees_an_unmapped_page_only_until_it_is_told():
    """SCA-01: TLB management; the machine itself reports the use of a stale translation."""
    bench = Bench()
    bench.machine.write(0x20_0000, assemble("mov eax, [0x600000]\nhlt\nmov ecx, [0x601000]\nhlt"))
    bench.table.map(0x10_0000, 0x20_0000, PAGE_SIZE, 0)
    bench.table.map(0x60_0000, 0x20_1000, 2 * PAGE_SIZE, RW | NX)
    bench.translate(0x10_0000)
    bench.machine.run()
    stale = []
    bench.machine.report_stale_tlb(lambda _vcpu, laddr, _old: stale.append(laddr))
    assert bench.told == []
    bench.table.unmap(0x60_0000, PAGE_SIZE)
    assert bench.told == [(0x60_0000, PAGE_SIZE)]
    assert bench.translate(0x60_0000).error == 0
    assert bench.translate(0x60_1000).paddr == 0x20_2000


def test_tables_are_freed_when_empty_and_on_release(bench):
    before = bench.frames.free_bytes
    bench.table.map(0x40_0000, 0x20_0000, 3 * MIB, RW | NX)
    bench.table.unmap(0x40_0000, 3 * MIB)
    assert bench.frames.free_bytes == before
    bench.table.map(HIGH, 0x20_0000, PAGE_SIZE, NX)
    bench.table.unmap(HIGH, PAGE_SIZE)
    # What the PML4 refers to in the upper half stays: other PML4s refer to it too.
    assert bench.frames.free_bytes == before - PAGE_SIZE
    bench.table.map(0x40_0000, 0x20_0000, 3 * MIB, RW | NX)
    bench.table.release()
    assert bench.frames.free_bytes == bench.start - PAGE_SIZE


@pytest.mark.parametrize("pages", [1, 2, 3, 4])
def test_without_memory_for_tables_nothing_is_mapped(pages):
    bench = Bench(regions=((MIB, pages * PAGE_SIZE),))
    free = bench.frames.free_bytes
    with pytest.raises(SysError, match="ENOMEM"):
        bench.table.map(0x7F_FFFF_F000, 0x20_0000, 2 * PAGE_SIZE, NX)
    assert bench.frames.free_bytes == free
    assert list(bench.table.leaves()) == []


def test_what_cannot_be_mapped_is_refused(bench):
    for laddr, paddr, size in [
        (1, 0, PAGE_SIZE),
        (0, 1, PAGE_SIZE),
        (0, 0, 0),
        (0, 0, 10),
        (1 << 47, 0, PAGE_SIZE),
        ((1 << 47) - PAGE_SIZE, 0, 2 * PAGE_SIZE),
        (0, 1 << 52, PAGE_SIZE),
        ((1 << 64) - PAGE_SIZE, 0, 2 * PAGE_SIZE),
    ]:
        with pytest.raises(KernelBug, match=r"expected|canonical"):
            bench.table.map(laddr, paddr, size, NX)
    with pytest.raises(KernelBug, match="address bits"):
        bench.table.map(0, 0, PAGE_SIZE, NX | 1 << 20)
    bench.table.map(0, 0, PAGE_2M, NX)
    with pytest.raises(KernelBug, match="lies in a larger page"):
        bench.table.map(PAGE_SIZE, 0, PAGE_SIZE, NX)
    bench.table.map(PAGE_2M + PAGE_SIZE, 0, PAGE_SIZE, NX)
    with pytest.raises(KernelBug, match="0x201000 is mapped already"):
        bench.table.map(PAGE_2M, 0, 2 * PAGE_SIZE, NX)
    assert bench.table.translate(PAGE_2M) is None


def test_the_last_page_of_the_address_space(bench):
    last = (1 << 64) - PAGE_SIZE
    bench.table.map(last, 0x20_0000, PAGE_SIZE, NX)
    assert bench.translate(last + 1).paddr == 0x20_0001
    assert [leaf.laddr for leaf in bench.table.leaves()] == [last]
    bench.table.unmap(last, PAGE_SIZE)
    assert list(bench.table.leaves()) == []


def test_user_tables_share_the_kernel_half(bench):
    """MYR-09, MEL-48: PML4[256..511] are equal, the user halves are not."""
    bench.table.map(HIGH, 0x20_0000, PAGE_SIZE, NX)
    one, two = (user_table(bench.machine, bench.frames, bench.table.root) for _ in range(2))
    one.map(0x40_0000, 0x20_1000, PAGE_SIZE, US | NX)
    halves = {bench.machine.read(t.root + 2048, 2048) for t in (bench.table, one, two)}
    assert len(halves) == 1
    bench.table.map(HIGH + PAGE_2M, 0x20_2000, PAGE_SIZE, NX)
    assert two.translate(HIGH + PAGE_2M) == 0x20_2000
    assert two.translate(0x40_0000) is None
    one.release()
    two.release()
    assert bench.table.translate(HIGH) == 0x20_0000


class Paging(RuleBasedStateMachine):
    """Random changes against a dictionary of 4 KiB pages; the processor has the last word."""

    BASES = (0, 0x3FFF_F000, 0x7FFF_FFC0_0000, HIGH, KERNEL, (1 << 64) - 4 * MIB)
    bases = st.sampled_from(BASES)
    pages = st.one_of(st.integers(0, 8), st.integers(505, 520), st.integers(0, 1023))
    counts = st.one_of(st.integers(1, 4), st.sampled_from([511, 512, 513, 1024]))
    flags = st.sampled_from([0, NX, RW | NX, G, RW | NX | G])

    def __init__(self):
        super().__init__()
        self.bench = Bench(largest=PAGE_2M)
        self.model: dict[int, tuple[int, int]] = {}

    def range(self, base, page, count):
        start = base + page * PAGE_SIZE
        end = min(start + count * PAGE_SIZE, base + 4 * MIB)
        return start, end - start, range(start, end, PAGE_SIZE)

    @rule(base=bases, page=pages, count=counts, flags=flags, paddr=pages, aligned=st.booleans())
    def map(self, base, page, count, flags, paddr, aligned):
        start, size, wanted = self.range(base, page, count)
        paddr = (start % PAGE_2M if aligned else paddr * PAGE_SIZE) + 4 * MIB
        if any(laddr in self.model for laddr in wanted):
            before = dict(self.model)
            with pytest.raises(KernelBug, match=r"already|larger page"):
                self.bench.table.map(start, paddr, size, flags)
            assert before == self.model
            return
        self.bench.table.map(start, paddr, size, flags)
        for laddr in wanted:
            self.model[laddr] = (paddr + laddr - start, flags | P)

    @rule(base=bases, page=pages, count=counts)
    def unmap(self, base, page, count):
        start, size, wanted = self.range(base, page, count)
        self.bench.told.clear()
        gone = [self.model.pop(laddr) for laddr in wanted if laddr in self.model]
        self.bench.table.unmap(start, size)
        assert not gone or (start, size) in self.bench.told

    @rule(base=bases, page=pages, count=counts, flags=flags)
    def protect(self, base, page, count, flags):
        start, size, wanted = self.range(base, page, count)
        self.bench.table.protect(start, size, flags)
        for laddr in wanted:
            if laddr in self.model:
                self.model[laddr] = (self.model[laddr][0], flags | P)

    @rule(base=bases, page=pages, access=st.sampled_from("rwx"))
    def the_processor_agrees(self, base, page, access):
        laddr = base + page * PAGE_SIZE
        got = self.bench.translate(laddr + 7, access)
        if laddr not in self.model:
            assert got.paddr is None
            assert got.error & PF_P == 0
            return
        paddr, flags = self.model[laddr]
        allowed = {"r": True, "w": flags & RW, "x": not flags & NX}[access]
        assert got.paddr == (paddr + 7 if allowed else None)

    @invariant()
    def agrees(self):
        found = {
            leaf.laddr + i: (leaf.paddr + i, leaf.flags)
            for leaf in self.bench.table.leaves()
            for i in range(0, leaf.size, PAGE_SIZE)
        }
        assert found == self.model

    def teardown(self):
        table = self.bench.table
        for base in self.BASES:
            table.unmap(base, 4 * MIB)
        kept = sum(table.walk(b).steps[0][2] & P for b in (HIGH, KERNEL))
        table.release()
        assert self.bench.frames.free_bytes == self.bench.start - kept * PAGE_SIZE


TestPaging = Paging.TestCase
TestPaging.settings = settings(max_examples=40, stateful_step_count=25)
