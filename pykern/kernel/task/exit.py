"""The end of threads and processes.

References
----------
POSIX.1-2017, _Exit, Consequences of Process Termination; Linux, exit_group(2).
"""

from __future__ import annotations

import contextlib
import struct
from typing import TYPE_CHECKING

from pykern.kernel.core.errno import SysError
from pykern.kernel.mm.pager import NotResident
from pykern.kernel.sched.schedulable import State
from pykern.kernel.task.exec import release_space
from pykern.kernel.task.robust import release_robust_list
from pykern.kernel.task.sigaction import SA_NOCLDWAIT, SI_USER, SIG_IGN, SigInfo, Signal

if TYPE_CHECKING:
    from pykern.kernel.task.process import Process
    from pykern.kernel.task.system import System
    from pykern.kernel.task.thread import UserThread

CLD_EXITED, CLD_KILLED, CLD_DUMPED, CLD_STOPPED, CLD_CONTINUED = 1, 2, 3, 5, 6


def exit_status(code: int) -> int:
    """Return the wait status of a process that ended by itself."""
    return (code & 0xFF) << 8


def exit_thread(system: System, thread: UserThread, status: int) -> None:
    """End a thread; the last one ends its process.

    Parameters
    ----------
    status : wait status of the process, if the thread is its last one and nothing else decides
    """
    process = thread.process
    if thread.state is State.ZOMBIE:
        return
    _abandon_hosted(thread)
    _leave_memory(system, thread)
    system.scheduler.exit(thread)
    process.cpu_ns += thread.cpu_ns
    process.threads.remove(thread)
    system.threads.by_tid.pop(thread.tid, None)
    if all(cpu.current is not thread for cpu in system.cpus):
        system.threads.reap(thread)
    process.thread_ended.wake_all()
    if not process.threads:
        process.last_name, process.last_nice = thread.name, thread.nice
        decided = process.group_status
        _end(system, process, status if decided is None else decided)


def exit_group(system: System, process: Process, status: int) -> None:
    """End all threads of a process: those that sleep or wait for a processor at once.

    A thread that is on another processor ends when it next enters the kernel, which an interrupt
    makes it do.
    """
    if process.group_status is None:
        process.group_status = status
    for thread in list(process.threads):
        kill_thread(system, thread, status)


def kill_thread(system: System, thread: UserThread, status: int) -> None:
    """End a thread wherever it is."""
    running_elsewhere = (
        thread.state is State.RUNNING and system.clock.this_cpu is not system.cpus[thread.cpu]
    )
    if running_elsewhere:
        thread.exiting = True
        system.signals.kick(thread)
        return
    exit_thread(system, thread, status)


def _abandon_hosted(thread: UserThread) -> None:
    """Let the hosted functions it sleeps in clean up, the innermost first."""
    if thread.wait is not None:
        thread.wait.on_wake = None
        thread.wait.cancel()
        thread.wait = None
    while thread.hosted:
        thread.hosted.pop().coroutine.close()


def _leave_memory(system: System, thread: UserThread) -> None:
    """Release the locks of a thread, and tell who joins it.

    A page that is still on its way (post-copy) is waited for where a thread ends itself: its call
    is made again. One that is ended does not wait, and nobody is left to look at that page.
    """
    try:
        release_robust_list(system, thread)
        _clear_child_tid(system, thread)
    except NotResident:
        if thread.process.group_status is None and not thread.exiting:
            raise


def _clear_child_tid(system: System, thread: UserThread) -> None:
    """Tell who joins the thread (CLONE_CHILD_CLEARTID)."""
    if not thread.clear_child_tid or thread.process is None:
        return
    # Whatever the program has said may be no address at all, and then nobody waits there.
    with contextlib.suppress(SysError):
        thread.process.space.copy_out(thread.clear_child_tid, struct.pack("<i", 0))
        system.futexes.wake(thread.process.space, thread.clear_child_tid, 1)


def _end(system: System, process: Process, status: int) -> None:
    """Turn a process without threads into a zombie."""
    process.files.close_all()
    release_space(process, process.space)
    process.alarm.stop()
    process.timers.delete_all()
    process.status = status
    process.ended.wake_all()
    system.ports.release(process.pid)
    system.capabilities.forget_holder(process.pid)
    system.mailboxes.release(process.pid)
    for child in list(process.children.values()):
        _orphan(system, child, process)
    parent = process.parent
    if parent is None:
        system.processes.forget(process)
        if process is system.processes.first:
            system.first_process_ended(process)
        return
    tell_parent(system, process)
    chld = parent.actions.get(Signal.SIGCHLD)
    ignored = chld.handler == SIG_IGN or chld.flags & SA_NOCLDWAIT
    if ignored and process.exit_signal == Signal.SIGCHLD:
        system.processes.forget(process)
    parent.child_events.wake_all()


def _orphan(system: System, child: Process, parent: Process) -> None:
    """Give a child to the nearest of its ancestors that asks for orphans, or the first process."""
    first = _reaper(system, parent)
    if child.pdeath_signal and child.alive:
        system.signals.send(child, SigInfo(child.pdeath_signal, SI_USER, parent.pid))
    if child.parent is not None:
        child.parent.children.pop(child.pid, None)
    if first is None or first.status is not None:
        child.parent = None
        if child.status is not None:
            system.processes.by_pid.pop(child.pid, None)
        return
    child.parent, child.exit_signal = first, Signal.SIGCHLD
    first.children[child.pid] = child
    if child.status is not None:
        first.child_events.wake_all()


def _reaper(system: System, process: Process) -> Process | None:
    """Return who takes the orphans of a process."""
    ancestor = process.parent
    while ancestor is not None and not (ancestor.subreaper and ancestor.alive):
        ancestor = ancestor.parent
    return ancestor or system.processes.first


def tell_parent(system: System, process: Process) -> None:
    """Send SIGCHLD, or what clone has said, for what a process has come to."""
    parent = process.parent
    if parent is None or not process.exit_signal:
        return
    status = process.status or 0
    killed = status & 0x7F
    code = (CLD_DUMPED if status & 0x80 else CLD_KILLED) if killed else CLD_EXITED
    uid = process.credentials.user.real
    result = killed or status >> 8 & 0xFF
    info = SigInfo(process.exit_signal, code, process.pid, uid, 0, result)
    system.signals.send(parent, info)
