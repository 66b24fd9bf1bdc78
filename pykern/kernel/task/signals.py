"""Send and deliver signals.

References
----------
POSIX.1-2017, Signal Generation and Delivery, Signal Actions; Linux, signal(7).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.sched.schedulable import State
from pykern.kernel.task import sigframe
from pykern.kernel.task.exit import CLD_CONTINUED, CLD_STOPPED, exit_group, exit_thread
from pykern.kernel.task.rlimit import INFINITY, Resource
from pykern.kernel.task.sigaction import (
    FIRST_REAL_TIME,
    IGNORED,
    SA_NOCLDSTOP,
    SA_NODEFER,
    SA_RESETHAND,
    SA_RESTART,
    SI_USER,
    SIG_DFL,
    SIG_IGN,
    STOPPING,
    UNBLOCKABLE,
    SigInfo,
    Signal,
    bit,
    name_of,
)
from pykern.kernel.x86.layout import VECTOR_SYSCALL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pykern.kernel.task.process import Process
    from pykern.kernel.task.sigaction import PendingSignals, SigAction
    from pykern.kernel.task.system import System
    from pykern.kernel.task.thread import Thread, UserThread
    from pykern.kernel.x86.processor import Processor

ERESTARTSYS, ERESTARTNOHAND = 512, 514
"""Results of calls that a signal has interrupted, which no program sees: the call is made again
unless a handler without SA_RESTART, or any handler, was entered (Linux, include/linux/errno.h)."""
_EINTR = 4
_SYSCALL_LENGTH = 2
_STOP_STATUS = 0x7F
_INT80 = 0x80
_STOPS = sum(bit(number) for number in STOPPING)


class Signals:
    """Signals of a kernel.

    Parameters
    ----------
    system : whose
    """

    def __init__(self, system: System) -> None:
        self._system = system

    # -- sending

    def send(self, process: Process, info: SigInfo) -> None:
        """Send a signal to a process; some thread that does not block it takes it.

        Raises
        ------
        SysError(EAGAIN) : a real-time signal, and the receiver's user has too many
        """
        if not process.alive or not self._prepare(process, info.signal, process.threads):
            return
        self._add(process, process.pending, info)
        for thread in process.threads:
            if not thread.blocked & bit(info.signal) or info.signal == Signal.SIGKILL:
                self._notify(thread, fatal=self._is_fatal(process, info.signal))
                return

    def send_thread(self, thread: UserThread, info: SigInfo) -> None:
        """Send a signal to one thread; as `send`."""
        process = thread.process
        if not self._prepare(process, info.signal, [thread]):
            return
        self._add(process, thread.pending, info)
        if not thread.blocked & bit(info.signal):
            self._notify(thread, fatal=self._is_fatal(process, info.signal))

    def send_group(self, pgid: int, info: SigInfo) -> int:
        """Send a signal to a process group; return how many processes there were."""
        count = 0
        for process in self._system.processes.group(pgid):
            self.send(process, info)
            count += 1
        return count

    def _add(self, process: Process, pending: PendingSignals, info: SigInfo) -> None:
        """Make a signal pending, as long as there is room for what is known of it.

        A signal of kill() arrives in any case, without anything about its sender.

        References
        ----------
        Linux, getrlimit(2), RLIMIT_SIGPENDING.
        """
        limited = info.signal >= FIRST_REAL_TIME or info.code < 0
        if limited and info.timer is None and self._is_full(process):
            if info.signal >= FIRST_REAL_TIME and info.code != SI_USER:
                raise SysError(Errno.EAGAIN)
            if pending.mask & bit(info.signal):
                return
            info = SigInfo(info.signal)
        pending.add(info)
        process.signal_arrived.wake_all()

    def queued(self, uid: int) -> int:
        """Return how many signals wait for the processes of a user."""
        processes = self._system.processes.by_pid.values()
        return sum(
            len(p.pending) + sum(len(thread.pending) for thread in p.threads)
            for p in processes
            if p.credentials.user.real == uid
        )

    def _is_full(self, process: Process) -> bool:
        most = process.limits.soft(Resource.SIGPENDING)
        return most != INFINITY and self.queued(process.credentials.user.real) >= most

    def _prepare(self, process: Process, number: int, threads: Sequence[UserThread]) -> bool:
        """Do what a signal does at once; return whether it is to become pending."""
        default = process.actions.get(number).handler == SIG_DFL
        if default and process is self._system.processes.first:
            return False  # nothing that it does not ask for happens to the first process
        if number in {Signal.SIGCONT, Signal.SIGKILL}:
            self._discard(process, _STOPS)
            self._resume(process, tell=number == Signal.SIGCONT)
        elif number in STOPPING:
            self._discard(process, bit(Signal.SIGCONT))
        blocked = all((t.blocked | t.really_blocked) & bit(number) for t in threads)
        return blocked or not process.actions.ignores(number)

    @staticmethod
    def _discard(process: Process, numbers: int) -> None:
        process.pending.discard(numbers)
        for thread in process.threads:
            thread.pending.discard(numbers)

    @staticmethod
    def _is_fatal(process: Process, number: int) -> bool:
        action = process.actions.get(number)
        return number == Signal.SIGKILL or (
            action.handler == SIG_DFL and number not in IGNORED and number not in STOPPING
        )

    def _notify(self, thread: UserThread, *, fatal: bool) -> None:
        """Have a thread look at its signals soon."""
        thread.need_work = True
        if thread.wait is not None:
            thread.wait.interrupt(fatal=fatal)
        elif thread.state is State.RUNNING:
            self.kick(thread)

    def kick(self, thread: UserThread) -> None:
        """Make the processor a thread runs on look at its work before user code goes on."""
        system = self._system
        thread.need_work = True
        cpu = system.cpus[thread.cpu]
        cpu.set_work(True)
        if cpu is not system.clock.this_cpu:
            system.scheduler.on_resched_ipi(thread.cpu)

    # -- delivering

    def pending(self, thread: Thread) -> bool:
        """Tell whether a thread has something to deliver: a wait that can be interrupted ends."""
        if thread.exiting:
            return True
        process = thread.process
        if process is None:
            return False
        return bool((thread.pending.mask | process.pending.mask) & ~thread.blocked)

    def deliver(self, cpu: Processor, thread: UserThread) -> None:
        """Act on the signals of the thread that is about to go on in user mode.

        Afterwards it is the same thread in a handler, or one that goes on, or a thread that has
        ended or stopped.
        """
        process = thread.process
        while thread.state is State.RUNNING:
            if thread.exiting:
                exit_thread(self._system, thread, 0)
                return
            if process.stopped:
                self._system.scheduler.block(cpu.number, State.STOPPED)
                return
            info = thread.pending.take(thread.blocked) or process.pending.take(thread.blocked)
            if info is None:
                break
            # Frames of several handlers lie on each other, as in Linux: the last one runs first.
            self._act(cpu, thread, info)
        if thread.state is State.RUNNING:
            self._restart(thread, None)
            if thread.saved_mask is not None:
                thread.blocked, thread.saved_mask = thread.saved_mask, None

    def _act(self, cpu: Processor, thread: UserThread, info: SigInfo) -> None:
        """Do what one signal asks for."""
        process = thread.process
        number, action = info.signal, process.actions.get(info.signal)
        if number == Signal.SIGKILL or (action.handler == SIG_DFL and number not in IGNORED):
            if number in STOPPING:
                if number == Signal.SIGSTOP or not self._system.processes.orphaned(process.pgid):
                    self._stop(process, number)
            else:
                self._terminate(process, number)
        elif action.handler not in {SIG_DFL, SIG_IGN}:
            self._enter_handler(cpu, thread, action, info)

    def _enter_handler(
        self, cpu: Processor, thread: UserThread, action: SigAction, info: SigInfo
    ) -> None:
        process = thread.process
        self._restart(thread, action)
        mask = thread.blocked if thread.saved_mask is None else thread.saved_mask
        thread.saved_mask = None
        try:
            sigframe.push(thread, cpu.vcpu, action, info, mask)
        except SysError:
            self._terminate(process, Signal.SIGSEGV)
            return
        thread.blocked |= action.mask & ~UNBLOCKABLE
        if not action.flags & SA_NODEFER:
            thread.blocked |= bit(info.signal)
        if action.flags & SA_RESETHAND:
            process.actions.reset(info.signal)

    def restart_call(self, thread: UserThread) -> None:
        """Have a stopped thread make the system call again that was interrupted for the stop."""
        self._restart(thread, None)

    @staticmethod
    def _restart(thread: UserThread, action: SigAction | None) -> None:
        """Have an interrupted system call made again, or fail with EINTR."""
        frame = thread.frame
        if frame["vector"] not in {VECTOR_SYSCALL, _INT80}:
            return
        code = (1 << 64) - frame["rax"]
        if code not in {ERESTARTSYS, ERESTARTNOHAND}:
            return
        if action is not None:
            thread.restart_deadline_ns = None
            if code == ERESTARTNOHAND or not action.flags & SA_RESTART:
                frame["rax"] = -_EINTR
                return
        frame["rax"] = frame["error_code"]
        frame["rip"] -= _SYSCALL_LENGTH

    def _terminate(self, process: Process, number: int) -> None:
        exit_group(self._system, process, number)

    # -- stopping and going on

    def _stop(self, process: Process, number: int) -> None:
        """Stop all threads of a process: one that sleeps, when it next leaves the kernel."""
        process.stopped = True
        process.stop_status = number << 8 | _STOP_STATUS
        self._tell_parent(process, CLD_STOPPED, number)
        for thread in process.threads:
            thread.need_work = True
            if thread.state is State.RUNNING and thread.cpu >= 0:
                if self._system.cpus[thread.cpu] is self._system.clock.this_cpu:
                    self._system.scheduler.block(thread.cpu, State.STOPPED)
                else:
                    self.kick(thread)

    def freeze(self, process: Process) -> None:
        """Stop all threads of a process as they next leave the kernel, without telling anybody.

        One that sleeps is woken for it, and sleeps on for the rest of its time afterwards.
        """
        process.stopped = process.frozen = True
        for thread in process.threads:
            self._notify(thread, fatal=False)

    def thaw(self, process: Process) -> None:
        """Let a process go on that was frozen."""
        process.frozen = False
        self._resume(process, tell=False)

    def _resume(self, process: Process, *, tell: bool) -> None:
        if not process.stopped or process.frozen:
            return
        process.stopped = False
        process.stop_status = None
        for thread in process.threads:
            if thread.state is State.STOPPED:
                # Other signals may have come meanwhile.
                thread.need_work = True
                self._system.scheduler.wake(thread)
        if tell:
            process.continued = True
            self._tell_parent(process, CLD_CONTINUED, Signal.SIGCONT)

    def _tell_parent(self, process: Process, code: int, status: int) -> None:
        parent = process.parent
        if parent is None:
            return
        parent.child_events.wake_all()
        uid = process.credentials.user.real
        if not parent.actions.get(Signal.SIGCHLD).flags & SA_NOCLDSTOP:
            self.send(parent, SigInfo(Signal.SIGCHLD, code, process.pid, uid, 0, status))


def describe(process: Process, number: int) -> str:
    """Return what a log says of a process that a signal ended."""
    return f"process {process.pid} ({process.name}) ended by {name_of(number)}"
