"""MEL-48, SCA-23, RMP-11, RMP-15: address spaces, through the eyes of the emulated processor."""

from __future__ import annotations

import pytest

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.core.units import MIB, PAGE_SIZE
from pykern.kernel.mm.pager import SharedMemory
from pykern.kernel.mm.space import Backing, Limits
from pykern.kernel.mm.vma import (
    MAP_ANONYMOUS,
    MAP_FIXED,
    MAP_FIXED_NOREPLACE,
    MAP_PRIVATE,
    MAP_SHARED,
    PROT_EXEC,
    PROT_READ,
    PROT_WRITE,
    STACK_GUARD_GAP,
)
from pykern.kernel.x86.paging import PF_P, PF_RSVD, PF_U, PF_W

RW = PROT_READ | PROT_WRITE
ANON = MAP_PRIVATE | MAP_ANONYMOUS
BASE = 0x40_0000


def fails(errno):
    return pytest.raises(SysError, match=f"^{errno.name}$")


def test_memory_comes_with_the_first_access_and_is_zero(world):
    """MEL-27, RMP-15: demand paging."""
    world.machine.write(MIB, b"\xaa" * (8 * MIB))
    space = world.space()
    free = world.frames.free_bytes
    laddr = space.mmap(None, 4 * MIB, RW, ANON)
    assert world.frames.free_bytes == free
    assert space.statistics().vsz == 4 * MIB
    assert world.peek(space, laddr + 5) == 0
    world.poke(space, laddr + MIB, 7)
    assert world.peek(space, laddr + MIB) == 7
    assert space.statistics().rss == 2 * PAGE_SIZE


def test_what_is_not_allowed_stays_a_fault(world):
    """MEL-27: write protection and NX of user pages; nothing below the lowest address."""
    space = world.space()
    read_only = space.mmap(None, PAGE_SIZE, PROT_READ, ANON)
    code = space.mmap(None, PAGE_SIZE, PROT_READ | PROT_EXEC, ANON)
    none = space.mmap(None, PAGE_SIZE, 0, ANON)
    assert world.touch(space, read_only, "r")
    assert world.touch(space, read_only, "w") is None
    assert world.touch(space, read_only, "x") is None
    assert world.touch(space, code, "x")
    assert world.touch(space, code, "w") is None
    assert world.touch(space, none, "r") is None
    assert world.touch(space, 0) is None
    assert not space.fault(0xFFFF_8000_0000_0000, PF_U)
    assert not space.fault(read_only, PF_P | PF_RSVD | PF_U)


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


def test_fork_copies_on_write(world):
    """SCA-23, RMP-15: fork, write, diverge; the last owner does not copy."""
    parent = world.space()
    parent.mmap(BASE, 2 * PAGE_SIZE, RW, ANON | MAP_FIXED)
    world.poke(parent, BASE, 1)
    world.told.clear()
    child = world.fork(parent)
    assert (parent, BASE, 2) in world.told
    assert world.translate(parent, BASE, "w").error == PF_P | PF_W | PF_U
    frame = world.translate(parent, BASE).paddr
    assert world.translate(child, BASE).paddr == frame
    world.poke(child, BASE, 2)
    assert (world.peek(parent, BASE), world.peek(child, BASE)) == (1, 2)
    assert world.touch(parent, BASE, "w") == frame
    world.poke(parent, BASE + PAGE_SIZE, 3)
    assert world.peek(child, BASE + PAGE_SIZE) == 0


def test_a_grandchild_outlives_everyone(world):
    space = world.space()
    space.mmap(BASE, PAGE_SIZE, RW, ANON | MAP_FIXED)
    world.poke(space, BASE, 9)
    child = world.fork(space)
    grandchild = world.fork(child)
    world.exit(space)
    world.exit(child)
    assert world.peek(grandchild, BASE) == 9
    world.poke(grandchild, BASE, 8)
    assert grandchild.statistics().rss == PAGE_SIZE


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


def test_a_private_mapping_of_shared_pages_keeps_its_writes(world):
    space, other = world.space(), world.space()
    memory = SharedMemory(world.frames, 2 * PAGE_SIZE, "/dev/shm/x")
    shared = space.mmap(None, 2 * PAGE_SIZE, RW, MAP_SHARED, Backing(memory))
    private = other.mmap(None, PAGE_SIZE, RW, MAP_PRIVATE, Backing(memory, PAGE_SIZE))
    world.poke(space, shared + PAGE_SIZE, 1)
    assert world.peek(other, private) == 1
    world.poke(other, private, 2)
    assert world.peek(space, shared + PAGE_SIZE) == 1
    world.poke(space, shared, 5)
    assert memory.resident == 2 * PAGE_SIZE
    world.exit(space)
    world.exit(other)
    assert memory.resident == 0


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
    for rights in (PROT_READ, 0, RW):
        child.mprotect(BASE, PAGE_SIZE, rights)
    world.poke(child, BASE, 2)
    assert world.peek(space, BASE) == 1


def test_the_stack_grows_to_its_limit_and_no_further(world):
    """MEL-22, MEL-27: the guard below a stack."""
    space = world.space(limits=Limits(stack=64 * 1024))
    top = space.map_stack(8 * 1024)
    world.poke(space, top - 1, 1)
    world.poke(space, top - 5 * PAGE_SIZE, 2)
    assert space.vmas.find(top - 1).size == 5 * PAGE_SIZE
    world.poke(space, top - 64 * 1024, 3)
    assert world.touch(space, top - 64 * 1024 - 1, "w") is None
    assert len(space.vmas) == 1


def test_the_stack_keeps_away_from_what_lies_below(world):
    space = world.space()
    top = space.map_stack(PAGE_SIZE)
    neighbour = top - 2 * STACK_GUARD_GAP
    space.mmap(neighbour, PAGE_SIZE, RW, ANON | MAP_FIXED)
    limit = neighbour + PAGE_SIZE + STACK_GUARD_GAP
    assert world.touch(space, limit, "w")
    assert world.touch(space, limit - 1, "w") is None


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


def test_a_spurious_fault_makes_the_processor_forget(world):
    space = world.space()
    laddr = space.mmap(None, 1, RW, ANON)
    world.poke(space, laddr, 1)
    world.told.clear()
    assert space.fault(laddr + 5, PF_P | PF_W | PF_U)
    assert world.told == [(space, laddr, 1)]
