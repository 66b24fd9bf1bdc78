"""Myria OS's feature list on its profile: log and exit status, isolation, faults, threads."""

# ruff: noqa: RUF029 - bodies of kernel threads are coroutines, whether they wait or not

from __future__ import annotations

import io
import json
import struct
from dataclasses import replace
from pathlib import Path

import pytest

from images import prebuilt
from pykern.cli import main
from pykern.exit_status import ExitStatus
from pykern.kernel.integration.myria import (
    MARKERS,
    MyriaStory,
    check_user_page,
    check_write_xor_execute,
)
from pykern.kernel.integration.selftest import SelfTestError
from pykern.kernel.integration.story import Step
from pykern.kernel.sched import State
from pykern.kernel.timeline import Timeline
from pykern.kernel.x86 import fault_analysis, layout
from pykern.kernel.x86.guest_call import guest_call
from pykern.kernel.x86.pte import RW, US
from pykern_c.exits import ExitReason
from tests import booting
from tests.golden_log import difference

GOLDEN = Path(__file__).parents[3] / "golden" / "myria" / "boot.txt"
MIB = 1 << 20
HHDM = 0xFFFF_FFFF_C000_0000
IRETQ = b"\x48\xcf"


@pytest.fixture(scope="module")
def iso():
    return booting.image("myria")


@pytest.fixture(scope="module")
def booted(iso):
    return booting.boot(iso)


@pytest.fixture(scope="module")
def myria(system):
    """Return what makes a Myria system with its programs, ready to run."""
    booting.packaged()
    programs = {
        f"/bin/{name}": path.read_bytes()
        for name, path in prebuilt.programs().items()
        if name.startswith("myria/")
    }

    def make(append="", **options):
        return system(files=programs, command_line=f"profile=myria {append}".strip(), **options)

    return make


@pytest.fixture
def run(myria, monkeypatch):
    """Return what runs a coroutine function instead of Myria's tests."""

    def run_body(body, **options):
        async def main_(story):
            await story.kernel.usermode.prepare()
            await body(story)
            story.kernel.power_off()

        monkeypatch.setattr(MyriaStory, "main", main_)
        made = myria(timeout_ns=5_000_000_000, **options).run()
        assert (made.outcome.status, made.outcome.lines) == (0, ()), made.log
        return made

    return run_body


# -- the log


def test_the_log_is_that_of_myria(booted):
    """MYR-20; MYR-01 to MYR-04, MYR-07, MYR-08, MYR-14: and the exit status is 99."""
    assert difference(GOLDEN.read_text(encoding="utf-8"), booted.log) is None
    assert booted.outcome.status == 99


def test_the_command_ends_with_99(iso, tmp_path, capfd):
    """MYR-20, MYR-04: a Limine ISO, as the command line boots it."""
    (tmp_path / "myria.iso").write_bytes(iso)
    assert main(["boot", str(tmp_path / "myria.iso")]) == 99
    assert difference(GOLDEN.read_text(encoding="utf-8"), capfd.readouterr().out) is None


def test_a_program_that_fails_is_no_success(myria):
    """MYR-20: another code is another exit status, and no milestone."""
    made = myria("init=/bin/myria/write").run()
    assert "sys_exit called with code 18 - not what the test expects" in made.log
    assert "MILESTONE" not in made.log
    assert made.outcome.status == ExitStatus.PANIC  # 18 is even: no guest can end with it


def test_a_test_that_fails_stops_the_kernel(myria, monkeypatch):
    """MYR-20: what is printed was looked at."""
    monkeypatch.setattr("pykern.kernel.integration.myria._TEXT", b"Something else\n")
    made = myria().run()
    assert made.outcome.status == ExitStatus.PANIC
    assert "a program wrote" in made.log
    assert "=== User Mode Test" not in made.log


def test_markers(booted):
    """MYR-18: 13 steps in this order, each at its time."""
    markers = booted.kernel.story.markers
    assert [marker.number for marker in markers] == list(range(1, 14))
    assert [marker.name for marker in markers] == list(MARKERS)
    times = [marker.time_ns for marker in markers]
    assert times == sorted(times)
    assert times[3] < times[5] < times[10] < times[11]


