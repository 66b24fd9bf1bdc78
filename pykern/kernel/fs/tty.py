"""Terminals: the line discipline as a file, with job control.

References
----------
POSIX.1-2024, General Terminal Interface; Linux drivers/tty/{tty_io,tty_jobctrl,n_tty}.c.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.core.wait import Interrupted, WaitQueue
from pykern.kernel.fs.file import File
from pykern.kernel.fs.flags import O_NOCTTY, O_NONBLOCK, POLLERR, POLLHUP, READABLE, WRITABLE
from pykern.kernel.fs.job_control import SIGCONT, SIGHUP, SIGTTIN, SIGTTOU, Caller, JobControl
from pykern.kernel.fs.termios import TOSTOP, VMIN, VTIME, WindowSize
from pykern.kernel.fs.tty_input import LineDiscipline
from pykern.kernel.fs.tty_ioctl import ioctl

if TYPE_CHECKING:
    from collections.abc import Callable

    from pykern.kernel.fs.buffer import Buffer
    from pykern.kernel.fs.devices import DeviceTable, Opener
    from pykern.kernel.fs.file import IoctlArgument
    from pykern.kernel.fs.location import Location

__all__ = ["Tty", "TtyFile", "add_console", "add_tty"]

# What is written at once between two looks at flow control and signals, bytes.
CHUNK = 4096
TENTH_NS = 100_000_000


class Tty:
    """A terminal.

    Parameters
    ----------
    name : below /dev
    number : major and minor
    send : takes bytes for the terminal's screen
    now_ns : virtual time since boot, for VTIME
    jobs : who has processes
    has_room : whether `send` can take more; `writable` is to be woken when that becomes true

    Attributes
    ----------
    pgid : foreground process group; 0: none
    sid : session whose controlling terminal it is; 0: none
    readable : woken by input
    writable : woken when output goes on after Ctrl-Q, and by room
    users : open files
    on_last_close : called when there is none left
    """

    def __init__(
        self,
        name: str,
        number: tuple[int, int],
        send: Callable[[bytes], None],
        now_ns: Callable[[], int],
        jobs: JobControl,
        *,
        has_room: Callable[[], bool] = lambda: True,
    ) -> None:
        self.name = name
        self.number = number
        self.now_ns = now_ns
        self.jobs = jobs
        self.pgid = 0
        self.sid = 0
        self.window = WindowSize()
        self.exclusive = False
        self.users = 0
        self.on_last_close: Callable[[], object] = lambda: None
        self.has_room = has_room
        self.hung_up = False
        self.readable = WaitQueue()
        self.writable = WaitQueue()
        self.discipline = LineDiscipline(send, self._signal, self._flow_changed)

    def receive(self, data: bytes) -> None:
        """Take what was typed: called by the driver."""
        self.discipline.receive(data)
        if self.discipline.available:
            self.readable.wake_all()

    @property
    def blocked(self) -> bool:
        """Whether a write has to wait."""
        return self.discipline.stopped or not self.has_room()

    def hang_up(self) -> None:
        """End the connection: readers get the end of file, the session SIGHUP."""
        self.hung_up = True
        self.abandon()
        self.readable.wake_all()
        self.writable.wake_all()

    def abandon(self) -> None:
        """Stop being a controlling terminal: the session's leader has gone."""
        if self.pgid:
            self.jobs.signal(SIGHUP, self.pgid)
            self.jobs.signal(SIGCONT, self.pgid)
        if self.sid:
            self.jobs.set_controlling(self.sid, None)
        self.sid = self.pgid = 0

    def control(self, caller: Caller) -> None:
        """Become the controlling terminal of the caller's session."""
        self.sid, self.pgid = caller.sid, caller.pgid
        self.jobs.set_controlling(caller.sid, self)

    def require_foreground(self, signal: int) -> None:
        """Stop a background process that reads (SIGTTIN), or writes or sets modes (SIGTTOU).

        Raises
        ------
        Interrupted : the signal was sent; the call is made again once the process goes on
        SysError(EIO) : the signal would not stop it
        """
        caller = self.jobs.caller()
        if caller is None or caller.tty is not self or self.pgid in {0, caller.pgid}:
            return
        if self.jobs.ignores(signal):
            if signal == SIGTTIN:
                raise SysError(Errno.EIO)
            return
        if self.jobs.orphaned(caller.pgid):
            raise SysError(Errno.EIO)
        self.jobs.signal(signal, caller.pgid)
        raise Interrupted

    def _signal(self, signal: int) -> None:
        if self.pgid:
            self.jobs.signal(signal, self.pgid)

    def _flow_changed(self) -> None:
        if not self.discipline.stopped:
            self.writable.wake_all()


