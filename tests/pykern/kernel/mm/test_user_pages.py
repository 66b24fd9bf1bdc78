"""MEL-48, MEL-50: the cache of translations never knows more than the page table."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pykern.kernel.core.errno import SysError
from pykern.kernel.core.units import PAGE_SHIFT, PAGE_SIZE
from pykern.kernel.mm.vma import MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, MAP_SHARED
from tests.pykern.kernel.mm.conftest import World

BASE = 0x40_0000 - 4 * PAGE_SIZE  # two page tables
PAGES = 8


class Spaces(RuleBasedStateMachine):
    """A family of processes against plain dictionaries of bytes and rights."""

    pages = st.integers(0, PAGES - 1)
    counts = st.integers(1, PAGES)
    prots = st.sampled_from([0, 1, 3])
    picks = st.integers(0, 3)

    def __init__(self):
        super().__init__()
        self.world = World(1)
        self.spaces = [self.world.space()]
        # Per space: page -> (prot, cell); a cell is a list of one byte, shared where memory is.
        self.models: list[dict[int, tuple[int, list[int]]]] = [{}]

    def pick(self, n):
        i = n % len(self.spaces)
        return self.spaces[i], self.models[i]

    def range(self, page, count):
        last = min(page + count, PAGES)
        return BASE + page * PAGE_SIZE, (last - page) * PAGE_SIZE, range(page, last)

    @rule(n=picks, page=pages, count=counts, prot=prots, shared=st.booleans())
    def mmap(self, n, page, count, prot, shared):
        space, model = self.pick(n)
        laddr, size, wanted = self.range(page, count)
        kind = MAP_SHARED if shared else MAP_PRIVATE
        space.mmap(laddr, size, prot, kind | MAP_ANONYMOUS | MAP_FIXED)
        for i in wanted:
            model[i] = (prot, [0], shared)

    @rule(n=picks, page=pages, count=counts)
    def munmap(self, n, page, count):
        space, model = self.pick(n)
        laddr, size, wanted = self.range(page, count)
        space.munmap(laddr, size)
        for i in wanted:
            model.pop(i, None)

    @rule(n=picks, page=pages, count=counts, prot=prots)
    def mprotect(self, n, page, count, prot):
        space, model = self.pick(n)
        laddr, size, wanted = self.range(page, count)
        try:
            space.mprotect(laddr, size, prot)
        except SysError:
            assert not all(i in model for i in wanted)
            return
        for i in wanted:
            model[i] = (prot, *model[i][1:])

    @rule(n=picks, page=pages, value=st.integers(1, 255), by_program=st.booleans())
    def write(self, n, page, value, by_program):
        space, model = self.pick(n)
        laddr = BASE + page * PAGE_SIZE
        allowed = page in model and bool(model[page][0] & 2)
        if by_program:
            assert (self.world.processor.access(space, laddr, value) is not None) == allowed
        else:
            try:
                space.copy_out(laddr, bytes([value]))
                assert allowed
            except SysError:
                assert not allowed
        if allowed:
            model[page][1][0] = value

    @rule(n=picks, page=pages, by_program=st.booleans())
    def read(self, n, page, by_program):
        space, model = self.pick(n)
        laddr = BASE + page * PAGE_SIZE
        allowed = page in model and bool(model[page][0])
        if by_program:
            got = self.world.peek(space, laddr)
        else:
            try:
                got = space.copy_in(laddr, 1)[0]
            except SysError:
                got = None
        assert got == (model[page][1][0] if allowed else None)

    @precondition(lambda self: len(self.spaces) < 4)
    @rule(n=picks)
    def fork(self, n):
        space, model = self.pick(n)
        self.spaces.append(self.world.fork(space))
        self.models.append({
            page: (prot, cell if shared else list(cell), shared)
            for page, (prot, cell, shared) in model.items()
        })  # fmt: skip

    @precondition(lambda self: len(self.spaces) > 1)
    @rule(n=picks)
    def exit(self, n):
        i = n % len(self.spaces)
        self.world.exit(self.spaces.pop(i))
        del self.models[i]

    @invariant()
    def caches_are_right(self):
        for space in self.spaces:
            space.vmas.check()
            pages, table = space.pages, space.pages.table
            for page, paddr in [*pages.readable.items(), *pages.writable.items()]:
                entry = table.entry(page << PAGE_SHIFT)
                assert table.is_present(entry)
                assert table.paddr_of(entry) == paddr
            assert all(table.is_writable(table.entry(p << PAGE_SHIFT)) for p in pages.writable)
            resident = [entry for i in range(PAGES) if (entry := table.entry(BASE + i * PAGE_SIZE))]
            assert pages.resident == len(resident)

    def teardown(self):
        for space in self.spaces:
            self.world.exit(space)
        assert self.world.processor.stale == []
        assert self.world.frames.free_bytes == self.world.start


TestSpaces = Spaces.TestCase
TestSpaces.settings = settings(max_examples=60, stateful_step_count=40)
