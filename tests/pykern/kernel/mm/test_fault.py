"""MEL-27, MEL-48, SCA-23, RMP-15: page faults of programs that really run."""

from __future__ import annotations

from pykern.kernel.core.units import MIB, PAGE_SIZE
from pykern.kernel.mm.pager import SharedMemory
from pykern.kernel.mm.space import Backing, Limits
from pykern.kernel.mm.vma import (
    MAP_ANONYMOUS,
    MAP_FIXED,
    MAP_PRIVATE,
    MAP_SHARED,
    PROT_EXEC,
    PROT_READ,
    PROT_WRITE,
    STACK_GUARD_GAP,
)
from pykern.kernel.x86.paging import PF_I, PF_P, PF_RSVD, PF_U, PF_W

RW = PROT_READ | PROT_WRITE
ANON = MAP_PRIVATE | MAP_ANONYMOUS
BASE = 0x40_0000


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
    assert not space.fault(read_only, PF_P | PF_U | PF_I)  # or it would be tried for ever
    assert not space.fault(code, PF_P | PF_U | PF_W)


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


def test_a_spurious_fault_makes_the_processor_forget(world):
    space = world.space()
    laddr = space.mmap(None, 1, RW, ANON)
    world.poke(space, laddr, 1)
    world.told.clear()
    assert space.fault(laddr + 5, PF_P | PF_W | PF_U)
    assert world.told == [(space, laddr, 1)]
