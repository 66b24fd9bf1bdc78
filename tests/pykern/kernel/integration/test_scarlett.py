"""Scarlett OS's feature list on its profile: log, memory, threads, messages, system calls."""

# ruff: noqa: RUF029 - bodies of kernel threads are coroutines, whether they wait or not

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pykern.cli import main
from pykern.exit_status import ExitStatus
from pykern.kernel.core.bug import KernelBug
from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.core.units import MIB
from pykern.kernel.core.wait import CondVar, Mutex, RwLock, Semaphore
from pykern.kernel.integration.scarlett import (
    VMM_PRESENT,
    VMM_USER,
    VMM_WRITE,
    ScarlettStory,
    ThreadState,
    tcb,
)
from pykern.kernel.integration.story import Step
from pykern.kernel.ipc.message import INLINE_SIZE, IPC_MESSAGE, IpcMessage, MessageType
from pykern.kernel.sched.policies.priority128 import Band
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


@pytest.fixture
def run(system, monkeypatch):
    """Return what runs a coroutine function in the first thread of a Scarlett kernel."""

    def run_body(body, *, cpus=1, memory=64 * MIB, timeout_ns=5_000_000_000):
        async def main_(story):
            await body(story)
            story.kernel.power_off()

        monkeypatch.setattr(ScarlettStory, "main", main_)
        made = system(
            command_line="profile=scarlett loglevel=info",
            cpus=cpus,
            memory=memory,
            timeout_ns=timeout_ns,
        ).run()
        assert (made.outcome.status, made.outcome.lines) == (0, ()), made.log
        return made

    return run_body


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


def test_vmm(run):
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

    run(body)


def test_address_spaces(run):
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

    run(body)


def test_layout(booted):
    """SCA-13: direct map, heap and image where Scarlett has them."""
    kernel = booted.kernel
    assert kernel.table.translate(0xFFFF_8000_0010_0000) == 0x10_0000
    assert kernel.table.translate(0xFFFF_8000_0000_0000 + 64 * MIB) is None
    assert kernel.table.lookup(HEAP) is not None
    assert kernel.symbols["__text_start"] == 0xFFFF_FFFF_8000_0000 == layout.KERNEL_BASE
    assert kernel.user_layout.top < 1 << 47


def test_kernel_heap(run):
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

    run(body)


def test_the_heap_expands_on_demand(run):
    """SCA-03: with an event in the log."""

    async def body(story):
        heap = story.kernel.heap
        large = heap.kmalloc(20 * MIB)
        assert (heap.expansions, heap.size) == (1, 21 * MIB)
        story.kernel.space.write(large + 20 * MIB - 4, b"last")
        heap.kfree(large)
        assert heap.statistics().largest_free == heap.size - 64

    assert "[INFO] Heap expanded: 16384 KB to 21504 KB\n" in run(body).log


def test_the_heap_is_full_at_256_mib(run):
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

    run(body, memory=512 * MIB)


# -- threads


def test_threads(run):
    """SCA-05, SCA-07, SCA-19: two threads, yield, sleep 100, exit, join."""
    events = []

    async def body(story):
        threads, clock = story.threads, story.kernel.clock

        async def work(arg):
            events.append(arg)
            await threads.thread_yield()
            events.append(arg)
            before = clock.now_ns
            await threads.thread_sleep(100)
            events.append(100 <= (clock.now_ns - before) / 1e6 < 101)
            threads.thread_exit()
            events.append("never")

        assert threads.scheduler_init() is story.kernel.scheduler
        tids = [threads.thread_create(work, name, Band.NORMAL, name) for name in "ab"]
        for tid in tids:
            await threads.thread_join(tid)
        assert tids[0] == 1
        assert len(set(tids)) == 2
        assert not set(tids) & set(story.kernel.threads.by_tid)

    log = run(body).log
    assert events == ["a", "b", "a", "b", True, True]
    assert re.search(r"Thread created: tid=(\d+), name=b, priority=64\n", log)
    assert re.search(r"Thread exiting: tid=(\d+), name=b\n", log)


def test_bands():
    """SCA-06: 0 idle, 1-31 low, 32-95 normal, 96-126 high, 127 real-time; NORMAL is 64."""
    firsts = {Band.IDLE: 0, Band.LOW: 1, Band.NORMAL: 32, Band.HIGH: 96, Band.REALTIME: 127}
    assert {band: min(p for p in range(128) if Band.of(p) is band) for band in firsts} == firsts
    assert Band.NORMAL == 64