def test_the_timeline_has_them(iso):
    """MYR-18: `boot --timeline` draws steps, and the 13 as markers."""
    out = io.StringIO()
    booting.boot(iso, timeline=lambda machine: Timeline(machine, out)).timeline.close()
    events = json.loads(out.getvalue())
    markers = [event["name"] for event in events if event["ph"] == "i" and event["cat"] == "boot"]
    assert markers == [f"{number}: {name}" for number, name in enumerate(MARKERS, 1)]
    steps = [event["name"] for event in events if event["ph"] == "X" and event["cat"] == "boot"]
    assert steps == list(Step)


# -- memory


def test_layout(booted):
    """MYR-17: image, heap, 512 MB of direct map, and nothing else in the upper half but stacks."""
    kernel = booted.kernel
    assert kernel.table.translate(HHDM + 0x10_0000) == 0x10_0000
    assert kernel.table.lookup(0xFFFF_8000_0010_0000) is None
    windows = {
        "text": (0xFFFF_FFFF_8000_0000, 0xFFFF_FFFF_9FFF_FFFF),
        "heap": (0xFFFF_FFFF_A000_0000, 0xFFFF_FFFF_BFFF_FFFF),
        "direct map": (HHDM, 0xFFFF_FFFF_DFFF_FFFF),
    }
    for laddr, size, _rights, _name in kernel.space.regions():
        inside = (low <= laddr and laddr + size - 1 <= high for low, high in windows.values())
        assert any(inside), hex(laddr)
    assert kernel.cpus[0].base >= HHDM


def test_memory_behind_the_direct_map_is_left_alone(iso):
    """MYR-17: 512 MB are mapped; of 1 GB the rest is nobody's."""
    done = booting.boot(iso, memory=1024 * MIB)
    assert done.outcome.status == 99
    assert done.kernel.frames.statistics().total <= 512 * MIB
    assert max(r.base + r.frames * 4096 for r in done.kernel.frames.regions) <= 512 * MIB


def test_the_stack_has_guards(run):
    """MYR-17: 0x800000-0x802000, and pages on both sides that nobody may use."""

    async def body(story):
        process = await story.kernel.usermode.spawn(b"/bin/myria/init")
        areas = {vma.start: (vma.end, vma.prot) for vma in process.space.vmas}
        assert areas[0x80_0000] == (0x80_2000, 3)
        assert areas[0x7F_F000] == (0x80_0000, 0)
        assert areas[0x80_2000] == (0x80_3000, 0)
        assert min(areas) == 0x1_0000

    run(body)


def test_nothing_is_writable_and_executable(run):
    """MYR-05: all page-table entries of kernel and program; one that is would be found."""

    async def body(story):
        kernel = story.kernel
        process = await kernel.usermode.spawn(b"/bin/myria/init")
        assert check_write_xor_execute(kernel) > 3
        assert check_write_xor_execute(kernel, process.space) > 6
        table = process.space.pages.table
        page = table.lookup(0x1_0000)
        table.protect(0x1_0000, 4096, page.flags | RW, wx=True)
        with pytest.raises(SelfTestError, match=r"0x10000-.* is writable and executable"):
            check_write_xor_execute(kernel, process.space)

    run(body)


def test_user_pages_are_the_users_at_every_level(run):
    """MYR-10: U=1 in PML4E, PDPTE, PDE and PTE; in none of them for the kernel's pages."""

    async def body(story):
        kernel = story.kernel
        space = (await kernel.usermode.spawn(b"/bin/myria/init")).space
        check_user_page(space, 0x1_0000, writable=False)
        walk = space.pages.table.walk(0x1_0000)
        assert [level for level, _, _ in walk.steps] == ["PML4E", "PDPTE", "PDE", "PTE"]
        kernels = space.pages.table.walk(kernel.symbols["__text_start"])
        assert not any(entry & US for _, _, entry in kernels.steps)
        for _, paddr, entry in walk.steps[:-1]:
            kernel.machine.write(paddr, struct.pack("<Q", entry & ~US))
            with pytest.raises(SelfTestError, match="U=0"):
                check_user_page(space, 0x1_0000, writable=False)
            kernel.machine.write(paddr, struct.pack("<Q", entry))

    run(body)


