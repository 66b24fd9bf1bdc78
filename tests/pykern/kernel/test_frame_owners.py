"""Every frame has one owner, the one that the kernel's own books say."""

import pytest

from pykern.kernel.frame_owners import KERNEL_OWNERS, FrameOwners
from tests import booting


@pytest.fixture(scope="module")
def kernel():
    return booting.boot(booting.image("rmp"), cpus=4, numa=2).kernel


@pytest.fixture(scope="module")
def found(kernel):
    snapshot = FrameOwners(kernel).look()
    return snapshot, {
        name: sum(n) for name, n in zip(snapshot.owners, snapshot.frames, strict=True)
    }


def test_all_of_the_ram_has_an_owner(kernel, found):
    snapshot, frames = found
    assert snapshot.owners[: len(KERNEL_OWNERS)] == KERNEL_OWNERS
    assert sum(frames.values()) == sum(size for _, size in kernel.machine.ram_ranges) >> 12
    assert frames["free"] == kernel.frames.free_bytes >> 12
    for number in kernel.topology.nodes:
        free = snapshot.frames[0][number]
        assert free == kernel.frames.statistics(number).free >> 12


def test_the_parts_of_the_kernel(kernel, found):
    _, frames = found
    assert frames["kernel heap"] == kernel.heap.statistics().total >> 12
    stacks = [t for t in kernel.threads.by_tid.values() if t.stack is not None]
    assert frames["kernel stacks"] == len(stacks) * kernel.stacks.size >> 12
    symbols = kernel.symbols
    assert frames["kernel image"] == sum(
        symbols[f"__{name}_end"] + 4095 - symbols[f"__{name}_start"] >> 12
        for name in ("text", "rodata", "data")
    )
    screen = kernel.boot.framebuffer
    assert frames["framebuffer"] == screen.pitch * screen.height >> 12


def test_processes_and_their_page_tables(kernel, found):
    _, frames = found
    alive = [process for process in kernel.processes.by_pid.values() if process.alive]
    assert alive
    for process in alive:
        assert frames[f"{process.name} ({process.pid})"] == process.space.pages.resident
    tables = sum(process.space.pages.table.tables for process in alive)
    assert frames["page tables"] == kernel.table.tables + tables


def test_parts_of_the_ram_show_who_has_most_of_them(kernel, found):
    snapshot, frames = found
    assert sum(count for count, _ in snapshot.cells) == -(
        -sum(frames.values()) // snapshot.cell_frames
    )
    heap = snapshot.owners.index("kernel heap")
    shown = sum(count for count, owner in snapshot.cells if owner == heap) * snapshot.cell_frames
    assert shown == pytest.approx(frames["kernel heap"], rel=0.05)


def test_looking_changes_nothing(kernel):
    assert FrameOwners(kernel).look() == FrameOwners(kernel).look()
