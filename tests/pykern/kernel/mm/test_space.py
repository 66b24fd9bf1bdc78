"""MEL-48, SCA-23, RMP-11, RMP-15: address spaces, through the eyes of the emulated processor."""

from __future__ import annotations

import ctypes
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.core.units import MIB, PAGE_SIZE
from pykern.kernel.mm.maps import rights
from pykern.kernel.mm.space import Limits, SpaceStatistics
from pykern.kernel.mm.vma import (
    MAP_ANONYMOUS,
    MAP_FIXED,
    MAP_FIXED_NOREPLACE,
    MAP_PRIVATE,
    MAP_SHARED,
    PROT_EXEC,
    PROT_READ,
    PROT_WRITE,
)
from tests.pykern.kernel.mm.conftest import World

HOST = Path("/proc/self/maps")
# Linux places memory from the top of the user half down, and never gets here.
FAR_AWAY = 0x2000_0000_0000
RW = PROT_READ | PROT_WRITE
ANON = MAP_PRIVATE | MAP_ANONYMOUS
BASE = 0x40_0000


def fails(errno):
    return pytest.raises(SysError, match=f"^{errno.name}$")


def test_processes_do_not_see_each_other(world):
    """MEL-48: CR3 differs; the other's page is not there."""
    one, two = world.space(), world.space()
    one.mmap(BASE, PAGE_SIZE, RW, ANON | MAP_FIXED)
    world.poke(one, BASE, 1)
    assert one.pml4 != two.pml4
    assert world.translate(two, BASE).paddr is None
    assert world.touch(two, BASE) is None
    two.mmap(BASE, PAGE_SIZE, RW, ANON | MAP_FIXED)
    world.poke(two, BASE, 2)
    assert (world.peek(one, BASE), world.peek(two, BASE)) == (1, 2)


def test_shared_memory_is_seen_by_the_child(world):
    """SCA-23: shm visible."""
    space = world.space()
    laddr = space.mmap(None, 3 * PAGE_SIZE, RW, MAP_SHARED | MAP_ANONYMOUS)
    world.poke(space, laddr, 1)
    child = world.fork(space)
    world.poke(child, laddr + PAGE_SIZE, 2)
    world.poke(space, laddr, 3)
    assert (world.peek(child, laddr), world.peek(space, laddr + PAGE_SIZE)) == (3, 2)
    space.munmap(laddr, 3 * PAGE_SIZE)
    assert world.peek(child, laddr) == 3


def test_unmapping_tells_the_processors_before_the_frame_is_free(world):
    """SCA-01: TLB management."""
    space = world.space()
    laddr = space.mmap(None, 4 * PAGE_SIZE, RW, ANON)
    for i in range(4):
        world.poke(space, laddr + i * PAGE_SIZE, i)
    free = world.frames.free_bytes
    seen = []
    space._on_unmap = lambda _s, start, n: seen.append((start, n, world.frames.free_bytes))
    space.munmap(laddr + PAGE_SIZE, 2 * PAGE_SIZE)
    assert seen == [(laddr + PAGE_SIZE, 2, free)]
    assert world.frames.free_bytes == free + 2 * PAGE_SIZE
    assert world.touch(space, laddr + PAGE_SIZE) is None
    assert world.peek(space, laddr + 3 * PAGE_SIZE) == 3


def test_mprotect(world):
    space = world.space()
    laddr = space.mmap(None, 3 * PAGE_SIZE, RW, ANON)
    world.poke(space, laddr + PAGE_SIZE, 4)
    space.mprotect(laddr + PAGE_SIZE, PAGE_SIZE, PROT_READ)
    assert len(space.vmas) == 3
    assert world.touch(space, laddr + PAGE_SIZE, "w") is None
    space.mprotect(laddr + PAGE_SIZE, PAGE_SIZE, 0)
    assert world.touch(space, laddr + PAGE_SIZE, "r") is None
    space.mprotect(laddr, 3 * PAGE_SIZE, RW)
    assert len(space.vmas) == 1
    assert world.peek(space, laddr + PAGE_SIZE) == 4
    frame = world.translate(space, laddr + PAGE_SIZE).paddr
    assert world.touch(space, laddr + PAGE_SIZE, "w") == frame


