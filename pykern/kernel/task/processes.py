"""All processes, and the first one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.core.units import PAGE_SIZE
from pykern.kernel.mm.layout import Limits
from pykern.kernel.mm.space import AddressSpace
from pykern.kernel.task.exit import kill_thread
from pykern.kernel.task.process import Process
from pykern.kernel.task.thread import UserThread
from pykern.kernel.task.threads import FIRST_PID
from pykern.kernel.x86.layout import RFLAGS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pykern.kernel.fs.context import FsContext
    from pykern.kernel.fs.table import FileTable
    from pykern.kernel.task.system import System


class Processes:
    """The processes of a kernel.

    Parameters
    ----------
    system : whose

    Attributes
    ----------
    by_pid : the living, and zombies that nobody has waited for
    first : the process that orphans become children of
    """

    def __init__(self, system: System) -> None:
        self._system = system
        self.by_pid: dict[int, Process] = {}
        self.first: Process | None = None

    def get(self, pid: int) -> Process:
        """Return a process.

        Raises
        ------
        SysError(ESRCH) : there is none
        """
        process = self.by_pid.get(pid)
        if process is None:
            raise SysError(Errno.ESRCH)
        return process

    def group(self, pgid: int) -> Iterator[Process]:
        """Return the living processes of a group."""
        return (p for p in list(self.by_pid.values()) if p.pgid == pgid and p.alive)

    def new_space(self) -> AddressSpace:
        """Return an empty address space.

        Raises
        ------
        SysError(ENOMEM) : no frames
        """
        system = self._system
        return AddressSpace(
            system.frames,
            system.machine,
            system.table.root,
            layout=system.user_layout,
            limits=Limits(stack=system.user_layout.stack_size, allow_wx=system.allow_wx),
            on_unmap=self.invalidate,
            on_release=self.leave,
        )

    def leave(self, space: AddressSpace) -> None:
        """Take processors off an address space that ends.

        One may be in user mode there: a thread whose process has called execve on another
        processor. Without user memory its next instruction faults, and it ends in the kernel.
        """
        for cpu in self._system.cpus:
            if cpu.vcpu.read_register("cr3") & -PAGE_SIZE == space.pml4:
                cpu.vcpu.write_register("cr3", self._system.table.root)

    def invalidate(self, space: AddressSpace, laddr: int, pages: int) -> None:
        """Let every processor that uses a space forget what it has cached of a range."""
        cpus, left = self._system.cpus, space.cpus
        while left:
            bit = left & -left
            left ^= bit
            cpu = cpus[bit.bit_length() - 1]
            process = cpu.current.process
            if process is None or process.space is not space:
                space.cpus ^= bit  # when it comes back, its TLB begins empty
                continue
            cpu.vcpu.invalidate(laddr, pages << 12)

    def create(
        self, parent: Process | None, space: AddressSpace, files: FileTable, fs: FsContext
    ) -> Process:
        """Make a process without threads; its family is as fork has it."""
        taken = self.first is not None or FIRST_PID in self._system.threads.by_tid
        pid = self._system.threads.new_tid() if taken else FIRST_PID
        process = Process(
            pid,
            parent,
            space,
            files,
            fs,
            pgid=parent.pgid if parent else pid,
            sid=parent.sid if parent else pid,
            start_ns=self._system.clock.now_ns,
        )
        if parent is not None:
            parent.children[pid] = process
        self.by_pid[pid] = process
        self.first = self.first or process
        return process

    def new_thread(self, process: Process, name: str, tid: int | None = None) -> UserThread:
        """Make a thread of a process that will enter user mode with the frame it is given.

        Raises
        ------
        SysError(ENOMEM) : no room for its kernel stack
        """
        system = self._system
        stack = system.stacks.alloc()
        tid = system.threads.new_tid() if tid is None else tid
        thread = UserThread(tid, name, system.machine, stack, system.tables, process)
        thread.system = system
        thread.context.rip = system.symbols["return_to_user"]
        thread.context.rsp = stack.top - thread.FRAME_SIZE
        thread.context.rflags = RFLAGS["FIXED"]
        thread.context.cr3 = process.space.pml4
        process.threads.append(thread)
        system.threads.by_tid[tid] = thread
        return thread

    async def end_other_threads(self, process: Process, thread: UserThread) -> None:
        """Leave one thread of a process, as execve does; it becomes the first one.

        One that is on another processor ends when it next enters the kernel: until then nothing may
        be taken from under it.
        """
        while others := [t for t in process.threads if t is not thread]:
            for other in others:
                kill_thread(self._system, other, 0)
            if len(process.threads) > 1:
                await process.thread_ended.wait(killable=True)
        if thread.tid != process.pid:
            self._rename(thread, process.pid)

    def _rename(self, thread: UserThread, tid: int) -> None:
        by_tid = self._system.threads.by_tid
        del by_tid[thread.tid]
        thread.tid = tid
        by_tid[tid] = thread

    def orphaned(self, pgid: int) -> bool:
        """Tell whether no member of a group has a parent in another group of the same session."""
        return not any(
            member.parent is not None
            and member.parent.pgid != pgid
            and member.parent.sid == member.sid
            for member in self.group(pgid)
        )

    def forget(self, process: Process) -> None:
        """Take a zombie off: it was waited for, or nobody will."""
        del self.by_pid[process.pid]
        if process.parent is not None:
            process.parent.children.pop(process.pid, None)
            process.parent.child_cpu_ns += process.cpu_ns + process.child_cpu_ns
