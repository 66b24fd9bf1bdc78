"""The feature list of the memory and process kernel on its profile."""

from __future__ import annotations

import doctest
import functools
import itertools
from pathlib import Path
from types import SimpleNamespace

import pytest

from images import prebuilt
from pykern.exit_status import ExitStatus
from pykern.kernel.core.units import GIB, MIB, PAGE_SIZE
from pykern.kernel.fs.context import FsContext
from pykern.kernel.fs.table import FileTable
from pykern.kernel.integration.myria import check_write_xor_execute
from pykern.kernel.integration.programs import run_program, status_of
from pykern.kernel.integration.rmp import RmpStory
from pykern.kernel.integration.selftest import SelfTestError
from pykern.kernel.integration.story import Step
from pykern.kernel.mm.first_fit import FirstFitHeap
from pykern.kernel.mm.frames import FrameAllocator
from pykern.kernel.mm.space import AddressSpace
from pykern.kernel.mm.vma import MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE
from pykern.kernel.sched.policies.mlfq import SLICES_NS, Feedback
from pykern.kernel.x86 import vectors
from pykern.kernel.x86.guest_call import guest_call
from pykern.kernel.x86.paging import NX, RECURSIVE_PML4, RW, PageTable
from pykern.kernel.x86.trapframe import new_user_frame
from pykern_c.machine import Machine
from tests import booting, golden_log
from tests.pykern.kernel import hosted

GOLDEN = Path(__file__).parents[3] / "golden" / "rmp" / "smp1.txt"
SMOKE_TESTS = (
    "Frame allocation",
    "Page tables",
    "Process and thread creation",
    "Priority scheduling",
    "Multi-threaded processes",
)


@pytest.fixture(scope="module")
def booted():
    iso = booting.image("rmp")
    return functools.cache(lambda **options: booting.boot(iso, **options))


@pytest.fixture
def run(system, monkeypatch):
    """Return what runs a coroutine function instead of the smoke tests, with their programs."""
    booting.packaged()
    programs = {
        f"/bin/{name}": path.read_bytes()
        for name, path in prebuilt.programs().items()
        if name.startswith("rmp/")
    }

    def run_body(body, **options):
        async def main(story):
            await story.start_first_program()
            await body(story.kernel)
            story.kernel.power_off()

        monkeypatch.setattr(RmpStory, "main", main)
        made = system(files=programs, command_line="profile=rmp", **options).run()
        assert (made.outcome.status, made.outcome.lines) == (0, ()), made.log
        return made

    return run_body


def test_the_log_is_golden(booted):
    """RMP-12, RMP-13: and the machine is turned off by ACPI S5 (RMP-15)."""
    assert golden_log.difference(GOLDEN.read_text(encoding="utf-8"), booted().log) is None
    assert booted().outcome.status == ExitStatus.POWER_OFF


@pytest.mark.parametrize("name", SMOKE_TESTS)
@pytest.mark.parametrize("options", [{}, {"cpus": 4, "numa": 2, "memory": 4 * GIB}])
def test_smoke(booted, name, options):
    """RMP-07, RMP-08, RMP-10, RMP-11, RMP-13: the five, on one processor and on nodes of two."""
    assert f"[TEST] ✓ {name}\n" in booted(**options).log


def test_each_call_of_the_model_is_made(booted):
    """RMP-11: by programs, of which each is an ELF file."""
    made = booted().kernel.metrics.syscall_count
    named = ("exit", "fork", "execve", "wait4", "getpid", "mmap", "munmap", "brk", "clone")
    assert min(made[name] for name in named) > 0


def test_parents_and_children(run):
    """RMP-07: a child has page tables of its own, and is its parent's until that has waited."""
    seen = []

    async def body(kernel):
        def note(cpu, call):
            process = cpu.current.process
            if call.name == "execve":
                parent = process.parent
                told = hosted.read_file(kernel, f"/proc/{process.pid}/status", 4096).decode()
                assert f"\nPPid:\t{parent.pid}\n" in told
                assert list(parent.children.values()) == [process]
                assert parent.space.pml4 != process.space.pml4
                seen.append(parent)

        kernel.watch_system_calls(note)
        process = await kernel.usermode.spawn(b"/bin/rmp/processes")
        assert await status_of(process) == 0
        assert seen == [process]
        assert not process.children

    run(body)


