"""Which thread runs where, and how urgently.

References
----------
POSIX.1-2017, getpriority, sched_setscheduler; Linux, sched(7), sched_setaffinity(2).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.sched import SchedClass
from pykern.kernel.sched.policies.realtime import RR_SLICE_NS
from pykern.kernel.syscalls.arguments import Int, Size, UserPtr
from pykern.kernel.syscalls.entry import syscall
from pykern.kernel.syscalls.time import write_timespec
from pykern.kernel.task.rlimit import Resource

if TYPE_CHECKING:
    from pykern.kernel.task.process import Process
    from pykern.kernel.task.thread import UserThread

PRIO_PROCESS, PRIO_PGRP, PRIO_USER = range(3)
_RESET_ON_FORK = 0x4000_0000
_REAL_TIME = {SchedClass.FIFO, SchedClass.RR}
_FAIR_SLICE_NS = 4_000_000
_IO_REAL_TIME, _IO_LEVELS = 1, 8
_AFFINITY_SIZE = 8
_LEAST_NICE, _MOST_NICE = -20, 19


@syscall
def sched_yield(thread: UserThread) -> int:
    """Let others of the same urgency go first."""
    thread.system.scheduler.yield_now(thread.cpu)
    thread.system.signals.kick(thread)
    return 0


@syscall
def getcpu(thread: UserThread, cpu: UserPtr, node: UserPtr) -> int:
    """Tell which processor the thread is on."""
    for uaddr, value in ((cpu, thread.cpu), (node, 0)):
        if uaddr:
            thread.process.space.copy_out(uaddr, struct.pack("<I", value))
    return 0


def _thread_of(thread: UserThread, tid: int) -> UserThread:
    """Return a thread; 0 is the caller."""
    found = thread.system.threads.user(tid) if tid else thread
    if found is None:
        raise SysError(Errno.ESRCH)
    return found


def _asked(thread: UserThread, pid: int) -> UserThread:
    if pid < 0:
        raise SysError(Errno.EINVAL)
    return _thread_of(thread, pid)


def _require_owner(thread: UserThread, target: UserThread) -> None:
    if not thread.process.credentials.owns(target.process.credentials):
        raise SysError(Errno.EPERM)


# -- processors


@syscall
def sched_getaffinity(thread: UserThread, pid: Int, cpusetsize: Size, mask: UserPtr) -> int:
    """Tell on which processors a thread may run; the result is the bytes of the mask."""
    size = _AFFINITY_SIZE
    if cpusetsize < size or cpusetsize % size:
        raise SysError(Errno.EINVAL)
    allowed = _thread_of(thread, pid).affinity & thread.system.scheduler.online
    thread.process.space.copy_out(mask, allowed.to_bytes(size, "little"))
    return size


@syscall
def sched_setaffinity(thread: UserThread, pid: Int, cpusetsize: Size, mask: UserPtr) -> int:
    """Say on which processors a thread may run."""
    raw = thread.process.space.copy_in(mask, min(cpusetsize, 128))
    target = _thread_of(thread, pid)
    _require_owner(thread, target)
    wanted = int.from_bytes(raw, "little") & thread.system.scheduler.online
    if not wanted:
        raise SysError(Errno.EINVAL)
    thread.system.scheduler.set_affinity(target, wanted)
    thread.system.signals.kick(thread)
    return 0


# -- nice


def _meant(thread: UserThread, which: int, who: int) -> list[UserThread]:
    """Return the threads that a call on priorities means.

    Raises
    ------
    SysError(EINVAL) : neither threads, groups nor users
    SysError(ESRCH) : there are none
    """
    if which == PRIO_PROCESS:
        return [_thread_of(thread, who)]
    threads = [t for process in _processes(thread, which, who) for t in process.threads]
    if not threads:
        raise SysError(Errno.ESRCH)
    return threads


def _processes(thread: UserThread, which: int, who: int) -> list[Process]:
    """Return the processes of a group or a user, zombies too."""
    if which not in {PRIO_PGRP, PRIO_USER}:
        raise SysError(Errno.EINVAL)
    me = thread.process
    number = who or (me.pgid if which == PRIO_PGRP else me.credentials.user.real)

    def belongs(process: Process) -> bool:
        of_user = process.credentials.user.real
        return (process.pgid if which == PRIO_PGRP else of_user) == number

    return list(filter(belongs, thread.system.processes.by_pid.values()))


@syscall
def getpriority(thread: UserThread, which: Int, who: Int) -> int:
    """Tell the lowest nice value of threads, as 20 minus that; a zombie keeps its own."""
    found = [target.nice for target in _meant(thread, which, who)]
    if which != PRIO_PROCESS:
        processes = _processes(thread, which, who)
        found += [process.last_nice for process in processes if process.status is not None]
    return 20 - min(found)


@syscall
def setpriority(thread: UserThread, which: Int, who: Int, prio: Int) -> int:
    """Set the nice value of threads."""
    nice = max(_LEAST_NICE, min(prio, _MOST_NICE))
    who_asks = thread.process.credentials
    refusal: Errno | None = None
    for target in _meant(thread, which, who):
        allowed = 20 - min(target.process.limits.soft(Resource.NICE), 40)
        if not who_asks.owns(target.process.credentials):
            refusal = Errno.EPERM
        elif nice < target.nice and nice < allowed and not who_asks.privileged:
            refusal = Errno.EACCES
        else:
            thread.system.scheduler.set_priority(target, nice=nice)
    if refusal is not None:
        raise SysError(refusal)
    return 0


# -- input and output: kept and told, since no device of this kernel has a queue


@syscall
def ioprio_get(thread: UserThread, which: Int, who: Int) -> int:
    """Tell the most urgent class and level of threads."""
    return min(target.io_priority for target in _meant(thread, which - 1, who))


@syscall
def ioprio_set(thread: UserThread, which: Int, who: Int, ioprio: Int) -> int:
    """Set class and level of threads."""
    kind, level = ioprio >> 13, ioprio & 0x1FFF
    if kind not in range(4) or level >= _IO_LEVELS or (kind == 0 and level):
        raise SysError(Errno.EINVAL)
    if kind == _IO_REAL_TIME and not thread.process.credentials.privileged:
        raise SysError(Errno.EPERM)
    targets = _meant(thread, which - 1, who)
    for target in targets:
        _require_owner(thread, target)
    for target in targets:
        target.io_priority = ioprio
    return 0


# -- classes


def _priorities(policy: int) -> tuple[int, int]:
    """Return the lowest and the highest real-time priority of a class."""
    if policy not in set(SchedClass):
        raise SysError(Errno.EINVAL)
    return (1, 99) if policy in _REAL_TIME else (0, 0)


@syscall
def sched_get_priority_max(thread: UserThread, policy: Int) -> int:
    """Tell the highest real-time priority of a class."""
    del thread
    return _priorities(policy)[1]


@syscall
def sched_get_priority_min(thread: UserThread, policy: Int) -> int:
    """Tell the lowest real-time priority of a class."""
    del thread
    return _priorities(policy)[0]


@syscall
def sched_getscheduler(thread: UserThread, pid: Int) -> int:
    """Tell the scheduling class of a thread."""
    target = _asked(thread, pid)
    return target.sched_class | (_RESET_ON_FORK if target.reset_on_fork else 0)


@syscall
def sched_getparam(thread: UserThread, pid: Int, param: UserPtr) -> int:
    """Tell the real-time priority of a thread."""
    if not param:
        raise SysError(Errno.EINVAL)
    priority = _asked(thread, pid).rt_priority
    thread.process.space.copy_out(param, struct.pack("<i", priority))
    return 0


@syscall
def sched_setscheduler(thread: UserThread, pid: Int, policy: Int, param: UserPtr) -> int:
    """Set the scheduling class and the real-time priority of a thread."""
    if policy < 0:
        raise SysError(Errno.EINVAL)
    return _set_class(thread, pid, policy, param)


@syscall
def sched_setparam(thread: UserThread, pid: Int, param: UserPtr) -> int:
    """Set the real-time priority of a thread."""
    return _set_class(thread, pid, None, param)


def _set_class(thread: UserThread, pid: int, policy: int | None, param: int) -> int:
    if not param or pid < 0:
        raise SysError(Errno.EINVAL)
    (priority,) = struct.unpack("<i", thread.process.space.copy_in(param, 4))
    target = _thread_of(thread, pid)
    resets = target.reset_on_fork if policy is None else bool(policy & _RESET_ON_FORK)
    kind = target.sched_class if policy is None else policy & ~_RESET_ON_FORK
    low, high = _priorities(kind)
    if not low <= priority <= high:
        raise SysError(Errno.EINVAL)
    _require_right(thread, target, SchedClass(kind), priority, resets=resets)
    target.reset_on_fork = resets
    thread.system.scheduler.set_priority(target, sched_class=SchedClass(kind), rt_priority=priority)
    thread.system.signals.kick(thread)
    return 0


def _require_right(
    thread: UserThread, target: UserThread, kind: SchedClass, priority: int, *, resets: bool
) -> None:
    """Check that the caller may give a thread this class and priority."""
    if thread.process.credentials.privileged:
        return
    limit = target.process.limits.soft(Resource.RTPRIO)
    if kind in _REAL_TIME and (
        (kind != target.sched_class and not limit)
        or (priority > target.rt_priority and priority > limit)
    ):
        raise SysError(Errno.EPERM)
    leaves_idle = target.sched_class == SchedClass.IDLE and kind != SchedClass.IDLE
    allowed = 20 - min(target.process.limits.soft(Resource.NICE), 40)
    if (leaves_idle and target.nice < allowed) or (target.reset_on_fork and not resets):
        raise SysError(Errno.EPERM)
    _require_owner(thread, target)


@syscall
def sched_rr_get_interval(thread: UserThread, pid: Int, tp: UserPtr) -> int:
    """Tell how long a thread may run before others have their turn; 0: as long as it wants."""
    kind = _asked(thread, pid).sched_class
    slices = {SchedClass.FIFO: 0, SchedClass.RR: RR_SLICE_NS, SchedClass.IDLE: _FAIR_SLICE_NS}
    write_timespec(thread, tp, slices.get(kind, _FAIR_SLICE_NS))
    return 0
