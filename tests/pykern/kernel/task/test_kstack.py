"""MEL-22, MEL-27: kernel stacks."""

from __future__ import annotations

from itertools import pairwise

import pytest

from pykern.kernel.core.errno import SysError
from pykern.kernel.core.units import KIB, MIB, PAGE_SIZE
from pykern.kernel.mm.frames import FrameAllocator
from pykern.kernel.mm.kernel_space import KernelSpace, Section
from pykern.kernel.task.kstack import KernelStacks, StackMemory
from pykern_c.exits import ExitReason
from pykern_c.machine import Machine
from tests.guest import assemble, long_mode

CODE = Section("text", 0xFFFF_FFFF_8000_0000, MIB, 0x1000, executable=True)


@pytest.fixture
def machine():
    return Machine(4 * MIB)


@pytest.fixture
def space(machine):
    space = KernelSpace(machine, FrameAllocator(machine, [(2 * MIB, 2 * MIB)]))
    space.map_image([CODE])
    space.seal()
    return space


@pytest.fixture
def stacks(space):
    return KernelStacks(space.table, space.frames)


def test_stacks_are_distinct_and_come_back(space, stacks):
    """MEL-22: 8 KiB each, distinct ranges with a guard page between them."""
    assert stacks.size == 8 * KIB
    before = space.frames.free_bytes
    taken = [stacks.alloc() for _ in range(20)]
    ranges = sorted((stack.bottom, stack.top) for stack in taken)
    assert all(one[1] + PAGE_SIZE == two[0] for one, two in pairwise(ranges))
    assert before - space.frames.free_bytes >= 20 * 8 * KIB
    for stack in taken:
        assert space.table.translate(stack.top - 8) == stack.physical(stack.top - 8)
        stacks.free(stack)
    assert space.frames.free_bytes == before
    assert stacks.alloc().bottom in {stack.bottom for stack in taken}


def test_an_overflow_hits_the_guard_page(machine, space, stacks):
    """MEL-22, MEL-27: real pushes run out of the stack, and nobody else's data change."""
    below, stack = stacks.alloc(), stacks.alloc()
    space.write(below.top - 8, b"neighbor")
    machine.write(CODE.paddr, assemble("again: push rax\njmp again", origin=CODE.laddr))
    vcpu = machine.vcpus[0]
    long_mode(vcpu, rip=CODE.laddr, rsp=stack.top)
    vcpu.write_register("cr3", space.pml4)
    vcpu.write_register("rax", 0x55)
    exit_ = machine.run()
    assert exit_.reason is ExitReason.SHUTDOWN
    fault = exit_.faults[0]
    assert (fault.vector, fault.error, fault.address) == (14, 2, stack.bottom - 8)
    assert vcpu.read_register("rsp") == stack.bottom
    assert stacks.guards(fault.address)
    assert not stacks.guards(stack.bottom)
    assert not stacks.guards(stack.top - 8)
    assert space.read(stack.bottom, 8 * KIB) == (0x55).to_bytes(8, "little") * KIB
    assert space.read(below.top - 8, 8) == b"neighbor"


def test_a_stack_is_cleared(space, stacks):
    stack = stacks.alloc()
    space.write(stack.top - 8, b"secret!!")
    stacks.free(stack)
    assert space.read(stacks.alloc().top - 8, 8) == bytes(8)


def test_memory_that_is_full_of_holes_is_enough(machine, space, stacks):
    """MEL-22: no two free frames are neighbours; the stack works, across its pages too."""
    stacks.free(stacks.alloc())  # its page tables are there
    frames = space.frames
    hog = [frames.alloc() for _ in range(frames.free_bytes // PAGE_SIZE)]
    for paddr in hog[::2][:4]:
        frames.free(paddr)
    stack = stacks.alloc()
    assert stack.pages[1] - stack.pages[0] == 2 * PAGE_SIZE
    middle = stack.bottom + PAGE_SIZE
    assert stack.is_contiguous(middle, 8)
    assert not stack.is_contiguous(middle - 8, 16)
    memory = StackMemory(machine, stack)
    memory.write(middle - 8, b"one half the other")
    assert memory.read(middle - 8, 18) == space.read(middle - 8, 18) == b"one half the other"
    stacks.free(stack)
    assert frames.free_bytes == 4 * PAGE_SIZE


@pytest.mark.parametrize("pages", [0, 1, 2, 3])
def test_without_frames_there_is_none_and_nothing_is_lost(space, stacks, pages):
    frames = space.frames
    hog = [frames.alloc() for _ in range(frames.free_bytes // PAGE_SIZE)]
    for paddr in hog[:pages]:
        frames.free(paddr)
    with pytest.raises(SysError, match="ENOMEM"):
        stacks.alloc()
    assert frames.free_bytes == pages * PAGE_SIZE
    for paddr in hog[pages:]:
        frames.free(paddr)
    first = stacks.alloc()
    assert first.bottom == space.layout.stacks + PAGE_SIZE
