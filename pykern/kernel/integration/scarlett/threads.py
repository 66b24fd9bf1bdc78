"""The scheduler by the names that Scarlett OS gives its functions (SCA-05 to SCA-07)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pykern.kernel.core.wait import WaitQueue
from pykern.kernel.integration.scarlett.precise_sleep import PreciseSleep
from pykern.kernel.sched.policies.priority128 import Band
from pykern.kernel.x86.guest_call import guest_call

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from pykern.kernel.core.log import Subsystem
    from pykern.kernel.kernel import Kernel
    from pykern.kernel.sched import Scheduler
    from pykern.kernel.task.thread import Thread

__all__ = ["ScarlettThreads"]


class _ThreadExit(BaseException):
    """Unwinds the thread that has called `thread_exit`."""


class ScarlettThreads:
    """Threads of the kernel, as Scarlett OS makes them.

    Parameters
    ----------
    kernel : whose
    log : says who comes and goes

    Attributes
    ----------
    ended : woken when one has ended
    sleeping : by what they sleep
    """

    def __init__(self, kernel: Kernel, log: Subsystem) -> None:
        self._kernel = kernel
        self._log = log
        self._next_tid = 1
        self._alive: set[int] = set()
        self.ended = WaitQueue()
        self.sleeping = PreciseSleep(kernel)

    def scheduler_init(self) -> Scheduler:
        """Return the scheduler, which was made at boot."""
        return self._kernel.scheduler

    def thread_create(
        self,
        entry: Callable[[Any], Coroutine[Any, Any, None]] | int,
        arg: Any = None,
        priority: int = Band.NORMAL,
        name: str = "thread",
    ) -> int:
        """Make a thread and let it run; return its tid.

        Parameters
        ----------
        entry : a coroutine function, or the address of a function of the image
        priority : 0 to 127

        Raises
        ------
        ValueError : the priority is none
        SysError(ENOMEM) : no room for its stack
        """
        Band.of(priority)
        tid = self._new_tid()
        self._log.info(f"Thread created: tid={tid}, name={name}, priority={priority}")
        self._alive.add(tid)
        body = self._body(entry, arg, tid, name)
        self._kernel.threads.spawn_kernel_thread(name, body, priority=priority, tid=tid)
        return tid

    def _new_tid(self) -> int:
        threads = self._kernel.threads
        while self._next_tid in threads.by_tid:
            self._next_tid += 1
        tid = self._next_tid
        self._next_tid += 1
        threads.skip_tid(tid)
        return tid

    async def _body(self, entry: Any, arg: Any, tid: int, name: str) -> None:
        try:
            if isinstance(entry, int):
                await guest_call(entry, arg or 0)
            else:
                await entry(arg)
        except _ThreadExit:
            pass
        self._log.info(f"Thread exiting: tid={tid}, name={name}")
        self._alive.discard(tid)
        self.ended.wake_all()

    def current(self) -> Thread:
        """Return the thread that executes."""
        cpu = self._kernel.clock.this_cpu
        assert cpu is not None
        thread: Thread = cpu.current
        return thread

    def thread_exit(self) -> None:
        """End the calling thread."""
        raise _ThreadExit

    async def thread_yield(self) -> None:
        """Let others of the same priority go first."""
        await self._kernel.threads.give_way()

    async def thread_sleep(self, ms: int) -> None:
        """Sleep for milliseconds."""
        await self.sleeping.sleep(ms)

    async def scheduler_schedule(self) -> None:
        """Choose anew who runs; the caller goes on when it is its turn."""
        await self._kernel.threads.give_way()

    async def thread_join(self, tid: int) -> None:
        """Wait for the end of a thread."""
        while tid in self._alive:
            await self.ended.wait()
