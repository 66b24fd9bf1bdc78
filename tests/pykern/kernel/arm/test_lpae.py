"""RMP-04: ARM's translation tables, checked by a walker of their own, and under address spaces."""

from __future__ import annotations

import pytest

from pykern.kernel.arm import descriptor
from pykern.kernel.arm.lpae import LpaeTable
from pykern.kernel.core.bug import KernelBug
from pykern.kernel.core.units import GIB, MIB, PAGE_SIZE
from pykern.kernel.mm.frames import FrameAllocator
from pykern.kernel.mm.space import AddressSpace
from pykern.kernel.mm.vma import MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, MAP_SHARED
from pykern.kernel.x86.paging import PF_W, PageTable
from pykern_c.machine import Machine
from tests.contracts.pagetable import PageTableContract
from tests.guest import long_mode

BASE = 0x40_0000


def bits(value, high, low):
    return value >> low & (1 << high - low + 1) - 1


def walk(memory, ttbr0, va, *, write=False, fetch=False):
    """Translate as the manual's stage 1 does at EL0 with a 4 KiB granule; None: a fault.

    Written from the figures of the manual, sharing nothing with what is tested.
    """
    base = ttbr0
    for level, low in ((0, 39), (1, 30), (2, 21), (3, 12)):
        index = bits(va, low + 8, low)
        found = int.from_bytes(memory.read(base + index * 8, 8), "little")
        kind = bits(found, 1, 0)
        if kind in {0b00, 0b10} or (level in {0, 3} and kind == 0b01):
            return None
        if level < 3 and kind == 0b11:
            base = bits(found, 47, 12) << 12
            continue
        if not bits(found, 10, 10):  # access flag
            return None
        read_only, el0 = bits(found, 7, 7), bits(found, 6, 6)
        if not el0 or (write and read_only) or (fetch and bits(found, 54, 54)):
            return None
        return (bits(found, 47, low) << low) + bits(va, low - 1, 0)
    return None


def walk_with_flag_managed(memory, root, laddr, **access):
    """As hardware that sets the access flag by itself (TCR_EL1.HA)."""
    table = LpaeTable.__new__(LpaeTable)
    table._memory, table.root = memory, root
    entry = table.entry(laddr)
    if entry & 1:
        where = table._find_table(laddr) + (laddr >> 12 & 511) * 8
        memory.write(where, (entry | 1 << 10).to_bytes(8, "little"))
    return walk(memory, root, laddr, **access)


class Lpae(PageTableContract):
    def make(self, memory, frames):
        return LpaeTable(memory, frames)

    def walk(self, laddr):
        rights = [{}, {"write": True}, {"fetch": True}]
        found = [walk_with_flag_managed(self.machine, self.table.root, laddr, **r) for r in rights]
        return None if found[0] is None else (found[0], *(paddr is not None for paddr in found[1:]))


class X86(PageTableContract):
    def make(self, memory, frames):
        return PageTable(memory, frames)

    def walk(self, laddr):
        vcpu = self.machine.vcpus[0]
        long_mode(vcpu, cpl=3)
        vcpu.write_register("cr3", self.table.root)
        found = [vcpu.translate(laddr, access).paddr for access in "rwx"]
        return None if found[0] is None else (found[0], *(paddr is not None for paddr in found[1:]))


@pytest.mark.parametrize(
    ("bits_of", "value"),
    [
        # Arm's start-up code for Cortex-A in its examples: what TT_S1_... stand for.
        ((descriptor.NON_CACHEABLE, descriptor.AF), 0x401),
        ((descriptor.NORMAL, descriptor.AF), 0x405),
        ((descriptor.NORMAL, descriptor.AF, descriptor.OUTER_SHAREABLE), 0x605),
        ((descriptor.DEVICE, descriptor.AF, descriptor.PXN, descriptor.UXN), 0x0060_0000_0000_0409),
    ],
)
def test_blocks_are_those_of_published_code(bits_of, value):
    """RMP-04: a block of level 1 at 0, each with the attributes that Arm's comments name."""
    assert descriptor.VALID | sum(bits_of) == value


