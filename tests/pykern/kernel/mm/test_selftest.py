"""MEL-24, MEL-25, MEL-26, MEL-33: the tests at boot pass, and notice what is broken."""

from __future__ import annotations

import pytest

from pykern.kernel.core.bug import KernelBug
from pykern.kernel.core.units import MIB, PAGE_SIZE
from pykern.kernel.mm import selftest
from pykern.kernel.mm.first_fit import FirstFitHeap
from pykern.kernel.mm.frames import FrameAllocator
from pykern.kernel.mm.heap import BuddyHeap
from pykern.kernel.mm.kernel_space import KernelLayout, KernelSpace, Section
from pykern.kernel.x86.paging import NX, RW
from pykern_c.machine import Machine

IMAGE = KernelLayout.image
TEXT = Section("text", IMAGE, 2 * MIB, 0x1800, executable=True)
DATA = Section("data", IMAGE + 0x2000, 2 * MIB + 0x2000, 0x1000, writable=True)


@pytest.fixture
def machine():
    machine = Machine(32 * MIB)
    machine.write(0, b"\xaa" * (32 * MIB))
    return machine


@pytest.fixture
def frames(machine):
    return FrameAllocator(machine, [(4 * MIB, 28 * MIB)])


@pytest.fixture
def space(machine, frames):
    space = KernelSpace(machine, frames)
    space.map_direct([(0, 32 * MIB)])
    space.map_image([TEXT, DATA])
    space.seal()
    return space


@pytest.fixture(params=[BuddyHeap, FirstFitHeap])
def heap(request, space):
    space.map_new(space.layout.heap, 4 * MIB)
    return request.param(space.layout.heap, 4 * MIB, space)


def test_they_pass_and_leave_nothing_behind(machine, frames, space, heap):
    before = frames.statistics()
    selftest.check_frames(frames, machine)
    selftest.check_paging(space)
    selftest.check_heap(heap, space)
    assert frames.statistics() == before
    assert heap.statistics().used == 0


def test_frames_that_are_not_cleared_are_noticed(machine, frames):
    frames.zero = lambda _paddr, _count=1: None
    with pytest.raises(KernelBug, match="new frame 0x400000 is not cleared"):
        selftest.check_frames(frames, machine)


def test_a_double_free_that_passes_is_noticed(machine, frames):
    free = frames.free
    freed = []
    frames.free = lambda paddr, count=1: paddr in freed or (freed.append(paddr), free(paddr, count))
    with pytest.raises(KernelBug, match="double free of a frame went unnoticed"):
        selftest.check_frames(frames, machine)


@pytest.mark.parametrize(
    ("laddr", "flags", "message"),
    [
        (IMAGE, NX, r"0xffffffff80000000 of \.text has P NX, expected P"),
        (DATA.laddr, NX, r"of \.data has P NX, expected P RW NX"),
        (KernelLayout.hhdm + 8 * MIB, RW, r"0xffff800000800000-.* is writable and executable"),
    ],
)
def test_wrong_rights_are_noticed(space, laddr, flags, message):
    space.table.protect(laddr, PAGE_SIZE, flags, wx=True)
    with pytest.raises(KernelBug, match=message):
        selftest.check_paging(space)


def test_a_heap_that_does_not_clear_is_noticed(space, heap):
    kmalloc = heap.kmalloc
    heap.kmalloc = lambda size: kmalloc(size, zero=False)
    space.write(space.layout.heap, b"\xaa" * MIB * 2)
    with pytest.raises(KernelBug, match=r"kmalloc\(\d+\) is not cleared|heap corrupted"):
        selftest.check_heap(heap, space)
