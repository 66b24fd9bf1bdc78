"""Where the hosted functions of a sleeping task wait: the backtrace of coroutines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pykern

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pykern.kernel.task.thread import Thread as Task

_SOURCES = Path(pykern.__file__).parents[1]


class Place(NamedTuple):
    """A frame of Python that waits for another one, or for an event.

    Attributes
    ----------
    function : its qualified name
    path : of its source, below the folder that holds the package
    """

    function: str
    path: str
    line: int


def of(task: Task) -> list[Place]:
    """Return where a task waits, the outermost function first; empty: in none."""
    return [place for call in task.hosted for place in _chain(call.coroutine)]


def _chain(awaited: Any) -> Iterator[Place]:
    """Follow a coroutine into what it awaits; generators end a chain (`Wait.__await__`)."""
    while awaited is not None:
        frame = getattr(awaited, "cr_frame", None)
        if frame is None:
            return
        code = awaited.cr_code
        path = Path(code.co_filename)
        name = path.relative_to(_SOURCES) if path.is_relative_to(_SOURCES) else path
        yield Place(code.co_qualname, name.as_posix(), frame.f_lineno)
        awaited = awaited.cr_await
