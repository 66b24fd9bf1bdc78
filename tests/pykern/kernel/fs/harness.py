"""A kernel with nothing but files: virtual time, and tasks that sleep."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.fs.buffer import BytesBuffer
from pykern.kernel.fs.char_devices import add_memory_devices
from pykern.kernel.fs.context import FsContext, Vfs
from pykern.kernel.fs.flags import O_CREAT, O_RDWR
from pykern.kernel.fs.mount import Mounts
from pykern.kernel.fs.open import open_at
from pykern.kernel.fs.types import types

if TYPE_CHECKING:
    from pykern.kernel.core.wait import Wait


class Task:
    """A coroutine, run until it sleeps or ends."""

    def __init__(self, coroutine):
        self.coroutine = coroutine
        self.wait: Wait | None = None
        self.result = None
        self.error: BaseException | None = None
        self.done = False
        self.step()

    def step(self):
        """Run on, once the wait is over."""
        while not self.done and (self.wait is None or self.wait.result is not None):
            try:
                self.wait = self.coroutine.send(None)
            except StopIteration as end:
                self.done, self.result = True, end.value
            except Exception as error:
                self.done, self.error = True, error
        return self

    def value(self):
        """Return the result; the task has ended."""
        self.step()
        assert self.done, "still asleep"
        if self.error:
            raise self.error
        return self.result

    @property
    def asleep(self):
        """Whether it waits."""
        return not self.step().done


def run(coroutine):
    """Return the result of what does not sleep."""
    return Task(coroutine).value()


def errno_of(call, *args, **kwargs) -> Errno | None:
    """Return the errno a call (or a coroutine function) fails with; None: it works."""
    try:
        result = call(*args, **kwargs)
        if hasattr(result, "send"):
            run(result)
    except SysError as error:
        return error.errno
    return None


class Kernel:
    """Files of a machine that was just switched on."""

    def __init__(self, root: str = "tmpfs", **options: str):
        self.ns = 1_000_000_000_000
        self.vfs = Vfs(lambda: self.ns)
        add_memory_devices(self.vfs.devices, bytes)
        self.fs = types.get(root)(b"none", options, self.vfs)
        self.mounts = Mounts(self.fs)
        self.ctx = FsContext.at_root(self.vfs, self.mounts)

    def open(self, path: bytes, flags: int = 0, mode: int = 0o666, **kwargs):
        return run(open_at(self.ctx, path, flags, mode, **kwargs))

    def write(self, path: bytes, data: bytes) -> None:
        file = self.open(path, O_CREAT | O_RDWR)
        assert run(file.write(BytesBuffer(data))) == len(data)
        file.put()

    def read(self, path: bytes) -> bytes:
        file = self.open(path)
        data = read(file)
        file.put()
        return data


def read(file, size: int = 1 << 20) -> bytes:
    """Return what one read gives."""
    dst = BytesBuffer(size=size)
    count = run(file.read(dst))
    assert len(dst.done) == count
    return dst.done


def write(file, data: bytes) -> int:
    """Return what one write takes."""
    return run(file.write(BytesBuffer(data)))


class Argument:
    """The argument of an ioctl."""

    def __init__(self, data: bytes = b"", value: int = 0):
        self.data = data
        self.value = value

    def read(self, size: int) -> bytes:
        assert len(self.data) >= size
        return self.data[:size]

    def write(self, data: bytes) -> None:
        self.data = data