def test_threads_have_two_stacks_and_a_context_each(run):
    """RMP-08: the kernel's and the user's; RMP-07: of four threads in one address space."""
    seen = {}

    async def body(kernel):
        def note(cpu, call):
            thread = cpu.current
            if call.name == "sched_yield":
                seen[thread.tid] = thread, thread.stack.bottom, thread.frame["rsp"], thread.process
                assert cpu.vcpu.read_register("cr3") == thread.process.space.pml4
                assert thread.stack.bottom <= cpu.vcpu.read_register("rsp") < thread.stack.top

        kernel.watch_system_calls(note)
        assert await run_program(kernel, b"/bin/rmp/threads") == 0

    run(body)
    threads, kernel_stacks, user_stacks, processes = zip(*seen.values(), strict=True)
    assert len(set(threads)) == len(set(kernel_stacks)) == 4
    apart = sorted(user_stacks)
    assert all(low + PAGE_SIZE < high for low, high in itertools.pairwise(apart))
    assert len(set(processes)) == 1


def test_regions(booted):
    """RMP-01: memory with a hole below 4 GiB is several regions."""
    frames = booted(cpus=4, numa=2, memory=4 * GIB).kernel.frames
    assert len(frames.regions) == 4
    for before, region in zip(frames.regions, frames.regions[1:], strict=False):
        assert before.end < region.base or before.node != region.node


def test_memory_is_local(booted):
    """RMP-02, MEL-56: a frame is of the node of whoever asks; distances are those of the SLIT."""
    kernel = booted(cpus=4, numa=2, memory=4 * GIB).kernel
    assert kernel.topology.distances == ((10, 20), (20, 10))
    assert kernel.topology.cpus == {0: 0, 1: 0, 2: 1, 3: 1}
    for cpu in kernel.cpus:
        kernel.clock.this_cpu = cpu
        paddr = kernel.frames.alloc()
        assert kernel.frames.node_of(paddr) == cpu.number // 2
        assert (paddr >= 2 * GIB) == (cpu.number >= 2)
        kernel.frames.free(paddr)
    assert kernel.frames.near > 100 * kernel.frames.far


def test_the_pml4_is_seen_through_itself(booted):
    """RMP-03: what the processor reads at the last page is the PML4, of each process its own."""
    kernel = booted().kernel
    vcpu = kernel.machine.vcpus[0]
    space = AddressSpace(kernel.frames, kernel.machine, kernel.table.root)
    for root in (kernel.table.root, space.pml4):
        vcpu.write_register("cr3", root)
        assert vcpu.translate(RECURSIVE_PML4, "r").paddr == root
        assert vcpu.read_linear(RECURSIVE_PML4, PAGE_SIZE) == kernel.machine.read(root, PAGE_SIZE)
    vcpu.write_register("cr3", kernel.table.root)
    space.release()


def test_a_page_table_is_found_through_the_pml4(booted):
    """RMP-03: the entry of any page is at an address that its indices give."""
    kernel = booted().kernel
    vcpu, laddr = kernel.machine.vcpus[0], kernel.space.layout.heap
    entry = (0xFFFF << 48 | 511 << 39 | (laddr >> 9 & 0x7F_FFFF_F000)) + (laddr >> 18 & 0xFF8)
    walk = kernel.table.walk(laddr)
    directory = 0xFFFF << 48 | 511 << 39 | 511 << 30 | (laddr >> 18 & 0x3FFF_F000)
    directory += laddr >> 21 << 3 & 0xFF8
    steps = {level: found for level, _, found in walk.steps}
    accessed = 1 << 5
    read = int.from_bytes(vcpu.read_linear(directory, 8), "little")
    assert read & ~accessed == steps["PDE"] & ~accessed
    if "PTE" in steps:
        assert int.from_bytes(vcpu.read_linear(entry, 8), "little") == steps["PTE"]


