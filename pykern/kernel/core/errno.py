"""Error numbers of Linux on x86-64."""

from __future__ import annotations

from enum import IntEnum


class Errno(IntEnum):
    """Error numbers, as user programs see them negated in RAX."""

    EPERM = 1
    EINTR = 4
    EAGAIN = 11
    E2BIG = 7
    ENOMEM = 12
    EACCES = 13
    EFAULT = 14
    EEXIST = 17
    EINVAL = 22
    ENAMETOOLONG = 36
    EOVERFLOW = 75


class SysError(Exception):
    """A system call fails with `errno`."""

    def __init__(self, errno: Errno) -> None:
        super().__init__(errno.name)
        self.errno = errno
