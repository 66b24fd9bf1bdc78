"""MEL-22, MEL-27: kernel stacks."""

from __future__ import annotations

from itertools import pairwise

import pytest

from pykern.kernel.core.bug import KernelBug
from pykern.kernel.core.errno import SysError
from pykern.kernel.core.units import KIB, MIB, PAGE_SIZE
from pykern.kernel.mm.frames import FrameAllocator
from pykern.kernel.mm.kernel_space import KernelSpace, Section
from pykern.kernel.mm.stacks import KernelStacks
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


def test_stacks_are_distinct_and_come_back(space):
    """MEL-22: 8 KiB each, distinct ranges."""
    stacks = KernelStacks(space)
    assert stacks.size == 8 * KIB
    before = space.frames.free_bytes
    tops = [stacks.alloc() for _ in range(20)]
    ranges = sorted((top - stacks.size, top) for top in tops)
    assert all(one[1] + PAGE_SIZE <= two[0] for one, two in pairwise(ranges))
    assert before - space.frames.free_bytes >= 20 * 8 * KIB
    for top in tops:
        stacks.free(top)
    assert len(stacks) == 0
    assert space.frames.free_bytes == before
    assert stacks.alloc() == tops[0]
    with pytest.raises(KernelBug, match="not the top of a kernel stack in use"):
        stacks.free(tops[1])
    with pytest.raises(KernelBug, match="not the top"):
        stacks.free(tops[0] - 8)


def test_an_overflow_hits_the_guard_page(machine, space):
    """MEL-22, MEL-27: the guard is hit by real pushes, and the stack above is told."""
    stacks = KernelStacks(space)
    below, top = stacks.alloc(), stacks.alloc()
    space.write(below - 8, b"neighbor")
    machine.write(CODE.paddr, assemble("again: push rax\njmp again", origin=CODE.laddr))
    vcpu = machine.vcpus[0]
    long_mode(vcpu, rip=CODE.laddr, rsp=top)
    vcpu.write_register("cr3", space.pml4)
    vcpu.write_register("rax", 0x55)
    exit_ = machine.run()
    assert exit_.reason is ExitReason.SHUTDOWN
    fault = exit_.faults[0]
    assert (fault.vector, fault.error) == (14, 2)
    assert vcpu.read_register("rsp") == top - 8 * KIB
    assert stacks.overflowed(top - 8 * KIB - 8) == top
    assert stacks.overflowed(top - 8) is None
    assert stacks.overflowed(top + 8) is None
    assert space.read(top - 8 * KIB, 8 * KIB) == (0x55).to_bytes(8, "little") * KIB
    assert space.read(below - 8, 8) == b"neighbor"


def test_a_stack_is_cleared_and_without_frames_there_is_none(space):
    stacks = KernelStacks(space)
    top = stacks.alloc()
    space.write(top - 8, b"secret!!")
    stacks.free(top)
    assert space.read(stacks.alloc() - 8, 8) == bytes(8)
    with pytest.raises(SysError, match="ENOMEM"):
        [stacks.alloc() for _ in range(1000)]
    stacks.free(top)
    assert stacks.alloc() == top
