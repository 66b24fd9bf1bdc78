"""A thread: what is scheduled, its kernel stack, and what its hosted code is in the middle of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pykern.kernel.sched.schedulable import Schedulable
from pykern.kernel.task.sigaction import PendingSignals
from pykern.kernel.x86.layout import FRAME_SIZE
from pykern.kernel.x86.trapframe import TrapFrame
from pykern_c.context import Context

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from pykern.kernel.core.memory import PhysicalMemory
    from pykern.kernel.core.wait import Wait
    from pykern.kernel.task.kstack import KernelStack
    from pykern.kernel.task.process import Process
    from pykern.kernel.task.system import System
    from pykern.kernel.x86.processor import CallTables


@dataclass(frozen=True)
class SignalStack:
    """Where handlers with SA_ONSTACK run (sigaltstack); size 0: nowhere.

    `auto_disarm`: nowhere while a handler runs that was entered on it, so that it may switch away.
    """

    base: int = 0
    size: int = 0
    auto_disarm: bool = False

    def holds(self, rsp: int) -> bool:
        """Tell whether a stack pointer is in it."""
        return not self.auto_disarm and self.base < rsp <= self.base + self.size


@dataclass
class HostedCall:
    """A hosted function of a thread that is not done yet.

    Attributes
    ----------
    coroutine : the function's
    finish : takes its result, when it is done, or the exception it has ended with
    guest : RIP and RSP to go on with behind a function of the image that it has called; None: it
        does not wait for one
    """

    coroutine: Coroutine[Any, Any, Any]
    finish: Callable[[Any, BaseException | None], None]
    guest: tuple[int, int] | None = None


class Thread(Schedulable):
    """A thread of a process, or of the kernel.

    Parameters
    ----------
    tid : unique; that of a process's first thread is the PID
    name : at most 15 characters, as PR_SET_NAME has it
    stack : kernel stack; None for the idle threads, which stay on their boot stacks
    process : None for a kernel thread

    Attributes
    ----------
    context : what a switch saves and restores
    hosted : hosted functions it is in, the innermost last
    wait : what it sleeps on
    resume : its innermost hosted function is to go on when it has a processor again
    exiting : it has been told to end, and does so before it returns to user mode
    need_work : something is to be done before its user code goes on
    blocked : signals it does not take now
    really_blocked : signals that it lets through only to fetch them (rt_sigtimedwait)
    saved_mask : what to block again after the handler, while a call has changed `blocked`
    clear_child_tid : where a 0 is written when it ends; 0: nowhere
    io_priority : kept for ioprio_get
    robust_list : where the list of locks is that are released when it ends; 0: nowhere
    timer_slack_ns : kept for prctl: timers are exact
    reset_on_fork : its children begin without its real-time class
    restart_deadline_ns : when the wait ends that a signal without a handler has interrupted
    """

    FRAME_SIZE = FRAME_SIZE
    system: System

    def __init__(
        self,
        tid: int,
        name: str,
        memory: PhysicalMemory,
        stack: KernelStack | None,
        tables: CallTables,
        process: Process | None = None,
    ) -> None:
        self.tid = tid
        self.name = name
        self.stack = stack
        self.process = process
        self.tables = tables
        self.context = Context()
        self.context.clear_fpu()
        self.hosted: list[HostedCall] = []
        self.wait: Wait | None = None
        self.resume = False
        self.exiting = False
        self.need_work = False
        self.blocked = 0
        self.saved_mask: int | None = None
        self.really_blocked = 0
        self.restart_deadline_ns: int | None = None
        self.pending = PendingSignals()
        self.signal_stack = SignalStack()
        self.clear_child_tid = 0
        self.robust_list = 0
        self.io_priority = 0
        self.timer_slack_ns = 50_000
        self.reset_on_fork = False
        self._memory = memory

    @property
    def frame(self) -> TrapFrame:
        """The frame with which its user code was left, at the top of its kernel stack."""
        if self.stack is None:
            raise ValueError(f"{self!r} has no user code")
        return TrapFrame(self._memory, self.stack.physical(self.stack.top - FRAME_SIZE))

    def __repr__(self) -> str:
        """Return what names it in messages."""
        return f"<thread {self.tid} {self.name}>"


class UserThread(Thread):
    """A thread of a process."""

    process: Process
    stack: KernelStack
