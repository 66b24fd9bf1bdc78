"""The kernel's threads as gdb names them.

A process of gdb is a process, and its threads are the process's. Besides there is the process of
the kernel: its threads are the processors, whatever they execute, and the kernel's own threads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gdbstub import TargetError, Thread, ThreadId
from pykern.debug.os_view import await_chain
from pykern.kernel.sched import State

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pykern.kernel.host import KernelHost
    from pykern.kernel.kernel import Kernel
    from pykern.kernel.task.process import Process
    from pykern.kernel.task.thread import Thread as Task

KERNEL_PID = 1 << 22
"""The kernel's; no process has it (Linux, include/linux/threads.h: PID_MAX_LIMIT)."""


class Tasks:
    """What the kernel of a machine runs.

    Parameters
    ----------
    host : of the kernel, which is another one after a reset
    """

    def __init__(self, host: KernelHost) -> None:
        self._host = host
        self.machine = host.machine

    @property
    def kernel(self) -> Kernel:
        """Return the kernel that runs, or would."""
        return self._host.kernel

    def processes(self) -> list[Process]:
        """Return the processes that have threads, by number."""
        by_pid = self.kernel.processes.by_pid
        return [by_pid[pid] for pid in sorted(by_pid) if by_pid[pid].threads]

    def process(self, pid: int) -> Process:
        """Return a process that has threads.

        Raises
        ------
        TargetError : there is none
        """
        found = self.kernel.processes.by_pid.get(pid)
        if found is None or not found.threads:
            raise TargetError(f"no process {pid}")
        return found

    # -- names

    def current(self, index: int) -> Task | None:
        """Return what a processor executes; None: nothing that the kernel knows of."""
        cpus = self.kernel.cpus
        return cpus[index].current if index < len(cpus) else None

    def current_id(self, index: int) -> ThreadId:
        """Return the name of what a processor executes; an idle one's is its own."""
        task = self.current(index)
        if task is None or task is self.kernel.cpus[index].idle:
            return processor_id(index)
        return task_id(task)

    def find(self, thread: ThreadId) -> Task | None:
        """Return a task; None: the name is a processor's.

        Raises
        ------
        TargetError : there is none
        """
        if self.is_processor(thread):
            return None
        task = self.kernel.threads.by_tid.get(thread.tid)
        if task is None or task_id(task) != thread:
            raise TargetError(f"no thread {thread.tid} in process {thread.pid}")
        return task

    def is_processor(self, thread: ThreadId) -> bool:
        """Tell whether a name is a processor's."""
        index = thread.tid - KERNEL_PID
        return thread.pid == KERNEL_PID and 0 <= index < len(self.machine.vcpus)

    def index_of(self, thread: ThreadId) -> int | None:
        """Return the processor that a thread is, or is on; None: it is on none."""
        task = self.find(thread)
        return thread.tid - KERNEL_PID if task is None else self.running_on(task)

    def running_on(self, task: Task) -> int | None:
        """Return the processor that executes a task; None: none does."""
        cpus = self.kernel.cpus
        known = 0 <= task.cpu < len(cpus)
        return task.cpu if known and cpus[task.cpu].current is task else None

    # -- for `info threads`

    def list(self, pids: set[int]) -> list[Thread]:
        """Return the threads of processes: those of programs first, the processors last."""
        found = [self._thread(t) for p in self.processes() if p.pid in pids for t in p.threads]
        if KERNEL_PID in pids or not found:
            found += [self._thread(task) for task in self.kernel_tasks()]
            found += [self._processor(index) for index in range(len(self.machine.vcpus))]
        return found

    def kernel_tasks(self) -> Iterator[Task]:
        """Return the kernel's own threads; the idle ones are their processors."""
        by_tid = self.kernel.threads.by_tid
        return (by_tid[tid] for tid in sorted(by_tid) if by_tid[tid].process is None)

    def _processor(self, index: int) -> Thread:
        task = self.current(index)
        name = f"cpu{index}" if task is None else f"cpu{index}:{task.name}"
        return Thread(processor_id(index), name, index, self.machine.vcpus[index].activity)

    def _thread(self, task: Task) -> Thread:
        return Thread(task_id(task), task.name, self.running_on(task), describe(task))


def processor_id(index: int) -> ThreadId:
    """Return the name of a processor."""
    return ThreadId(KERNEL_PID, KERNEL_PID + index)


def task_id(task: Task) -> ThreadId:
    """Return the name of a task."""
    return ThreadId(KERNEL_PID if task.process is None else task.process.pid, task.tid)


def describe(task: Task) -> str:
    """Return a task's state in words, and in which functions of the kernel it waits."""
    state = State(task.state).name.lower()
    chain = await_chain.of(task)
    return state + (" in " + " > ".join(place.function for place in chain) if chain else "")
