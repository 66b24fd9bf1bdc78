"""Which pages programs use, in order: `boot --page-trace FILE.json`.

Each read and write of user mode is seen by the machine itself, so the run is the one that it is
without. References to one page behind each other are one, which is all the same to every policy of
page replacement that has at least two frames; instructions are left out.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pykern.kernel.core.units import PAGE_SHIFT, PAGE_SIZE

if TYPE_CHECKING:
    from collections.abc import Callable

    from pykern.kernel.kernel import Kernel
    from pykern.kernel.mm.space import AddressSpace
    from pykern_c import Machine, Vcpu

__all__ = ["PageTrace"]

_USER_MODE = 3
_USER_END = (1 << 47) - 1
_MOST = 1_000_000


class _References:
    """Those to one address space."""

    def __init__(self, pid: int, name: str) -> None:
        self.pid, self.name = pid, name
        self.pages: list[int] = []


class PageTrace:
    """Records the references of one machine from now on.

    Parameters
    ----------
    machine : which
    kernel : returns the one that runs there
    most : references at which it ends
    """

    def __init__(self, machine: Machine, kernel: Callable[[], Kernel], most: int = _MOST) -> None:
        self._kernel, self._left = kernel, most
        self._spaces: dict[AddressSpace, _References] = {}
        machine.add_hook(
            self._accessed, kinds=("r", "w"), first=0, last=_USER_END, cpl=(_USER_MODE,)
        )

    def _accessed(self, vcpu: Vcpu, laddr: int, size: int, _write: bool) -> None:
        cpus = self._kernel().cpus
        process = cpus[vcpu.index].current.process if vcpu.index < len(cpus) else None
        if process is None:
            return
        space = process.space
        references = self._spaces.get(space)
        if references is None:
            references = self._spaces[space] = _References(process.pid, process.name)
        pages = references.pages
        for page in range(laddr >> PAGE_SHIFT, (laddr + size - 1 >> PAGE_SHIFT) + 1):
            if self._left and (not pages or pages[-1] != page):
                pages.append(page)
                self._left -= 1

    def json(self) -> str:
        """Return all references as JSON text: an object for each address space, in order."""
        spaces = [
            {"pid": each.pid, "name": each.name, "pages": each.pages}
            for each in self._spaces.values()
        ]
        trace = {"page_size": PAGE_SIZE, "complete": self._left > 0, "page_trace": spaces}
        return json.dumps(trace) + "\n"