def test_spaces_share_the_kernel_and_nothing_else(run):
    """MYR-09, MYR-15: PML4[256..511] are equal in all spaces; the rest is each one's own."""

    async def body(story):
        kernel = story.kernel
        programs = [await kernel.usermode.spawn(b"/bin/myria/init") for _ in range(3)]
        tables = [process.space.pml4 for process in programs]
        halves = {kernel.machine.read(pml4 + 2048, 2048) for pml4 in (*tables, kernel.table.root)}
        assert len(halves) == 1
        assert any(halves.pop())
        lower = [kernel.machine.read(pml4, 2048) for pml4 in tables]
        assert len(set(lower)) == 3
        pages = [process.space.pages.table.translate(0x80_1000) for process in programs]
        assert len(set(pages)) == 3

    run(body)


def test_no_stale_translation_is_used(myria):
    """MYR-11: the machine reports any use of an entry that a page table no longer has."""
    made, stale = myria(), []
    made.machine.report_stale_tlb(lambda *entry: stale.append(entry))
    assert made.run().outcome.status == 99
    assert stale == []


# -- user mode


def test_iretq_goes_to_ring_3(myria, monkeypatch):
    """MYR-13, MYR-12: a step over IRETQ takes CS from 08h to ring 3; RSP0 is in the TSS."""
    wait = MyriaStory._ended_program

    async def stop_first(story, process):
        if process.last_name != "write" and process.name == "init":
            story.kernel.machine.stop("before iretq")
        return await wait(story, process)

    monkeypatch.setattr(MyriaStory, "_ended_program", stop_first)
    made = myria().run()
    vcpu = made.machine.vcpus[0]
    for _ in range(5000):
        rip, cs = vcpu.read_register("rip"), vcpu.read_register("cs")
        here = vcpu.read_linear(rip, 2) if cs & 3 == 0 else b""
        done = made.machine.step_vcpu(0)
        if done.reason is ExitReason.HOSTCALL:
            made.host.hostcall(done)
        if here == IRETQ and vcpu.read_register("cs") & 3 == 3:
            break
    assert (cs, vcpu.read_register("cs")) == (0x08, layout.SELECTORS["USER_CS"])
    assert vcpu.read_register("rip") == 0x1_0000
    assert vcpu.read_register("ss") == layout.SELECTORS["USER_DS"]
    assert 0x80_0000 < vcpu.read_register("rsp") <= 0x80_2000
    cpu = made.kernel.cpus[0]
    rsp0 = struct.unpack("<Q", made.machine.read(cpu.page + 0x100 + 4, 8))[0]
    assert rsp0 == cpu.current.stack.top


@pytest.mark.parametrize("base", [0x1_0000, 0x60_0000, 0x5555_5555_4000])
def test_position_independent_code(run, base):
    """MYR-21: the same ET_DYN file runs wherever it is loaded."""

    async def body(story):
        kernel = story.kernel
        kernel.user_layout = replace(kernel.user_layout, program=base)
        process = await kernel.usermode.spawn(b"/bin/myria/where")
        while process.status is None:
            await process.ended.wait()
        assert process.status == 0

    assert f"{base:#x}\n" in run(body).log


def test_system_calls_take_less_than_a_microsecond(run):
    """MYR-22: there and back, in virtual time."""
    times = []

    async def body(story):
        kernel = story.kernel

        def note(_cpu, call):
            if call.name == "getpid":
                times.append(kernel.machine.now)

        kernel.watch_system_calls(note)
        process = await kernel.usermode.spawn(b"/bin/myria/calls")
        while process.status is None:
            await process.ended.wait()

    run(body)
    assert len(times) == 1000
    assert 0 < (times[-1] - times[0]) / 999 < 1000


