"""`monitor` commands about Python: py, locals, frame, await."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gdbstub import TargetError
from pykern.debug.python_source.awaiting import awaited
from pykern.debug.python_source.stack import show

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pykern.debug.python_source.debugger import PythonSource
    from pykern.debug.python_source.functions import PythonFrame
    from pykern.kernel.task.thread import Thread
    from pykern_c import Vcpu

_MOST = 8192
"""Characters of a value that are shown."""


class PythonCommands:
    """The commands.

    Parameters
    ----------
    source : the Python they are about
    """

    def __init__(self, source: PythonSource) -> None:
        self._source = source
        self.table = {
            "py": ("EXPR...", "value of a Python expression in the selected frame", self._py),
            "locals": ("", "variables of the selected frame", self._locals),
            "frame": ("[N]", "frames of Python; N selects one, as `backtrace` counts", self._frame),
            "await": ("[TID]", "where threads sleep, or one does, await by await", self._await),
        }

    def _stopped(self, vcpu: Vcpu) -> Sequence[PythonFrame]:
        """Return the frames of the processor.

        Raises
        ------
        TargetError : it is not stopped in Python
        """
        stack = self._source.stack
        if stack is None or vcpu.index != self._source.vcpu:
            raise TargetError(f"CPU {vcpu.index} is not stopped in a hosted function")
        return stack.frames

    def _selected(self, vcpu: Vcpu) -> PythonFrame:
        return self._stopped(vcpu)[self._source.selected]

    def _py(self, vcpu: Vcpu, arguments: list[str]) -> str:
        names: dict[str, Any] = {}
        if self._source.stack is not None and vcpu.index == self._source.vcpu:
            frame = self._selected(vcpu).frame
            names = {**frame.f_globals, **frame.f_locals}
        text = self._source.evaluate(arguments[0], names)
        return text if len(text) <= _MOST else f"{text[:_MOST]}... ({len(text)} characters)"

    def _locals(self, vcpu: Vcpu, _arguments: list[str]) -> str:
        values = self._selected(vcpu).frame.f_locals
        return "".join(f"{name} = {show(value)}\n" for name, value in values.items())

    def _frame(self, vcpu: Vcpu, arguments: list[str]) -> str:
        frames = self._stopped(vcpu)
        if arguments:
            text = arguments[0]
            numbers = {str(number): number for number in range(len(frames))}
            if text not in numbers:
                raise TargetError(f"frame {text!r}, expected 0 to {len(frames) - 1}")
            self._source.selected = numbers[text]
        return "".join(
            f"{'*' if number == self._source.selected else ' '} #{number} {frame}\n"
            for number, frame in enumerate(frames)
        )

    def _await(self, _vcpu: Vcpu, arguments: list[str]) -> str:
        kernel = self._source.kernel()
        threads = kernel.threads.by_tid
        if not arguments:
            found = filter(None, (self._asleep(thread) for thread in threads.values()))
            return "".join(found) or "no thread sleeps in a hosted function\n"
        text = arguments[0]
        thread = next((thread for tid, thread in threads.items() if str(tid) == text), None)
        if thread is None:
            raise TargetError(f"no thread {text!r}, expected {', '.join(map(str, threads))}")
        return (
            self._asleep(thread)
            or f"{thread.tid} {thread.name} does not sleep in a hosted function\n"
        )

    def _asleep(self, thread: Thread) -> str:
        frames = awaited(self._source.functions, thread)
        lines = [f"  #{number} {frame}\n" for number, frame in enumerate(frames)]
        state = thread.state.name.lower()
        return "".join((f"{thread.tid} {thread.name}, {state}:\n", *lines)) if lines else ""
