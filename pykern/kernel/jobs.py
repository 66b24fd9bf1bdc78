"""Job control for terminals: who calls, which group gets a signal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.kernel.fs.job_control import Caller
from pykern.kernel.fs.sockets.message import Credentials
from pykern.kernel.task.sigaction import SIG_IGN, SigInfo, Signal, bit

if TYPE_CHECKING:
    from pykern.kernel.fs.tty import Tty
    from pykern.kernel.kernel import Kernel
    from pykern.kernel.task.process import Process

_SI_KERNEL = 0x80


class Jobs:
    """The processes as terminals see them.

    Parameters
    ----------
    kernel : whose
    """

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._terminals: dict[int, Tty] = {}

    def _process(self) -> Process | None:
        cpu = self._kernel.clock.this_cpu
        return cpu.current.process if cpu is not None else None

    def caller(self) -> Caller | None:
        """Return who makes the call; None: the kernel."""
        process = self._process()
        if process is None:
            return None
        tty = self._terminals.get(process.sid)
        return Caller(process.pid, process.pgid, process.sid, tty)

    def signal(self, signal: int, pgid: int) -> None:
        """Send a signal to all processes of a group."""
        self._kernel.signals.send_group(pgid, SigInfo(signal, _SI_KERNEL))

    def broken_pipe(self) -> None:
        """Send SIGPIPE to the caller: it writes to what nobody reads any more."""
        process, cpu = self._process(), self._kernel.clock.this_cpu
        if process is not None and cpu is not None:
            self._kernel.signals.send_thread(cpu.current, SigInfo(Signal.SIGPIPE, pid=process.pid))

    def credentials(self) -> Credentials:
        """Return who makes the call, for the other end of a socket."""
        process = self._process()
        if process is None:
            return Credentials(0, 0, 0)
        who = process.credentials
        return Credentials(process.pid, who.user.effective, who.group.effective)

    def ignores(self, signal: int) -> bool:
        """Tell whether the caller ignores or blocks a signal."""
        process, cpu = self._process(), self._kernel.clock.this_cpu
        if process is None or cpu is None:
            return True
        ignored = process.actions.get(signal).handler == SIG_IGN
        return ignored or bool(cpu.current.blocked & bit(signal))

    def orphaned(self, pgid: int) -> bool:
        """Tell whether no member's parent is in another group of the same session."""
        return self._kernel.processes.orphaned(pgid)

    def session_of(self, pgid: int) -> int | None:
        """Return the session of a process group; None: there is no such group."""
        return next((p.sid for p in self._kernel.processes.group(pgid)), None)

    def set_controlling(self, sid: int, tty: Tty | None) -> None:
        """Make a terminal the controlling one of a session, or take it away."""
        if tty is None:
            self._terminals.pop(sid, None)
        else:
            self._terminals[sid] = tty

    def terminal(self, sid: int) -> Tty | None:
        """Return the controlling terminal of a session."""
        return self._terminals.get(sid)
