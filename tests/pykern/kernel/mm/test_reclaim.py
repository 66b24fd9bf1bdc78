"""MIC-10, MEL-55: pages lose their frames when those run short, and nothing else."""

from __future__ import annotations

from types import SimpleNamespace

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

from pykern.kernel.core.errno import Errno
from pykern.kernel.core.units import MIB, PAGE_SIZE
from pykern.kernel.mm.reclaim import Reclaimer
from pykern.kernel.mm.remap import remap, resident
from pykern.kernel.mm.replacement import REPLACEMENTS
from pykern.kernel.mm.swap import MemoryDisk, SwapSpace
from pykern.kernel.mm.vma import (
    MAP_ANONYMOUS,
    MAP_FIXED,
    MAP_PRIVATE,
    MAP_SHARED,
    PROT_READ,
    PROT_WRITE,
)
from tests.pykern.kernel.fs.harness import errno_of
from tests.pykern.kernel.mm.conftest import World

BASE, RW = 0x40_0000, PROT_READ | PROT_WRITE
ANON, SHARED = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED
FRAMES = 60


class ShortWorld(World):
    """A world with few frames and a swap space."""

    def __init__(self, policy="lru", frames=FRAMES, slots=4096):
        super().__init__(megabytes=1)
        self.kept = self.frames.alloc(MIB // PAGE_SIZE - frames, zero=False)
        self.counters = SimpleNamespace(swap_ins=0, swap_outs=0)
        self.swap = SwapSpace(MemoryDisk(slots * PAGE_SIZE))
        self.pressure = []
        self.reclaimer = Reclaimer(
            self.frames,
            self.machine,
            self.swap,
            REPLACEMENTS.get(policy)(),
            self.counters,
            under_pressure=lambda: self.pressure.append(1),
        )
        self.start = self.frames.free_bytes

    def end(self):
        for space in list(self.spaces):
            self.exit(space)
        assert self.processor.stale == []
        assert self.frames.free_bytes == self.start, "frames leaked"
        assert self.swap.used_bytes == 0, "slots leaked"


@pytest.fixture
def short():
    world = ShortWorld()
    yield world
    world.end()


def filled(world, pages, flags=ANON, base=BASE):
    space = world.space()
    space.mmap(base, pages * PAGE_SIZE, RW, flags)
    for page in range(pages):
        world.poke(space, base + page * PAGE_SIZE, page % 251)
    return space


def contents(world, space, pages, base=BASE):
    return [world.peek(space, base + page * PAGE_SIZE) for page in range(pages)]


@pytest.mark.parametrize("policy", REPLACEMENTS.names())
def test_more_pages_than_frames(policy):
    """MIC-10: every page is found again, whoever chooses; statistics say where they are."""
    world, pages = ShortWorld(policy), 3 * FRAMES
    space = filled(world, pages)
    assert contents(world, space, pages) == [page % 251 for page in range(pages)]
    assert world.counters.swap_outs > 2 * FRAMES - 10
    assert world.counters.swap_ins >= pages - FRAMES
    rss = space.statistics().rss
    assert rss <= FRAMES * PAGE_SIZE
    assert rss + world.swap.used_bytes == pages * PAGE_SIZE == space.statistics().vsz
    assert sum(resident(space, BASE, pages * PAGE_SIZE)) == rss // PAGE_SIZE
    assert world.pressure
    world.end()


def test_what_is_used_stays(short):
    """MIC-10: least recently used, by the accessed bits."""
    hot = 8
    space = filled(short, 40)
    faults = short.counters.swap_ins
    short.reclaimer.sample()
    more = short.space()
    more.mmap(BASE, 200 * PAGE_SIZE, RW, ANON)
    for page in range(200):
        short.poke(more, BASE + page * PAGE_SIZE, 1)
        contents(short, space, hot)
        short.reclaimer.sample()
    assert short.counters.swap_ins == faults
    assert contents(short, space, 40) == list(range(40))


def test_processes_that_are_gone_are_forgotten(short):
    """However many there have been while memory was never short."""
    for _ in range(60):
        short.exit(filled(short, 20))
    assert not short.pressure
    assert len(short.reclaimer._known) <= 2 * MIB // PAGE_SIZE


def test_a_full_swap_space_is_no_memory():
    """MEL-55: and nothing is lost by having tried."""
    world = ShortWorld(slots=10)
    space = world.space()
    space.mmap(BASE, 200 * PAGE_SIZE, RW, ANON)
    done, failed = 0, None
    while failed is None:
        failed = errno_of(world.poke, space, BASE + done * PAGE_SIZE, done)
        done += 1
    assert failed == Errno.ENOMEM
    assert FRAMES - 10 < done < FRAMES + 10
    assert world.swap.free_bytes == 0
    assert len({world.peek(space, BASE + page * PAGE_SIZE) for page in range(40)}) == 40
    world.end()


def test_a_copied_process_keeps_its_own_pages(short):
    """MEL-55, RMP-15: frames that two processes share after fork go and come back for both."""
    space = filled(short, 40)
    child = short.fork(space)
    short.poke(child, BASE, 200)
    filled(short, 100, base=BASE + 16 * MIB)
    assert short.swap.used_bytes > 40 * PAGE_SIZE
    assert contents(short, child, 40) == [200, *range(1, 40)]
    short.poke(space, BASE + PAGE_SIZE, 201)
    assert contents(short, space, 40) == [0, 201, *range(2, 40)]
    assert contents(short, child, 40) == [200, *range(1, 40)]


def test_a_swapped_page_is_forked_by_its_slot(short):
    space = filled(short, 30)
    filled(short, 60, base=BASE + 16 * MIB)
    child = short.fork(space)
    used = short.swap.used_bytes
    assert contents(short, space, 30) == contents(short, child, 30) == list(range(30))
    assert short.swap.used_bytes >= used - 30 * PAGE_SIZE


def test_shared_memory_stays(short):
    """MEL-55: what a pager has is seen by others; it keeps its frame."""
    space = filled(short, 20, SHARED)
    filled(short, 100, base=BASE + 16 * MIB)
    assert sum(resident(space, BASE, 20 * PAGE_SIZE)) == 20
    assert contents(short, space, 20) == list(range(20))


def test_a_pinned_page_stays(short):
    """MEL-55: a system call is about to write there."""
    space = filled(short, 20)
    buffer = space.pin_resident([(BASE + 100, 2 * PAGE_SIZE)], write=True)
    filled(short, 100, base=BASE + 16 * MIB)
    assert resident(space, BASE, 3 * PAGE_SIZE) == b"\1\1\1"
    buffer.put(b"x" * 2 * PAGE_SIZE)
    buffer.release()
    filled(short, 100, base=BASE + 64 * MIB)
    assert space.copy_in(BASE + 100, 2 * PAGE_SIZE) == b"x" * 2 * PAGE_SIZE


def test_a_copy_of_many_pages_is_not_overtaken(short):
    """MEL-55: pages that come in for a copy do not push out those before them."""
    pages = FRAMES - 20
    space = filled(short, 4 * pages)
    for first in range(0, 3 * pages, 7):
        data = bytes([first % 251]) * (pages * PAGE_SIZE)
        space.copy_out(BASE + first * PAGE_SIZE, data)
        assert space.copy_in(BASE + first * PAGE_SIZE, len(data)) == data


def test_a_page_without_rights_comes_back_with_those_it_has_then(short):
    space = filled(short, 20)
    space.mprotect(BASE, 20 * PAGE_SIZE, PROT_READ)
    filled(short, 100, base=BASE + 16 * MIB)
    assert not any(resident(space, BASE, 20 * PAGE_SIZE))
    assert short.peek(space, BASE) == 0
    assert short.touch(space, BASE, "w") is None
    space.mprotect(BASE, 20 * PAGE_SIZE, 0)
    assert short.touch(space, BASE + PAGE_SIZE) is None
    space.mprotect(BASE, 20 * PAGE_SIZE, RW)
    assert contents(short, space, 20) == list(range(20))
    short.poke(space, BASE, 7)
    assert short.peek(space, BASE) == 7


LARGE = 24


class Processes(RuleBasedStateMachine):
    """Whatever processes do while memory is short, each finds what it has written (MIC-10)."""

    policy = "lru"

    def __init__(self):
        super().__init__()
        self.world = ShortWorld(self.policy, frames=72)
        self.models = {}
        self.pins = []
        self.new()

    def new(self):
        space = self.world.space()
        space.mmap(BASE, LARGE * PAGE_SIZE, RW, ANON)
        self.models[space] = [0] * LARGE

    def any_space(self, data):
        return data.draw(st.sampled_from(list(self.models)))

    pages = st.integers(0, LARGE - 1)

    @precondition(lambda self: len(self.models) < 5)
    @rule()
    def spawn(self):
        self.new()

    @precondition(lambda self: len(self.models) < 5)
    @rule(data=st.data())
    def fork(self, data):
        parent = self.any_space(data)
        self.models[self.world.fork(parent)] = self.models[parent].copy()

    @precondition(lambda self: len(self.models) > 1)
    @rule(data=st.data())
    def end(self, data):
        space = self.any_space(data)
        if any(pinned is space for pinned, *_ in self.pins):
            return
        del self.models[space]
        self.world.exit(space)

    @rule(data=st.data(), first=pages, count=st.integers(1, LARGE), value=st.integers(0, 255))
    def write(self, data, first, count, value):
        space = self.any_space(data)
        for page in range(first, min(first + count, LARGE)):
            self.world.poke(space, BASE + page * PAGE_SIZE, value)
            self.models[space][page] = value

    @rule(data=st.data(), first=pages, count=st.integers(1, LARGE))
    def read(self, data, first, count):
        space = self.any_space(data)
        for page in range(first, min(first + count, LARGE)):
            seen = self.world.peek(space, BASE + page * PAGE_SIZE)
            assert seen == self.models[space][page], (page, seen)

    @rule(data=st.data(), first=pages, count=st.integers(1, 6), value=st.integers(0, 255))
    def copy_out(self, data, first, count, value):
        """The kernel writes a system call's result."""
        space, count = self.any_space(data), min(count, LARGE - first)
        space.copy_out(BASE + first * PAGE_SIZE, bytes([value]) * (count * PAGE_SIZE))
        self.models[space][first : first + count] = [value] * count

    @precondition(lambda self: len(self.pins) < 2)
    @rule(data=st.data(), page=pages)
    def pin(self, data, page):
        space = self.any_space(data)
        buffer = space.pin_resident([(BASE + page * PAGE_SIZE, 1)], write=True)
        self.pins.append((space, page, buffer))

    @precondition(lambda self: self.pins)
    @rule(value=st.integers(0, 255))
    def put(self, value):
        space, page, buffer = self.pins.pop(0)
        buffer.put(bytes([value]))
        buffer.release()
        self.models[space][page] = value

    @rule(data=st.data(), page=pages)
    def discard(self, data, page):
        space = self.any_space(data)
        space.discard(BASE + page * PAGE_SIZE, PAGE_SIZE)
        self.models[space][page] = 0
        self.pins = [pin for pin in self.pins if not (pin[0] is space and pin[1] == page)] + (
            self.released(space, page)
        )

    def released(self, space, page):
        """Release pins of a page that is another page now."""
        for pinned, number, buffer in self.pins:
            if pinned is space and number == page:
                buffer.release()
        return []

    @rule(data=st.data())
    def move(self, data):
        """Move the whole area elsewhere and back."""
        space = self.any_space(data)
        if self.pins:
            return
        away = remap(space, BASE, LARGE * PAGE_SIZE, LARGE * PAGE_SIZE, 3, BASE + 64 * MIB)
        assert remap(space, away, LARGE * PAGE_SIZE, LARGE * PAGE_SIZE, 3, BASE) == BASE

    @rule(policy=st.sampled_from(REPLACEMENTS.names()))
    def choose_another_policy(self, policy):
        self.world.reclaimer.use(REPLACEMENTS.get(policy)())

    @rule(wanted=st.integers(1, 30))
    def shortage(self, wanted):
        self.world.reclaimer.relieve(wanted)

    @invariant()
    def frames_and_slots_are_those_of_the_pages(self):
        rss = sum(space.pages.resident for space in self.models)
        counted = sum(space.pages.count(BASE, BASE + LARGE * PAGE_SIZE) for space in self.models)
        assert rss == counted

    def teardown(self):
        for space, model in self.models.items():
            assert [
                self.world.peek(space, BASE + page * PAGE_SIZE) for page in range(LARGE)
            ] == model
        for _, _, buffer in self.pins:
            buffer.release()
        self.world.end()


@pytest.mark.parametrize("policy", REPLACEMENTS.names())
def test_every_process_finds_what_it_has_written(policy):
    """MIC-05, MIC-10: whichever policy is registered, on the real way to the disk and back."""
    machine = type(f"Processes_{policy}", (Processes,), {"policy": policy})
    run_state_machine_as_test(machine, settings=settings(max_examples=12, stateful_step_count=40))
