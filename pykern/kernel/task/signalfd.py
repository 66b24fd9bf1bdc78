"""signalfd: pending signals as a file.

References
----------
Linux, signalfd(2), include/uapi/linux/signalfd.h.
"""

from __future__ import annotations

import struct
from stat import S_IFREG
from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.fs.file import File
from pykern.kernel.fs.flags import O_NONBLOCK, O_RDWR, READABLE
from pykern.kernel.fs.inode import Inode
from pykern.kernel.fs.location import Location
from pykern.kernel.task.sigaction import SI_QUEUE, SI_TIMER, Signal
from pykern.kernel.task.sigframe import FAULTS, siginfo

if TYPE_CHECKING:
    from collections.abc import Callable

    from pykern.kernel.core.wait import WaitQueue
    from pykern.kernel.fs.buffer import Buffer
    from pykern.kernel.fs.context import Vfs
    from pykern.kernel.task.sigaction import SigInfo
    from pykern.kernel.task.thread import UserThread

__all__ = ["SignalFile", "make_signalfd", "take_pending"]

RECORD_SIZE = 128
_HEAD = struct.Struct("<Iii")
_PID, _TID, _STATUS, _VALUE, _ADDRESS = 12, 24, 40, 44, 72


def take_pending(thread: UserThread, wanted: int) -> SigInfo | None:
    """Take a signal of a set that was sent to a thread or to its process."""
    others = ~wanted
    return thread.pending.take(others) or thread.process.pending.take(others)


class SignalFile(File):
    """The signals of a set that are pending for whoever reads.

    Attributes
    ----------
    mask : the set
    """

    def __init__(
        self, location: Location, flags: int, mask: int, reader: Callable[[], UserThread]
    ) -> None:
        super().__init__(location, flags)
        self.mask = mask
        self._reader = reader
        self.name_it = lambda: b"anon_inode:[signalfd]"

    async def read(self, dst: Buffer) -> int:
        """Take as many signals as there are and fit, at least one.

        Raises
        ------
        SysError(EINVAL) : no room for one
        """
        if dst.remaining < RECORD_SIZE:
            raise SysError(Errno.EINVAL)
        thread, size = self._reader(), 0
        with self:
            while (info := take_pending(thread, self.mask)) is None:
                if self.flags & O_NONBLOCK:
                    raise SysError(Errno.EAGAIN)
                await thread.process.signal_arrived.wait()
        while info is not None:
            dst.put(record(info))
            size += RECORD_SIZE
            room = dst.remaining >= RECORD_SIZE
            info = take_pending(thread, self.mask) if room else None
        return size

    def poll(self, events: int) -> int:
        """Return whether one of the signals is pending for the caller."""
        thread = self._reader()
        pending = thread.pending.mask | thread.process.pending.mask
        return events & READABLE if pending & self.mask else 0

    @property
    def queues(self) -> tuple[WaitQueue, ...]:
        """What is woken when `poll` may answer differently."""
        return (self._reader().process.signal_arrived,)


def record(info: SigInfo) -> bytes:
    """Return a struct signalfd_siginfo."""
    raw = siginfo(info)
    signal, errno, code = struct.unpack_from("<iii", raw)
    first, second, third = struct.unpack_from("<IIi", raw, 16)
    out = bytearray(RECORD_SIZE)
    _HEAD.pack_into(out, 0, signal, errno, code)
    if signal in FAULTS and code > 0:
        struct.pack_into("<Q", out, _ADDRESS, info.address)
        return bytes(out)
    if code == SI_TIMER:
        struct.pack_into("<I4xI", out, _TID, first, second)
    else:
        struct.pack_into("<II", out, _PID, first, second)
    if code in {SI_QUEUE, SI_TIMER}:
        struct.pack_into("<iQ", out, _VALUE, third, *struct.unpack_from("<Q", raw, 24))
    elif signal == Signal.SIGCHLD:
        struct.pack_into("<i", out, _STATUS, third)
    return bytes(out)


def make_signalfd(
    vfs: Vfs, mask: int, reader: Callable[[], UserThread], flags: int = 0
) -> SignalFile:
    """Return a new file.

    Parameters
    ----------
    reader : the thread that makes a call
    flags : O_NONBLOCK
    """
    location = Location(vfs.unnamed, Inode(vfs.unnamed.fs, S_IFREG | 0o600))
    return SignalFile(location, O_RDWR | flags & O_NONBLOCK, mask, reader)