def test_a_program_cannot_reach_the_kernel_or_its_guard(run):
    """MYR-15, MYR-17, MYR-06: what it tried is told, with the walk of the address."""

    async def body(story):
        process = await story.kernel.usermode.spawn(b"/bin/myria/fault")
        while process.status is None:
            await process.ended.wait()
        assert process.status & 0x7F == 11

    log = run(body).log
    assert "[FAULT] vector 14: #PF page fault\n" in log
    assert "[FAULT] error code 0x4: page not present, read, in user mode (U/S)\n" in log
    assert "[FAULT] CR2 0x7fffff\n" in log
    assert "[FAULT] 0x7fffff is not mapped: PDE.P = 0\n" in log


# -- exceptions


def _jump_into_vector(made, vector):
    """Have the processor enter the kernel as at an exception, in ring 0."""
    kernel, vcpu = made.kernel, made.machine.vcpus[0]
    stack = kernel.stacks.alloc()
    frame = [kernel.symbols["cpu_idle"], 8, 2, stack.top, 0x10]
    if vector in {8, 10, 11, 12, 13, 14, 17, 21, 29, 30}:
        frame.insert(0, 0x1A)
    rsp = stack.top - 256
    made.machine.write(stack.physical(rsp), struct.pack(f"<{len(frame)}Q", *frame))
    stub = kernel.symbols["vector_stubs"] + vector * layout.VECTOR_STUB_SIZE
    for name, value in {"rip": stub, "rsp": rsp, "cr2": 0xDEAD_B000}.items():
        vcpu.write_register(name, value)
    vcpu.activate()
    made.session.start = lambda: None
    made.session.timeout_ns = made.machine.now + 10_000_000
    return made.run()


@pytest.mark.parametrize("vector", range(32))
def test_each_vector_is_named(myria, monkeypatch, vector):
    """MYR-06, MYR-12: a message names vector, error bits, CR2 and the walk; so for all 32."""

    async def wait(story):
        story.kernel.machine.stop("ready")

    monkeypatch.setattr(MyriaStory, "main", wait)
    made = _jump_into_vector(myria().run(), vector)
    if vector == 2:
        assert "NMI on CPU 0" in made.log
        return
    assert made.outcome.status == ExitStatus.PANIC
    assert f"] vector {vector}: {fault_analysis.name_of(vector)}\n" in made.log
    if vector == 14:
        bits = "page not present, write, in supervisor mode, reserved bit set in an entry"
        assert f"error code 0x1a: {bits}, instruction fetch (W/R RSVD I/D)\n" in made.log
        assert "CR2 0xdeadb000\n" in made.log
        assert "PML4E at 0x" in made.log
    elif vector in {10, 11, 12, 13}:
        assert "error code 0x1a: selector index 3 of the IDT\n" in made.log


# -- threads


def test_nobody_takes_a_cooperative_thread_off(run):
    """MYR-16: a thread runs until it gives way, however many ticks pass."""
    order = []

    async def body(story):
        kernel = story.kernel

        async def long():
            counter = kernel.heap.kmalloc(64)
            await guest_call(kernel.symbols["locked_count"], 0, counter, 20_000_000)
            order.append("long")

        async def short():
            order.append("short")

        ticks = kernel.metrics.timer_ticks
        spawn = kernel.threads.spawn_kernel_thread
        threads = [spawn("long", long()), spawn("short", short())]
        assert [thread.state for thread in threads] == [State.RUNNABLE] * 2
        while len(order) < 2:
            await kernel.threads.give_way()
        assert kernel.metrics.timer_ticks - ticks > 1
        assert threads[0].preemptions == 0
        assert threads[0].cpu_ns > 10_000_000 > threads[1].cpu_ns
        assert [thread.state for thread in threads] == [State.ZOMBIE] * 2
        assert not {thread.tid for thread in threads} & set(kernel.threads.by_tid)

    run(body)
    assert order == ["long", "short"]
