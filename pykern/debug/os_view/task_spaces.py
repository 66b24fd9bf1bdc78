"""The address spaces of processes, for breakpoints.

An address of a user half is a process's own. Pages that the process has not touched yet are read as
it would find them, and nothing is brought in for that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.debug.memory import pages
from pykern.debug.os_view.task_memory import USER_END, peek
from pykern.debug.os_view.tasks import KERNEL_PID
from pykern.debug.spaces import Spaces
from pykern.kernel.core.units import PAGE_SIZE, page_down

if TYPE_CHECKING:
    from pykern.debug.os_view.tasks import Tasks
    from pykern.kernel.mm.space import AddressSpace
    from pykern_c import Vcpu


_NOWHERE = 0
"""No page table is there: what is in the space of a process that is no more is hit by nobody."""


class TaskSpaces(Spaces):
    """The address spaces of a kernel's processes.

    Parameters
    ----------
    tasks : whose
    """

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks

    def root(self, owner: int, laddr: int) -> int | None:
        """Return the top page table of a process, for what is not in all of them."""
        if _is_everywhere(owner, laddr):
            return None
        space = self._space(owner)
        return _NOWHERE if space is None else space.pml4

    def executes(self, vcpu: Vcpu, owner: int) -> bool:
        """Tell whether a processor executes a process; the kernel's is everywhere."""
        return owner in {KERNEL_PID, self._tasks.current_id(vcpu.index).pid}

    def read(self, vcpu: Vcpu, owner: int, laddr: int, size: int) -> bytes | None:
        """Return memory of a process, 0: of the one that a processor executes."""
        owner = owner or self._tasks.current_id(vcpu.index).pid
        if _is_everywhere(owner, laddr):
            return super().read(vcpu, owner, laddr, size)
        space, parts = self._space(owner), []
        for start, length in pages(laddr, size):
            page = None if space is None else peek(space, page_down(start))
            if page is None:
                return None
            parts.append(page[start % PAGE_SIZE :][:length])
        return b"".join(parts)

    def translate(self, vcpu: Vcpu, owner: int, laddr: int) -> int | None:
        """Return the physical address of a process's linear one; None: there is no page."""
        if _is_everywhere(owner, laddr):
            return super().translate(vcpu, owner, laddr)
        space = self._space(owner)
        if space is None:
            return None
        table = space.pages.table
        entry = table.entry(laddr)
        if not entry or table.is_swapped(entry):
            return None
        return table.paddr_of(entry) + laddr % PAGE_SIZE

    def _space(self, owner: int) -> AddressSpace | None:
        """Return the space of a process; None: it is no more."""
        process = self._tasks.kernel.processes.by_pid.get(owner)
        return None if process is None or not process.threads else process.space


def _is_everywhere(owner: int, laddr: int) -> bool:
    """Tell whether an address is in whichever space a processor is in."""
    return owner == KERNEL_PID or laddr >= USER_END