class TtyFile(File):
    """An open terminal."""

    def __init__(self, location: Location, flags: int, tty: Tty) -> None:
        super().__init__(location, flags)
        self.tty = tty
        tty.users += 1

    def release(self) -> None:
        """Tell the terminal when nobody has it open any more."""
        self.tty.users -= 1
        if not self.tty.users:
            self.tty.on_last_close()

    async def read(self, dst: Buffer) -> int:
        """Read a line, or bytes as VMIN and VTIME say.

        Raises
        ------
        SysError(EIO) : a background process that cannot be stopped
        """
        self.require_readable()
        self.tty.require_foreground(SIGTTIN)
        if not dst.remaining:
            return 0
        with self:
            if self.tty.discipline.canonical:
                return await self._read_line(dst)
            return await self._read_raw(dst)

    async def _read_line(self, dst: Buffer) -> int:
        discipline = self.tty.discipline
        while not discipline.available:
            if self.tty.hung_up:
                return 0
            await self._wait_for_input(None)
            self.tty.require_foreground(SIGTTIN)
        data = (
            discipline.read_line(dst.remaining)
            if discipline.canonical
            else discipline.read_raw(dst.remaining)
        )
        dst.put(data)
        return len(data)

    async def _read_raw(self, dst: Buffer) -> int:
        """Read by VMIN and VTIME: with both, the time runs between bytes, else for the whole read.

        References
        ----------
        POSIX.1-2024, Non-Canonical Mode Input Processing.
        """
        discipline = self.tty.discipline
        minimum = discipline.termios.cc[VMIN]
        tenths = discipline.termios.cc[VTIME]
        deadline = None if minimum else self._after(tenths)
        total = 0
        while dst.remaining:
            if not discipline.available:
                if self.tty.hung_up or not (minimum or tenths):
                    break
                if not await self._wait_for_more(deadline, total):
                    break
                continue
            data = discipline.read_raw(dst.remaining)
            dst.put(data)
            total += len(data)
            if total >= max(minimum, 1):
                break
            if tenths:
                deadline = self._after(tenths)
        return total

    def _after(self, tenths: int) -> int:
        return self.tty.now_ns() + tenths * TENTH_NS

    async def _wait_for_more(self, deadline: int | None, total: int) -> bool:
        """Sleep until there is input; False: the read is over with what it has."""
        try:
            return await self._wait_for_input(deadline)
        except (Interrupted, SysError):
            if not total:
                raise
            return False

    async def _wait_for_input(self, deadline: int | None) -> bool:
        if self.flags & O_NONBLOCK:
            raise SysError(Errno.EAGAIN)
        return await self.tty.readable.wait(deadline_ns=deadline)

    async def write(self, src: Buffer) -> int:
        """Write all, through the output modes; it sleeps while output is stopped.

        Raises
        ------
        SysError(EIO) : the terminal has hung up
        """
        self.require_writable()
        tty = self.tty
        if tty.discipline.termios.lflag & TOSTOP:
            tty.require_foreground(SIGTTOU)
        with self:
            return await self._write(src)

    async def _write(self, src: Buffer) -> int:
        tty = self.tty
        total = src.remaining
        while src.remaining:
            if tty.hung_up:
                raise SysError(Errno.EIO)
            if not tty.blocked:
                tty.discipline.output.write(src.take(CHUNK), tty.discipline.termios)
            elif not await self._wait_for_flow(written=src.remaining < total):
                break
        return total - src.remaining

    async def _wait_for_flow(self, *, written: bool) -> bool:
        """Sleep until output goes on; False: the write is over with what it has done."""
        try:
            if self.flags & O_NONBLOCK:
                raise SysError(Errno.EAGAIN)
            await self.tty.writable.wait()
        except (Interrupted, SysError):
            if not written:
                raise
            return False
        return True

    def poll(self, events: int) -> int:
        """Return what holds; VMIN counts for reading where VTIME is 0."""
        tty = self.tty
        if tty.hung_up:
            return events & (READABLE | WRITABLE) | POLLERR | POLLHUP
        mask = 0 if tty.blocked else WRITABLE
        cc = tty.discipline.termios.cc
        enough = 1 if tty.discipline.canonical or cc[VTIME] else max(cc[VMIN], 1)
        if tty.discipline.available >= enough:
            mask |= READABLE
        return events & mask

    @property
    def queues(self) -> tuple[WaitQueue, ...]:
        """What is woken when `poll` may answer differently."""
        return (self.tty.readable, self.tty.writable)

    async def ioctl(self, request: int, argument: IoctlArgument) -> int:
        """Do what is asked of a terminal."""
        return ioctl(self.tty, request, argument)


def open_tty(tty: Tty, location: Location, flags: int, *, controls: bool = True) -> TtyFile:
    """Return an open terminal; a session leader without one gets it as controlling terminal.

    Parameters
    ----------
    controls : whether this node can become a controlling terminal

    Raises
    ------
    SysError(EIO) : it has hung up
    SysError(EBUSY) : somebody has it for himself (TIOCEXCL)
    """
    if tty.hung_up:
        raise SysError(Errno.EIO)
    caller = tty.jobs.caller()
    if tty.exclusive and caller is not None:
        raise SysError(Errno.EBUSY)
    leads = caller is not None and caller.pid == caller.sid and caller.tty is None
    if caller and leads and controls and not tty.sid and not flags & O_NOCTTY:
        tty.control(caller)
    return TtyFile(location, flags, tty)


def add_tty(devices: DeviceTable, tty: Tty) -> None:
    """Register a terminal by its name and number."""
    devices.add(tty.name, tty.number, lambda at, flags: open_tty(tty, at, flags))


def add_console(devices: DeviceTable, tty: Tty) -> None:
    """Register console, which is this terminal, and tty, which is the caller's own."""
    console: Opener = lambda at, flags: open_tty(tty, at, flags, controls=False)  # noqa: E731
    devices.add("console", (5, 1), console)

    def own(at: Location, flags: int) -> File:
        caller = tty.jobs.caller()
        if caller is None or caller.tty is None:
            raise SysError(Errno.ENXIO)
        return TtyFile(at, flags, caller.tty)

    devices.add("tty", (5, 0), own)
