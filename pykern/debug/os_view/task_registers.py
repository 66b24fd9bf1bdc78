"""Registers of tasks: of those on a processor, and of those that sleep.

A program that is in the kernel shows what its code was left with, from the trap frame, as ptrace
has it; unless it has been stopped in the kernel's own code, where the processor's registers are
meant. A thread of the kernel that is on no processor shows its `Context`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.debug import registers
from pykern.kernel.task.thread import UserThread
from pykern.kernel.x86.layout import VECTOR_SYSCALL
from pykern.kernel.x86.trapframe import sanitised_rflags
from pykern_c import Machine

if TYPE_CHECKING:
    from pykern.debug.os_view.tasks import Tasks
    from pykern.kernel.task.thread import Thread as Task
    from pykern_c import Vcpu

_GENERAL = (
    *("rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp"),
    *(f"r{i}" for i in range(8, 16)),
)
_FRAME = {name: name for name in (*_GENERAL, "rip", "cs", "ss")} | {"eflags": "rflags"}
"""gdb's name → the field of a trap frame."""
_LIVE_ARGUMENTS = {**{n: n for n in ("rdi", "rsi", "rdx", "r8", "r9")}, "r10": "rcx"}
"""Where a handler that has just been entered finds the arguments of its system call."""
_SYSTEM = frozenset(
    (
        *("cr0", "cr2", "cr4", "cr8", "efer", "tr", "ldtr", "gdtr", "idtr", "apic_base"),
        *("gdtr_limit", "idtr_limit", "dr0", "dr1", "dr2", "dr3", "dr6", "dr7"),
    )
)
_CALLS = frozenset((VECTOR_SYSCALL, 0x80))
"""Vectors of frames whose `error_code` is the number of a system call."""
_NO_SELECTOR = frozenset(("ds", "es", "fs", "gs"))
_DERIVED = frozenset(("cpl", "mode", "orig_rax"))
_USER_CPL, _LONG_MODE = 3, 64


class TaskRegisters:
    """Reads and writes registers of tasks.

    Parameters
    ----------
    tasks : whose

    Attributes
    ----------
    in_kernel : tids of programs that show the registers of the kernel's code
    entering : tids of those stopped at the beginning of a system call
    returning : tids of those stopped at its end, with the result in the processor's RAX
    """

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks
        self._machine = tasks.machine
        self._stage: Machine | None = None
        self.in_kernel: set[int] = set()
        self.entering: set[int] = set()
        self.returning: set[int] = set()

    def forget_stops(self) -> None:
        """Show programs as such again."""
        for tids in (self.in_kernel, self.entering, self.returning):
            tids.clear()

    def shows_frame(self, task: Task) -> bool:
        """Tell whether a task's registers are those of the trap frame."""
        if not isinstance(task, UserThread) or task.tid in self.in_kernel:
            return False
        index = self._tasks.running_on(task)
        return index is None or self._machine.vcpus[index].read_register("cpl") != _USER_CPL

    def read(self, task: Task, names: list[str]) -> list[int | None]:
        """Return registers by gdb's names."""
        source = self._source(task)
        frame = task.frame.read() if self.shows_frame(task) else None
        if frame is None:
            return [self._read_plain(task, source, name) for name in names]
        if task.tid in self.returning:
            frame["rax"] = source.read_register("rax")
        return [self._read_user(task, source, frame, name) for name in names]

    def write(self, task: Task, values: dict[str, int]) -> None:
        """Set registers by gdb's names."""
        source = self._source(task)
        framed = self.shows_frame(task)
        for name, value in values.items():
            if framed and name in _FRAME:
                self._write_frame(task, source, name, value)
            elif name not in _SYSTEM | _DERIVED and not (framed and name in _NO_SELECTOR):
                renamed = "k_gs_base" if framed and name == "gs_base" else name
                registers.write(source, renamed, value)
        if self._tasks.running_on(task) is None:
            task.context.save(source)

    # -- inside

    def _source(self, task: Task) -> Vcpu:
        """Return a processor that has the registers: its own, or one that only shows them."""
        index = self._tasks.running_on(task)
        if index is not None:
            return self._machine.vcpus[index]
        if self._stage is None:
            self._stage = Machine(1 << 20)
        stage = self._stage.vcpus[0]
        task.context.restore(stage)
        return stage

    def _read_plain(self, task: Task, source: Vcpu, name: str) -> int | None:
        if name in _SYSTEM and self._tasks.running_on(task) is None:
            return registers.read(self._machine, self._machine.vcpus[0], name)
        if name in {"mode", "cpl"} and self._tasks.running_on(task) is None:
            return _LONG_MODE if name == "mode" else 0
        return registers.read(self._machine, source, name)

    def _read_user(self, task: Task, source: Vcpu, frame: dict[str, int], name: str) -> int | None:
        if name in _FRAME:
            return frame[_FRAME[name]]
        match name:
            case "orig_rax":
                return frame["error_code"] if frame["vector"] in _CALLS else -1
            case "gs_base":
                return source.read_register("kernel_gs_base")
            case "cpl":
                return _USER_CPL
            case "mode":
                return _LONG_MODE
            case "k_gs_base":
                return None
        return 0 if name in _NO_SELECTOR else self._read_plain(task, source, name)

    def _write_frame(self, task: Task, source: Vcpu, name: str, value: int) -> None:
        if name in {"cs", "ss"}:
            return
        frame = task.frame
        frame[_FRAME[name]] = sanitised_rflags(value) if name == "eflags" else value
        if task.tid in self.entering and name in _LIVE_ARGUMENTS:
            source.write_register(_LIVE_ARGUMENTS[name], value)
        if task.tid in self.returning and name == "rax":
            source.write_register("rax", value)