def test_user_pages_in_numbers():
    """RMP-04: page, normal memory, EL0, inner shareable, AF, nG, PXN; the rest by the rights."""
    lpae = descriptor.LpaeEntries
    assert lpae.user_flags(3) == 0x0060_0000_0000_0F47
    assert lpae.user_flags(5) == 0x0020_0000_0000_0FC7
    assert lpae.user_flags(1) == 0x0060_0000_0000_0FC7


@pytest.fixture
def bench():
    machine = Machine(16 * MIB)
    frames = FrameAllocator(machine, [(MIB, 15 * MIB)])
    free = frames.free_bytes
    table = LpaeTable(machine, frames)
    yield machine, frames, table
    table.release()
    assert frames.free_bytes == free


def test_all_sizes_of_pages(bench):
    """RMP-04, RMP-05: 4 KiB, 2 MiB, 1 GiB, the largest that fit."""
    machine, _, table = bench
    flags = table.user_flags(3)
    start = GIB - 2 * MIB - PAGE_SIZE
    size = PAGE_SIZE + 2 * MIB + GIB + 2 * MIB + PAGE_SIZE
    table.map(start, start, size, flags)
    assert table.tables == 1 + 1 + 2 + 2
    for laddr in (start, start + PAGE_SIZE, GIB, GIB + 123 * MIB + 5, start + size - 1):
        assert walk(machine, table.root, laddr, write=True) == laddr == table.translate(laddr)
    assert walk(machine, table.root, start - 1) is table.translate(start + size) is None
    with pytest.raises(KernelBug, match="mapped already"):
        table.map(GIB, 0, PAGE_SIZE * 512 * 512, flags)
    with pytest.raises(KernelBug, match="lies in a block"):
        table.set_entry(GIB + PAGE_SIZE, 0x1000, flags)


def test_nothing_is_writable_and_executable(bench):
    _, _, table = bench
    with pytest.raises(KernelBug, match="writable and executable"):
        table.set_entry(BASE, 0x1000, table.user_flags(7))
    assert table.tables == 1
    table.allow_wx = True
    table.set_entry(BASE, 0x1000, table.user_flags(7))


class ArmSpaces:
    """Address spaces on translation tables of ARM, used by the walker."""

    def __init__(self):
        self.machine = Machine(16 * MIB)
        self.frames = FrameAllocator(self.machine, [(MIB, 15 * MIB)])
        self.free = self.frames.free_bytes

    def space(self):
        return AddressSpace(
            self.frames,
            self.machine,
            new_table=lambda memory, frames, _half: LpaeTable(memory, frames),
        )

    def access(self, space, laddr, value=None):
        for _ in range(3):
            paddr = walk(self.machine, space.pml4, laddr, write=value is not None)
            if paddr is not None:
                break
            if not space.fault(laddr, 0 if value is None else PF_W):
                return None
        if value is not None:
            self.machine.write(paddr, bytes([value]))
        return self.machine.read(paddr, 1)[0]


def test_address_spaces_do_not_know_the_processor():
    """RMP-04, RMP-15: demand-zero pages, copy on write, shared memory, rights."""
    world = ArmSpaces()
    space, flags = world.space(), MAP_ANONYMOUS | MAP_FIXED
    space.mmap(BASE, 8 * PAGE_SIZE, 3, flags | MAP_PRIVATE)
    space.mmap(BASE + MIB, PAGE_SIZE, 3, flags | MAP_SHARED)
    assert world.access(space, BASE) == 0
    assert world.access(space, BASE, 1) == world.access(space, BASE + MIB, 1) == 1
    child = space.fork()
    assert world.access(child, BASE) == 1
    world.access(child, BASE, 2)
    world.access(child, BASE + MIB, 2)
    assert (world.access(space, BASE), world.access(space, BASE + MIB)) == (1, 2)
    assert world.access(space, BASE + 9 * PAGE_SIZE) is None
    space.mprotect(BASE, PAGE_SIZE, 1)
    assert (world.access(space, BASE), world.access(space, BASE, 3)) == (1, None)
    assert space.copy_in(BASE, 1) == b"\1"
    child.copy_out(BASE + PAGE_SIZE, b"x" * PAGE_SIZE)
    assert world.access(child, BASE + PAGE_SIZE) == ord("x")
    space.munmap(BASE, 8 * PAGE_SIZE)
    assert world.access(space, BASE) is None
    space.release()
    child.release()
    assert world.frames.free_bytes == world.free
