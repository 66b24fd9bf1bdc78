"""Scarlett OS's feature list on its profile: log, memory, threads, messages, system calls."""

# ruff: noqa: RUF029 - bodies of kernel threads are coroutines, whether they wait or not

from __future__ import annotations

from pathlib import Path

import pytest

from pykern.cli import main
from pykern.exit_status import ExitStatus
from pykern.kernel.abi import scarlett
from pykern.kernel.core.bug import KernelBug
from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.core.units import MIB
from pykern.kernel.integration.programs import status_of
from pykern.kernel.integration.scarlett import (
    VMM_PRESENT,
    VMM_USER,
    VMM_WRITE,
    ScarlettStory,
)
from pykern.kernel.integration.story import Step
from pykern.kernel.ipc.message import IpcMessage
from pykern.kernel.x86 import layout
from pykern.kernel.x86.guest_call import guest_call
from pykern.kernel.x86.pte import RW, US
from tests import booting
from tests.golden_log import difference

GOLDEN = Path(__file__).parents[3] / "golden" / "scarlett" / "boot.txt"
HEAP = 0xFFFF_FFFF_C000_0000


@pytest.fixture(scope="module")
def iso():
    return booting.image("scarlett")


@pytest.fixture(scope="module")
def booted(iso):
    return booting.boot(iso)


# -- the log


def test_the_log_is_that_of_scarlett(booted):
    """SCA-18, SCA-20: each part is there, memory and threads work, in this order."""
    assert difference(GOLDEN.read_text(encoding="utf-8"), booted.log) is None
    assert booted.log.count("\n") == len(GOLDEN.read_text(encoding="utf-8").splitlines())
    assert booted.outcome.status == ExitStatus.POWER_OFF


@pytest.mark.parametrize("cpus", [2, 4])
def test_more_processors_tell_the_same(iso, cpus):
    """SCA-18, SCA-21."""
    log = booting.boot(iso, cpus=cpus).log
    assert difference(GOLDEN.read_text(encoding="utf-8"), log) is None


def test_every_step_took_its_time(booted):
    """SCA-18, SCA-20: what the log says was done between these times."""
    steps = [passed.step for passed in booted.kernel.story.passed]
    assert steps == [step for step in Step if step is not Step.USER_MODE]
    ends = [passed.end_ns for passed in booted.kernel.story.passed]
    assert ends == sorted(ends)


def test_a_heap_that_leaks_is_not_tested_well(iso, monkeypatch):
    """SCA-18: "Freed allocation" is not printed for nothing."""
    monkeypatch.setattr("pykern.kernel.mm.first_fit.FirstFitHeap.kfree", lambda *_: None)
    wrong = booting.boot(iso)
    assert "Freed allocation" not in wrong.log
    assert wrong.outcome.status == ExitStatus.PANIC


def test_run_line(iso, tmp_path, capfd):
    """SCA-17: a plain 64-bit ELF of the command line, `-m 512M --serial stdio`."""
    booting.packaged()
    kernel = tmp_path / "kernel.elf"
    kernel.write_bytes(booting.prebuilt.kernel().read_bytes())
    command = ["boot", str(kernel), "-m", "512M", "--serial", "stdio", "--append"]
    assert main([*command, "profile=scarlett"]) == 0
    assert difference(GOLDEN.read_text(encoding="utf-8"), capfd.readouterr().out) is None


# -- memory


def test_vmm(run_in_scarlett):
    """SCA-02, SCA-19: map 0x1000, and get_physical says the same."""

    async def body(story):
        vmm, kernel = story.vmm, story.kernel
        space = vmm.vmm_create_address_space()
        frame = kernel.frames.alloc()
        vmm.vmm_map_page(space, 0x1000, frame, VMM_PRESENT | VMM_WRITE | VMM_USER)
        assert vmm.vmm_get_physical(space, 0x1000) == frame
        assert vmm.vmm_get_physical(space, 0x1234) == frame + 0x234
        assert vmm.vmm_get_physical(space, 0x2000) is None
        leaf = space.table.lookup(0x1000)
        assert leaf.flags & (RW | US) == RW | US
        vmm.vmm_unmap_page(space, 0x1000)
        assert vmm.vmm_get_physical(space, 0x1000) is None
        kernel.frames.free(frame)
        vmm.vmm_destroy_address_space(space)

    run_in_scarlett(body)