def test_no_code_is_taken_for_a_page_table(booted):
    """RMP-03: addresses that begin with index 510 lead to no table that is none."""
    kernel = booted().kernel
    vcpu, image = kernel.machine.vcpus[0], 0xFFFF_FF00_0000_0000
    for laddr in range(image, image + 64 * 2 * MIB, 2 * MIB):
        found = vcpu.translate(laddr, "r")
        assert found.paddr is None or found.paddr % (2 * MIB) == 0


def test_nothing_but_page_tables_is_writable_and_executable(booted):
    """RMP-03, MYR-05: the PML4 shows them so; whatever else is, also behind its entry, is found."""
    kernel = booted().kernel
    table = kernel.table
    assert table.window == 0xFFFF_FF80_0000_0000
    assert kernel.table.root in table.table_frames()
    space = AddressSpace(kernel.frames, kernel.machine, table.root)
    space.mmap(0x40_0000, 3 * PAGE_SIZE, 5, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED)
    space.copy_in(0x40_0000, 3 * PAGE_SIZE)
    assert check_write_xor_execute(kernel) > 20
    assert check_write_xor_execute(kernel, space) > check_write_xor_execute(kernel)
    for section in kernel.space.sections:
        page = table.lookup(section.laddr)
        table.protect(section.laddr, PAGE_SIZE, RW, wx=True)
        with pytest.raises(SelfTestError, match="is writable and executable"):
            check_write_xor_execute(kernel, space)
        table.protect(section.laddr, PAGE_SIZE, page.flags)
    assert check_write_xor_execute(kernel) > 20
    space.release()


def test_a_page_behind_the_entry_of_the_tables_is_looked_at_as_any_other():
    """RMP-03, MYR-05: that it lies in the window does not make it a table."""
    machine = Machine(4 * MIB)
    table = PageTable(machine, FrameAllocator(machine, [(MIB, 3 * MIB)]))
    table.make_recursive()
    kernel = SimpleNamespace(machine=machine, table=table)
    tables = check_write_xor_execute(kernel)
    image = 0xFFFF_FFFF_8000_0000
    table.map(image, 0x1000, PAGE_SIZE, RW, wx=True)
    with pytest.raises(SelfTestError, match=f"{image:#x}-.* is writable and executable"):
        check_write_xor_execute(kernel)
    table.protect(image, PAGE_SIZE, RW | NX)
    assert check_write_xor_execute(kernel) > tables


def test_pages_of_three_sizes(booted):
    """RMP-05: the direct map of 4 GiB has all of them, and the processor agrees."""
    booted_ = booted(cpus=4, numa=2, memory=4 * GIB)
    kernel, hhdm = booted_.kernel, booted_.kernel.space.layout.hhdm
    assert "direct map of 4 KiB, 2048 KiB, 1048576 KiB pages" in booted_.log
    vcpu = kernel.machine.vcpus[0]
    for leaf in list(kernel.table.leaves(hhdm, 8 * GIB))[::50]:
        assert vcpu.translate(leaf.laddr + leaf.size - 1, "r").paddr == leaf.paddr + leaf.size - 1


def test_the_heap_is_first_fit(booted):
    """RMP-06."""
    assert isinstance(booted().kernel.heap, FirstFitHeap)


def test_the_timer_is_the_pit(booted):
    """RMP-12: 100 Hz, and the 8259s have had their ICWs: vectors 0x20 and 0x28, all masked."""
    pic = booted().computer.board.pic
    chips = [(chip.vector_base, chip.imr) for chip in (pic._master, pic._slave)]
    assert chips == [(0x20, 0xFF), (0x28, 0xFF)]
    kernel, now = booted().kernel, booted().computer.machine.now
    assert kernel.traps.counts[vectors.FIRST_ISA, 0] == pytest.approx(now / 1e7, abs=3)


def test_higher_priorities_have_longer_slices():
    """RMP-10: five priorities."""
    assert list(SLICES_NS) == sorted(SLICES_NS)
    assert [p.name for p in Feedback] == ["IDLE", "LOW", "NORMAL", "HIGH", "REALTIME"]


