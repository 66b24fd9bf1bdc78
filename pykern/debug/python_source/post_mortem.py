"""The calls that an exception has come through, as a stack: hosted code that fails is looked at."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

from pykern.debug.python_source.functions import PythonFrame

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from pykern.debug.python_source.functions import Functions


def raised_in(
    functions: Functions,
    error: BaseException,
    is_root: Callable[[FrameType, FrameType | None], bool],
) -> list[PythonFrame]:
    """Return the calls that an exception has left, the one that raised it first.

    Parameters
    ----------
    is_root : tells of a call and its caller whether it is the outermost one that is shown
    """
    calls = [*traceback.walk_tb(error.__traceback__)]
    found = []
    for at in reversed(range(len(calls))):
        frame, line = calls[at]
        function = functions.of(frame.f_code)
        if function is None:
            continue
        found.append(PythonFrame(function, frame, line))
        if is_root(frame, calls[at - 1][0] if at else None):
            break
    return found


def describe(error: BaseException) -> str:
    """Return what it is in one line, for the user."""
    return f"{''.join(traceback.format_exception_only(error)).strip()} ends the kernel\n"
