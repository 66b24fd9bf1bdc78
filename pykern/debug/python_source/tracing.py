"""Watch hosted functions go by line, and say where gdb wants to stop.

It costs nothing while nobody has a breakpoint in Python and nobody steps there: the interpreter is
asked to trace for as long as a hostcall is served, and only then.

A coroutine that sleeps is followed: its frames are the same ones when it goes on.
"""

from __future__ import annotations

import inspect
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pykern.debug.python_source.functions import BEGINS, LINE_SIZE, RETURNED
from pykern.kernel.core.wait import Wait
from pykern.kernel.x86.guest_call import GuestCall

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from pykern.debug.python_source.functions import Function, Functions, PythonFrame

    Trace = Callable[[FrameType, str, Any], Any]

_SUSPENSIONS = (Wait, GuestCall)
"""What a coroutine of the kernel yields when it goes to sleep."""


@dataclass
class Step:
    """A step through Python.

    Attributes
    ----------
    root : the hosted function that it stays in; None: whichever is called next
    within : addresses at which it goes on; None: it ends at the next one
    """

    root: FrameType | None
    within: tuple[int, int] | None = None

    def ends_at(self, address: int) -> bool:
        """Tell whether it goes no further than an address."""
        return self.within is None or not self.within[0] <= address < self.within[1]


def is_coroutine(frame: FrameType) -> bool:
    """Tell whether a call may go to sleep and go on later."""
    return bool(frame.f_code.co_flags & inspect.CO_COROUTINE)


class Tracer:
    """Traces what a hostcall calls.

    Parameters
    ----------
    functions : those that are watched
    is_root : tells whether a call is the outermost one that is shown
    is_meant : tells whether a breakpoint in the innermost of these frames, at an offset from the
        line's address, is to stop now
    stop : called where to stop, with the frames, the offset from the line's address, and whether
        it is for a breakpoint; it returns when gdb goes on
    left : called when the hosted function that is stepped through has returned

    Attributes
    ----------
    breakpoints : addresses
    step : the step under way
    resumed : the outermost call of those that have gone on last; only there is a breakpoint looked
        for behind a call, because others that are in the same function are not what gdb waits for
    """

    def __init__(
        self,
        functions: Functions,
        is_root: Callable[[FrameType], bool],
        is_meant: Callable[[list[PythonFrame], int], bool],
        stop: Callable[[list[PythonFrame], int, bool], None],
        left: Callable[[Step], None],
    ) -> None:
        self.breakpoints: set[int] = set()
        self.step: Step | None = None
        self.resumed: FrameType | None = None
        self._functions = functions
        self._is_root, self._is_meant = is_root, is_meant
        self._stop = stop
        self._left = left
        self._everything = False
        self._some: set[Function | None] = set()

    def prepare(self) -> None:
        """Find out what has to be watched for the breakpoints and the step there are."""
        returns = any(address % LINE_SIZE != BEGINS for address in self.breakpoints)
        self._everything = returns or self.step is not None
        self._some = {self._functions.at(address) for address in self.breakpoints}

    def run(self, function: Callable[[Any], None], argument: Any) -> None:
        """Call a function, and trace what it calls."""
        previous = sys.gettrace()
        sys.settrace(self._called)
        try:
            function(argument)
        finally:
            sys.settrace(previous)

    def frames(self, frame: FrameType | None) -> list[PythonFrame]:
        """Return the calls that gdb is shown, the innermost first, the hosted function last."""
        found = []
        while frame is not None:
            shown = self._functions.frame(frame)
            if shown is not None:
                found.append(shown)
                if self._is_root(frame):
                    break
            frame = frame.f_back
        return found

    # -- events of the interpreter

    def _called(self, frame: FrameType, _event: str, _argument: Any) -> Trace | None:
        function = self._functions.of(frame.f_code)
        if function is None:
            return None
        return self._traced if self._everything or function in self._some else None

    def _traced(self, frame: FrameType, event: str, argument: Any) -> Trace:
        if event == "line":
            self._reach(frame, BEGINS)
        elif event == "return" and not isinstance(argument, _SUSPENSIONS):
            self._return(frame)
        return self._traced

    def _return(self, frame: FrameType) -> None:
        """Be back in the caller, where the present line goes on."""
        if self._is_root(frame):
            step = self.step
            if step is not None and step.root is frame:
                self.step = None
                self._left(step)
            return
        caller = frame.f_back
        while caller is not None and self._functions.of(caller.f_code) is None:
            caller = caller.f_back
        if caller is not None:
            self._reach(caller, RETURNED)

    def _reach(self, frame: FrameType, offset: int) -> None:
        """Stop there if gdb wants it."""
        function = self._functions.of(frame.f_code)
        assert function is not None
        address = function.address_of(frame.f_lineno) + offset
        marked = address in self.breakpoints
        ends = self.step is not None and self.step.ends_at(address)
        if not marked and not ends:
            return
        frames = self.frames(frame)
        root = frames[-1].frame
        awaited = offset == BEGINS or self.resumed in {None, root}
        at_breakpoint = marked and awaited and self._is_meant(frames, offset)
        if at_breakpoint or (ends and self._is_stepped(root)):
            for shown in frames:
                shown.frame.f_trace = self._traced
            self._stop(frames, offset, at_breakpoint)

    def _is_stepped(self, outermost: FrameType) -> bool:
        if self.step is None or self.step.root is not None:
            return self.step is not None and self.step.root is outermost
        return self._is_root(outermost)
