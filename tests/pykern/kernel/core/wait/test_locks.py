"""Locks across awaits (SCA-27): exclusive, fair, and never stuck."""

from __future__ import annotations

import random

import pytest

from pykern.kernel.core.bug import KernelBug
from pykern.kernel.core.wait import (
    CondVar,
    Interrupted,
    Mutex,
    RwLock,
    Semaphore,
    WaitQueue,
    sleep_until,
)
from tests.contracts.waitqueue import WaitQueueContract
from tests.virtual_time import Runner


@pytest.fixture
def runner() -> Runner:
    return Runner()


class TestSemaphore(WaitQueueContract):
    """Permits are wake-ups that keep."""

    banks = True

    @pytest.fixture
    def rig(self):
        def make():
            semaphore = Semaphore(0)
            return semaphore.acquire, semaphore.release, semaphore.__len__

        return make


class TestCondVar(WaitQueueContract):
    """Notifications do not keep."""

    banks = False

    @pytest.fixture
    def rig(self):
        def make():
            condition = CondVar(Mutex())

            async def wait(**options):
                async with condition.mutex:
                    return await condition.wait(**options)

            return wait, condition.notify, condition.__len__

        return make


# --- semaphore and mutex -------------------------------------------------------------------------


def test_a_semaphore_lets_as_many_in_as_it_has_permits(runner):
    semaphore = Semaphore(2)
    inside = 0
    most = 0

    async def worker():
        nonlocal inside, most
        await semaphore.acquire()
        inside += 1
        most = max(most, inside)
        await sleep_until(runner.clock.now_ns + 10)
        inside -= 1
        semaphore.release()

    for _ in range(7):
        runner.spawn(worker())
    runner.run()
    assert most == 2
    assert semaphore.value == 2
    assert runner.clock.now_ns == 40


def test_a_semaphore_starts_at_zero_or_more():
    with pytest.raises(ValueError, match="not -1"):
        Semaphore(-1)


def test_try_acquire_does_not_wait():
    semaphore = Semaphore(1)
    assert semaphore.try_acquire()
    assert not semaphore.try_acquire()


def test_a_released_mutex_belongs_to_who_waited_first(runner):
    mutex = Mutex()
    order = []

    async def worker(name):
        async with mutex:
            order.append(name)
            await sleep_until(runner.clock.now_ns + 10)

    async def greedy():
        for _ in range(3):
            async with mutex:
                order.append("greedy")

    for coroutine in (worker("a"), greedy(), worker("b")):
        runner.spawn(coroutine)
    runner.run()
    assert order == ["a", "greedy", "b", "greedy", "greedy"]
    assert not mutex.locked


def test_a_mutex_nobody_holds_is_not_released():
    with pytest.raises(KernelBug, match="nobody holds"):
        Mutex().release()


def test_a_mutex_is_released_when_its_holder_is_interrupted(runner):
    mutex = Mutex()
    event = WaitQueue()

    async def holder():
        async with mutex:
            await event.wait()

    task = runner.spawn(holder())
    runner.settle()
    assert mutex.locked
    runner.interrupt(task)
    runner.run()
    assert not mutex.locked


@pytest.mark.parametrize("seed", range(20))
def test_no_chaos_breaks_or_loses_a_mutex(runner, seed):
    """Signals, kills and time-outs at any moment: never two inside, and free in the end."""
    rng = random.Random(seed)
    mutex = Mutex()
    inside = []

    async def worker(number):
        for _ in range(3):
            deadline_ns = runner.clock.now_ns + rng.randrange(30) if rng.random() < 0.3 else None
            if not await mutex.acquire(deadline_ns=deadline_ns):
                continue
            inside.append(number)
            try:
                await sleep_until(runner.clock.now_ns + rng.randrange(10))
            finally:
                assert inside == [number]
                inside.clear()
                mutex.release()

    tasks = [runner.spawn(worker(number)) for number in range(20)]
    _chaos(runner, tasks, rng)
    assert not mutex.locked
    assert len(mutex) == 0


def _chaos(runner, tasks, rng):
    """Run tasks in any order, with signals and kills, until all have ended."""
    while runner.ready or runner.clock.pending:
        if runner.ready:
            runner.ready.rotate(rng.randrange(len(runner.ready)))
            runner.step(runner.ready.popleft())
        else:
            runner.clock.jump()
        victim = rng.choice(tasks)
        if victim.done:
            continue
        if rng.random() < 0.05:
            runner.kill(victim)
        elif rng.random() < 0.05:
            runner.interrupt(victim)
    assert runner.sleepers() == []
    for task in tasks:
        assert task.error is None or isinstance(task.error, Interrupted), task.error


# --- condition variable --------------------------------------------------------------------------


def test_a_condition_is_waited_for_without_the_mutex_and_returned_with_it(runner):
    mutex, items = Mutex(), []
    filled = CondVar(mutex)

    async def consumer():
        async with mutex:
            while not items:
                await filled.wait()
            assert mutex.locked
            return items.pop()

    async def producer():
        async with mutex:
            items.append("x")
            assert filled.notify() == 1
            await sleep_until(50)  # the consumer has to wait for the mutex as well

    consumed = runner.spawn(consumer())
    runner.spawn(producer())
    runner.run()
    assert consumed.result == "x"
    assert not mutex.locked


@pytest.mark.parametrize("how", ["interrupt", "kill", "timeout"])
def test_the_mutex_is_held_however_the_wait_ends(runner, how):
    mutex = Mutex()
    condition = CondVar(mutex)

    async def waiter():
        async with mutex:
            try:
                await condition.wait(deadline_ns=10 if how == "timeout" else None)
            finally:
                assert mutex.locked

    async def other():
        async with mutex:
            await sleep_until(20)

    task = runner.spawn(waiter())
    runner.spawn(other())
    runner.settle()
    if how == "interrupt":
        runner.interrupt(task)
    if how == "kill":
        runner.kill(task)
    runner.run()
    assert runner.sleepers() == []
    assert not mutex.locked