def test_mprotect_does_not_make_a_shared_frame_writable(world):
    space = world.space()
    space.mmap(BASE, PAGE_SIZE, RW, ANON | MAP_FIXED)
    world.poke(space, BASE, 1)
    child = world.fork(space)
    for prot in (PROT_READ, 0, RW):
        child.mprotect(BASE, PAGE_SIZE, prot)
    world.poke(child, BASE, 2)
    assert world.peek(space, BASE) == 1


def test_brk(world):
    """RMP-11: SYS_BRK."""
    space = world.space(limits=Limits(data=MIB))
    space.set_brk(BASE + 5)
    start = BASE + PAGE_SIZE
    assert space.brk(0) == start
    assert space.brk(start + 100) == start + 100
    world.poke(space, start + 99, 1)
    assert space.brk(start + 3 * PAGE_SIZE) == start + 3 * PAGE_SIZE
    assert world.peek(space, start + 99) == 1
    assert [vma.name for vma in space.vmas] == ["[heap]"]
    assert space.brk(start + 2 * MIB) == start + 3 * PAGE_SIZE
    space.mmap(start + 4 * PAGE_SIZE, PAGE_SIZE, RW, ANON | MAP_FIXED)
    assert space.brk(start + 5 * PAGE_SIZE) == start + 3 * PAGE_SIZE
    assert space.brk(start) == start
    assert world.touch(space, start) is None


def test_addresses(world):
    space = world.space()
    top = space.layout.mmap_top
    one = space.mmap(None, 100, RW, ANON)
    two = space.mmap(None, PAGE_SIZE + 1, PROT_READ, ANON)
    assert (one, two) == (top - PAGE_SIZE, top - 3 * PAGE_SIZE)
    assert space.mmap(0x1234_5678, 1, RW, ANON) == 0x1234_5000
    assert space.mmap(0x1234_5678, 1, PROT_READ, ANON) == two - PAGE_SIZE
    assert space.mmap(one, 1, PROT_READ, ANON | MAP_FIXED) == one
    with fails(Errno.EEXIST):
        space.mmap(one, 1, RW, ANON | MAP_FIXED_NOREPLACE)


def test_mmap_refuses(world):
    space = world.space(limits=Limits(address_space=MIB, areas=5))
    cases = [
        (Errno.EINVAL, (None, 0, RW, ANON)),
        (Errno.EINVAL, (None, 1, RW, MAP_ANONYMOUS)),
        (Errno.EINVAL, (None, 1, RW, MAP_PRIVATE)),
        (Errno.EINVAL, (None, 1, 8, ANON)),
        (Errno.EINVAL, (BASE + 1, 1, RW, ANON | MAP_FIXED)),
        (Errno.EPERM, (0, 1, RW, ANON | MAP_FIXED)),
        (Errno.ENOMEM, (space.layout.top, 1, RW, ANON | MAP_FIXED)),
        (Errno.ENOMEM, (None, MIB + 1, RW, ANON)),
        (Errno.ENOMEM, (None, 1 << 63, RW, ANON)),
        (Errno.EACCES, (None, 1, RW | PROT_EXEC, ANON)),
    ]
    for errno, arguments in cases:
        with fails(errno):
            space.mmap(*arguments)
    assert len(space.vmas) == 0
    laddr = space.mmap(None, MIB, RW, ANON)
    with fails(Errno.ENOMEM):
        space.mmap(None, 1, RW, ANON)
    assert space.mmap(laddr, MIB, PROT_READ, ANON | MAP_FIXED) == laddr
    for i in range(1, 3):
        space.munmap(laddr + 2 * i * PAGE_SIZE, PAGE_SIZE)
    with fails(Errno.EINVAL):
        space.munmap(laddr + 1, PAGE_SIZE)
    with fails(Errno.EINVAL):
        space.munmap(laddr, 0)
    with fails(Errno.ENOMEM):
        space.mprotect(laddr, MIB, RW)
    with fails(Errno.EACCES):
        space.mprotect(laddr, PAGE_SIZE, RW | PROT_EXEC)
    space.munmap(laddr + 10 * PAGE_SIZE, PAGE_SIZE)
    space.munmap(laddr + 12 * PAGE_SIZE, PAGE_SIZE)
    with fails(Errno.ENOMEM):
        space.munmap(laddr + 14 * PAGE_SIZE, PAGE_SIZE)


