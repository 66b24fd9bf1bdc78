"""The one primitive that suspends."""

from __future__ import annotations

import pytest

from pykern.kernel.core.wait import Interrupted, WaitQueue, WaitResult, sleep_until, wait_any
from tests.contracts.waitqueue import WaitQueueContract
from tests.virtual_time import Runner


@pytest.fixture
def runner() -> Runner:
    return Runner()


@pytest.fixture
def queue() -> WaitQueue:
    return WaitQueue()


class TestWaitQueue(WaitQueueContract):
    """Three ways to be woken from a queue, one contract."""

    banks = False

    @pytest.fixture(params=["wake", "hand_over"])
    def rig(self, request):
        def make():
            queue = WaitQueue()
            wake = queue.wake if request.param == "wake" else queue.hand_over
            return queue.wait, wake, queue.__len__

        return make


def test_wake_wakes_the_first_n(runner, queue):
    tasks = [runner.spawn(queue.wait()) for _ in range(4)]
    runner.settle()
    assert queue.wake(2) == 2
    runner.settle()
    assert [task.done for task in tasks] == [True, True, False, False]
    assert queue.wake(5) == 2
    assert queue.wake() == 0


def test_wake_all_wakes_those_that_wait_now(runner, queue):
    async def twice():
        await queue.wait()
        await queue.wait()

    tasks = [runner.spawn(twice()) for _ in range(3)]
    runner.settle()
    assert queue.wake_all() == 3
    runner.settle()
    assert len(queue) == 3
    assert not any(task.done for task in tasks)


def test_a_value_reaches_the_one_it_was_handed_to(runner, queue):
    async def receive():
        place = queue.join()
        assert await place
        return place.value

    first, second = runner.spawn(receive()), runner.spawn(receive())
    runner.settle()
    assert queue.hand_over("a")
    assert queue.hand_over("b")
    assert not queue.hand_over("c")
    runner.ready.reverse()  # the second gets a CPU before the first
    runner.settle()
    assert (first.result, second.result) == ("a", "b")


def test_a_lost_value_is_told(runner):
    lost = []
    queue = WaitQueue(lambda wait: lost.append(wait.value))

    async def receive():
        await queue.join()

    task = runner.spawn(receive())
    runner.settle()
    queue.hand_over("a")
    runner.kill(task)
    assert lost == ["a"]


def test_a_deadline_is_kept_to_the_nanosecond(runner, queue):
    task = runner.spawn(queue.wait(deadline_ns=1234))
    runner.run()
    assert task.result is False
    assert runner.clock.now_ns == 1234


def test_a_wake_up_takes_the_timer_back(runner, queue):
    task = runner.spawn(queue.wait(deadline_ns=1234))
    runner.settle()
    queue.wake()
    runner.run()
    assert task.result is True
    assert runner.clock.now_ns == 0
    assert runner.clock.pending == 0


def test_a_signal_that_came_before_the_wait_interrupts_it(runner, queue):
    task = runner.spawn(queue.wait())
    runner.interrupt(task)
    runner.run()
    with pytest.raises(Interrupted):
        _ = task.result
    assert len(queue) == 0


def test_a_signal_after_the_wake_up_is_left_for_later(runner, queue):
    task = runner.spawn(queue.wait())
    runner.settle()
    wait = task.wait
    queue.wake()
    assert wait.result is WaitResult.WOKEN
    assert not wait.interrupt()
    runner.run()
    assert task.result is True


def test_an_uninterruptible_wait_waits_even_for_a_kill(runner, queue):
    task = runner.spawn(queue.wait(uninterruptible=True))
    runner.settle()
    assert not task.wait.interrupt(fatal=True)
    assert not task.done
    assert task.wait.cancel()
    runner.run()
    with pytest.raises(Interrupted):
        _ = task.result


