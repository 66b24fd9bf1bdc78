"""Resource limits of a process.

Enforced are AS, DATA, NOFILE, NPROC, SIGPENDING and STACK; the others are kept and told.

References
----------
POSIX.1-2017, getrlimit; Linux, getrlimit(2), include/asm-generic/resource.h.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError

if TYPE_CHECKING:
    from pykern.kernel.fs.table import FileTable
    from pykern.kernel.mm.layout import Limits

INFINITY = (1 << 64) - 1
MOST_FILES = 1 << 20
_BYTES_PER_TASK = 2 * 8 * 16384
"""Linux lets kernel stacks take an eighth of memory, and a user half of them."""


class Resource(IntEnum):
    """What is limited."""

    CPU = 0
    FSIZE = 1
    DATA = 2
    STACK = 3
    CORE = 4
    RSS = 5
    NPROC = 6
    NOFILE = 7
    MEMLOCK = 8
    AS = 9
    LOCKS = 10
    SIGPENDING = 11
    MSGQUEUE = 12
    NICE = 13
    RTPRIO = 14
    RTTIME = 15


class ResourceLimits:
    """Soft and hard limits, by resource; what is not in the table has none."""

    def __init__(self, table: dict[int, tuple[int, int]] | None = None) -> None:
        self._table = dict(table or {})

    @classmethod
    def of_first(cls, memory: int, stack: int = 8 << 20) -> ResourceLimits:
        """Return what the first process has.

        Parameters
        ----------
        memory : of the machine, bytes
        stack : what a program's first stack may grow to, bytes
        """
        tasks = memory // _BYTES_PER_TASK
        return cls(
            {
                Resource.STACK: (stack, INFINITY),
                Resource.CORE: (0, INFINITY),
                Resource.NPROC: (tasks, tasks),
                Resource.NOFILE: (1024, MOST_FILES),
                Resource.MEMLOCK: (8 << 20, 8 << 20),
                Resource.SIGPENDING: (tasks, tasks),
                Resource.MSGQUEUE: (819200, 819200),
                Resource.NICE: (0, 0),
                Resource.RTPRIO: (0, 0),
            }
        )

    def copy(self) -> ResourceLimits:
        """Return a child's."""
        return ResourceLimits(self._table)

    def get(self, resource: int) -> tuple[int, int]:
        """Return the soft and the hard limit.

        Raises
        ------
        SysError(EINVAL) : there is no such resource
        """
        if resource not in Resource._value2member_map_:
            raise SysError(Errno.EINVAL)
        return self._table.get(resource, (INFINITY, INFINITY))

    def soft(self, resource: Resource) -> int:
        """Return the limit that holds."""
        return self.get(resource)[0]

    def set(self, resource: int, soft: int, hard: int, *, privileged: bool) -> None:
        """Set both limits.

        Raises
        ------
        SysError(EINVAL) : there is no such resource, or the soft limit is above the hard one
        SysError(EPERM) : the hard limit is raised, or over what the kernel can do
        """
        before = self.get(resource)
        if soft > hard:
            raise SysError(Errno.EINVAL)
        if resource == Resource.NOFILE and hard > MOST_FILES:
            raise SysError(Errno.EPERM)
        if hard > before[1] and not privileged:
            raise SysError(Errno.EPERM)
        self._table[resource] = (soft, hard)

    def apply(self, memory: Limits, files: FileTable) -> None:
        """Tell those who enforce them."""
        memory.stack = self.soft(Resource.STACK)
        memory.address_space = min(self.soft(Resource.AS), 128 << 40)
        memory.data = self.soft(Resource.DATA)
        files.limit = self.soft(Resource.NOFILE)
