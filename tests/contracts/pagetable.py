"""The contract of every page table: what `pykern.kernel.mm.pagetable.PageTable` promises.

A test module derives from `PageTableContract`, and says in `make` how its table comes to be and in
`walk` what a processor of its kind would find, written down by itself.
"""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from pykern.kernel.core.units import MIB, PAGE_SIZE
from pykern.kernel.mm.frames import FrameAllocator
from pykern_c.machine import Machine

# Pages of several tables, some of them neighbours.
PLACES = [
    base + i * PAGE_SIZE for base in (0x40_0000, 0x3F_E000, 0x7F00_0000_0000) for i in range(4)
]
places, prots = st.sampled_from(PLACES), st.sampled_from([0, 1, 3, 5])
END = 0x7FFF_FFFF_F000


class PageTableContract(RuleBasedStateMachine):
    """A table holds what was put there, and a processor sees just that."""

    def __init__(self):
        super().__init__()
        self.machine = Machine(8 * MIB)
        self.frames = FrameAllocator(self.machine, [(MIB, 7 * MIB)])
        self.free = self.frames.free_bytes
        self.table = self.make(self.machine, self.frames)
        self.told = []
        self.table.invalidate = lambda laddr, size: self.told.append((laddr, size))
        self.model = {}

    def make(self, memory, frames):
        raise NotImplementedError

    def walk(self, laddr):
        """Return (physical address, may write, may execute) in user mode, or None."""
        raise NotImplementedError

    @rule(laddr=places, frame=st.integers(1, 500), prot=prots)
    def set_entry(self, laddr, frame, prot):
        self.table.set_entry(laddr, frame * PAGE_SIZE, self.table.user_flags(prot))
        self.model[laddr] = ("page", frame, prot)

    @rule(laddr=places, slot=st.integers(0, 500))
    def swap_out(self, laddr, slot):
        self.table.set_span(laddr, [self.table.swap_entry(slot)])
        self.model[laddr] = ("slot", slot, 0)

    @rule(laddr=places, pages=st.integers(1, 5))
    def remove(self, laddr, pages):
        self.table.change(laddr, pages * PAGE_SIZE, lambda _laddr, _entry: 0)
        for page in range(pages):
            self.model.pop(laddr + page * PAGE_SIZE, None)

    @rule(laddr=places)
    def write_protect(self, laddr):
        def narrow(_laddr, entry):
            return self.table.read_only(entry)

        self.table.change(laddr, PAGE_SIZE, narrow)
        kind, number, prot = self.model.get(laddr, ("", 0, 0))
        if kind == "page":
            self.model[laddr] = kind, number, prot & ~2

    @rule(laddr=places)
    def clear_the_accessed_bit(self, laddr):
        entry = self.table.entry(laddr)
        if not entry or not self.table.is_present(entry):
            return
        self.table.set_span(laddr, [self.table.unaccessed(entry)])
        assert not self.table.is_accessed(self.table.entry(laddr))

    @invariant()
    def its_tables_are_those_it_has_taken(self):
        assert len({*self.table.table_frames()}) == self.table.tables
        assert all(self.frames.references(table) == 1 for table in self.table.table_frames())

    @invariant()
    def entries_say_what_was_put_there(self):
        for laddr in PLACES:
            entry, (kind, number, prot) = self.table.entry(laddr), self.model.get(laddr, ("", 0, 0))
            assert bool(entry) == bool(kind)
            assert self.table.is_swapped(entry) == (kind == "slot")
            assert self.table.is_present(entry) == bool(prot)
            assert self.table.is_writable(entry) == bool(prot & 2)
            if kind == "slot":
                assert self.table.slot_of(entry) == number
            elif kind:
                assert self.table.paddr_of(entry) == number * PAGE_SIZE

    @invariant()
    def a_processor_sees_the_same(self):
        for laddr in PLACES:
            kind, number, prot = self.model.get(laddr, ("", 0, 0))
            seen = (number * PAGE_SIZE, bool(prot & 2), bool(prot & 4)) if prot else None
            assert self.walk(laddr) == (seen if kind == "page" else None)

    @invariant()
    def spans_are_all_there_is(self):
        found = {
            laddr + i * PAGE_SIZE
            for laddr, entries in self.table.spans(0, END)
            for i, entry in enumerate(entries)
            if entry
        }
        assert found == set(self.model)

    def teardown(self):
        self.table.release()
        assert self.frames.free_bytes == self.free
        assert self.table.tables == 0
