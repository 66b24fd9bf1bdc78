"""MEL-25, MEL-27, MEL-38 (MYR-09): the kernel half, with real code running in it."""

from __future__ import annotations

import pytest

from pykern.kernel.core.bug import KernelBug
from pykern.kernel.core.errno import SysError
from pykern.kernel.core.units import GIB, MIB, PAGE_SIZE
from pykern.kernel.mm.frames import FrameAllocator
from pykern.kernel.mm.heap import BuddyHeap
from pykern.kernel.mm.kernel_space import KernelLayout, KernelSpace, Section
from pykern.kernel.mm.space import AddressSpace
from pykern.kernel.x86.paging import NX, PCD, PF_I, PF_P, PF_W, RW, G, P
from pykern_c.exits import ExitReason
from pykern_c.machine import Machine
from tests.guest import assemble, long_mode

IMAGE = KernelLayout.image
TEXT, RODATA, DATA = (
    Section("text", IMAGE, 2 * MIB, 0x1800, executable=True),
    Section("rodata", IMAGE + 0x2000, 2 * MIB + 0x2000, 0x800),
    Section("data", IMAGE + 0x3000, 2 * MIB + 0x3000, 0x2000, writable=True),
)
MEMORY = 32 * MIB


@pytest.fixture
def machine():
    return Machine(MEMORY)


@pytest.fixture
def space(machine):
    frames = FrameAllocator(machine, [(0, 640 * 1024), (MIB, MEMORY - MIB)])
    frames.reserve(2 * MIB, MIB)
    space = KernelSpace(machine, frames)
    space.map_direct([(0, MEMORY)])
    space.map_image([TEXT, RODATA, DATA])
    return space


def start(machine, space, source):
    """Begin real code in .text, with CR0.WP and EFER.NXE."""
    machine.write(TEXT.paddr, assemble(source, origin=TEXT.laddr))
    vcpu = machine.vcpus[0]
    long_mode(vcpu, rip=TEXT.laddr, rsp=DATA.laddr + 0x1000)
    vcpu.write_register("cr3", space.pml4)
    assert vcpu.read_register("cr0") & 1 << 16
    assert vcpu.read_register("efer") & 1 << 11
    return vcpu


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("mov rax, OFFSET _start; mov byte ptr [rax], 0x90", PF_P | PF_W),
        (f"mov rax, {RODATA.laddr:#x}; mov [rax], rax", PF_P | PF_W),
        (f"mov rax, {DATA.laddr + 8:#x}; jmp rax", PF_P | PF_I),
        (f"mov rax, {RODATA.laddr:#x}; call rax", PF_P | PF_I),
        (f"mov rax, {DATA.laddr + DATA.size:#x}; mov [rax], rax", PF_W),
        ("mov rax, 0xFFFF800000200000; mov [rax], rax", PF_P | PF_W),
        ("mov rax, 0xFFFF800000300000; jmp rax", PF_P | PF_I),
        ("xor eax, eax; mov al, [rax]", 0),
    ],
)
def test_what_a_section_forbids_is_a_page_fault(machine, space, source, error):
    """MEL-25: a write to .text has error bit 1, execution of .data bit 4; MEL-27."""
    start(machine, space, source)
    exit_ = machine.run()
    assert exit_.reason is ExitReason.SHUTDOWN
    fault = exit_.faults[0]
    assert (fault.vector, fault.error) == (14, error)


def test_what_a_section_allows_works(machine, space):
    start(
        machine,
        space,
        f"mov rbx, {RODATA.laddr:#x}; mov eax, [rbx]; mov rcx, {DATA.laddr:#x}; mov [rcx], eax;"
        "mov rdx, 0xFFFF800000300000; mov [rdx], eax; push rax; hlt",
    )
    machine.write(RODATA.paddr, b"abcd")
    assert machine.run().reason is ExitReason.HLT
    assert machine.read(DATA.paddr, 4) == machine.read(3 * MIB, 4) == b"abcd"


def test_the_layout(machine, space):
    """MEL-38: a page walk at each place."""
    layout = space.layout
    space.map_new(layout.heap, layout.heap_size)
    vcpu = start(machine, space, "nop")
    assert vcpu.translate(0xFFFF_8000_0000_0000 + 31 * MIB, "w").paddr == 31 * MIB
    assert vcpu.translate(0xFFFF_8000_0000_0000 + MEMORY).error == 0
    assert vcpu.translate(0xFFFF_A000_0000_0000, "w").error is None
    assert vcpu.translate(0xFFFF_A000_00FF_FFFF, "w").page_size == 2 * MIB
    assert vcpu.translate(0xFFFF_A000_0100_0000).error == 0
    assert vcpu.translate(0xFFFF_FFFF_8000_0000, "x").paddr == TEXT.paddr
    runs = [(run[0], run[1], run[3]) for run in space.table.mappings(IMAGE, GIB)]
    assert runs == [
        (IMAGE, 0x2000, P | G),
        (IMAGE + 0x2000, 0x1000, P | NX | G),
        (IMAGE + 0x3000, 0x2000, P | RW | NX | G),
    ]


