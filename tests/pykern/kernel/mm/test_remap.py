"""RMP-11: mremap, mincore and MAP_POPULATE."""

from __future__ import annotations

import pytest

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.core.units import MIB, PAGE_SIZE
from pykern.kernel.mm.pager import SharedMemory
from pykern.kernel.mm.remap import MREMAP_FIXED, MREMAP_MAYMOVE, populate, remap, resident
from pykern.kernel.mm.space import Backing, Limits
from pykern.kernel.mm.vma import (
    MAP_ANONYMOUS,
    MAP_FIXED,
    MAP_PRIVATE,
    MAP_SHARED,
    PROT_READ,
    PROT_WRITE,
)

RW = PROT_READ | PROT_WRITE
ANON = MAP_PRIVATE | MAP_ANONYMOUS
BASE = 0x40_0000
MAY = MREMAP_MAYMOVE


@pytest.fixture
def space(world):
    """Four pages with 1, 2, 3, 4 in them."""
    space = world.space()
    space.mmap(BASE, 4 * PAGE_SIZE, RW, ANON | MAP_FIXED)
    for i in range(4):
        world.poke(space, BASE + i * PAGE_SIZE, i + 1)
    return space


def values(world, space, laddr, count):
    return [world.peek(space, laddr + i * PAGE_SIZE) for i in range(count)]


def test_an_area_grows_where_nothing_is_behind_it(world, space):
    assert remap(space, BASE, 4 * PAGE_SIZE, 6 * PAGE_SIZE, 0) == BASE
    assert values(world, space, BASE, 7) == [1, 2, 3, 4, 0, 0, None]
    assert len(space.vmas) == 1


def test_an_area_shrinks(world, space):
    assert remap(space, BASE, 4 * PAGE_SIZE, PAGE_SIZE + 1, 0) == BASE
    assert values(world, space, BASE, 4) == [1, 2, None, None]


def test_an_area_moves_with_its_pages(world, space):
    frames = world.frames.free_bytes
    space.mmap(BASE + 4 * PAGE_SIZE, PAGE_SIZE, PROT_READ, ANON | MAP_FIXED)
    with pytest.raises(SysError, match="ENOMEM"):
        remap(space, BASE, 4 * PAGE_SIZE, 5 * PAGE_SIZE, 0)
    rss = space.statistics().rss
    laddr = remap(space, BASE, 4 * PAGE_SIZE, 5 * PAGE_SIZE, MAY)
    assert values(world, space, BASE, 4) == [None] * 4
    assert values(world, space, laddr, 4) == [1, 2, 3, 4]
    assert space.statistics().rss == rss
    assert world.frames.free_bytes >= frames - 4 * PAGE_SIZE
    world.poke(space, laddr + 4 * PAGE_SIZE, 5)


def test_a_part_moves_to_where_it_is_told(world, space):
    target = BASE + 16 * MIB
    space.mmap(target, 3 * PAGE_SIZE, RW, ANON | MAP_FIXED)
    world.poke(space, target, 9)
    got = remap(space, BASE + PAGE_SIZE, 2 * PAGE_SIZE, 2 * PAGE_SIZE, MAY | MREMAP_FIXED, target)
    assert got == target
    assert values(world, space, target, 3) == [2, 3, 0]
    assert values(world, space, BASE, 4) == [1, None, None, 4]


def test_copy_on_write_survives_the_move(world, space):
    child = world.fork(space)
    laddr = remap(child, BASE, 4 * PAGE_SIZE, 4 * PAGE_SIZE, MAY | MREMAP_FIXED, BASE + MIB)
    world.poke(child, laddr, 7)
    assert (world.peek(space, BASE), values(world, child, laddr, 4)) == (1, [7, 2, 3, 4])


def test_shared_memory_goes_on_where_it_was(world, space):
    memory = SharedMemory(world.frames, 4 * PAGE_SIZE)
    laddr = space.mmap(None, 2 * PAGE_SIZE, RW, MAP_SHARED, Backing(memory, PAGE_SIZE))
    world.poke(space, laddr, 8)
    moved = remap(space, laddr, 2 * PAGE_SIZE, 3 * PAGE_SIZE, MAY)
    world.poke(space, moved + 2 * PAGE_SIZE, 9)
    other = space.mmap(None, 4 * PAGE_SIZE, RW, MAP_SHARED, Backing(memory))
    assert values(world, space, other, 4) == [0, 8, 0, 9]


@pytest.mark.parametrize(
    ("arguments", "errno"),
    [
        ((BASE + 1, PAGE_SIZE, PAGE_SIZE, 0), Errno.EINVAL),
        ((BASE, PAGE_SIZE, 0, 0), Errno.EINVAL),
        ((BASE, PAGE_SIZE, PAGE_SIZE, 8), Errno.EINVAL),
        ((BASE, PAGE_SIZE, PAGE_SIZE, MREMAP_FIXED, BASE + MIB), Errno.EINVAL),
        ((BASE, PAGE_SIZE, PAGE_SIZE, MAY | MREMAP_FIXED, BASE), Errno.EINVAL),
        ((BASE, PAGE_SIZE, PAGE_SIZE, MAY | MREMAP_FIXED, 5), Errno.EINVAL),
        ((BASE, PAGE_SIZE, 1 << 62, MAY | MREMAP_FIXED, BASE + MIB), Errno.EINVAL),
        ((BASE, 0, PAGE_SIZE, MAY), Errno.EINVAL),
        ((BASE, 5 * PAGE_SIZE, PAGE_SIZE, 0), Errno.EFAULT),
        ((0, PAGE_SIZE, PAGE_SIZE, 0), Errno.EFAULT),
        ((BASE, 4 * PAGE_SIZE, 1 << 50, MAY), Errno.ENOMEM),
        ((BASE, 4 * PAGE_SIZE, 1 << 63, MAY), Errno.ENOMEM),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(world, space, arguments, errno):
    with pytest.raises(SysError) as raised:
        remap(space, *arguments)
    assert raised.value.errno is errno
    assert values(world, space, BASE, 4) == [1, 2, 3, 4]
    assert len(space.vmas) == 1


def test_without_frames_for_tables_nothing_moves(world, space):
    hog = [world.frames.alloc() for _ in range(world.frames.free_bytes // PAGE_SIZE)]
    with pytest.raises(SysError, match="ENOMEM"):
        remap(space, BASE, 4 * PAGE_SIZE, 4 * PAGE_SIZE, MAY | MREMAP_FIXED, 1 << 46)
    assert values(world, space, BASE, 4) == [1, 2, 3, 4]
    for paddr in hog:
        world.frames.free(paddr)


def test_pages_can_be_brought_in_at_once(world):
    space = world.space(limits=Limits())
    laddr = space.mmap(None, 3 * PAGE_SIZE, RW, ANON)
    world.poke(space, laddr + PAGE_SIZE, 1)
    assert resident(space, laddr, 3 * PAGE_SIZE) == b"\0\1\0"
    populate(space, laddr, 2 * PAGE_SIZE + 1)
    assert resident(space, laddr, 3 * PAGE_SIZE) == b"\1\1\1"
    assert world.translate(space, laddr, "w").paddr is not None
    with pytest.raises(SysError, match="ENOMEM"):
        resident(space, laddr, 4 * PAGE_SIZE)
    with pytest.raises(SysError, match="EINVAL"):
        resident(space, laddr + 1, 1)