def test_higher_priorities_run_first(run):
    """SCA-05, SCA-06: by level, and within a level in the order they came."""
    order = []

    async def body(story):
        async def work(arg):
            order.append(arg)

        story.kernel.scheduler.preempt_disable(0)
        priorities = (0, 1, 64, 127, 96, 32, 64, 31)
        tids = [story.threads.thread_create(work, p, p, f"p{p}") for p in priorities]
        story.kernel.scheduler.preempt_enable(0)
        for tid in tids:
            await story.threads.thread_join(tid)
        with pytest.raises(ValueError, match="expected 0 to 127"):
            story.threads.thread_create(work, 0, 128, "high")

    run(body)
    assert order == [127, 96, 64, 64, 32, 31, 1, 0]


def test_a_thread_blocks_and_is_unblocked(run):
    """SCA-05, SCA-14: READY, RUNNING, BLOCKED, DEAD; 64 KB of kernel stack, its times."""
    seen = []

    async def body(story):
        kernel, gate = story.kernel, Semaphore(0)

        async def work(_arg):
            seen.append(tcb(story.threads.current()))
            await gate.acquire()

        tid = story.threads.thread_create(
            work, None, 70, "a name of more than thirty-one characters"
        )
        thread = kernel.threads.by_tid[tid]
        seen.append(tcb(thread))
        await story.threads.thread_sleep(1)
        seen.append(tcb(thread))
        gate.release()
        await story.threads.thread_join(tid)
        await story.threads.thread_sleep(1)
        seen.append(tcb(thread))

    run(body)
    states = [ThreadState.READY, ThreadState.RUNNING, ThreadState.BLOCKED, ThreadState.DEAD]
    assert [block.state for block in seen] == states
    assert {(b.tid, b.priority, len(b.name)) for b in seen} == {(1, 70, 31)}
    assert [b.kernel_stack[1] for b in seen] == [65536, 65536, 65536, 0]
    assert seen[-1].cpu_time > 0


def test_real_code_runs_as_a_thread(run):
    """SCA-05, SCA-07: `entry` may be a function of the image, which the processor executes."""

    async def body(story):
        kernel = story.kernel
        tid = story.threads.thread_create(kernel.symbols["spin_trylock"], kernel.heap.kmalloc(64))
        await story.threads.thread_join(tid)

    run(body)


def test_threads_share_the_processors_and_may_be_bound(run):
    """SCA-21: two processors run twice as much; a thread with an affinity runs there only."""
    ran = []

    async def body(story):
        kernel = story.kernel

        async def work(cpu):
            thread = story.threads.current()
            kernel.scheduler.set_affinity(thread, 1 << cpu)
            for _ in range(3):
                await story.threads.thread_sleep(1)
                ran.append((cpu, thread.cpu))

        for tid in [story.threads.thread_create(work, cpu, 64, f"on{cpu}") for cpu in (0, 1)]:
            await story.threads.thread_join(tid)

    run(body, cpus=2)
    assert sorted(ran) == [(0, 0)] * 3 + [(1, 1)] * 3


def test_sleep_is_precise(run):
    """SCA-25: by a comparator of the HPET: never early, late by microseconds, not by ticks."""
    late = []

    async def body(story):
        clock = story.kernel.clock

        async def nap(ms):
            due = clock.now_ns + ms * 1_000_000
            await story.threads.thread_sleep(ms)
            late.append((ms, clock.now_ns - due))

        times = (250, 1, 3, 7, 7, 10, 13)
        tids = [story.threads.thread_create(nap, ms, 64, f"nap{ms}") for ms in times]
        for tid in tids:
            await story.threads.thread_join(tid)
        line = story.threads.sleeping.line
        assert line.gsi in {20, 21, 22, 23}
        assert line.count == line.runs >= 6
        assert line.thread.priority == Band.REALTIME

    run(body)
    assert [ms for ms, _ in late] == [1, 3, 7, 7, 10, 13, 250]
    assert all(0 <= ns < 20_000 for _, ns in late), late


def test_without_an_hpet_the_processors_timer_does(run):
    """SCA-25."""
    late = []

    async def body(story):
        del story.kernel.acpi.tables["HPET"]
        due = story.kernel.clock.now_ns + 3_000_000
        await story.threads.thread_sleep(3)
        late.append(story.kernel.clock.now_ns - due)
        assert story.threads.sleeping.line is None

    run(body)
    assert 0 <= late[0] < 20_000


def test_real_time_preempts(run):
    """SCA-25: a thread of priority 127 that wakes runs at once, whoever has the processor."""
    order = []

    async def body(story):
        kernel = story.kernel

        async def urgent(_arg):
            due = kernel.clock.now_ns + 2_000_000
            await story.threads.thread_sleep(2)
            order.append(("urgent", kernel.clock.now_ns - due))

        async def busy(_arg):
            counter = kernel.heap.kmalloc(64)
            await guest_call(kernel.symbols["locked_count"], 0, counter, 10_000_000)
            order.append(("busy", 0))

        tids = [
            story.threads.thread_create(urgent, None, Band.REALTIME, "urgent"),
            story.threads.thread_create(busy, None, Band.NORMAL, "busy"),
        ]
        for tid in tids:
            await story.threads.thread_join(tid)

    run(body)
    assert [name for name, _ in order] == ["urgent", "busy"]
    assert 0 <= order[0][1] < 20_000