def test_address_spaces(run_in_scarlett):
    """SCA-01, SCA-15: each its own lower half and number, all the kernel's upper half."""

    async def body(story):
        vmm, kernel = story.vmm, story.kernel
        before = kernel.frames.statistics().free
        one, two = vmm.vmm_create_address_space(), vmm.vmm_create_address_space()
        own = vmm.vmm_init()
        assert (own.pml4, own.asid) == (kernel.table.root, 0)
        assert len({own.asid, one.asid, two.asid}) == len({own.pml4, one.pml4, two.pml4}) == 3
        frame = kernel.frames.alloc()
        vmm.vmm_map_page(one, 0x1000, frame, VMM_PRESENT | VMM_WRITE)
        assert vmm.vmm_get_physical(two, 0x1000) is None
        for space in (one, two):
            upper = kernel.machine.read(space.pml4 + 2048, 2048)
            assert upper == kernel.machine.read(kernel.table.root + 2048, 2048)
        kernel.machine.write(frame, b"Scarlett")
        vmm.vmm_switch_address_space(one)
        assert kernel.acting.read_linear(0x1000, 8) == b"Scarlett"
        vmm.vmm_unmap_page(one, 0x1000)
        with pytest.raises(ValueError, match="0x1000"):
            kernel.acting.read_linear(0x1000, 8)
        vmm.vmm_switch_address_space(own)
        kernel.frames.free(frame)
        vmm.vmm_destroy_address_space(one)
        vmm.vmm_destroy_address_space(two)
        assert kernel.frames.statistics().free == before
        with pytest.raises(ValueError, match="never destroyed"):
            vmm.vmm_destroy_address_space(own)
        with pytest.raises(ValueError, match="VMM_PRESENT"):
            vmm.vmm_map_page(own, 0x1000, 0, VMM_WRITE)

    run_in_scarlett(body)


def test_what_a_processor_has_cached_of_a_page_is_gone_with_it(run_in_scarlett):
    """SCA-01: TLB management: code that runs on finds another page, or none."""
    counts = []

    async def body(story):
        vmm, kernel = story.vmm, story.kernel
        space, own = vmm.vmm_create_address_space(), vmm.vmm_init()
        frames = [kernel.frames.alloc() for _ in range(2)]
        vmm.vmm_switch_address_space(space)
        for frame in frames:
            vmm.vmm_map_page(space, 0x1000, frame, VMM_PRESENT | VMM_WRITE)
            await guest_call(kernel.symbols["locked_count"], 0, 0x1000, 5)
            vmm.vmm_unmap_page(space, 0x1000)
        vmm.vmm_switch_address_space(own)
        counts.extend(int.from_bytes(kernel.machine.read(frame, 8), "little") for frame in frames)
        for frame in frames:
            kernel.frames.free(frame)
        vmm.vmm_destroy_address_space(space)

    run_in_scarlett(body)
    assert counts == [5, 5]


def test_layout(booted):
    """SCA-13: direct map, heap and image where Scarlett has them."""
    kernel = booted.kernel
    assert kernel.table.translate(0xFFFF_8000_0010_0000) == 0x10_0000
    assert kernel.table.translate(0xFFFF_8000_0000_0000 + 64 * MIB) is None
    assert kernel.table.lookup(HEAP) is not None
    assert kernel.symbols["__text_start"] == 0xFFFF_FFFF_8000_0000 == layout.KERNEL_BASE
    assert kernel.user_layout.top < 1 << 47


def test_kernel_heap(run_in_scarlett):
    """SCA-03, SCA-19: kmalloc, kzalloc, krealloc, kfree; neighbours that are free become one."""

    async def body(story):
        heap, space = story.kernel.heap, story.kernel.space
        whole = heap.statistics().largest_free
        blocks = [heap.kmalloc(1000) for _ in range(30)]
        for laddr in blocks[::2]:
            heap.kfree(laddr)
        heap.check()
        assert heap.statistics().largest_free < whole
        assert heap.kmalloc(900) == blocks[0]  # the first that fits
        zeroed = heap.kzalloc(5000)
        assert space.read(zeroed, 5000) == bytes(5000)
        space.write(zeroed, b"kept")
        moved = heap.krealloc(zeroed, 50_000)
        assert space.read(moved, 4) == b"kept"
        for laddr in (blocks[0], moved, *blocks[1::2]):
            heap.kfree(laddr)
        heap.check()
        assert heap.statistics().largest_free == whole
        assert heap.statistics().allocations == heap.statistics().frees
        with pytest.raises(KernelBug, match="not the start of a block"):
            heap.kfree(moved)

    run_in_scarlett(body)


