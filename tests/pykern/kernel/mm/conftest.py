"""A machine with frames and address spaces, checked for leaks at the end."""

from __future__ import annotations

import pytest

from pykern.kernel.core.units import MIB
from pykern.kernel.mm.frames import FrameAllocator
from pykern.kernel.mm.space import AddressSpace
from pykern_c.machine import Machine
from tests.guest import long_mode
from tests.pykern.kernel.mm.processor import Processor


class World:
    """Frames of a machine, a processor that runs programs, and one that only translates."""

    def __init__(self, megabytes=8):
        self.machine = Machine((megabytes + 1) * MIB, cpus=2)
        self.frames = FrameAllocator(self.machine, [(MIB, megabytes * MIB)])
        self.start = self.frames.free_bytes
        self.processor = Processor(self.machine)
        self.told: list[tuple] = []
        self.spaces: list[AddressSpace] = []

    def space(self, **options):
        template = self.processor.template
        space = AddressSpace(
            self.frames, self.machine, template, on_unmap=self.invalidate, **options
        )
        self.spaces.append(space)
        return space

    def invalidate(self, space, laddr, pages):
        self.told.append((space, laddr, pages))
        self.processor.invalidate(space, laddr, pages)

    def fork(self, space):
        self.spaces.append(space.fork())
        return self.spaces[-1]

    def exit(self, space):
        self.spaces.remove(space)
        self.processor.leave(space)
        space.release()

    def translate(self, space, laddr, access="r"):
        vcpu = self.machine.vcpus[1]
        long_mode(vcpu, cpl=3)
        vcpu.write_register("cr3", space.pml4)
        return vcpu.translate(laddr, access)

    def touch(self, space, laddr, access="r"):
        """Access memory as a user program: fault, let the space handle it, look again."""
        found = self.translate(space, laddr, access)
        if found.paddr is None:
            if not space.fault(laddr, found.error):
                return None
            found = self.translate(space, laddr, access)
        return found.paddr

    def poke(self, space, laddr, value):
        """Write a byte by a real instruction."""
        assert self.processor.access(space, laddr, value) is not None

    def peek(self, space, laddr):
        """Read a byte by a real instruction; None: not allowed."""
        return self.processor.access(space, laddr)


@pytest.fixture
def world():
    world = World()
    yield world
    for space in list(world.spaces):
        world.exit(space)
    assert world.processor.stale == [], "a translation was used that nobody had taken back"
    assert world.frames.free_bytes == world.start, "frames leaked"
