"""close_range, memfd_create and fadvise64 as programs call them."""

from __future__ import annotations

import pytest

from pykern.kernel.core.errno import Errno
from pykern.kernel.fs.pipe import make_pipe
from pykern.kernel.syscalls.descriptors import close_range, fadvise64, memfd_create
from tests.pykern.kernel.fs.harness import Kernel, errno_of
from tests.pykern.kernel.syscalls.fake_thread import fake_thread

NAME = 0x1000
UNSHARE, CLOEXEC = 2, 4


@pytest.fixture
def thread():
    thread = fake_thread(Kernel())
    thread.process.threads = [thread]
    thread.process.space.copy_out(NAME, b"name\0")
    return thread


def test_files_in_memory_are_closed_by_the_dozen(thread):
    fds = [memfd_create(thread, NAME, n % 2) for n in range(12)]
    assert thread.process.files.cloexec(1)
    assert close_range(thread, 3, 5, CLOEXEC | UNSHARE) == 0
    assert thread.process.files.cloexec(4)
    assert close_range(thread, 4, 0xFFFFFFFF, 0) == 0
    assert [fd for fd, _ in thread.process.files] == fds[:4]
    assert thread.process.files.get(0).name == b"/memfd:name"


def test_refusals(thread):
    fd = memfd_create(thread, NAME, 0)
    assert errno_of(memfd_create, thread, NAME, 64) == Errno.EINVAL
    assert errno_of(memfd_create, thread, 5, 0) == Errno.EFAULT
    assert errno_of(close_range, thread, 2, 1, 0) == Errno.EINVAL
    assert errno_of(close_range, thread, 0, 1, 1) == Errno.EINVAL
    thread.process.threads = [thread, thread]
    assert errno_of(close_range, thread, 0, 1, UNSHARE) == Errno.EINVAL
    assert errno_of(fadvise64, thread, fd, 0, -1, 0) == Errno.EINVAL
    assert errno_of(fadvise64, thread, fd, 0, 0, 9) == Errno.EINVAL
    thread.process.files.limit = 0
    assert errno_of(memfd_create, thread, NAME, 0) == Errno.EMFILE


def test_advice_is_for_what_has_places(thread):
    fd = memfd_create(thread, NAME, 0)
    pipe = thread.process.files.install(make_pipe(thread.system.vfs)[0])
    assert fadvise64(thread, fd, 0, 0, 2) == 0
    assert errno_of(fadvise64, thread, pipe, 0, 0, 2) == Errno.ESPIPE