def test_writable_code_where_it_is_allowed(world):
    space = world.space(limits=Limits(allow_wx=True))
    laddr = space.mmap(None, 1, RW | PROT_EXEC, ANON)
    assert world.touch(space, laddr, "w") == world.touch(space, laddr, "x")


def test_discarded_memory_is_zero_again(world):
    space = world.space()
    laddr = space.mmap(None, 2 * PAGE_SIZE, RW, ANON)
    world.poke(space, laddr, 1)
    world.poke(space, laddr + PAGE_SIZE, 2)
    space.discard(laddr, PAGE_SIZE)
    assert (world.peek(space, laddr), world.peek(space, laddr + PAGE_SIZE)) == (0, 2)
    with fails(Errno.ENOMEM):
        space.discard(laddr, 3 * PAGE_SIZE)


def test_statistics(world):
    """MEL-28: of one space; they go back to nothing."""
    space = world.space()
    assert space.statistics() == SpaceStatistics(0, 0, 0, 0, PAGE_SIZE)
    private = space.mmap(None, 10 * PAGE_SIZE, RW, ANON)
    shared = space.mmap(None, 10 * PAGE_SIZE, RW, MAP_SHARED | MAP_ANONYMOUS)
    for laddr in (private, private + PAGE_SIZE, shared):
        world.poke(space, laddr, 1)
    expected = SpaceStatistics(*(n * PAGE_SIZE for n in (20, 3, 3, 2, 4)))
    assert space.statistics() == expected
    space.munmap(private, 10 * PAGE_SIZE)
    assert space.statistics() == SpaceStatistics(*(n * PAGE_SIZE for n in (10, 1, 3, 0, 4)))
    space.clear()
    assert space.statistics() == SpaceStatistics(0, 0, 3 * PAGE_SIZE, 0, PAGE_SIZE)


def test_processors_leave_a_space_before_its_tables_are_free(world):
    """MEL-48: a thread may still be on another processor when its process calls execve."""
    seen = []

    def leave(space):
        walked = world.machine.read(space.pml4, PAGE_SIZE)
        seen.append((space, world.frames.free_bytes, any(walked)))

    space = world.space(on_release=leave)
    space.mmap(BASE, PAGE_SIZE, RW, ANON | MAP_FIXED)
    world.poke(space, BASE, 1)
    child = world.fork(space)
    free = world.frames.free_bytes
    world.exit(child)
    assert seen == [(child, free, True)]


def test_a_word_has_one_name_for_all_who_share_it(world):
    """Futexes: private memory by space and address, shared memory by what lies behind it."""
    space = world.space()
    private = space.mmap(None, PAGE_SIZE, RW, ANON)
    shared = space.mmap(None, 2 * PAGE_SIZE, RW, MAP_SHARED | MAP_ANONYMOUS)
    child = world.fork(space)
    assert space.shared_key(private + 4) == (space, private + 4)
    assert child.shared_key(private + 4) != space.shared_key(private + 4)
    assert child.shared_key(shared + 4100) == space.shared_key(shared + 4100)
    assert child.shared_key(shared + 4100) != space.shared_key(shared + 4)
    with fails(Errno.EFAULT):
        space.shared_key(0)


