"""Who a process is: users and groups, and what they may do to other processes.

What file permissions are checked against (the file-system user and group, the supplementary groups)
lies in its `FsContext`, which follows the effective ones.

References
----------
POSIX.1-2017, setuid, setreuid, kill; Linux, credentials(7), setresuid(2), setfsuid(2).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError

if TYPE_CHECKING:
    from pykern.kernel.fs.context import FsContext

UNCHANGED = -1
ROOT = 0
ALL_CAPABILITIES = (1 << 41) - 1
"""Capabilities 0 to 40, CAP_CHECKPOINT_RESTORE; user 0 has them all, others none."""


@dataclass
class Ids:
    """The three identifiers of a user, or of a group.

    Attributes
    ----------
    real : whose process it is
    effective : whose rights it has
    saved : what the effective one may become again
    """

    real: int = 0
    effective: int = 0
    saved: int = 0

    def __contains__(self, number: int) -> bool:
        return number in {self.real, self.effective, self.saved}

    def become(self, number: int, *, privileged: bool) -> None:
        """Do setuid or setgid.

        Raises
        ------
        SysError(EINVAL) : -1
        SysError(EPERM) : neither privileged nor the real or the saved one
        """
        if number == UNCHANGED:
            raise SysError(Errno.EINVAL)
        if privileged:
            self.real = self.effective = self.saved = number
        elif number in {self.real, self.saved}:
            self.effective = number
        else:
            raise SysError(Errno.EPERM)

    def set_two(self, real: int, effective: int, *, privileged: bool) -> None:
        """Do setreuid or setregid; -1 leaves one as it is.

        Raises
        ------
        SysError(EPERM) : not privileged, and one is new
        """
        if not privileged:
            if real not in {UNCHANGED, self.real, self.effective}:
                raise SysError(Errno.EPERM)
            if effective != UNCHANGED and effective not in self:
                raise SysError(Errno.EPERM)
        saves = real != UNCHANGED or effective not in {UNCHANGED, self.real}
        if real != UNCHANGED:
            self.real = real
        if effective != UNCHANGED:
            self.effective = effective
        if saves:
            self.saved = self.effective

    def set_three(self, real: int, effective: int, saved: int, *, privileged: bool) -> None:
        """Do setresuid or setresgid; -1 leaves one as it is.

        Raises
        ------
        SysError(EPERM) : not privileged, and one is new
        """
        wanted = (real, effective, saved)
        if not privileged and any(n != UNCHANGED and n not in self for n in wanted):
            raise SysError(Errno.EPERM)
        before = (self.real, self.effective, self.saved)
        self.real, self.effective, self.saved = (
            old if new == UNCHANGED else new for new, old in zip(wanted, before, strict=True)
        )


@dataclass
class Credentials:
    """Users and groups of a process.

    Attributes
    ----------
    no_new_privileges : programs with set-user-ID give no rights any more (PR_SET_NO_NEW_PRIVS)
    """

    user: Ids = field(default_factory=Ids)
    group: Ids = field(default_factory=Ids)
    no_new_privileges: bool = False

    @property
    def privileged(self) -> bool:
        """Whether it may do everything."""
        return self.user.effective == ROOT

    @property
    def changed_rights(self) -> bool:
        """Whether the program runs with other rights than its caller has (AT_SECURE)."""
        user, group = self.user, self.group
        return user.real != user.effective or group.real != group.effective

    def copy(self) -> Credentials:
        """Return a child's."""
        return Credentials(replace(self.user), replace(self.group), self.no_new_privileges)

    def apply(self, fs: FsContext) -> None:
        """Have files checked against the effective user and group."""
        fs.uid, fs.gid = self.user.effective, self.group.effective

    def may_signal(self, target: Credentials) -> bool:
        """Tell whether kill is allowed, but for SIGCONT within a session."""
        mine, theirs = self.user, target.user
        return self.privileged or not {mine.real, mine.effective}.isdisjoint(
            {theirs.real, theirs.saved}
        )

    def owns(self, target: Credentials) -> bool:
        """Tell whether the target's priority and the like may be changed."""
        effective = self.user.effective
        return self.privileged or effective in {target.user.real, target.user.effective}
