"""All threads: making them, finding them, clearing them away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pykern.kernel.sched.schedulable import ANY_CPU
from pykern.kernel.task.thread import Thread, UserThread
from pykern.kernel.x86.guest_call import guest_call
from pykern.kernel.x86.hostcall import hostcall
from pykern.kernel.x86.layout import RFLAGS

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from pykern.kernel.task.system import System
    from pykern.kernel.x86.processor import Processor


FIRST_PID = 1
"""The first process's; threads of the kernel that come before it take later ones."""


class Threads:
    """The threads of a kernel.

    Parameters
    ----------
    system : whose

    Attributes
    ----------
    by_tid : the living, and zombies that nobody has waited for
    """

    def __init__(self, system: System) -> None:
        self._system = system
        self.by_tid: dict[int, Thread] = {}
        self._bodies: dict[int, Coroutine[Any, Any, None]] = {}
        self._next_tid = FIRST_PID + 1

    def new_tid(self) -> int:
        """Return an identifier that no thread has."""
        tid = self._next_tid
        self._next_tid += 1
        return tid

    def skip_tid(self, tid: int) -> None:
        """Never hand an identifier out: somebody has chosen it for a thread."""
        self._next_tid = max(self._next_tid, tid + 1)

    def user(self, tid: int) -> UserThread | None:
        """Return a thread of a process; None: there is none."""
        thread = self.by_tid.get(tid)
        return thread if isinstance(thread, UserThread) else None

    def spawn_kernel_thread(
        self,
        name: str,
        body: Coroutine[Any, Any, None],
        *,
        priority: int = 0,
        cpu: int | None = None,
        affinity: int = ANY_CPU,
        tid: int | None = None,
    ) -> Thread:
        """Make a thread of the kernel that runs a coroutine, and let it run.

        Parameters
        ----------
        cpu : where it begins; None: wherever there is most room
        affinity : mask of the processors it may run on
        tid : one that no thread has; None: the next one

        Raises
        ------
        SysError(ENOMEM) : no room for its stack
        """
        system = self._system
        stack = system.stacks.alloc()
        number = self.new_tid() if tid is None else tid
        thread = Thread(number, name, system.machine, stack, system.tables)
        thread.system = system
        thread.priority, thread.affinity = priority, affinity
        thread.context.rip = system.symbols["kthread_start"]
        # As behind a CALL: entry code finds the stack aligned as a C function does.
        thread.context.rsp = stack.top - 8
        thread.context.rflags = RFLAGS["FIXED"] | RFLAGS["IF"]
        thread.context.cr3 = system.table.root
        self._bodies[thread.tid] = body
        self.by_tid[thread.tid] = thread
        system.scheduler.add(thread, cpu)
        return thread

    @hostcall
    def kthread_body(self, cpu: Processor) -> None:
        """Run the coroutine of a kernel thread."""
        body = self._bodies.pop(cpu.current.tid)
        self._system.runner.start(cpu, body, self._body_done)

    def _body_done(self, _result: object, error: BaseException | None) -> None:
        if error is not None:
            raise error

    @hostcall
    def kthread_exit(self, cpu: Processor) -> None:
        """End a kernel thread."""
        self._system.scheduler.exit(cpu.current)

    @hostcall
    def kthread_yield(self, cpu: Processor) -> None:
        """Let other threads go first; what called this goes on when it has the processor again."""
        self._system.scheduler.yield_now(cpu.number)
        self._system.runner.reschedule(cpu)

    async def give_way(self) -> None:
        """Let other threads go first: a kernel thread's own coroutine awaits this."""
        await guest_call(self._system.symbols["kthread_yield"])

    @hostcall
    def guest_call_done(self, cpu: Processor, result: int) -> None:
        """Give a hosted function what its call of the image has returned."""
        self._system.runner.guest_call_done(cpu, result)

    def reap(self, thread: Thread) -> None:
        """Free the stack of a thread that has ended and is on no processor."""
        if thread.stack is not None:
            self._system.stacks.free(thread.stack)
            thread.stack = None
        if thread.process is None:
            del self.by_tid[thread.tid]
