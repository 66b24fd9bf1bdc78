"""The contract of whatever one waits at and is woken from: queues, semaphores, ports.

A test class inherits `WaitQueueContract`, gives the fixture `rig`, a function that makes

    wait(killable=, deadline_ns=) -> coroutine,  wake(),  waiting() -> int

and says in `banks` whether a wake-up that finds nobody is kept for the next who comes.

The model is a line of waiters. A wake-up takes the first of the line; if that one is destroyed
before it has run, the wake-up goes to the next: it is never lost and never doubled.
"""

from __future__ import annotations

import gc
import weakref

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pykern.kernel.core.wait import Interrupted
from tests.virtual_time import Runner, RunnerTask

# One test method, inherited: each class has a rig of its own, so examples are not shared.
_INHERITED = (HealthCheck.function_scoped_fixture, HealthCheck.differing_executors)

STEP = st.tuples(
    st.sampled_from(("wait", "wait", "wake", "wake", "run", "signal", "fatal", "kill", "time")),
    st.integers(0, 63),
)


class WaitQueueContract:
    """Inherited by the tests of each kind."""

    banks = False

    def test_first_come_first_woken(self, rig):
        """MEL-13: FIFO wake."""
        wait, wake, _ = rig()
        runner = Runner()
        order: list[int] = []

        async def waiter(number):
            await wait()
            order.append(number)

        for number in range(5):
            runner.spawn(waiter(number))
        runner.settle()
        for _ in range(5):
            wake()
        runner.settle()
        assert order == [0, 1, 2, 3, 4]

    def test_a_signal_interrupts_and_leaves_the_line(self, rig):
        wait, _, waiting = rig()
        runner = Runner()
        task = runner.spawn(wait())
        runner.settle()
        assert waiting() == 1
        runner.interrupt(task)
        runner.settle()
        assert isinstance(task.error, Interrupted)
        assert waiting() == 0

    @pytest.mark.parametrize("wakes", range(4))
    def test_sleepers_that_are_collected_leave_quietly(self, rig, wakes):
        """The collector closes coroutines in any order; what that raises would be a warning."""
        wait, wake, waiting = rig()
        runner = Runner()
        for _ in range(3):
            runner.spawn(wait())
        runner.settle()
        for _ in range(wakes):
            wake()
        gone = weakref.ref(runner)
        del wait, wake, waiting, runner
        gc.collect()
        assert gone() is None

    @settings(suppress_health_check=_INHERITED)
    @given(st.lists(STEP, max_size=60))
    def test_no_wake_up_is_lost_or_doubled(self, rig, steps):
        line = _Line(*rig(), banks=self.banks)
        for kind, number in steps:
            getattr(line, kind)(number)
            line.check()
        line.drain()


class _Line:
    """The model beside the real thing."""

    def __init__(self, wait, wake, waiting, *, banks: bool) -> None:
        self._wait, self._wake, self._waiting, self._banks = wait, wake, waiting, banks
        self.runner = Runner()
        self.line: list[RunnerTask] = []
        self.ready: list[RunnerTask] = []
        self.bank = 0
        self.expected: dict[RunnerTask, bool | None] = {}
        self.deadlines: dict[RunnerTask, int] = {}
        self.killable: set[RunnerTask] = set()

    def wait(self, number: int) -> None:
        """Let somebody new wait: plainly, killable, or with a deadline."""
        deadline_ns = self.runner.clock.now_ns + number if number % 3 == 2 else None
        killable = number % 3 == 1
        task = self.runner.spawn(self._wait(killable=killable, deadline_ns=deadline_ns))
        self.runner.step(self.runner.ready.pop())
        if self.bank:
            self.bank -= 1
            self.expected[task] = True
            return
        self.line.append(task)
        if killable:
            self.killable.add(task)
        if deadline_ns is not None:
            self.deadlines[task] = deadline_ns

    def wake(self, _number: int) -> None:
        self._wake()
        self._model_wake()

    def _model_wake(self) -> None:
        if self.line:
            self.ready.append(self.line.pop(0))
            self.expected[self.ready[-1]] = True
        else:
            self.bank += self._banks

    def run(self, number: int) -> None:
        """Give somebody that is ready a CPU, not always the first."""
        if self.ready:
            task = self.ready.pop(number % len(self.ready))
            self.runner.ready.remove(task)
            self.runner.step(task)

    def signal(self, number: int, *, fatal: bool = False) -> None:
        if not self.line:
            return
        task = self.line[number % len(self.line)]
        assert task.wait is not None
        if task.wait.interrupt(fatal=fatal):
            assert fatal or task not in self.killable
            self.line.remove(task)
            self.ready.append(task)
            self.expected[task] = None

    def fatal(self, number: int) -> None:
        self.signal(number, fatal=True)

    def kill(self, number: int) -> None:
        """Destroy somebody, in line or on the way to a CPU."""
        alive = self.line + self.ready
        if not alive:
            return
        task = alive[number % len(alive)]
        if task in self.line:
            self.line.remove(task)
            self.runner.kill(task)
            return
        self.ready.remove(task)
        self.runner.ready.remove(task)
        self.runner.kill(task)
        if self.expected.pop(task):
            self._model_wake()

    def time(self, number: int) -> None:
        self.runner.clock.advance(number)
        now = self.runner.clock.now_ns
        late = [task for task in self.line if self.deadlines.get(task, now + 1) <= now]
        for task in sorted(late, key=self.deadlines.__getitem__):
            self.line.remove(task)
            self.ready.append(task)
            self.expected[task] = False

    def check(self) -> None:
        assert self._waiting() == len(self.line)
        assert sorted(map(id, self.runner.ready)) == sorted(map(id, self.ready))
        for task, expected in self.expected.items():
            if task.done and task not in self.ready:
                _check_end(task, expected)

    def drain(self) -> None:
        """Wake all that are left; everybody ends as the model says, and nothing stays behind."""
        for _ in range(len(self.line)):
            self.wake(0)
        self.runner.settle()
        assert self._waiting() == 0
        for task, expected in self.expected.items():
            _check_end(task, expected)
        assert self.runner.sleepers() == []
        assert self.runner.clock.pending == 0


def _check_end(task: RunnerTask, expected: bool | None) -> None:
    if expected is None:
        assert isinstance(task.error, Interrupted)
    else:
        assert task.result is expected
