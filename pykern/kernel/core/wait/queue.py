"""The only primitive that suspends.

What the runner of a coroutine does, all of it::

    wait = coroutine.send(None)             # the coroutine has called wait() somewhere
    if signal_pending: wait.interrupt()     # a signal that came before counts as well
    if wait.result is None:
        wait.on_wake = lambda wait: scheduler.wake(thread)
        wait.arm(clock)                     # only for a wait with a deadline
        scheduler.block(...)
    ...                                     # on_wake was called: the thread is runnable
    coroutine.send(None)                    # when the thread has a CPU again

A wait ends once: woken, timed out or interrupted, whichever comes first. What comes later finds
`Wait.result` set and does nothing, so that no wake-up is spent on somebody who has gone.

A wake-up is never lost either: where the waiter was woken and its coroutine is then destroyed
before it could act (a kill, the end of the machine), the wake goes to the next in the queue.
"""

from __future__ import annotations

from collections import OrderedDict
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from pykern.kernel.core.clock import Clock, Timer

__all__ = ["Interrupted", "Wait", "WaitQueue", "WaitResult", "sleep_until", "wait_any"]


class Interrupted(Exception):  # noqa: N818 - an event, not an error
    """A signal ended the wait; what was waited for has not happened.

    Who catches it returns the partial count of what was done, or raises it again: the system call
    then fails with EINTR or is started anew.
    """


class WaitResult(Enum):
    """How a wait ended."""

    WOKEN = "woken"
    TIMED_OUT = "timed out"
    INTERRUPTED = "interrupted"


_WOKEN = WaitResult.WOKEN


class Wait:
    """One suspension: what a coroutine yields, and what its runner holds on to.

    Attributes
    ----------
    queues : where it stands in line; empty for a sleep
    deadline_ns : virtual time at which it gives up; None: never
    killable : only a fatal signal interrupts it
    uninterruptible : no signal interrupts it
    result : how it ended; None while it lasts
    value : what the waker handed over
    on_wake : called once with the wait when it ends; set by the runner
    """

    __slots__ = (
        "_timer",
        "deadline_ns",
        "exclusive",
        "killable",
        "on_wake",
        "queues",
        "result",
        "uninterruptible",
        "value",
    )

    def __init__(
        self,
        queues: tuple[WaitQueue, ...] = (),
        deadline_ns: int | None = None,
        *,
        killable: bool = False,
        uninterruptible: bool = False,
        exclusive: bool = True,
    ) -> None:
        self.queues = queues
        self.deadline_ns = deadline_ns
        self.killable = killable
        self.uninterruptible = uninterruptible
        self.exclusive = exclusive
        self.result: WaitResult | None = None
        self.value: Any = None
        self.on_wake: Callable[[Wait], None] | None = None
        self._timer: Timer | None = None

    def __await__(self) -> Generator[Wait, None, bool]:
        """Suspend; True when woken, False when the deadline passed.

        Raises
        ------
        Interrupted : a signal ended the wait
        """
        try:
            if self.result is None:
                yield self
        except BaseException:
            self._abandon()
            raise
        if self.result is WaitResult.INTERRUPTED:
            raise Interrupted
        return self.result is _WOKEN

    # --- for the runner ---------------------------------------------------------------------

    def arm(self, clock: Clock) -> None:
        """Have the clock end the wait at its deadline; nothing to do where there is none."""
        if self.deadline_ns is not None and self.result is None:
            self._timer = clock.at(self.deadline_ns, self.time_out)

    def time_out(self) -> None:
        """End the wait because its deadline has come."""
        self._finish(WaitResult.TIMED_OUT)

    def interrupt(self, *, fatal: bool = False) -> bool:
        """End the wait by a signal; return whether it was this that ended it.

        Parameters
        ----------
        fatal : the signal will kill the thread, so a killable wait ends as well
        """
        if self.uninterruptible or (self.killable and not fatal):
            return False
        return self._finish(WaitResult.INTERRUPTED)

    def cancel(self) -> bool:
        """End the wait whatever it says about signals: the thread is being destroyed."""
        return self._finish(WaitResult.INTERRUPTED)

    # --- the end ----------------------------------------------------------------------------

    def _finish(self, result: WaitResult) -> bool:
        if self.result is not None:
            return False
        self._end(result)
        if self.on_wake is not None:
            self.on_wake(self)
        return True

    def _end(self, result: WaitResult) -> None:
        self.result = result
        for queue in self.queues:
            queue.leave(self)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _abandon(self) -> None:
        """Give up the place in line, or the wake-up that was meant for this waiter.

        `on_wake` is neither called, since nobody is left to run, nor dropped: it may hold the last
        reference to the very coroutine that is being closed.
        """
        if self.result is None:
            self._end(WaitResult.INTERRUPTED)
        elif self.result is _WOKEN and self.exclusive:
            self.queues[0].on_lost(self)


