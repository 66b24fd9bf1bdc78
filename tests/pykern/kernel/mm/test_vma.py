"""RMP-11, SCA-23: areas, against a dictionary of pages and against the host's own mmap."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from pykern.kernel.core.units import PAGE_SIZE
from pykern.kernel.mm.vma import PROT_READ, PROT_WRITE, STACK_GUARD_GAP, Vma, VmaMap

RW = PROT_READ | PROT_WRITE


class FakePager:
    """An object to map, for its identity."""

    name, identity = "/file", (8, 1, 7)


PAGERS = (None, FakePager(), FakePager())


def area(first, last, prot=RW, **fields):
    return Vma(first * PAGE_SIZE, last * PAGE_SIZE, prot, **fields)


def test_neighbours_of_a_kind_become_one():
    areas = VmaMap()
    for first, last in [(1, 2), (3, 4), (2, 3)]:
        areas.insert(area(first, last))
    assert list(areas) == [area(1, 4)]
    areas.insert(area(4, 5, PROT_READ))
    areas.insert(area(0, 1, name="[heap]"))
    assert [vma.size for vma in areas] == [PAGE_SIZE, 3 * PAGE_SIZE, PAGE_SIZE]


def test_pieces_of_a_file_merge_only_where_the_file_goes_on():
    areas, file = VmaMap(), PAGERS[1]
    areas.insert(area(0, 2, pager=file, offset=0))
    areas.insert(area(2, 3, pager=file, offset=2 * PAGE_SIZE))
    areas.insert(area(3, 4, pager=file, offset=0))
    areas.insert(area(4, 5, pager=PAGERS[2], offset=PAGE_SIZE))
    assert [vma.size // PAGE_SIZE for vma in areas] == [3, 1, 1]
    cut = areas.remove(PAGE_SIZE, 2 * PAGE_SIZE)
    assert [vma.offset for vma in cut] == [PAGE_SIZE]
    assert [vma.offset for vma in areas] == [0, 2 * PAGE_SIZE, 0, PAGE_SIZE]


def test_gaps_are_found_from_the_top_and_keep_clear_of_stacks():
    top = 10_000 * PAGE_SIZE
    areas = VmaMap([area(5000, 5001), area(9990, 9999, grows_down=True)])
    assert areas.gap_below(top, PAGE_SIZE, 0) == 9999 * PAGE_SIZE
    guarded = 9990 * PAGE_SIZE - STACK_GUARD_GAP
    assert areas.gap_below(top, 2 * PAGE_SIZE, 0) == guarded - 2 * PAGE_SIZE
    assert areas.gap_below(top, 4800 * PAGE_SIZE, 0) == 200 * PAGE_SIZE
    assert areas.gap_below(top, 4800 * PAGE_SIZE, 201 * PAGE_SIZE) is None


class Areas(RuleBasedStateMachine):
    """The map against a dictionary from page to (prot, pager, offset)."""

    PAGES = 40
    ranges = st.tuples(st.integers(0, PAGES - 1), st.integers(1, 12))

    def __init__(self):
        super().__init__()
        self.areas = VmaMap()
        self.model: dict[int, tuple] = {}

    @rule(
        where=ranges,
        prot=st.sampled_from([0, PROT_READ, RW]),
        pager=st.sampled_from(PAGERS),
        offset=st.integers(0, 3),
    )
    def insert(self, where, prot, pager, offset):
        first, count = where
        start, end = first * PAGE_SIZE, (first + count) * PAGE_SIZE
        free = not any(page in self.model for page in range(first, first + count))
        assert self.areas.is_free(start, end) == free
        if not free:
            return
        offset = (first + offset) * PAGE_SIZE if pager else 0
        self.areas.insert(Vma(start, end, prot, pager=pager, offset=offset))
        for i in range(count):
            self.model[first + i] = (prot, pager, offset + i * PAGE_SIZE if pager else 0)

    @rule(where=ranges)
    def remove(self, where):
        first, count = where
        cut = self.areas.remove(first * PAGE_SIZE, (first + count) * PAGE_SIZE)
        pages = {page for page in range(first, first + count) if page in self.model}
        assert sum(vma.size for vma in cut) == len(pages) * PAGE_SIZE
        for page in pages:
            del self.model[page]

    @rule(where=ranges)
    def covers(self, where):
        first, count = where
        expected = all(page in self.model for page in range(first, first + count))
        assert self.areas.covers(first * PAGE_SIZE, (first + count) * PAGE_SIZE) == expected

    @rule(count=st.integers(1, 10))
    def gap(self, count):
        found = self.areas.gap_below(self.PAGES * PAGE_SIZE, count * PAGE_SIZE, 0)
        starts = [
            first
            for first in range(self.PAGES - count + 1)
            if not any(page in self.model for page in range(first, first + count))
        ]
        assert found == (starts[-1] * PAGE_SIZE if starts else None)

    @invariant()
    def agrees(self):
        self.areas.check()
        for page in range(-1, self.PAGES + 13):
            vma = self.areas.find(page * PAGE_SIZE + 5)
            if page not in self.model:
                assert vma is None
                continue
            offset = vma.offset + page * PAGE_SIZE - vma.start if vma.pager else 0
            assert (vma.prot, vma.pager, offset) == self.model[page]


TestAreas = Areas.TestCase
TestAreas.settings = settings(max_examples=40, stateful_step_count=30)