def test_sleep_until(runner):
    order = []

    async def sleeper(ns):
        await sleep_until(ns)
        order.append((ns, runner.clock.now_ns))

    for ns in (300, 100, 200):
        runner.spawn(sleeper(ns))
    runner.run()
    assert order == [(100, 100), (200, 200), (300, 300)]


def test_a_sleep_in_the_past_ends_at_once(runner):
    runner.clock.advance(500)
    task = runner.spawn(sleep_until(100))
    runner.run()
    assert task.done
    assert runner.clock.now_ns == 500


def test_a_sleep_is_interrupted(runner):
    task = runner.spawn(sleep_until(100))
    runner.settle()
    runner.interrupt(task)
    runner.run()
    with pytest.raises(Interrupted):
        _ = task.result
    assert runner.clock.pending == 0


def test_waiters_move_to_another_line_and_sleep_on(runner, queue):
    """What futex(2) calls FUTEX_REQUEUE."""
    other = WaitQueue()
    resident = runner.spawn(other.wait())
    movers = [runner.spawn(queue.wait(deadline_ns=100 if n == 2 else None)) for n in range(4)]
    runner.settle()
    assert queue.requeue(3, other) == 3
    assert (len(queue), len(other)) == (1, 4)
    assert not runner.ready
    runner.interrupt(movers[0])
    runner.run()
    assert isinstance(movers[0].error, Interrupted)
    assert movers[2].result is False
    assert len(other) == 2
    assert other.wake(2) == 2
    runner.settle()
    assert resident.done
    assert movers[1].result is True
    assert not movers[3].done
    assert queue.requeue(5, other) == 1


def test_a_wake_up_lost_by_one_that_moved_is_passed_on_where_it_is_now(runner, queue):
    other = WaitQueue()
    doomed, next_there = runner.spawn(queue.wait()), runner.spawn(other.wait())
    runner.settle()
    other.requeue(1, queue)
    queue.requeue(2, other)
    other.wake()
    runner.kill(doomed)
    runner.settle()
    assert next_there.done


def test_any_of_several_queues_wakes(runner):
    queues = [WaitQueue() for _ in range(3)]
    task = runner.spawn(wait_any(queues, deadline_ns=100))
    runner.settle()
    assert all(queue.watched for queue in queues)
    queues[1].wake(0)
    runner.run()
    assert task.result is True
    assert not any(queue.watched for queue in queues)
    assert runner.clock.pending == 0


def test_who_polls_takes_no_wake_up_from_who_waits(runner, queue):
    poller = runner.spawn(wait_any([queue]))
    reader = runner.spawn(queue.wait())
    runner.settle()
    assert queue.wake() == 1
    runner.settle()
    assert poller.done
    assert reader.done


def test_a_poller_that_is_destroyed_passes_nothing_on(runner, queue):
    poller = runner.spawn(wait_any([queue]))
    first, second = runner.spawn(queue.wait()), runner.spawn(queue.wait())
    runner.settle()
    queue.wake()
    runner.kill(poller)
    runner.settle()
    assert (first.done, second.done) == (True, False)


def test_polling_ends_by_its_deadline_and_by_a_signal(runner, queue):
    late = runner.spawn(wait_any([queue], deadline_ns=10))
    signalled = runner.spawn(wait_any([queue]))
    runner.settle()
    runner.interrupt(signalled)
    runner.run()
    assert late.result is False
    with pytest.raises(Interrupted):
        _ = signalled.result
    assert not queue.watched


def test_a_wait_that_is_closed_keeps_its_waker(queue):
    """It may hold the last reference to the coroutine that is being closed, and close it again."""
    dropped_while_closing = []

    class Waker:
        def __call__(self, _wait):
            raise AssertionError("woke what is being destroyed")

        def __del__(self):
            dropped_while_closing.append(suspended.gi_running)

    place = queue.join()
    suspended = place.__await__()
    next(suspended)
    place.on_wake = Waker()
    suspended.close()
    assert dropped_while_closing == []
    assert len(queue) == 0
