"""Stops at system calls: at a handler's thunk, and where it returns to the entry code.

Between the two the task may have slept, executed another program, or served a signal; its kernel
stack, and with it the place where the call returns, stays the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gdbstub import Stop
from gdbstub.events import SystemCall
from pykern.debug.os_view.tasks import task_id
from pykern.kernel.x86.layout import VECTOR_SYSCALL

if TYPE_CHECKING:
    from collections.abc import Collection

    from pykern.debug.os_view.task_registers import TaskRegisters
    from pykern.debug.os_view.tasks import Tasks
    from pykern_c import Vcpu
    from pykern_c.exits import Exit

_INT80 = 0x80


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
        """Stop a process at these, and at no others; None: at all."""
        self.forget(pid)
        if numbers is None or numbers:
            self._wanted[pid] = None if numbers is None else frozenset(numbers)

    def forget(self, pid: int | None = None) -> None:
        """Stop a process at none; None: no process."""
        if pid is None:
            self._wanted.clear()
        else:
            self._wanted.pop(pid, None)
        if not self._wanted:
            self._inside.clear()
            while self._hooks:
                self._tasks.machine.remove_hook(self._hooks.popitem()[1])

    def entered(self, exit_: Exit, name: str) -> Stop | None:
        """Return the stop for a hostcall that is a system call which is caught."""
        task = self._tasks.current(exit_.vcpu)
        if not self._wanted or task is None or task.process is None:
            return None
        if task.process.pid not in self._wanted or not name.startswith("sys_"):
            return None
        frame = task.frame.read()
        numbers, number = self._wanted[task.process.pid], frame["error_code"]
        if frame["vector"] not in {VECTOR_SYSCALL, _INT80}:
            return None
        if numbers is not None and number not in numbers:
            return None
        vcpu = self._tasks.machine.vcpus[exit_.vcpu]
        back = int.from_bytes(vcpu.read_linear(vcpu.read_register("rsp"), 8), "little")
        if back not in self._hooks:
            self._hooks[back] = self._tasks.machine.add_hook(None, kinds="x", first=back)
        self._inside[task.tid] = (back, number)
        self._registers.entering.add(task.tid)
        return Stop(task_id(task), event=SystemCall(number))

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
        self._registers.returning.add(task.tid)
        return Stop(task_id(task), event=SystemCall(number, returns=True))