numbers = st.one_of(
    st.integers(0, (1 << 64) - 1),
    st.sampled_from([0, 1, PAGE_SIZE, BASE, 1 << 47, (1 << 47) - PAGE_SIZE, 1 << 63, 1 << 52]),
    st.integers(0, 40).map(lambda n: n * PAGE_SIZE),
    st.integers(0, 40).map(lambda n: (1 << 64) - n * PAGE_SIZE),
)
flag_sets = st.sets(
    st.sampled_from([MAP_SHARED, MAP_PRIVATE, MAP_FIXED, MAP_ANONYMOUS, 0x100, 0x10_0000, 1 << 30])
).map(sum)
operations = st.one_of(
    st.tuples(st.just("mmap"), numbers, numbers, st.integers(0, 15), flag_sets),
    st.tuples(st.sampled_from(["munmap", "discard"]), numbers, numbers),
    st.tuples(st.just("mprotect"), numbers, numbers, st.integers(0, 15)),
    st.tuples(st.just("brk"), numbers),
    st.tuples(st.just("copy_in"), numbers, st.integers(0, 3 * PAGE_SIZE)),
    st.tuples(st.just("read_cstring"), numbers),
    st.tuples(st.just("fault"), numbers, st.integers(0, 31)),
)


@settings(max_examples=150)
@given(st.lists(operations, max_size=30))
def test_whatever_a_program_asks_for_is_done_or_refused(calls):
    """MEL-50: no argument of any call raises anything but SysError, and nothing leaks."""
    world = World(1)
    space = world.space(limits=Limits(address_space=1 << 40))
    space.set_brk(BASE)
    for name, *arguments in calls:
        with suppress(SysError):
            getattr(space, name)(*arguments)
        space.vmas.check()
    world.exit(space)
    assert world.frames.free_bytes == world.start


@pytest.mark.skipif(not HOST.exists(), reason="needs Linux's /proc")
@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["mmap", "mmap", "munmap", "mprotect"]),
            st.integers(0, 30),
            st.integers(1, 12),
            st.sampled_from([0, 1, 3, 5]),
            st.booleans(),
        ),
        max_size=25,
    )
)
def test_areas_are_those_that_linux_makes_of_the_same_calls(calls):
    """RMP-11: the host's own mmap, munmap and mprotect, and its /proc, are the judge."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long)
    libc.munmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
    libc.mprotect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    size = 44 * PAGE_SIZE
    base = FAR_AWAY
    assert hosts(base, base + size) == []
    world = World(1)
    space = world.space()
    try:
        for name, page, count, prot, shared in calls:
            laddr, length = base + page * PAGE_SIZE, count * PAGE_SIZE
            flags = (MAP_SHARED if shared else MAP_PRIVATE) | MAP_ANONYMOUS | MAP_FIXED
            if name == "mmap":
                space.mmap(laddr, length, prot, flags)
                assert libc.mmap(laddr, length, prot, flags, -1, 0) == laddr
            elif name == "munmap":
                space.munmap(laddr, length)
                assert libc.munmap(laddr, length) == 0
            elif space.vmas.covers(laddr, laddr + length):
                space.mprotect(laddr, length, prot)
                assert libc.mprotect(laddr, length, prot) == 0
            else:
                assert libc.mprotect(laddr, length, prot) == -1
                assert ctypes.get_errno() == Errno.ENOMEM
                break  # Linux has changed what lies before the hole
        else:
            assert mine(space) == hosts(base, base + size)
    finally:
        libc.munmap(base, size)


def mine(space):
    return [(vma.start, vma.end, rights(vma)) for vma in space.vmas]


def hosts(start, end):
    """Return the host's areas in a range."""
    lines = [line.split()[:2] for line in HOST.read_text(encoding="utf-8").splitlines()]
    areas = [(*(int(n, 16) for n in where.split("-")), rights) for where, rights in lines]
    return [area for area in areas if start <= area[0] and area[1] <= end]
