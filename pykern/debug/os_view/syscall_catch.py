"""Stops at system calls: at a handler's thunk, and where it returns to the entry code.

Between the two the task may have slept, executed another program, or served a signal; its kernel
stack, and with it the place where the call returns, stays the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gdbstub import Stop
from gdbstub.events import SystemCall
from pykern.debug.os_view.call_numbers import gdb_number
from pykern.debug.os_view.tasks import task_id
from pykern.kernel.abi import native
from pykern.kernel.x86.layout import VECTOR_SYSCALL

if TYPE_CHECKING:
    from collections.abc import Collection

    from pykern.debug.os_view.task_registers import TaskRegisters
    from pykern.debug.os_view.tasks import Tasks
    from pykern_c import Vcpu
    from pykern_c.exits import Exit

_GATES = {VECTOR_SYSCALL, 0x80}


class SyscallCatch:
    """What gdb wants to know of system calls.

    Parameters
    ----------
    tasks : whose they are
    registers : told who is at the beginning or the end of a call
    """

    def __init__(self, tasks: Tasks, registers: TaskRegisters) -> None:
        self._tasks = tasks
        self._registers = registers
        self._wanted: dict[int, frozenset[int] | None] = {}
        self._inside: dict[int, tuple[int, int]] = {}
        self._hooks: dict[int, int] = {}

    def catch(self, pid: int, numbers: Collection[int] | None) -> None:
        """Stop a process at these, and at no others; None: at all.

        gdb takes its wishes back at every stop and has them again when it goes on, in the middle of
        a call as well.
        """
        self._wanted[pid] = None if numbers is None else frozenset(numbers)

    @property
    def wanted(self) -> dict[int, frozenset[int] | None]:
        """The calls that stop each process; None: any."""
        return dict(self._wanted)

    def forget(self, pid: int) -> None:
        """Stop a process at none: it is no more."""
        self._wanted.pop(pid, None)

    def forget_all(self) -> None:
        """Stop no process at any."""
        self._wanted.clear()
        self._inside.clear()
        while self._hooks:
            self._tasks.machine.remove_hook(self._hooks.popitem()[1])

    def _wants(self, pid: int, number: int) -> bool:
        numbers = self._wanted.get(pid, frozenset())
        return numbers is None or number in numbers

    def entered(self, exit_: Exit) -> Stop | None:
        """Return the stop for a hostcall that is a system call which is caught."""
        task = self._tasks.current(exit_.vcpu)
        if not self._wanted or task is None or task.process is None:
            return None
        frame = task.frame.read()
        symbol = self._symbol(exit_)
        number = gdb_number(frame["error_code"], symbol)
        if frame["vector"] not in _GATES or not self._wants(task.process.pid, number):
            return None
        vcpu = self._tasks.machine.vcpus[exit_.vcpu]
        back = int.from_bytes(vcpu.read_linear(vcpu.read_register("rsp"), 8), "little")
        if back not in self._hooks:
            self._hooks[back] = self._tasks.machine.add_hook(None, kinds="x", first=back)
        self._inside[task.tid] = (back, number)
        self._registers.entering.add(task.tid)
        text = "" if number < native.FIRST else f"system call {symbol.removeprefix('sys_')}\n"
        return Stop(task_id(task), text=text, event=SystemCall(number))

    def _symbol(self, exit_: Exit) -> str:
        """Return the function of the kernel that a hostcall is."""
        image = self._tasks.kernel.image
        known = image is not None and 0 < exit_.code <= len(image.hostcalls)
        return image.hostcalls[exit_.code - 1] if image is not None and known else ""

    def at_instruction(self, vcpu: Vcpu) -> Stop | None:
        """Return the stop for a call that has its result."""
        if not self._inside:
            return None
        task = self._tasks.current(vcpu.index)
        if task is None or task.tid not in self._inside:
            return None
        back, number = self._inside[task.tid]
        if vcpu.read_register("rip") != back:
            return None
        del self._inside[task.tid]
        if not self._wants(task_id(task).pid, number):
            return None
        self._registers.returning.add(task.tid)
        return Stop(task_id(task), event=SystemCall(number, returns=True))
