"""A thread as far as the calls of the file layer look: descriptors, paths, a piece of memory."""

from __future__ import annotations

from types import SimpleNamespace

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.fs.table import FileTable

SIZE = 4096


class Memory:
    """User memory from 0x1000 on."""

    def __init__(self):
        self.data = bytearray(SIZE)

    def _place(self, uaddr, size):
        place = uaddr - 0x1000
        if not 0 <= place <= SIZE - size:
            raise SysError(Errno.EFAULT)
        return place

    def copy_in(self, uaddr, size):
        place = self._place(uaddr, size)
        return bytes(self.data[place : place + size])

    def copy_out(self, uaddr, data):
        place = self._place(uaddr, len(data))
        self.data[place : place + len(data)] = data

    def read_cstring(self, uaddr):
        return bytes(self.data[self._place(uaddr, 1) :]).split(b"\0")[0]

    def read_u64(self, uaddr):
        return int.from_bytes(self.copy_in(uaddr, 8), "little")


def fake_thread(kernel):
    """Return a thread of process 5, on the files of `kernel`."""
    process = SimpleNamespace(space=Memory(), files=FileTable(), fs=kernel.ctx, pid=5)
    system = SimpleNamespace(
        vfs=kernel.vfs,
        clock=SimpleNamespace(now_ns=1000),
        signals=SimpleNamespace(pending=lambda _thread: False),
    )
    return SimpleNamespace(process=process, system=system, blocked=0, saved_mask=None)
