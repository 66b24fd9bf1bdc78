"""Scarlett's threads: priorities, states, sleeping, locks, and what they cost."""

# ruff: noqa: RUF029 - bodies of kernel threads are coroutines, whether they wait or not

from __future__ import annotations

import re

import pytest

from pykern.kernel.core.wait import CondVar, Mutex, RwLock, Semaphore
from pykern.kernel.integration.scarlett import ThreadState, tcb
from pykern.kernel.ipc.message import INLINE_SIZE, IpcMessage
from pykern.kernel.sched.policies.priority128 import Band
from pykern.kernel.x86.guest_call import guest_call


def test_threads(run_in_scarlett):
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

    log = run_in_scarlett(body).log
    assert events == ["a", "b", "a", "b", True, True]
    assert re.search(r"Thread created: tid=(\d+), name=b, priority=64\n", log)
    assert re.search(r"Thread exiting: tid=(\d+), name=b\n", log)


def test_bands():
    """SCA-06: 0 idle, 1-31 low, 32-95 normal, 96-126 high, 127 real-time; NORMAL is 64."""
    firsts = {Band.IDLE: 0, Band.LOW: 1, Band.NORMAL: 32, Band.HIGH: 96, Band.REALTIME: 127}
    assert {band: min(p for p in range(128) if Band.of(p) is band) for band in firsts} == firsts
    assert Band.NORMAL == 64


def test_higher_priorities_run_first(run_in_scarlett):
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

    run_in_scarlett(body)
    assert order == [127, 96, 64, 64, 32, 31, 1, 0]


def test_a_thread_blocks_and_is_unblocked(run_in_scarlett):
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

    run_in_scarlett(body)
    states = [ThreadState.READY, ThreadState.RUNNING, ThreadState.BLOCKED, ThreadState.DEAD]
    assert [block.state for block in seen] == states
    assert {(b.tid, b.priority, len(b.name)) for b in seen} == {(1, 70, 31)}
    assert [b.kernel_stack[1] for b in seen] == [65536, 65536, 65536, 0]
    times = [block.cpu_time for block in seen]
    assert times == sorted(times)
    assert times[0] == 0 < times[2]  # it has not run yet, and it has run


def test_real_code_runs_as_a_thread(run_in_scarlett):
    """SCA-05, SCA-07: `entry` may be a function of the image, which the processor executes."""

    async def body(story):
        kernel = story.kernel
        tid = story.threads.thread_create(kernel.symbols["spin_trylock"], kernel.heap.kmalloc(64))
        await story.threads.thread_join(tid)

    run_in_scarlett(body)


@pytest.mark.parametrize("cpus", [1, 2, 4])
def test_processors_share_the_work(run_in_scarlett, cpus):
    """SCA-21: threads that were all put on one processor are spread: twice as many take half."""
    work_ns, ended = 10_000_000, []

    async def body(story):
        kernel = story.kernel
        before = kernel.clock.now_ns

        async def work():
            counter = kernel.heap.kmalloc(64)
            await guest_call(kernel.symbols["locked_count"], 0, counter, work_ns // 5)
            ended.append((story.threads.current().cpu, kernel.clock.now_ns - before))

        for number in range(8):
            kernel.threads.spawn_kernel_thread(f"w{number}", work(), priority=64, cpu=0)
        while len(ended) < 8:
            await story.threads.thread_sleep(1)

    metrics = run_in_scarlett(body, cpus=cpus).kernel.metrics
    assert {cpu for cpu, _ in ended} == set(range(cpus))
    assert metrics.migrations >= 8 - 8 // cpus
    # At ticks of 10 ms threads are moved; without that the quotient would be the processors.
    assert 0.9 < max(ns for _, ns in ended) / (8 * work_ns / cpus) < 1.7


def test_an_idle_processor_runs_its_idle_thread(run_in_scarlett):
    """SCA-05: which has no priority at all, and gives way to everybody."""
    seen = []

    async def body(story):
        first, second = story.kernel.cpus

        async def work(_arg):
            seen.append((second.current is second.idle, second.current.name))

        seen.append((second.current is second.idle, second.current.name))
        story.kernel.scheduler.set_affinity(story.threads.current(), 1 << first.number)
        tid = story.threads.thread_create(work, None, Band.IDLE, "least")
        await story.threads.thread_sleep(1)
        await story.threads.thread_join(tid)
        seen.append((second.current is second.idle, second.current.name))

    run_in_scarlett(body, cpus=2)
    assert seen == [(True, "idle/1"), (False, "least"), (True, "idle/1")]


def test_a_thread_may_be_bound(run_in_scarlett):
    """SCA-21: a thread with an affinity runs there only."""
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

    run_in_scarlett(body, cpus=2)
    assert sorted(ran) == [(0, 0)] * 3 + [(1, 1)] * 3


def test_sleep_is_precise(run_in_scarlett):
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

    run_in_scarlett(body)
    assert [ms for ms, _ in late] == [1, 3, 7, 7, 10, 13, 250]
    assert all(0 <= ns < 20_000 for _, ns in late), late


def test_without_an_hpet_the_processors_timer_does(run_in_scarlett):
    """SCA-25."""
    late = []

    async def body(story):
        del story.kernel.acpi.tables["HPET"]
        due = story.kernel.clock.now_ns + 3_000_000
        await story.threads.thread_sleep(3)
        late.append(story.kernel.clock.now_ns - due)
        assert story.threads.sleeping.line is None

    run_in_scarlett(body)
    assert 0 <= late[0] < 20_000


def test_real_time_preempts(run_in_scarlett):
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

    run_in_scarlett(body)
    assert [name for name, _ in order] == ["urgent", "busy"]
    assert 0 <= order[0][1] < 20_000


# -- synchronisation


def test_locks_under_contention(run_in_scarlett):  # noqa: PLR0915 - one contention for four locks
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

    run_in_scarlett(body)
    assert trace[0]["mutex"] == 1
    assert trace[0]["room"] == 2
    assert trace[0]["writers"] == 1
    assert trace[0]["readers"] >= 1


def test_what_a_message_and_a_switch_cost(run_in_scarlett):
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

        before, switches = story.kernel.machine.now, story.kernel.metrics.ctx_switches
        tids = [story.threads.thread_create(turn, None, 64, name) for name in "ab"]
        for tid in tids:
            await story.threads.thread_join(tid)
        spent["cycles"] = story.kernel.machine.now - before  # a cycle per ns
        spent["switches"] = story.kernel.metrics.ctx_switches - switches

    run_in_scarlett(body)
    assert spent["switches"] >= 200
    assert 500 < spent["cycles"] / spent["switches"] < 1000


def test_nothing_is_left_behind(run_in_scarlett):
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

    run_in_scarlett(body)
