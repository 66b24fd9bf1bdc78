"""MEL-38: reading page tables; the emulated processor reads the same."""

from __future__ import annotations

from pykern.kernel.core.units import MIB, PAGE_SIZE
from pykern.kernel.x86.paging import NX, PAGE_2M, RW, US, P
from pykern.kernel.x86.table_walk import TableReader
from tests.pykern.kernel.x86.test_paging import HIGH, KERNEL, Bench, bench

__all__ = ["bench"]


def test_a_walk_explains_itself(bench):
    bench.table.map(0x40_0000, 0x20_0000, PAGE_SIZE, US)
    text = bench.table.walk(0x40_0123).explain()
    assert text.splitlines()[3].startswith("PTE   at 0x")
    assert "0x400123 -> 0x200123 r-xu, page of 4 KiB" in text
    steps = bench.table.walk(0x40_0123).steps
    assert steps == bench.translate(0x40_0123).entries
    assert "PTE.P = 0" in bench.table.walk(0x40_1000).explain()
    assert "PML4E.P = 0" in bench.table.walk(HIGH).explain()


def test_anybody_s_tables_can_be_read():
    bench = Bench(largest=PAGE_2M)
    bench.table.map(0x40_0000, 0x20_0000, 2 * PAGE_SIZE, RW | US | NX)
    bench.table.map(HIGH, 0, 4 * MIB, RW | NX)
    bench.table.map(KERNEL, 0x30_0000, PAGE_SIZE, 0)
    reader = TableReader(bench.machine, bench.table.root)
    assert list(reader.mappings()) == [
        (0x40_0000, 2 * PAGE_SIZE, 0x20_0000, P | RW | US | NX),
        (HIGH, 4 * MIB, 0, P | RW | NX),
        (KERNEL, PAGE_SIZE, 0x30_0000, P),
    ]
    assert [leaf.laddr for leaf in reader.leaves(HIGH + 3 * MIB, PAGE_SIZE)] == [HIGH + 2 * MIB]
    assert reader.entry(0x40_1000) == 0x20_1000 | P | RW | US | NX
    assert reader.entry(0x40_2000) == reader.entry(HIGH) == reader.entry(0x7F_0000_0000) == 0
    spans = list(reader.spans(0x40_1000, 3 * PAGE_SIZE))
    assert spans == [(0x40_1000, [0x20_1000 | P | RW | US | NX, 0, 0])]


def test_a_table_of_entries_that_has_been_freed_is_not_read_again():
    bench = Bench()
    for paddr in (0x20_0000, 0x30_0000):
        bench.table.map(0x40_0000, paddr, PAGE_SIZE, US | NX)
        assert bench.table.entry(0x40_0000) == paddr | P | US | NX
        bench.table.unmap(0x40_0000, PAGE_SIZE)
        bench.frames.alloc()
        assert bench.table.entry(0x40_0000) == 0


def test_all_tables_of_a_tree_are_known():
    """RMP-03: each once, also where the PML4 is among its own tables."""
    bench = Bench(largest=PAGE_2M)
    assert bench.table.window is None
    bench.table.map(0x40_0000, 0x20_0000, 2 * PAGE_SIZE, RW | US | NX)
    bench.table.map(HIGH, 0, 4 * MIB, RW | NX)
    before = {*bench.table.table_frames(), *bench.table.table_frames(upper=True)}
    assert len(before) == bench.table.tables == 1 + 3 + 2
    bench.table.make_recursive()
    assert bench.table.window == 0xFFFF_FF80_0000_0000
    assert {*bench.table.table_frames(), *bench.table.table_frames(upper=True)} == before
    shown = {leaf.paddr for leaf in bench.table.leaves(bench.table.window, 1 << 39)}
    assert before <= shown
