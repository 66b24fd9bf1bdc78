"""A system as gdb's target that can go back in time: its processes are those that there were."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pykern.debug.history.errands import Whose
from pykern.debug.history.reversible import Reversible
from pykern.debug.os_view.os_target import OsTarget
from pykern.debug.os_view.tasks import KERNEL_PID

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gdbstub import Resume, Stop, ThreadId
    from pykern.debug.points import Point
    from pykern.kernel.task.process import Process
    from pykern_c import Vcpu

_USER_CPL = 3


class ReversibleOsTarget(Reversible, OsTarget):
    """What gdb sees of the processes of a machine that has a past."""

    view = "os"
    _sought: frozenset[tuple[Point, bytes | None]] = frozenset()
    _roots: dict[int, int | None] | None = None

    def resume(self, actions: Resume) -> None:
        """Go on; a signal that gdb withholds or sends is none that the journal has."""
        changed = self._signals.changed_by(actions)
        super().resume(actions)
        if changed:
            self.history.begin_here("gdb has sent or withheld a signal")

    def kill(self, pid: int) -> None:
        """End a process; with the kernel's, the machine."""
        super().kill(pid)
        self.history.begin_here("gdb has ended a process")

    def write_registers(self, thread: ThreadId, values: Mapping[str, int]) -> None:
        """Set registers by gdb's names; those of a processor are recorded there."""
        super().write_registers(thread, values)
        if self.tasks.find(thread) is not None:
            self._wrote(thread, values)

    def write_memory(self, thread: ThreadId, address: int, data: bytes) -> None:
        """Write memory of the thread's process, or physical memory."""
        super().write_memory(thread, address, data)
        if self.physical_memory or self.tasks.find(thread) is not None:
            self._wrote_memory(thread, address, data)

    # -- whose instructions, and who stops

    def whose(self, thread: ThreadId) -> Whose:
        """Return a processor, or a task: in its program, or also in the kernel where it is there.

        Raises
        ------
        TargetError : there is no such thread
        """
        task, index = self.tasks.find(thread), self.tasks.index_of(thread)
        if task is None:
            return Whose(vcpu=index)
        user = self._registers.shows_frame(task)
        if index is not None:
            user = user or self.machine.vcpus[index].read_register("cpl") == _USER_CPL
        return Whose(thread=thread, user=user)

    def executes(self, vcpu: Vcpu, whose: Whose) -> bool:
        """Tell whether a processor's next instruction is one of these."""
        if whose.user and vcpu.read_register("cpl") != _USER_CPL:
            return False
        return self.tasks.current_id(vcpu.index) == whose.thread

    def stopped_on(self, index: int) -> ThreadId:
        """Return the program that a processor executes, or itself."""
        return self.tasks.current_id(index)

    def fit(self, stop: Stop) -> Stop:
        """Return a stop of a thread that there is; in the kernel's own code it is shown there."""
        turn = self.execution.where.turn
        thread = stop.thread
        if all(known.id != thread for known in self.threads()):
            thread = self.stopped_on(turn or 0)
        if turn is not None and self.tasks.current_id(turn) == thread:
            self.execution.show_kernel(thread, self.machine.vcpus[turn])
        return replace(stop, thread=thread)

    # -- breakpoints of programs that come and go while a copy looks for the last stop

    def sought(self) -> frozenset[Any]:
        """Return each breakpoint with the program that it is one of."""
        return frozenset(
            (point, self._program(point.owner)) for point in self.execution.breakpoints
        )

    def seek(self, sought: frozenset[Any]) -> None:
        """Have those whose programs are executed."""
        self._sought, self._roots = sought, None
        self.renew()

    def renew(self) -> None:
        """Put them where their processes' memory is now; a process may have become another."""
        pids = {point.owner for point, _ in self._sought}
        roots = {pid: self._root(pid) for pid in pids}
        if roots == self._roots:
            return
        self._roots = roots
        self.execution.renew(
            point for point, program in self._sought if self._program(point.owner) == program
        )

    def _process(self, pid: int) -> Process | None:
        found = self.tasks.kernel.processes.by_pid.get(pid)
        return found if found is not None and found.threads else None

    def _root(self, pid: int) -> int | None:
        process = self._process(pid)
        return None if process is None else process.space.pml4

    def _program(self, pid: int) -> bytes | None:
        """Return the path of what a process executes; of the kernel's: none."""
        process = self._process(pid)
        if process is None or process.executable is None:
            return None
        return process.executable[0]

    # -- for the copy that takes this one's place

    def wake(self) -> None:
        """Want nothing: this copy is to work."""
        OsTarget.detach(self)
        self.tracer.clear()

    def settings(self) -> dict[str, Any]:
        """Return what gdb has set."""
        return {
            **super().settings(),
            "breakpoints": self.execution.breakpoints,
            "attended": frozenset(self._events.attended),
            "threads": self._events.threads_too,
            "calls": self._catch.wanted,
            "passed": self._signals.passed,
            "lines": () if self._python is None else tuple(self._python.lines()),
            "python": frozenset(self._python_pids),
            "physical": self.physical_memory,
        }

    def set_settings(self, settings: Mapping[str, Any]) -> None:
        """Set it, and stand still among the processes that there are now.

        Those that gdb knows no more are left alone: gdb would take a stop for theirs if it found
        them again while it hears of it.
        """
        super().set_settings(settings)
        self.halt()
        self._events.attended &= settings["attended"]
        self._events.threads_too = settings["threads"]
        self._signals.passed = settings["passed"]
        self.physical_memory = settings["physical"]
        self._python_pids = set(settings["python"])
        for pid, numbers in settings["calls"].items():
            self._catch.catch(pid, numbers)
        there = {KERNEL_PID, *(process.pid for process in self.tasks.processes())}
        self.execution.breakpoints = {p for p in settings["breakpoints"] if p.owner in there}
        for line in settings["lines"]:
            assert self._python is not None
            self._python.insert(line)
