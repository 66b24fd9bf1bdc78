"""What terminals need to know of processes, and how they are told.

References
----------
POSIX.1-2024, General Terminal Interface, The Controlling Terminal and Access Control.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pykern.kernel.fs.tty import Tty

__all__ = ["SIGCONT", "SIGHUP", "SIGTTIN", "SIGTTOU", "SIGWINCH", "Caller", "JobControl", "NoJobs"]

SIGHUP, SIGCONT, SIGTTIN, SIGTTOU, SIGWINCH = 1, 18, 21, 22, 28


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes the call.

    Attributes
    ----------
    pid, pgid, sid : process, process group, session
    tty : controlling terminal of the session
    """

    pid: int
    pgid: int
    sid: int
    tty: Tty | None


class JobControl(Protocol):
    """Implemented by the layer that has processes."""

    def caller(self) -> Caller | None:
        """Return who makes the call; None: the kernel, which nothing stops."""
        ...

    def signal(self, signal: int, pgid: int) -> None:
        """Send a signal to all processes of a group."""
        ...

    def ignores(self, signal: int) -> bool:
        """Whether the caller ignores or blocks a signal."""
        ...

    def orphaned(self, pgid: int) -> bool:
        """Whether nobody in the session could continue this group if it stopped."""
        ...

    def session_of(self, pgid: int) -> int | None:
        """Return the session of a group; None: there is no such group."""
        ...

    def set_controlling(self, sid: int, tty: Tty | None) -> None:
        """Make a terminal the controlling one of a session, or take it away."""
        ...


class NoJobs:
    """The kernel alone: nobody is stopped, and signals reach nobody."""

    def caller(self) -> Caller | None:
        """Return None: the kernel."""
        return None

    def signal(self, signal: int, pgid: int) -> None:
        """Reach nobody."""

    def ignores(self, signal: int) -> bool:
        """Return False."""
        return False

    def orphaned(self, pgid: int) -> bool:
        """Return False."""
        return False

    def session_of(self, pgid: int) -> int | None:
        """Return None: there are no groups."""
        return None

    def set_controlling(self, sid: int, tty: Tty | None) -> None:
        """Nobody has one."""
