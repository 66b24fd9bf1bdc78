"""Pseudo-terminals: a terminal whose screen and keys are a file.

Each open of /dev/ptmx makes a pair: the file that was opened, and a terminal /dev/pts/N.

References
----------
POSIX.1-2024, posix_openpt(); Linux pty(7), ptmx(4), ioctl_tty(2).
"""

from __future__ import annotations

from itertools import count
from stat import S_IFCHR
from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.core.wait import WaitQueue
from pykern.kernel.fs.file import File
from pykern.kernel.fs.flags import O_NONBLOCK, POLLHUP, READABLE, WRITABLE
from pykern.kernel.fs.tty import Tty, open_tty
from pykern.kernel.fs.tty_ioctl import ioctl

if TYPE_CHECKING:
    from collections.abc import Callable

    from pykern.kernel.fs.buffer import Buffer
    from pykern.kernel.fs.devices import DeviceTable
    from pykern.kernel.fs.file import IoctlArgument
    from pykern.kernel.fs.job_control import JobControl
    from pykern.kernel.fs.location import Location

__all__ = ["PtyFile", "add_ptmx"]

SCREEN_SIZE = 65536
SLAVE_MAJOR = 136
FIONREAD, TIOCGPGRP, TIOCGSID = 0x541B, 0x540F, 0x5429
TIOCGPTN, TIOCSPTLCK, TIOCGPTLCK = 0x80045430, 0x40045431, 0x80045439


class PtyFile(File):
    """The file that stands for the screen and keys of a terminal.

    Parameters
    ----------
    number : N of /dev/pts/N

    Attributes
    ----------
    on_release : called when the number is free again
    """

    def __init__(
        self,
        location: Location,
        flags: int,
        number: int,
        devices: DeviceTable,
        now_ns: Callable[[], int],
        jobs: JobControl,
    ) -> None:
        super().__init__(location, flags)
        self.number = number
        self.on_release: Callable[[], None] = lambda: None
        self._devices = devices
        self._screen = bytearray()
        self._shown = WaitQueue()
        self._taken = WaitQueue()
        self._locked = True
        self._was_opened = False
        self.tty = Tty(
            f"pts/{number}", (SLAVE_MAJOR, number), self._show, now_ns, jobs,
            has_room=lambda: len(self._screen) < SCREEN_SIZE,
        )  # fmt: skip
        self.tty.on_last_close = self._shown.wake_all
        self.tty.discipline.on_read = self._taken.wake_all
        devices.add(self.tty.name, self.tty.number, self._open_slave, mode=S_IFCHR | 0o620)

    def release(self) -> None:
        """Hang up, and take the terminal out of /dev."""
        self._devices.remove(self.tty.name)
        self.tty.hang_up()
        self.on_release()

    def _open_slave(self, location: Location, flags: int) -> File:
        if self._locked:
            raise SysError(Errno.EIO)
        self._was_opened = True
        return open_tty(self.tty, location, flags)

    def _show(self, data: bytes) -> None:
        self._screen += data
        self._shown.wake_all()

    @property
    def _abandoned(self) -> bool:
        """Whether programs had the terminal open, and none has it now."""
        return self._was_opened and not self.tty.users

    async def read(self, dst: Buffer) -> int:
        """Read what programs have written to the terminal.

        Raises
        ------
        SysError(EIO) : nothing is left, and nobody has the terminal open any more
        """
        self.require_readable()
        with self:
            while not self._screen and dst.remaining:
                if self._abandoned:
                    raise SysError(Errno.EIO)
                if self.flags & O_NONBLOCK:
                    raise SysError(Errno.EAGAIN)
                await self._shown.wait()
        data = bytes(self._screen[: dst.remaining])
        del self._screen[: len(data)]
        dst.put(data)
        self.tty.writable.wake_all()
        return len(data)

    async def write(self, src: Buffer) -> int:
        """Type on the terminal, as much as there is room for."""
        self.require_writable()
        with self:
            while not self.tty.discipline.room:
                if self.flags & O_NONBLOCK:
                    raise SysError(Errno.EAGAIN)
                await self._taken.wait()
        data = src.take(self.tty.discipline.room)
        self.tty.receive(data)
        return len(data)

    def poll(self, events: int) -> int:
        """Return what holds; POLLHUP while nobody has the terminal open any more."""
        mask = READABLE if self._screen else 0
        if self.tty.discipline.room:
            mask |= WRITABLE
        if self._abandoned:
            mask |= POLLHUP
        return mask & (events | POLLHUP)

    @property
    def queues(self) -> tuple[WaitQueue, ...]:
        """What is woken when `poll` may answer differently."""
        return (self._shown, self._taken)

    async def ioctl(self, request: int, argument: IoctlArgument) -> int:
        """Tell the number, lock the terminal; all else is asked of the terminal."""
        if request == TIOCGPTN:
            argument.write(self.number.to_bytes(4, "little"))
        elif request == TIOCSPTLCK:
            self._locked = any(argument.read(4))
        elif request == TIOCGPTLCK:
            argument.write(self._locked.to_bytes(4, "little"))
        elif request == FIONREAD:
            argument.write(len(self._screen).to_bytes(4, "little"))
        elif request in {TIOCGPGRP, TIOCGSID}:
            # Whoever has the keys may ask, although it is not his controlling terminal.
            number = self.tty.pgid if request == TIOCGPGRP else self.tty.sid
            argument.write(number.to_bytes(4, "little"))
        else:
            return ioctl(self.tty, request, argument)
        return 0


def add_ptmx(devices: DeviceTable, now_ns: Callable[[], int], jobs: JobControl) -> None:
    """Register ptmx.

    Parameters
    ----------
    now_ns : virtual time since boot
    jobs : who has processes
    """
    used: set[int] = set()

    def open_pair(location: Location, flags: int) -> File:
        number = next(n for n in count() if n not in used)
        used.add(number)
        file = PtyFile(location, flags, number, devices, now_ns, jobs)
        file.on_release = lambda: used.discard(number)
        return file

    devices.add("ptmx", (5, 2), open_pair)