def test_slabs_replace_the_simple_heap(iso):
    """SCA-22: `heap=slab`; the same log, and the first kilobyte is the first object of a page."""
    done = booting.boot(iso, append="heap=slab init=/bin/scarlett/calls")
    assert "[INFO] Allocated 1KB at: 0xFFFFFFFFC0000000\n" in done.log
    assert "calls: 0 failures" in done.log
    assert done.kernel.heap.statistics().total == 16 * MIB


# -- synchronisation


def test_locks_under_contention(run):  # noqa: PLR0915 - one contention for four locks
    """SCA-27: mutex, semaphore, condition variable and read-write lock between real threads."""
    trace = []

    async def body(story):
        mutex, room, lock = Mutex(), Semaphore(2), RwLock()
        changed, ready = CondVar(mutex), []
        inside = {"mutex": 0, "room": 0, "readers": 0, "writers": 0}
        most = dict(inside)

        async def hold(name, ms=1):
            inside[name] += 1
            most[name] = max(most[name], inside[name])
            await story.threads.thread_sleep(ms)
            inside[name] -= 1

        async def work(number):
            async with mutex:
                await hold("mutex")
            await room.acquire()
            await hold("room", 5)
            room.release()
            if number % 2:
                await lock.acquire_write()
                assert not inside["readers"]
                await hold("writers")
                lock.release_write()
            else:
                await lock.acquire_read()
                assert not inside["writers"]
                await hold("readers")
                lock.release_read()
            async with mutex:
                ready.append(number)
                changed.notify_all()

        for number in range(6):
            story.threads.thread_create(work, number, 64, f"w{number}")
        async with mutex:
            while len(ready) < 6:
                await changed.wait()
        trace.append(most)

    run(body)
    assert trace[0]["mutex"] == 1
    assert trace[0]["room"] == 2
    assert trace[0]["writers"] == 1
    assert trace[0]["readers"] >= 1


# -- IPC


def test_the_message_structure():
    """SCA-09: sender_tid, msg_id, type, 64 bytes inline, a buffer and its size."""
    raw = IPC_MESSAGE.build(
        {
            "sender_tid": 1,
            "msg_id": 2,
            "type": MessageType.DATA,
            "inline_data": b"x" * 64,
            "buffer": 3,
            "buffer_size": 4,
        }
    )
    assert len(raw) == 104
    assert (raw[0], raw[8], raw[16:20]) == (1, 2, b"\1\0\0\0")
    assert (raw[20:84], raw[88], raw[96]) == (b"x" * 64, 3, 4)


def test_ipc(run):
    """SCA-08, SCA-10, SCA-19: create, send, receive, try_receive; receiving blocks."""
    got = []

    async def body(story):
        messages = story.kernel.messages
        port = messages.ipc_create_port()
        assert messages.ipc_try_receive(port) is None

        async def receive(_arg):
            got.append(await messages.ipc_receive(port))

        tid = story.threads.thread_create(receive, None, 64, "receiver")
        await story.threads.thread_sleep(1)
        assert tcb(story.kernel.threads.by_tid[tid]).state is ThreadState.BLOCKED
        await messages.ipc_send(port, IpcMessage(b"hello", 5), sender=9)
        await story.threads.thread_join(tid)
        await messages.ipc_send(port, IpcMessage(bytes(1000)))
        got.append(messages.ipc_try_receive(port))

    run(body)
    assert (got[0].data, got[0].type, got[0].sender_tid) == (b"hello", 5, 9)
    assert got[0].inline
    assert not got[1].inline
    assert got[1].data == bytes(1000)


def test_a_sender_waits_for_room(run):
    """SCA-08: sending is synchronous: the 17th message waits until there is room for it."""
    got = []

    async def body(story):
        messages = story.kernel.messages
        port = messages.ipc_create_port()

        async def send(_arg):
            for number in range(20):
                await messages.ipc_send(port, IpcMessage(bytes([number])))

        tid = story.threads.thread_create(send, None, 64, "sender")
        await story.threads.thread_sleep(1)
        assert tcb(story.kernel.threads.by_tid[tid]).state is ThreadState.BLOCKED
        got.extend([(await messages.ipc_receive(port)).data[0] for _ in range(20)])
        await story.threads.thread_join(tid)

    run(body)
    assert got == list(range(20))


