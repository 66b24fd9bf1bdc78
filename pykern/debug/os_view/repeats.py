"""Instructions of programs that a page fault has interrupted, and that are executed again.

To whoever debugs a program that is one execution: the kernel that sees to the page is not there. So
a breakpoint that was hit before the fault is not hit again behind it, as with a processor's own
breakpoints, which the kernel returns with RF set for.

References
----------
SDM Vol. 3B, Instruction-Breakpoint Exception Condition.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pykern.kernel.task.thread import UserThread

if TYPE_CHECKING:
    from pykern.debug.os_view.tasks import Tasks
    from pykern_c import Vcpu

_PAGE_FAULT = 14
_USER_CPL = 3


@dataclass
class _Seen:
    """The last hooked instruction of a task.

    Attributes
    ----------
    pc, moment : which execution of it
    again : it was interrupted before, and noted then
    faulted : it has been interrupted now
    """

    pc: int
    moment: tuple[int, int]
    again: bool = False
    faulted: bool = False


class Repeats:
    """Remembers which instructions have faulted.

    Parameters
    ----------
    tasks : whose
    """

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks
        self._seen: dict[int, _Seen] = {}
        self._hook = 0

    def watch(self, *, wanted: bool) -> None:
        """Listen to page faults, or no longer."""
        if wanted == bool(self._hook):
            return
        machine = self._tasks.machine
        if wanted:
            self._hook = machine.add_hook(self._faulted, kinds="int", first=_PAGE_FAULT)
            return
        machine.remove_hook(self._hook)
        self._hook = 0
        self._seen.clear()

    def again(self, vcpu: Vcpu) -> bool:
        """Take a hooked instruction; tell whether it was taken before it faulted."""
        task = self._tasks.current(vcpu.index)
        if not isinstance(task, UserThread) or vcpu.read_register("cpl") != _USER_CPL:
            return False
        pc, seen = vcpu.read_register("rip"), self._seen.get(task.tid)
        if seen is not None and (seen.pc, seen.moment) == (pc, _moment(vcpu)):
            return seen.again
        again = seen is not None and seen.faulted and seen.pc == pc and _is_back(task, pc)
        self._seen[task.tid] = _Seen(pc, _moment(vcpu), again)
        return again

    def _faulted(self, vcpu: Vcpu, _vector: int, _error: int, _external: bool) -> None:
        task = self._tasks.current(vcpu.index)
        seen = None if task is None else self._seen.get(task.tid)
        if seen is not None and seen.moment == _moment(vcpu):
            seen.faulted = True


def _is_back(task: UserThread, pc: int) -> bool:
    """Tell whether a task was in the kernel last for a page fault at an address."""
    frame = task.frame.read()
    return bool(frame["vector"] == _PAGE_FAULT and frame["rip"] == pc)


def _moment(vcpu: Vcpu) -> tuple[int, int]:
    return vcpu.index, vcpu.retired
