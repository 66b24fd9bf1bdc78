"""The four demonstration tasks of MelloOS: one on each processor, by priority (MEL-33)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.kernel.core.wait import WaitQueue, sleep_until
from pykern.kernel.x86.guest_call import guest_call

if TYPE_CHECKING:
    from pykern.kernel.kernel import Kernel
    from pykern.kernel.task.thread import Thread

TASKS = (("A", 10), ("B", 5), ("C", 8), ("D", 3))
"""Names and priorities, in the order in which they are created."""
_ROUNDS, _WORK, _PAUSE_NS = 3, 20_000, 20_000_000


class Demonstration:
    """Creates the tasks and lets them run.

    Parameters
    ----------
    kernel : whose
    """

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._started = WaitQueue()
        self._running = 0

    async def start(self) -> None:
        """Create all, then let them run one after the other, the most urgent on the first CPU."""
        kernel, log = self._kernel, self._kernel.log.subsystem("SCHED")
        for name, priority in TASKS:
            log.log(f"Created task {name} (priority={priority})")
        by_urgency = sorted(TASKS, key=lambda task: -task[1])
        for number, (name, priority) in enumerate(by_urgency):
            running, cpu = self._running, number % len(kernel.cpus)
            kernel.scheduler.narrate(switches=1, cpu=cpu)
            kernel.threads.spawn_kernel_thread(name, self._body(), priority=priority, cpu=cpu)
            while self._running == running:
                await self._started.wait()
        kernel.scheduler.narrate(switches=0, interrupts=0)

    async def _body(self) -> None:
        kernel = self._kernel
        self._running += 1
        self._started.wake_all()
        counter = kernel.heap.kmalloc(64)
        for _ in range(_ROUNDS):
            await guest_call(kernel.symbols["locked_count"], 0, counter, _WORK)
            await sleep_until(kernel.clock.now_ns + _PAUSE_NS)
        kernel.heap.kfree(counter, 64)


def spawned(kernel: Kernel) -> list[Thread]:
    """Return the demonstration tasks that still run."""
    names = {name for name, _ in TASKS}
    return [t for t in kernel.threads.by_tid.values() if t.process is None and t.name in names]