def test_the_heap_works_in_its_window(space):
    """MEL-26 on real page tables."""
    free = space.frames.free_bytes
    layout = space.layout
    space.map_new(layout.heap, layout.heap_size)
    heap = BuddyHeap(layout.heap, layout.heap_size, space)
    blocks = {size: heap.kmalloc(size) for size in (64, 1024, 10_000, MIB)}
    for size, laddr in blocks.items():
        assert space.read(laddr, size) == bytes(size)
        space.write(laddr, b"\x11" * size)
    for size, laddr in blocks.items():
        assert space.read(laddr, size) == b"\x11" * size
        heap.kfree(laddr, size)
    heap.check()
    space.unmap(layout.heap, layout.heap_size)
    assert space.frames.free_bytes == free - PAGE_SIZE
    with pytest.raises(KernelBug, match=r"0xffffa00000000000 is not mapped"):
        space.read(layout.heap, 1)


def test_new_memory_comes_from_small_frames_where_there_are_no_large_ones(space):
    frames = space.frames
    taken = [frames.alloc() for _ in range(frames.free_bytes // PAGE_SIZE)]
    for paddr in taken[:-1200:2]:
        frames.free(paddr)
    free = frames.free_bytes
    assert free > 4 * MIB
    space.map_new(space.layout.heap, 4 * MIB)
    assert {leaf.size for leaf in space.table.leaves(space.layout.heap, 4 * MIB)} == {PAGE_SIZE}
    space.unmap(space.layout.heap, 4 * MIB)
    with pytest.raises(SysError, match="ENOMEM"):
        space.map_new(space.layout.heap, 16 * MIB)
    assert frames.free_bytes == free - PAGE_SIZE


def test_every_process_has_the_same_kernel_half_for_good(machine, space):
    """MYR-09, MEL-48: PML4[256..511] are equal; what the kernel maps later is seen by all."""
    template = space.seal()
    processes = [AddressSpace(space.frames, machine, template) for _ in range(3)]
    space.map_new(space.layout.heap, MIB)
    space.map_new(space.layout.stacks + MIB, PAGE_SIZE)
    halves = {machine.read(pml4 + 2048, 2048) for pml4 in (template, *(p.pml4 for p in processes))}
    assert len(halves) == 1
    vcpu = start(machine, space, "nop")
    vcpu.write_register("cr3", processes[2].pml4)
    assert vcpu.translate(space.layout.heap, "w").error is None
    with pytest.raises(KernelBug, match="sealed"):
        space.map_new(0xFFFF_C000_0000_0000, PAGE_SIZE)
    for process in processes:
        process.release()
    vcpu.write_register("cr3", template)
    assert vcpu.translate(space.layout.heap).error is None


def test_devices_are_mapped_uncached(space):
    laddr = space.map_device(0xFEE0_0020, 4)
    assert laddr == 0xFFFF_8000_FEE0_0020
    assert space.table.lookup(laddr).flags == P | RW | NX | PCD | G
    assert space.map_device(0xFEE0_0300, 4) == 0xFFFF_8000_FEE0_0300


def test_what_is_mapped_can_be_listed(space):
    """MEL-38: what `info os mappings` shows of the kernel half."""
    layout = space.layout
    space.map_new(layout.heap, layout.heap_size)
    space.map_new(layout.stacks + PAGE_SIZE, 2 * PAGE_SIZE)
    space.map_device(0xFEE0_0000, PAGE_SIZE)
    hhdm = layout.hhdm
    assert list(space.regions()) == [
        (hhdm, 2 * MIB, "rw-", "direct map"),
        (hhdm + 2 * MIB, 0x3000, "r--", "direct map"),
        (hhdm + 2 * MIB + 0x3000, MEMORY - 2 * MIB - 0x3000, "rw-", "direct map"),
        (hhdm + 0xFEE0_0000, PAGE_SIZE, "rw-", "device"),
        (layout.heap, layout.heap_size, "rw-", "heap"),
        (layout.stacks + PAGE_SIZE, 2 * PAGE_SIZE, "rw-", "stack"),
        (IMAGE, 0x2000, "r-x", ".text"),
        (IMAGE + 0x2000, 0x1000, "r--", ".rodata"),
        (IMAGE + 0x3000, 0x2000, "rw-", ".data"),
    ]


def test_what_cannot_be_laid_out_is_named(space):
    with pytest.raises(KernelBug, match=r"section x: .* differ in their offset"):
        space.map_image([Section("x", IMAGE + MIB, 4 * MIB + 8, 1)])
    with pytest.raises(KernelBug, match="beyond the direct map"):
        space.map_direct([(0x2000_0000_0000, PAGE_SIZE)])


def test_ranges_of_the_direct_map_are_joined(machine):
    frames = FrameAllocator(machine, [(MIB, 4 * MIB)])
    space = KernelSpace(machine, frames)
    space.map_direct([(0x8_0000, 0x1_FC00), (0, 0x8_0000), (0x9_FC00, 0x400), (MIB, 100)])
    base = space.layout.hhdm
    assert [run[:3] for run in space.table.mappings()] == [
        (base, 0xA_0000, 0),
        (base + MIB, PAGE_SIZE, MIB),
    ]
