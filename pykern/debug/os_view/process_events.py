"""What has happened to processes and threads during a hostcall.

The kernel need not tell: whatever it does to them it does in a hostcall, so before and after are
compared. Nothing of it is paid for while nobody debugs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gdbstub import Exited, Stop, ThreadExited, ThreadId
from gdbstub.events import Executed, Forked, ThreadCreated, VforkDone
from pykern.debug.os_view.signal_stops import to_gdb
from pykern.debug.os_view.tasks import task_id

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pykern.debug.os_view.tasks import Tasks
    from pykern.kernel.mm.space import AddressSpace
    from pykern.kernel.task.process import Process
    from pykern.kernel.task.thread import Thread as Task

    Happened = Stop | Exited | ThreadExited


@dataclass
class _Known:
    process: Process
    space: AddressSpace
    threads: list[ThreadId]


class ProcessEvents:
    """Compares what there is with what there was.

    Parameters
    ----------
    tasks : the kernel's

    Attributes
    ----------
    attended : processes that gdb attends to
    threads_too : whether beginnings and ends of threads are told
    """

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks
        self.attended: set[int] = set()
        self.threads_too = False
        self._known: dict[int, _Known] = {}
        self._vforks: list[tuple[Process, ThreadId]] = []
        self._caller: Task | None = None

    def begin(self) -> None:
        """Take what there is as known: gdb sees it anyway."""
        self._known = {p.pid: self._entry(p) for p in self._tasks.processes()}
        self._vforks.clear()

    def before(self, index: int) -> None:
        """Note who makes the hostcall that comes now."""
        self._caller = self._tasks.current(index)

    def after(self) -> list[Happened]:
        """Return what has happened since, of what gdb attends to."""
        happened: list[Happened] = []
        now = {p.pid: p for p in self._tasks.processes()}
        for pid in [pid for pid in self._known if now.get(pid) is not self._known[pid].process]:
            happened += self._ended(self._known.pop(pid))
        for pid, process in now.items():
            if pid in self._known:
                happened += self._changed(self._known[pid])
            else:
                happened += self._begun(process)
        return [*happened, *self._vforks_done()]

    def _entry(self, process: Process) -> _Known:
        return _Known(process, process.space, [task_id(t) for t in process.threads])

    def _begun(self, process: Process) -> Iterator[Happened]:
        self._known[process.pid] = self._entry(process)
        parent, child = process.parent, task_id(process.threads[0])
        if parent is None:
            self.attended.add(process.pid)
            name = b" ".join(process.arguments).decode("utf-8", "replace")
            yield Stop(child, text=f"process {process.pid} begins: {name}\n")
            return
        caller = self._caller
        if caller is None or caller.process is not parent:
            caller = parent.threads[0] if parent.threads else None
        if parent.pid in self.attended and caller is not None:
            self.attended.add(process.pid)
            if process.sharing_parent_space:
                self._vforks.append((process, task_id(caller)))
            event = Forked(child, process.sharing_parent_space)
            yield Stop(task_id(caller), event=event)

    def _changed(self, known: _Known) -> Iterator[Happened]:
        process = known.process
        if process.space is not known.space:
            known.space = process.space
            if process.pid in self.attended:
                path = process.executable[0] if process.executable else b""
                event = Executed(path.decode("utf-8", "replace"))
                yield Stop(task_id(process.threads[0]), event=event)
        threads = [task_id(task) for task in process.threads]
        if threads != known.threads:
            before, known.threads = known.threads, threads
            if self.threads_too and process.pid in self.attended:
                yield from (Stop(t, 0, event=ThreadCreated()) for t in threads if t not in before)
                yield from (ThreadExited(t) for t in before if t not in threads)

    def _ended(self, known: _Known) -> Iterator[Happened]:
        process = known.process
        if process.pid in self.attended:
            self.attended.discard(process.pid)
            status = process.status or 0
            signal = to_gdb(status & 0x7F) if status & 0x7F else 0
            yield Exited(process.pid, status >> 8 & 0xFF, signal)

    def _vforks_done(self) -> Iterator[Happened]:
        for entry in list(self._vforks):
            child, parent = entry
            if not child.alive or not child.sharing_parent_space:
                self._vforks.remove(entry)
                if parent.pid in self.attended:
                    yield Stop(parent, event=VforkDone())