def test_call_and_reply(run):
    """SCA-08, SCA-10: each caller gets the answer to its own request, whatever the order."""
    got = []

    async def body(story):
        messages = story.kernel.messages
        port = messages.ipc_create_port()

        async def call(number):
            reply = await messages.ipc_call(port, IpcMessage(bytes([number])))
            got.append((number, reply.data, reply.type))

        tids = [story.threads.thread_create(call, n, 64, f"c{n}") for n in range(3)]
        requests = [await messages.ipc_receive(port) for _ in tids]
        for request in reversed(requests):
            messages.ipc_reply(request.msg_id, request.data * 2)
        for tid in tids:
            await story.threads.thread_join(tid)
        with pytest.raises(SysError, match="waits for a reply"):
            messages.ipc_reply(requests[0].msg_id, b"")

    run(body)
    assert sorted(got) == [(n, bytes([n, n]), MessageType.REPLY) for n in range(3)]


def test_a_call_to_a_port_that_is_closed_fails(run):
    """SCA-08."""
    got = []

    async def body(story):
        messages = story.kernel.messages
        port = messages.ipc_create_port()

        async def call(_arg):
            with pytest.raises(SysError) as failed:
                await messages.ipc_call(port, IpcMessage(b""))
            got.append(failed.value.errno)

        tid = story.threads.thread_create(call, None, 64, "caller")
        await story.threads.thread_sleep(1)
        story.kernel.ports.close(port)
        await story.threads.thread_join(tid)

    run(body)
    assert got == [Errno.EPIPE]


def test_what_a_message_and_a_switch_cost(run):
    """SCA-16: 64 B go the fast path; all of it in cycles of virtual time."""
    spent = {}

    async def body(story):
        messages = story.kernel.messages
        port = messages.ipc_create_port()
        for size in (INLINE_SIZE, INLINE_SIZE + 1):
            await messages.ipc_send(port, IpcMessage(bytes(size)))
        assert (messages.fast, messages.slow) == (1, 1)
        rounds = 100

        async def turn(_arg):
            for _ in range(rounds):
                await story.threads.thread_yield()

        before, switches = story.kernel.clock.now_ns, story.kernel.metrics.ctx_switches
        tids = [story.threads.thread_create(turn, None, 64, name) for name in "ab"]
        for tid in tids:
            await story.threads.thread_join(tid)
        spent["ns"] = story.kernel.clock.now_ns - before
        spent["switches"] = story.kernel.metrics.ctx_switches - switches

    run(body)
    assert spent["switches"] >= 200
    assert spent["ns"] / spent["switches"] < 1000


# -- system calls


@pytest.mark.parametrize("program", ["init", "calls"])
def test_programs(iso, program):
    """SCA-11, SCA-12, SCA-19, SCA-24: each call from a real ELF; 3 and 4 are ENOSYS."""
    done = booting.boot(iso, append=f"init=/bin/scarlett/{program}")
    assert "FAIL" not in done.log
    assert f"[INFO] Process exited: pid=1, name={program}, status 0\n" in done.log
    calls = done.kernel.metrics.syscall_count
    assert min(calls["write"], calls["sched_yield"], calls["thread_create"]) > 0


def test_the_call_that_sends_without_a_capability_is_refused(iso):
    """SCA-24: send without a capability → EPERM; the log says which checks were made."""
    log = booting.boot(iso, append="init=/bin/scarlett/calls").log
    assert "ok   a port of the kernel's is closed\n" in log
    assert "ok   what one has not, one cannot give\n" in log


def test_the_gate(booted):
    """SCA-11: STAR, LSTAR and SFMASK as a debugger shows them; int 0x80 is closed."""
    kernel = booted.kernel
    vcpu = kernel.cpus[0].vcpu
    assert vcpu.read_register("lstar") == kernel.symbols["syscall_entry"]
    star = layout.SELECTORS["KERNEL_CS"] << 32 | layout.SELECTORS["USER_CS32"] << 48
    assert vcpu.read_register("star") == star
    assert vcpu.read_register("fmask") & layout.RFLAGS["IF"]
    assert kernel.tables.int80 == (0, 0)
    assert kernel.tables.syscall[0] == kernel.symbols["scarlett_call_table"]


def test_nothing_is_left_behind(run):
    """SCA-20: threads give their frames, blocks and numbers back."""

    async def body(story):
        kernel = story.kernel

        async def work(_arg):
            laddr = kernel.heap.kmalloc(100)
            await story.threads.thread_sleep(1)
            kernel.heap.kfree(laddr)

        async def count():
            for tid in [story.threads.thread_create(work, None, 64, "w") for _ in range(8)]:
                await story.threads.thread_join(tid)
            await story.threads.thread_sleep(1)
            heap, frames = kernel.heap.statistics(), kernel.frames.statistics()
            return heap.used, frames.free, len(kernel.threads.by_tid)

        assert await count() == await count()

    run(body)