class WaitQueue:
    """Threads that wait for one event, in the order in which they came.

    A wake-up says that something has changed, not that it is as the waiter would have it: waiters
    test, wait, and test again. Where each wake-up stands for one thing (a lock, a message), it is
    handed over by `hand_over`, and no newcomer can come between.

    Parameters
    ----------
    on_lost : called with a wait whose thread was destroyed after it had been woken and before it
        ran; the default wakes the next in line
    """

    __slots__ = ("_observers", "_waiters", "on_lost")

    def __init__(self, on_lost: Callable[[Wait], None] | None = None) -> None:
        # Ordered dictionaries, because both ends and the middle are O(1).
        self._waiters: OrderedDict[Wait, None] = OrderedDict()
        self._observers: OrderedDict[Wait, None] = OrderedDict()
        self.on_lost = on_lost or self._wake_next

    def __len__(self) -> int:
        """Return how many threads wait, without those that watch several queues."""
        return len(self._waiters)

    @property
    def watched(self) -> bool:
        """Whether some thread watches this queue among others."""
        return bool(self._observers)

    async def wait(
        self,
        *,
        killable: bool = False,
        uninterruptible: bool = False,
        deadline_ns: int | None = None,
    ) -> bool:
        """Sleep until woken; the only way to sleep in this kernel.

        Parameters
        ----------
        killable : signals that do not kill are left for later
        uninterruptible : all signals are left for later; for short waits that must not fail
        deadline_ns : virtual time at which to give up

        Returns
        -------
        bool : True when woken, False when the deadline passed

        Raises
        ------
        Interrupted : a signal came first
        """
        return await self.join(
            killable=killable, uninterruptible=uninterruptible, deadline_ns=deadline_ns
        )

    def join(
        self,
        *,
        killable: bool = False,
        uninterruptible: bool = False,
        deadline_ns: int | None = None,
    ) -> Wait:
        """Stand in line and return the place, to be awaited before anything else is."""
        wait = Wait((self,), deadline_ns, killable=killable, uninterruptible=uninterruptible)
        self._waiters[wait] = None
        return wait

    def wake(self, n: int = 1) -> int:
        """Wake the first `n`, and all that watch; return how many of the `n` there were."""
        self._wake_observers()
        woken = 0
        while woken < n and self._waiters:
            self._wake_first(None)
            woken += 1
        return woken

    def wake_all(self) -> int:
        """Wake all that wait now; return how many."""
        return self.wake(len(self._waiters))

    def hand_over(self, value: object = None) -> bool:
        """Give the first waiter what it waits for, as `Wait.value`; False: nobody waits."""
        if not self._waiters:
            return False
        self._wake_first(value)
        return True

    def requeue(self, n: int, other: WaitQueue) -> int:
        """Let the first `n` wait in another line from now on, behind those there; return how many.

        They sleep on: what would have woken them here wakes them there.
        """
        moved = 0
        while moved < n and self._waiters:
            wait, _ = self._waiters.popitem(last=False)
            wait.queues = (other,)
            other._waiters[wait] = None
            moved += 1
        return moved

    def watch(self, wait: Wait) -> None:
        """Add one that watches: every wake-up wakes it, and it uses none up."""
        self._observers[wait] = None

    def leave(self, wait: Wait) -> None:
        """Take a wait off the line, wherever in it."""
        line = self._waiters if wait.exclusive else self._observers
        line.pop(wait, None)

    def _wake_first(self, value: object) -> None:
        wait = next(iter(self._waiters))
        wait.value = value
        wait._finish(_WOKEN)

    def _wake_observers(self) -> None:
        for wait in tuple(self._observers):
            wait._finish(_WOKEN)

    def _wake_next(self, _wait: Wait) -> None:
        self.wake()


async def wait_any(
    queues: Iterable[WaitQueue], *, killable: bool = False, deadline_ns: int | None = None
) -> bool:
    """Sleep until one of several queues is woken, as poll() does.

    The wake-up is not used up: who waits in that queue alone is woken by it all the same.

    Returns
    -------
    bool : True when woken, False when the deadline passed

    Raises
    ------
    Interrupted : a signal came first
    """
    wait = Wait(tuple(queues), deadline_ns, killable=killable, exclusive=False)
    for queue in wait.queues:
        queue.watch(wait)
    return await wait


async def sleep_until(deadline_ns: int, *, killable: bool = False) -> None:
    """Sleep until a virtual time.

    Raises
    ------
    Interrupted : a signal came first
    """
    await Wait((), deadline_ns, killable=killable)