def test_processor_time_is_accounted_for(booted):
    """RMP-10, RMP-15: what is not busy is idle, which is C1: HLT."""
    kernel, now = booted().kernel, booted().computer.machine.now
    began = next(p.end_ns for p in kernel.story.passed if p.step is Step.SCHEDULER)
    cpu = kernel.metrics.cpus[0]
    assert cpu.busy_ns + cpu.idle_ns == pytest.approx(now - began, rel=0.001)
    assert cpu.busy_ns > 1_000_000
    assert cpu.idle_ns > 40_000_000  # the smoke test of priorities lets its threads settle
    shown = hosted.read_file(kernel, "/proc/cpuidle", 4096).decode()
    assert shown == f"cpu0 C0 {cpu.busy_ns} C1 {cpu.idle_ns}\n"


def test_times_of_threads_are_those_of_their_processor(run):
    """RMP-10: processor time by thread, which adds up."""
    times = {}

    async def body(kernel):
        me, cpu = kernel.clock.this_cpu.current, kernel.metrics.cpus[0]

        async def work(rounds):
            counter = kernel.heap.kmalloc(64)
            await guest_call(kernel.symbols["locked_count"], 0, counter, rounds)

        await kernel.threads.give_way()
        before = cpu.busy_ns - me.cpu_ns
        threads = [
            kernel.threads.spawn_kernel_thread(f"w{rounds}", work(rounds), priority=2)
            for rounds in (100_000, 300_000)
        ]
        while any(thread.tid in kernel.threads.by_tid for thread in threads):
            await kernel.threads.give_way()
        await kernel.threads.give_way()
        times["each"] = [thread.cpu_ns for thread in threads]
        times["all"] = cpu.busy_ns - me.cpu_ns - before

    run(body)
    one, three = times["each"]
    assert three == pytest.approx(3 * one, rel=0.05)
    assert one + three == pytest.approx(times["all"], rel=0.05)


def test_nodes_are_shown(booted):
    """RMP-02: /proc/numastat."""
    kernel = booted(cpus=4, numa=2, memory=4 * GIB).kernel
    lines = hosted.read_file(kernel, "/proc/numastat", 4096).decode().splitlines()
    assert lines[0].endswith("cpus 0 1, distances 10 20")
    assert lines[1].endswith("cpus 2 3, distances 20 10")
    assert lines[2:] == [f"near {kernel.frames.near}", f"far {kernel.frames.far}"]


USAGE = """
>>> frames = FrameAllocator(machine, [(0x10_0000, 0x100_0000)])     # MemoryRegion::new
>>> hex(frames.alloc())                                             # allocate_frame
'0x100000'
>>> space = kernel.processes.new_space()
>>> process = kernel.processes.create(init, space, FileTable(), root)   # create_process
>>> thread = kernel.processes.new_thread(process, "my_process")         # create_thread
>>> thread.priority = Feedback.NORMAL
>>> thread.frame.write(new_user_frame(0x1000, space.layout.top))
>>> kernel.scheduler.add(thread)                                    # scheduler::add_thread
0
>>> (process.name, process.parent.pid, thread.state.name, hex(thread.frame["rip"]))
('my_process', 1, 'RUNNABLE', '0x1000')
"""


def test_the_usage_example(booted):
    """RMP-14: regions, frame, process, thread, scheduler, on a kernel that is up."""
    kernel = booted(memory=65 * MIB).kernel
    names = {
        "machine": Machine(32 * MIB),
        "kernel": kernel,
        "init": kernel.processes.first,
        "root": FsContext.at_root(kernel.vfs, kernel.mounts),
        "FrameAllocator": FrameAllocator,
        "FileTable": FileTable,
        "Feedback": Feedback,
        "new_user_frame": new_user_frame,
    }
    test = doctest.DocTestParser().get_doctest(USAGE, names, "usage", None, 0)
    assert doctest.DocTestRunner().run(test).failed == 0
