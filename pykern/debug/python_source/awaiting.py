"""Where a thread sleeps: the coroutine of its hosted function, and what that awaits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pykern.debug.python_source.functions import RETURNED
from pykern.debug.python_source.stack import VirtualStack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from pykern.debug.python_source.functions import Functions, PythonFrame
    from pykern.kernel.task.thread import Thread

_KINDS = (("cr_frame", "cr_await"), ("gi_frame", "gi_yieldfrom"))
"""Of a coroutine and of a generator: its frame, and what it waits for."""


def awaited(functions: Functions, thread: Thread) -> list[PythonFrame]:
    """Return the calls that a sleeping thread's hosted function is in, the innermost first."""
    coroutine: Any = thread.hosted[-1].coroutine if thread.hosted else None
    if coroutine is None or coroutine.cr_running:
        return []
    frames = [functions.frame(frame) for frame in _chain(coroutine)]
    return [frame for frame in reversed(frames) if frame is not None]


def sleeping_stack(functions: Functions, thread: Thread) -> VirtualStack | None:
    """Return what to show of a sleeping thread in place of its own registers and stack.

    None: it is not in Python, but in a function of the image or in its program.
    """
    if not thread.hosted or thread.hosted[-1].guest is not None:
        return None
    frames = awaited(functions, thread)
    return VirtualStack(frames, RETURNED, thread.context.rsp) if frames else None


def _chain(awaitable: Any) -> Iterator[FrameType]:
    """Return the frames of a coroutine and of what it awaits, the outermost first."""
    while awaitable is not None:
        kind = next((kind for kind in _KINDS if hasattr(awaitable, kind[0])), None)
        if kind is None:
            return
        frame = getattr(awaitable, kind[0])
        if frame is not None:
            yield frame
        awaitable = getattr(awaitable, kind[1])
