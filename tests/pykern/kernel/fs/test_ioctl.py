"""Requests that every descriptor answers."""

from __future__ import annotations

import pytest

from pykern.kernel.core.errno import Errno
from pykern.kernel.fs.buffer import BytesBuffer
from pykern.kernel.fs.flags import O_NONBLOCK, O_PATH
from pykern.kernel.fs.ioctl import ioctl
from pykern.kernel.fs.pipe import make_pipe
from pykern.kernel.fs.table import FileTable
from tests.pykern.kernel.fs.harness import Argument, Kernel, errno_of, read, run, write

ON, OFF = Argument((1).to_bytes(4, "little")), Argument(bytes(4))


@pytest.fixture
def files():
    kernel = Kernel()
    kernel.write(b"/a", b"content")
    files = FileTable()
    for file in (kernel.open(b"/a"), *make_pipe(kernel.vfs), kernel.open(b"/a", O_PATH)):
        files.install(file)
    return files


def test_close_on_exec(files):
    run(ioctl(files, 0, 0x5451, ON))
    assert files.cloexec(0)
    run(ioctl(files, 0, 0x5450, ON))
    assert not files.cloexec(0)


def test_a_pipe_can_be_told_not_to_block(files):
    run(ioctl(files, 1, 0x5421, ON))
    assert errno_of(files.get(1).read, BytesBuffer(size=1)) == Errno.EAGAIN
    run(ioctl(files, 1, 0x5421, OFF))
    assert not files.get(1).flags & O_NONBLOCK


def test_how_much_can_be_read(files):
    argument = Argument()
    read(files.get(0), 3)
    run(ioctl(files, 0, 0x541B, argument))
    assert argument.data == (4).to_bytes(4, "little")
    write(files.get(2), b"xy")
    run(ioctl(files, 1, 0x541B, argument))
    assert argument.data == (2).to_bytes(4, "little")


def test_the_rest_is_the_business_of_the_file(files):
    assert errno_of(ioctl, files, 0, 0x5401, Argument()) == Errno.ENOTTY
    assert errno_of(ioctl, files, 3, 0x541B, Argument()) == Errno.EBADF
    assert errno_of(ioctl, files, 9, 0x541B, Argument()) == Errno.EBADF
