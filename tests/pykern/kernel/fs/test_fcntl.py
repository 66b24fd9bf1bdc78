"""fcntl."""

from __future__ import annotations

import pytest

from pykern.kernel.core.errno import Errno
from pykern.kernel.fs.fcntl import fcntl
from pykern.kernel.fs.flags import (
    F_DUPFD,
    F_DUPFD_CLOEXEC,
    F_GETFD,
    F_GETFL,
    F_GETPIPE_SZ,
    F_SETFD,
    F_SETFL,
    F_SETPIPE_SZ,
    O_APPEND,
    O_CREAT,
    O_LARGEFILE,
    O_NONBLOCK,
    O_PATH,
    O_RDWR,
    O_TRUNC,
)
from pykern.kernel.fs.pipe import make_pipe
from pykern.kernel.fs.table import FileTable
from tests.pykern.kernel.fs.harness import Kernel, errno_of


@pytest.fixture
def kernel():
    return Kernel()


@pytest.fixture
def files(kernel):
    files = FileTable(16)
    files.install(kernel.open(b"/a", O_CREAT | O_RDWR | O_TRUNC | O_APPEND))
    return files


def test_numbers_from_a_minimum(files):
    assert fcntl(files, 0, F_DUPFD, 5) == 5
    assert fcntl(files, 0, F_DUPFD_CLOEXEC, 5) == 6
    assert [fcntl(files, fd, F_GETFD, 0) for fd in (5, 6)] == [0, 1]
    assert errno_of(fcntl, files, 0, F_DUPFD, 16) == Errno.EINVAL
    assert errno_of(fcntl, files, 9, F_GETFD, 0) == Errno.EBADF


def test_close_on_exec_is_set_and_cleared(files):
    fcntl(files, 0, F_SETFD, 1)
    assert fcntl(files, 0, F_GETFD, 0) == 1
    fcntl(files, 0, F_SETFD, 0)
    assert fcntl(files, 0, F_GETFD, 0) == 0


def test_status_can_be_set_and_the_access_mode_cannot(files):
    assert fcntl(files, 0, F_GETFL, 0) == O_RDWR | O_APPEND | O_LARGEFILE
    fcntl(files, 0, F_SETFL, O_NONBLOCK | O_CREAT)
    assert fcntl(files, 0, F_GETFL, 0) == O_RDWR | O_NONBLOCK | O_LARGEFILE


def test_the_size_of_a_pipe(kernel, files):
    for end in make_pipe(kernel.vfs):
        files.install(end)
    assert fcntl(files, 1, F_GETPIPE_SZ, 0) == 65536
    assert fcntl(files, 2, F_SETPIPE_SZ, 5000) == 8192
    assert errno_of(fcntl, files, 0, F_GETPIPE_SZ, 0) == Errno.EBADF


def test_an_open_path_has_no_content(kernel, files):
    fd = files.install(kernel.open(b"/a", O_PATH))
    assert errno_of(fcntl, files, fd, F_SETFL, 0) == Errno.EBADF
    assert fcntl(files, fd, F_GETFL, 0) & O_PATH


def test_an_unknown_command_is_refused(files):
    assert errno_of(fcntl, files, 0, 9999, 0) == Errno.EINVAL