def test_the_heap_expands_on_demand(run_in_scarlett):
    """SCA-03: with an event in the log."""

    async def body(story):
        heap = story.kernel.heap
        large = heap.kmalloc(20 * MIB)
        assert (heap.expansions, heap.size) == (1, 21 * MIB)
        story.kernel.space.write(large + 20 * MIB - 4, b"last")
        heap.kfree(large)
        assert heap.statistics().largest_free == heap.size - 64

    assert "[INFO] Heap expanded: 16384 KB to 21504 KB\n" in run_in_scarlett(body).log


def test_the_heap_is_full_at_256_mib(run_in_scarlett):
    """SCA-04: and no sooner; it begins at 0xFFFFFFFFC0000000 and ends at ...CFFFFFFF."""

    async def body(story):
        heap = story.kernel.heap
        blocks = [heap.kmalloc(16 * MIB - 64) for _ in range(16)]
        assert heap.statistics().total == 256 * MIB
        assert (blocks[0], heap.base + heap.size) == (HEAP + 0x40, 0xFFFF_FFFF_D000_0000)
        with pytest.raises(SysError) as refused:
            heap.kmalloc(64)
        assert refused.value.errno is Errno.ENOMEM
        heap.check()

    run_in_scarlett(body, memory=512 * MIB)


def test_slabs_replace_the_simple_heap(iso):
    """SCA-22: `heap=slab`; the same log, and the first kilobyte is the first object of a page."""
    done = booting.boot(iso, append="heap=slab init=/bin/scarlett/calls")
    assert "[INFO] Allocated 1KB at: 0xFFFFFFFFC0000000\n" in done.log
    assert "calls: 0 failures" in done.log
    assert done.kernel.heap.statistics().total == 16 * MIB


# -- system calls


@pytest.mark.parametrize("program", ["init", "calls"])
def test_programs(iso, program):
    """SCA-11, SCA-12, SCA-19, SCA-24: each call from a real ELF; 3 and 4 are ENOSYS."""
    done = booting.boot(iso, append=f"init=/bin/scarlett/{program}")
    assert "FAIL" not in done.log
    assert f"[INFO] Process exited: pid=1, name={program}, status 0\n" in done.log
    calls = done.kernel.metrics.syscall_count
    assert min(calls["write"], calls["sched_yield"], calls["thread_create"]) > 0


def test_every_call_is_made(iso):
    """SCA-12: no number of the table that a program has not used."""
    made = booting.boot(iso, append="init=/bin/scarlett/calls").kernel.metrics.syscall_count
    assert {call.symbol for call in scarlett.CALLS} - {f"sys_{name}" for name in made} == set()
    assert min(made[call.symbol.removeprefix("sys_")] for call in scarlett.CALLS) > 0


def test_the_call_that_sends_without_a_capability_is_refused(iso):
    """SCA-24: send without a capability → EPERM; the log says which checks were made."""
    log = booting.boot(iso, append="init=/bin/scarlett/calls").log
    assert "ok   a port of the kernel's is closed\n" in log
    assert "ok   what one has not, one cannot give\n" in log


def test_nobody_answers_for_another(iso, monkeypatch):
    """SCA-24: to reply to a call one must have been allowed to receive it."""
    answers = []

    async def main_(story):
        kernel, messages = story.kernel, story.kernel.messages
        port = messages.ipc_create_port()

        async def call(_arg):
            answers.append((await messages.ipc_call(port, IpcMessage(b"who?"))).data)

        await kernel.usermode.prepare()
        tid = story.threads.thread_create(call, None)
        forger = await kernel.usermode.spawn(b"/bin/scarlett/forger")
        assert await status_of(forger) == 0
        request = await messages.ipc_receive(port)
        messages.ipc_reply(request.msg_id, b"I")
        await story.threads.thread_join(tid)
        kernel.power_off()

    monkeypatch.setattr(ScarlettStory, "main", main_)
    done = booting.boot(iso)
    assert done.outcome.status == ExitStatus.POWER_OFF, done.log
    assert answers == [b"I"]


def test_the_gate(booted):
    """SCA-11: STAR, LSTAR and SFMASK as a debugger shows them; int 0x80 is closed."""
    kernel = booted.kernel
    vcpu = kernel.cpus[0].vcpu
    assert vcpu.read_register("lstar") == kernel.symbols["syscall_entry"]
    star = layout.SELECTORS["KERNEL_CS"] << 32 | layout.SELECTORS["USER_CS32"] << 48
    assert vcpu.read_register("star") == star
    tf, if_, df, iopl, nt, ac = 1 << 8, 1 << 9, 1 << 10, 3 << 12, 1 << 14, 1 << 18
    assert vcpu.read_register("fmask") == tf | if_ | df | iopl | nt | ac
    assert kernel.tables.int80 == (0, 0)
    assert kernel.tables.syscall[0] == kernel.symbols["scarlett_call_table"]
