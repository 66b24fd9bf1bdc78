"""poll: sleep until one of several files is ready; select and epoll stand on the same.

References
----------
POSIX.1-2024, poll(); Linux poll(2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.kernel.core.wait import wait_any
from pykern.kernel.fs.flags import POLLNVAL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pykern.kernel.fs.file import File

__all__ = ["poll", "ready"]

Request = tuple["File | None", int]


def ready(requests: Sequence[Request]) -> list[int]:
    """Return the mask of each; a file that is None is a descriptor that is not open."""
    return [POLLNVAL if file is None else file.poll(events) for file, events in requests]


async def poll(requests: Sequence[Request], deadline_ns: int | None = None) -> list[int]:
    """Sleep until a mask is not 0, and return all masks.

    Parameters
    ----------
    requests : files and the events asked for; None: not open, which is ready at once
    deadline_ns : virtual time at which to give up; None: never

    Raises
    ------
    Interrupted : a signal came first
    """
    masks = ready(requests)
    while not any(masks):
        queues = dict.fromkeys(q for file, _ in requests if file for q in file.queues)
        woken = await wait_any(queues, deadline_ns=deadline_ns)
        masks = ready(requests)
        if not woken:
            break
    return masks
