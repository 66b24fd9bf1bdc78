"""A machine with frames and address spaces, checked for leaks at the end."""

from __future__ import annotations

import pytest

from pykern.kernel.core.units import MIB
from pykern.kernel.mm.frames import FrameAllocator
from pykern.kernel.mm.space import AddressSpace
from pykern_c.machine import Machine
from tests.guest import long_mode


class World:
    """Frames of a machine, and a processor that looks through an address space."""

    def __init__(self, megabytes=8):
        self.machine = Machine((megabytes + 1) * MIB)
        self.frames = FrameAllocator(self.machine, [(MIB, megabytes * MIB)])
        self.start = self.frames.free_bytes
        self.told: list[tuple] = []
        self.spaces: list[AddressSpace] = []

    def space(self, **options):
        space = AddressSpace(
            self.frames, self.machine, on_unmap=lambda *event: self.told.append(event), **options
        )
        self.spaces.append(space)
        return space

    def fork(self, space):
        self.spaces.append(space.fork())
        return self.spaces[-1]

    def exit(self, space):
        self.spaces.remove(space)
        space.release()

    def translate(self, space, laddr, access="r"):
        vcpu = self.machine.vcpus[0]
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
        self.machine.write(self.touch(space, laddr, "w"), bytes([value]))

    def peek(self, space, laddr):
        return self.machine.read(self.touch(space, laddr), 1)[0]


@pytest.fixture
def world():
    world = World()
    yield world
    for space in world.spaces:
        space.release()
    assert world.frames.free_bytes == world.start, "frames leaked"
