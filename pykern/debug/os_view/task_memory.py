"""Memory as a task sees it, whether or not its pages are there yet.

A page that has not been touched is read from what lies behind it; the task's next access finds it
as untouched as before. Writing is what a write by the program itself would be: it may copy a page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gdbstub import TargetError
from pykern.debug import memory
from pykern.kernel.core.errno import SysError
from pykern.kernel.core.units import PAGE_SIZE, page_down
from pykern.kernel.mm.pager import BusError

if TYPE_CHECKING:
    from pykern.debug.os_view.tasks import Tasks
    from pykern.kernel.mm.space import AddressSpace
    from pykern.kernel.task.thread import Thread as Task

USER_END = 1 << 47
"""Where the half of an address space that is a process's own ends."""


class TaskMemory:
    """Reads and writes memory by the tables of a task's process.

    Parameters
    ----------
    tasks : whose
    """

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks
        self._machine = tasks.machine

    def read(self, task: Task, laddr: int, size: int) -> bytes:
        """Return what can be read from the first byte on.

        Raises
        ------
        TargetError : not even that
        """
        parts = []
        for start, length in memory.pages(laddr, size):
            page = self._page(task, page_down(start))
            if page is None:
                break
            parts.append(page[start % PAGE_SIZE :][:length])
        if not parts:
            raise TargetError(self._why_not(task, laddr))
        return b"".join(parts)

    def write(self, task: Task, laddr: int, data: bytes) -> None:
        """Write all of it.

        Raises
        ------
        TargetError : the program could not; nothing has been written
        """
        if laddr < USER_END and task.process is not None:
            try:
                task.process.space.copy_out(laddr, data)
            except SysError:
                raise TargetError(f"not writable: {task.process.space.describe(laddr)}") from None
            return
        places = [(self._kernel_place(start), n) for start, n in memory.pages(laddr, len(data))]
        done = 0
        for paddr, length in places:
            self._machine.write(paddr, data[done : done + length])
            done += length

    def _page(self, task: Task, laddr: int) -> bytes | None:
        """Return a page's contents; None: there is no such page."""
        if laddr < USER_END:
            return None if task.process is None else peek(task.process.space, laddr)
        try:
            return self._machine.read(self._kernel_place(laddr), PAGE_SIZE)
        except (TargetError, ValueError):
            return None

    def _kernel_place(self, laddr: int) -> int:
        kernel = self._tasks.kernel
        paddr = kernel.table.translate(laddr) if kernel.cpus else None
        if paddr is None:
            raise TargetError(f"linear {laddr:#x} is not mapped")
        return paddr

    def _why_not(self, task: Task, laddr: int) -> str:
        if laddr < USER_END and task.process is not None:
            return task.process.space.describe(laddr)
        return f"linear {laddr:#x} is not mapped to memory"


def peek(space: AddressSpace, laddr: int) -> bytes | None:
    """Return a page of a user half without bringing it in; None: there is none."""
    table = space.pages.table
    entry = table.entry(laddr)
    if table.is_swapped(entry):
        reclaimer = space.frames.reclaimer
        return None if reclaimer is None else reclaimer.swap.peek(table.slot_of(entry))
    if entry:
        return space.memory.read(table.paddr_of(entry), PAGE_SIZE)
    vma = space.vmas.find(laddr)
    if vma is None:
        return None
    if vma.pager is None:
        return bytes(PAGE_SIZE)
    try:
        return vma.pager.peek(vma.offset + laddr - vma.start, space.memory)
    except BusError:
        return None
