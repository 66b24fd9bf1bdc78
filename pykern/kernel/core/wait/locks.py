"""Locks for code that sleeps while it holds them.

Between two awaits the kernel is atomic, so most code needs none of these. All of them are fair:
what is released goes to whoever waited longest, before anybody who comes later. Ownership is handed
over by the releaser, and where the receiver is destroyed before it runs, released once more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from pykern.kernel.core.bug import KernelBug
from pykern.kernel.core.wait.queue import Interrupted, WaitQueue

if TYPE_CHECKING:
    from types import TracebackType

    from pykern.kernel.core.wait.queue import Wait

__all__ = ["CondVar", "Mutex", "RwLock", "Semaphore"]


class Semaphore:
    """A count of permits.

    Parameters
    ----------
    value : permits at the start, ≥ 0
    """

    def __init__(self, value: int) -> None:
        if value < 0:
            raise ValueError(f"a semaphore starts with 0 or more permits, not {value}")
        self.value = value
        self._queue = WaitQueue(self._lost)

    def __len__(self) -> int:
        """Return how many threads wait."""
        return len(self._queue)

    def try_acquire(self) -> bool:
        """Take a permit if there is one."""
        if not self.value:
            return False
        self.value -= 1
        return True

    async def acquire(
        self,
        *,
        killable: bool = False,
        uninterruptible: bool = False,
        deadline_ns: int | None = None,
    ) -> bool:
        """Take a permit, waiting for one; False when the deadline passed first.

        Raises
        ------
        Interrupted : a signal came first; no permit was taken
        """
        if self.try_acquire():
            return True
        return await self._queue.wait(
            killable=killable, uninterruptible=uninterruptible, deadline_ns=deadline_ns
        )

    def release(self) -> None:
        """Return a permit: to the first that waits, or to the count."""
        if not self._queue.hand_over():
            self.value += 1

    def _lost(self, _wait: Wait) -> None:
        self.release()


class Mutex(Semaphore):
    """Mutual exclusion across awaits; ``async with mutex:`` holds it."""

    def __init__(self) -> None:
        super().__init__(1)
        self._orphans = 0

    @property
    def locked(self) -> bool:
        """Whether some thread holds it."""
        return not self.value

    def release(self) -> None:
        """Give it up, to the first that waits.

        Raises
        ------
        KernelBug : nobody holds it
        """
        if self._orphans:
            self._orphans -= 1
            return
        if self.value:
            raise KernelBug("release of a mutex that nobody holds")
        super().release()

    def disown(self) -> None:
        """Swallow the next release: it will come from a coroutine destroyed while not holding it.

        A coroutine that is closed unwinds without a pause, so that release is the very next.
        """
        self._orphans += 1

    async def __aenter__(self) -> Self:
        await self.acquire()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()


class CondVar:
    """Wait for a condition that a mutex protects.

    Parameters
    ----------
    mutex : held by whoever calls `wait`
    """

    def __init__(self, mutex: Mutex) -> None:
        self.mutex = mutex
        self._queue = WaitQueue()

    def __len__(self) -> int:
        """Return how many threads wait."""
        return len(self._queue)

    async def wait(self, *, killable: bool = False, deadline_ns: int | None = None) -> bool:
        """Release the mutex, sleep until notified, take the mutex again.

        The mutex is held on return, and when Interrupted is raised as well.

        Returns
        -------
        bool : True when notified, False when the deadline passed

        Raises
        ------
        Interrupted : a signal came first
        KernelBug : the mutex is not held
        """
        self.mutex.release()
        try:
            woken = await self._queue.wait(killable=killable, deadline_ns=deadline_ns)
        except Interrupted:
            await self._relock()
            raise
        except GeneratorExit:
            self._relock_at_once()
            raise
        await self._relock()
        return woken

    def notify(self, n: int = 1) -> int:
        """Wake the first `n`; return how many there were."""
        return self._queue.wake(n)

    def notify_all(self) -> int:
        """Wake all; return how many there were."""
        return self._queue.wake_all()

    async def _relock(self) -> None:
        # The caller's `async with` will release it, so neither signal nor end may come between.
        try:
            await self.mutex.acquire(uninterruptible=True)
        except BaseException:
            self._relock_at_once()
            raise

    def _relock_at_once(self) -> None:
        if not self.mutex.try_acquire():
            self.mutex.disown()


class RwLock:
    """Many readers or one writer, in phases: nobody starves.

    A waiting writer keeps new readers out, and a writer that leaves lets in all readers that waited
    by then, before the next writer.
    """

    def __init__(self) -> None:
        self.readers = 0
        self.writing = False
        self._reading_next = WaitQueue(self._lost_read)
        self._writing_next = WaitQueue(self._lost_write)

    async def acquire_read(self, *, killable: bool = False, deadline_ns: int | None = None) -> bool:
        """Become a reader; False when the deadline passed first.

        Raises
        ------
        Interrupted : a signal came first
        """
        if not self.writing and not self._writing_next:
            self.readers += 1
            return True
        return await self._reading_next.wait(killable=killable, deadline_ns=deadline_ns)

    async def acquire_write(
        self, *, killable: bool = False, deadline_ns: int | None = None
    ) -> bool:
        """Become the writer; False when the deadline passed first.

        Raises
        ------
        Interrupted : a signal came first
        """
        if not self.writing and not self.readers:
            self.writing = True
            return True
        try:
            got = await self._writing_next.wait(killable=killable, deadline_ns=deadline_ns)
        except BaseException:
            self._let_readers_in()
            raise
        if not got:
            self._let_readers_in()
        return got

    def release_read(self) -> None:
        """Stop reading; the last reader lets a writer in.

        Raises
        ------
        KernelBug : nobody reads
        """
        if not self.readers:
            raise KernelBug("release of a read lock that nobody holds")
        self.readers -= 1
        if not self.readers and self._writing_next:
            self.writing = True
            self._writing_next.hand_over()

    def release_write(self) -> None:
        """Stop writing; readers that wait come first, then the next writer.

        Raises
        ------
        KernelBug : nobody writes
        """
        if not self.writing:
            raise KernelBug("release of a write lock that nobody holds")
        self.writing = False
        if self._reading_next:
            self._admit_readers()
        elif self._writing_next:
            self.writing = True
            self._writing_next.hand_over()

    def _admit_readers(self) -> None:
        # Counted before they run: a writer that comes in between finds them there.
        self.readers += len(self._reading_next)
        self._reading_next.wake_all()

    def _let_readers_in(self) -> None:
        """Readers kept out by a writer that has given up waiting."""
        if not self.writing and not self._writing_next:
            self._admit_readers()

    def _lost_read(self, _wait: Wait) -> None:
        self.release_read()

    def _lost_write(self, _wait: Wait) -> None:
        self.release_write()
