"""Waiting: the one primitive that suspends, and the locks that are built on it.

Whatever may sleep in this is an `async def`, and what it awaits in the end is a `Wait`. There
is no event loop as asyncio has one: who runs the coroutine calls ``coroutine.send(None)``, gets the
`Wait` out of it, and parks the thread until `Wait.on_wake` is called.
"""

from pykern.kernel.core.wait.locks import CondVar, Mutex, RwLock, Semaphore
from pykern.kernel.core.wait.queue import (
    Interrupted,
    Wait,
    WaitQueue,
    WaitResult,
    sleep_until,
    wait_any,
)

__all__ = [
    "CondVar",
    "Interrupted",
    "Mutex",
    "RwLock",
    "Semaphore",
    "Wait",
    "WaitQueue",
    "WaitResult",
    "sleep_until",
    "wait_any",
]
