"""MIC-10, MEL-55: what is locked has its frames however short they are."""

from __future__ import annotations

import pytest

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.core.units import PAGE_SIZE
from pykern.kernel.mm.locking import lock, unlock
from tests.pykern.kernel.mm.test_reclaim import ANON, BASE, FRAMES, RW, ShortWorld, filled

LOCKED = 10


@pytest.fixture
def short():
    world = ShortWorld()
    yield world
    world.end()


def frames_of(space, pages):
    entries = [space.pages.entry(BASE + page * PAGE_SIZE) for page in range(pages)]
    return [space.pages.table.paddr_of(entry) for entry in entries]


def test_locked_pages_stay_where_they_are(short):
    space = filled(short, LOCKED)
    lock(space, BASE, BASE + LOCKED * PAGE_SIZE)
    before = frames_of(space, LOCKED)
    other = filled(short, 3 * FRAMES)
    assert frames_of(space, LOCKED) == before
    assert short.counters.swap_outs >= 2 * FRAMES
    with pytest.raises(SysError) as caught:
        space.discard(BASE, PAGE_SIZE)
    assert caught.value.errno is Errno.EINVAL
    unlock(space, BASE, BASE + LOCKED * PAGE_SIZE)
    assert space.locked == {}
    for page in range(3 * FRAMES):
        short.poke(other, BASE + page * PAGE_SIZE, 1)
    assert frames_of(space, LOCKED) != before


def test_what_is_unmapped_is_locked_no_more(short):
    space = filled(short, LOCKED)
    lock(space, BASE, BASE + LOCKED * PAGE_SIZE)
    space.munmap(BASE, 4 * PAGE_SIZE)
    assert len(space.locked) == LOCKED - 4
    space.mmap(BASE, PAGE_SIZE, RW, ANON)
    space.discard(BASE, PAGE_SIZE)
    child = space.fork()
    assert child.locked == {}
    child.release()
