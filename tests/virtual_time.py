"""Virtual time for tests, and a runner of coroutines that sleep: a kernel of fifty lines.

Time stands still while anything can run, and jumps to the next timer when nothing can.
"""

from __future__ import annotations

from collections import deque
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from pykern.kernel.core.wait import Wait


class VirtualTimer:
    """A pending call of a `VirtualClock`."""

    def __init__(self, function: Callable[[], None]) -> None:
        self.function: Callable[[], None] | None = function

    def cancel(self) -> None:
        self.function = None


class VirtualClock:
    """A `Clock` that moves when it is told to."""

    def __init__(self) -> None:
        self.now_ns = 0
        self._sequence = 0
        self._timers: list[tuple[int, int, VirtualTimer]] = []

    def at(self, deadline_ns: int, function: Callable[[], None]) -> VirtualTimer:
        timer = VirtualTimer(function)
        self._sequence += 1
        heappush(self._timers, (deadline_ns, self._sequence, timer))
        return timer

    @property
    def pending(self) -> int:
        """How many calls are to come."""
        return sum(timer.function is not None for _, _, timer in self._timers)

    def jump(self) -> bool:
        """Go to the next call and make it; False: there is none."""
        while self._timers:
            deadline_ns, _, timer = heappop(self._timers)
            if timer.function is not None:
                self.now_ns = max(self.now_ns, deadline_ns)
                timer.function()
                return True
        return False

    def advance(self, ns: int) -> None:
        """Let time pass, making the calls that fall into it."""
        end = self.now_ns + ns
        while self._timers and self._timers[0][0] <= end:
            self.jump()
        self.now_ns = end


class RunnerTask:
    """A coroutine that is being run.

    Attributes
    ----------
    wait : what it waits for; None: it can run, or has ended
    done, value, error : whether and how it has ended
    """

    def __init__(self, coroutine: Coroutine[Any, Any, Any], name: str) -> None:
        self.coroutine = coroutine
        self.name = name
        self.wait: Wait | None = None
        self.signal = False
        self.done = False
        self.value: Any = None
        self.error: BaseException | None = None

    @property
    def result(self) -> Any:
        """What the coroutine returned; raises what it raised."""
        assert self.done, f"{self.name} has not ended"
        if self.error is not None:
            raise self.error
        return self.value


class Runner:
    """Runs coroutines in the order in which they can run."""

    def __init__(self, clock: VirtualClock | None = None) -> None:
        self.clock = clock or VirtualClock()
        self.ready: deque[RunnerTask] = deque()
        self.tasks: list[RunnerTask] = []

    def spawn(self, coroutine: Coroutine[Any, Any, Any], name: str = "") -> RunnerTask:
        task = RunnerTask(coroutine, name or f"task {len(self.tasks)}")
        self.tasks.append(task)
        self.ready.append(task)
        return task

    def step(self, task: RunnerTask) -> None:
        """Run one task until it waits or ends."""
        if task.done:
            return
        task.wait = None
        try:
            wait = task.coroutine.send(None)
        except StopIteration as stop:
            task.done, task.value = True, stop.value
            return
        except Exception as error:
            task.done, task.error = True, error
            return
        if task.signal:
            task.signal = not wait.interrupt()
        if wait.result is not None:
            self.ready.append(task)
            return
        task.wait = wait
        wait.on_wake = lambda _wait: self.ready.append(task)
        wait.arm(self.clock)

    def settle(self) -> None:
        """Run until nothing can run, without letting time pass."""
        while self.ready:
            self.step(self.ready.popleft())

    def run(self) -> None:
        """Run until nothing can run and no timer is left."""
        self.settle()
        while self.clock.jump():
            self.settle()

    def interrupt(self, task: RunnerTask, *, fatal: bool = False) -> None:
        """Send a signal."""
        if task.wait is None or not task.wait.interrupt(fatal=fatal):
            task.signal = True

    def kill(self, task: RunnerTask) -> None:
        """Destroy a task where it stands."""
        task.coroutine.close()
        task.done = True
        task.wait = None

    def sleepers(self) -> list[RunnerTask]:
        """Return the tasks that have not ended."""
        return [task for task in self.tasks if not task.done]


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run one coroutine to its end on a clock of its own; fails if it waits for ever."""
    runner = Runner()
    task = runner.spawn(coroutine)
    runner.run()
    return task.result
