"""MIC-10, MEL-55: what an array of all entries says is what each entry says."""

from __future__ import annotations

import random

import pytest

from pykern.kernel.arm.lpae import LpaeTable
from pykern.kernel.core.units import GIB, PAGE_SIZE
from pykern.kernel.mm.page_scan import PageScanner, key_of, laddr_of, space_of
from pykern.kernel.mm.vma import MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, PROT_READ, PROT_WRITE

BASES = (0x40_0000, 3 * GIB + 0x1F_F000, 0x7FFF_0000_0000)
RW, ANON = PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED
SPAN = 8
TABLES = {
    "x86": {},
    "arm": {"new_table": lambda memory, frames, _half: LpaeTable(memory, frames)},
}


@pytest.fixture(params=TABLES)
def spaces(request, world):
    """Return spaces with pages here and there, by number."""
    numbers = {}
    chance = random.Random(7)
    for number in (2, 5, 6):
        space = world.space(**TABLES[request.param])
        for base in BASES:
            space.mmap(base, SPAN * PAGE_SIZE, RW, ANON)
            for page in chance.sample(range(SPAN), chance.randrange(SPAN)):
                assert space.resolve(base + page * PAGE_SIZE, write=True)
        numbers[space.pages] = number
    return numbers


def one_by_one(spaces):
    """Return (number, laddr, entry) of each resident page, by the entries alone."""
    return [
        (number, base + page * PAGE_SIZE, entry)
        for pages, number in spaces.items()
        for base in BASES
        for page in range(SPAN)
        if (entry := pages.entry(base + page * PAGE_SIZE)) and not pages.table.is_swapped(entry)
    ]


def assert_agrees(scan, spaces):
    table = next(iter(spaces)).table
    found = one_by_one(spaces)
    assert [(space_of(key), laddr_of(key)) for key in scan.keys.tolist()] == [
        (number, laddr) for number, laddr, _ in found
    ]
    assert scan.paddrs.tolist() == [table.paddr_of(entry) for *_, entry in found]
    assert scan.accessed.tolist() == [table.is_accessed(entry) for *_, entry in found]


def mark(pages, laddr, *, accessed):
    """Set or clear the bit that a processor sets."""
    table, entry = pages.table, pages.entry(laddr)
    bit = table.user_flags(RW) & ~table.unaccessed(table.user_flags(RW)) or 1 << 5
    table.set_span(laddr, [entry | bit if accessed else table.unaccessed(entry)])


def test_a_key_is_a_space_and_an_address():
    for space, laddr in ((0, 0), (3, 0x7FFF_FFFF_F000), (1 << 26, PAGE_SIZE)):
        key = key_of(space, laddr)
        assert (space_of(key), laddr_of(key)) == (space, laddr)
    assert key_of(1, 0) > key_of(0, (1 << 47) - PAGE_SIZE)


def test_every_page_is_found_in_order(spaces):
    scanner = PageScanner()
    chance = random.Random(1)
    for _ in range(5):
        for pages in spaces:
            for base in BASES:
                for laddr in range(base, base + SPAN * PAGE_SIZE, PAGE_SIZE):
                    if pages.has_frame(laddr):
                        mark(pages, laddr, accessed=chance.random() < 0.5)
        assert_agrees(scanner.scan(spaces), spaces)


def test_accessed_bits_are_cleared_and_processors_told(spaces, world):
    scanner = PageScanner()
    for pages in spaces:
        for base in BASES:
            for laddr in range(base, base + SPAN * PAGE_SIZE, PAGE_SIZE):
                if pages.has_frame(laddr):
                    mark(pages, laddr, accessed=laddr // PAGE_SIZE % 3 == 0)
    before, used = one_by_one(spaces), scanner.scan(spaces)
    world.told.clear()
    used.clear_accessed()
    after = scanner.scan(spaces)
    assert not after.accessed.any()
    assert_agrees(after, spaces)
    table = next(iter(spaces)).table
    assert [entry for *_, entry in one_by_one(spaces)] == [
        table.unaccessed(entry) for *_, entry in before
    ]
    told = [(space.pages, laddr, laddr + count * PAGE_SIZE) for space, laddr, count in world.told]
    for key in used.keys[used.accessed].tolist():
        pages = next(pages for pages, number in spaces.items() if number == space_of(key))
        assert any(whose is pages and a <= laddr_of(key) < b for whose, a, b in told)


def test_tables_that_come_and_go_are_noticed(spaces, world):
    scanner = PageScanner()
    scanner.scan(spaces)
    first = next(space for space in world.spaces if space.pages in spaces)
    first.mmap(9 * GIB, PAGE_SIZE, RW, ANON)
    assert first.resolve(9 * GIB, write=True)
    key = key_of(spaces[first.pages], 9 * GIB)
    assert key in scanner.scan(spaces).keys
    first.munmap(9 * GIB, PAGE_SIZE)
    assert key not in scanner.scan(spaces).keys
    del spaces[first.pages]
    assert_agrees(scanner.scan(spaces), spaces)
    assert scanner.scan({}).keys.size == 0


def test_only_frames_of_page_tables_alone_are_shared(world):
    """MEL-55: one that the kernel has pinned as well is left out."""
    space = world.space()
    space.mmap(BASES[0], 4 * PAGE_SIZE, RW, ANON)
    for page in range(4):
        world.poke(space, BASES[0] + page * PAGE_SIZE, page)
    child = world.fork(space)
    world.poke(child, BASES[0], 9)
    pinned = space.pages.table.paddr_of(space.pages.entry(BASES[0] + PAGE_SIZE))
    world.frames.get(pinned)
    scan = PageScanner().scan({space.pages: 0, child.pages: 1})
    expected = {
        space.pages.table.paddr_of(space.pages.entry(laddr)): [key_of(0, laddr), key_of(1, laddr)]
        for laddr in (BASES[0] + 2 * PAGE_SIZE, BASES[0] + 3 * PAGE_SIZE)
    }
    assert scan.mapped_by(world.frames) == expected
    world.frames.put(pinned)
    assert len(scan.mapped_by(world.frames)) == 3