def test_a_waiter_killed_while_it_takes_the_mutex_again_leaves_it_alone(runner):
    mutex = Mutex()
    condition = CondVar(mutex)

    async def waiter():
        async with mutex:
            await condition.wait()

    async def notifier():
        async with mutex:
            condition.notify_all()
            await sleep_until(20)
            assert mutex.locked

    task = runner.spawn(waiter())
    holder = runner.spawn(notifier())
    runner.settle()
    assert task.wait is not None
    runner.kill(task)
    assert mutex.locked
    runner.run()
    assert holder.result is None
    assert not mutex.locked


def test_no_signal_comes_between_the_notification_and_the_mutex(runner):
    mutex = Mutex()
    condition = CondVar(mutex)
    inside = []

    async def waiter():
        async with mutex:
            notified = await condition.wait()
            inside.append((notified, runner.clock.now_ns))

    async def notifier():
        async with mutex:
            condition.notify()
            await sleep_until(20)

    task = runner.spawn(waiter())
    runner.spawn(notifier())
    runner.settle()
    runner.interrupt(task, fatal=True)
    runner.run()
    assert inside == [(True, 20)]


def test_notify_all_wakes_all_of_now(runner):
    mutex = Mutex()
    condition = CondVar(mutex)

    async def waiter():
        async with mutex:
            return await condition.wait()

    tasks = [runner.spawn(waiter()) for _ in range(3)]
    runner.settle()
    assert condition.notify_all() == 3
    runner.run()
    assert [task.result for task in tasks] == [True] * 3


def test_a_condition_needs_its_mutex_held(runner):
    task = runner.spawn(CondVar(Mutex()).wait())
    runner.run()
    assert isinstance(task.error, KernelBug)


# --- readers and writers -------------------------------------------------------------------------


def test_readers_share_and_writers_do_not(runner):
    lock = RwLock()
    log = []

    async def reader(name, ns):
        await lock.acquire_read()
        log.append(f"+{name}")
        await sleep_until(runner.clock.now_ns + ns)
        log.append(f"-{name}")
        lock.release_read()

    async def writer(name, ns):
        await lock.acquire_write()
        log.append(f"+{name}")
        await sleep_until(runner.clock.now_ns + ns)
        log.append(f"-{name}")
        lock.release_write()

    for coroutine in (reader("r1", 5), reader("r2", 6), writer("w1", 5), reader("r3", 5)):
        runner.spawn(coroutine)
    runner.spawn(writer("w2", 5))
    runner.run()
    # r3 came after w1, so it waits for it, but goes before w2.
    assert log == ["+r1", "+r2", "-r1", "-r2", "+w1", "-w1", "+r3", "-r3", "+w2", "-w2"]


@pytest.mark.parametrize("how", ["timeout", "interrupt", "kill"])
def test_a_writer_that_gives_up_lets_the_readers_in(runner, how):
    lock = RwLock()

    async def first():
        await lock.acquire_read()
        await sleep_until(100)
        lock.release_read()

    async def late_reader():
        await lock.acquire_read()
        at = runner.clock.now_ns
        lock.release_read()
        return at

    runner.spawn(first())
    writer = runner.spawn(lock.acquire_write(deadline_ns=10 if how == "timeout" else None))
    reader = runner.spawn(late_reader())
    runner.settle()
    runner.clock.advance(10)
    if how == "interrupt":
        runner.interrupt(writer)
    if how == "kill":
        runner.kill(writer)
    runner.run()
    assert reader.result == 10
    assert not lock.writing


@pytest.mark.parametrize("kind", ["read", "write"])
def test_a_lock_handed_to_somebody_destroyed_goes_to_the_next(runner, kind):
    lock = RwLock()
    acquire, release = getattr(lock, f"acquire_{kind}"), getattr(lock, f"release_{kind}")

    async def user():
        await acquire()
        release()

    assert runner.spawn(lock.acquire_write())
    runner.settle()
    doomed, user_task, writer = (
        runner.spawn(user()),
        runner.spawn(user()),
        runner.spawn(lock.acquire_write()),
    )
    runner.settle()
    lock.release_write()
    runner.kill(doomed)
    runner.settle()
    assert user_task.done
    assert writer.result is True
    assert (lock.writing, lock.readers) == (True, 0)


@pytest.mark.parametrize("release", ["release_read", "release_write"])
def test_a_lock_nobody_holds_is_not_released(release):
    with pytest.raises(KernelBug, match="nobody holds"):
        getattr(RwLock(), release)()


@pytest.mark.parametrize("seed", range(20))
def test_no_chaos_breaks_or_loses_a_read_write_lock(runner, seed):
    rng = random.Random(seed)
    lock = RwLock()
    inside = {"read": 0, "write": 0}

    async def worker(kind):
        for _ in range(3):
            deadline_ns = runner.clock.now_ns + rng.randrange(30) if rng.random() < 0.3 else None
            if not await getattr(lock, f"acquire_{kind}")(deadline_ns=deadline_ns):
                continue
            inside[kind] += 1
            assert inside["write"] <= 1
            assert not inside["write"] or not inside["read"]
            try:
                await sleep_until(runner.clock.now_ns + rng.randrange(10))
            finally:
                inside[kind] -= 1
                getattr(lock, f"release_{kind}")()

    tasks = [runner.spawn(worker(rng.choice(("read", "read", "write")))) for _ in range(20)]
    _chaos(runner, tasks, rng)
    assert not lock.readers
    assert not lock.writing
