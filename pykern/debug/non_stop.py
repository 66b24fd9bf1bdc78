"""How processors go on, by gdb: one by one (non-stop), and what a single step keeps away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gdbstub import Stop
from pykern.debug.execution import thread_of

if TYPE_CHECKING:
    from collections.abc import Sequence, Set

    from gdbstub import Exited, ThreadExited, ThreadId
    from pykern.debug.execution import Execution


class NonStop:
    """Part of a target whose threads are processors.

    Attributes
    ----------
    execution : how the machine runs
    stopped : whether all of it stands still
    halting : processors that gdb wants stopped while others run
    """

    execution: Execution
    stopped: bool
    halting: list[ThreadId]

    def note_stop(self, stop: Stop | Exited | ThreadExited) -> None:
        """Stand still, or in non-stop mode as far as the stop goes."""
        self.stopped = True
        if self.non_stop and isinstance(stop, Stop):
            self.execution.halt(stop.thread.tid - 1)
            self.stopped = not self.execution.going

    @property
    def non_stop(self) -> bool:
        """Whether processors go on and stop one by one."""
        return self.execution.non_stop

    @non_stop.setter
    def non_stop(self, value: bool) -> None:
        self.execution.non_stop = value
        self.execution.going.clear()

    def running_threads(self) -> Set[ThreadId]:
        """Return the processors that run, as far as gdb may ask."""
        return {thread_of(index) for index in self.execution.going}

    def stop_threads(self, threads: Sequence[ThreadId]) -> None:
        """Stop processors before the machine's next slice."""
        self.halting += threads

    @property
    def step_mode(self) -> int:
        """Return what a single step keeps away, as QEMU's `sstep`."""
        return self.execution.step_mode

    @step_mode.setter
    def step_mode(self, value: int) -> None:
        self.execution.step_mode = value

    def take_halting(self) -> Stop | None:
        """Return the stop of a processor that gdb wants stopped and that still runs, if any."""
        while self.halting:
            thread = self.halting.pop(0)
            if thread in self.running_threads():
                return Stop(thread, signal=0)
        return None
