"""flock and the range locks of fcntl, as programs call them."""

from __future__ import annotations

import struct

import pytest

from pykern.kernel.core.errno import Errno
from pykern.kernel.fs.flags import O_RDWR
from pykern.kernel.syscalls.locks import RANGE_COMMANDS, flock, lock_range
from tests.pykern.kernel.fs.harness import Kernel, Task, errno_of, run
from tests.pykern.kernel.syscalls.fake_thread import fake_thread

F_GETLK, F_SETLK, F_SETLKW, F_OFD_SETLK = 5, 6, 7, 37
RDLCK, WRLCK, UNLCK = range(3)
AT = 0x1000
FLOCK = struct.Struct("<hh4xqqi4x")


@pytest.fixture
def threads():
    """Two processes, each with one open file at descriptor 0."""
    kernel = Kernel()
    kernel.write(b"/a", b"x" * 100)
    threads = [fake_thread(kernel) for _ in range(2)]
    for number, thread in enumerate(threads):
        thread.process.pid = 5 + number
        thread.process.files.install(kernel.open(b"/a", O_RDWR))
    return threads


def call(thread, op, kind, start=0, length=0, whence=0, pid=0):
    thread.process.space.copy_out(AT, FLOCK.pack(kind, whence, start, length, pid))
    return lock_range(thread, 0, op, AT)


def test_one_process_keeps_another_out(threads):
    one, two = threads
    assert {F_GETLK, F_SETLK, F_SETLKW, F_OFD_SETLK} <= RANGE_COMMANDS
    run(call(one, F_SETLK, WRLCK, 10, 5))
    assert errno_of(call, two, F_SETLK, RDLCK, 14, 1) == Errno.EAGAIN
    task = Task(call(two, F_SETLKW, RDLCK, 14, 1))
    assert task.asleep
    run(call(one, F_SETLK, UNLCK))
    assert task.value() == 0


def test_who_is_in_the_way_is_told(threads):
    one, two = threads
    run(call(one, F_SETLK, WRLCK, 10, 0))
    run(call(two, F_GETLK, RDLCK, 0, 50))
    told = FLOCK.unpack(two.process.space.copy_in(AT, FLOCK.size))
    assert told == (WRLCK, 0, 10, 0, 5)
    run(call(two, F_GETLK, RDLCK, 0, 10))
    assert FLOCK.unpack(two.process.space.copy_in(AT, FLOCK.size))[0] == UNLCK


def test_refusals(threads):
    one, _ = threads
    assert errno_of(lock_range, one, 0, F_SETLK, 0) == Errno.EFAULT
    assert errno_of(call, one, F_GETLK, UNLCK) == Errno.EINVAL
    assert errno_of(call, one, F_SETLK, 9) == Errno.EINVAL
    assert errno_of(call, one, F_OFD_SETLK, WRLCK, pid=5) == Errno.EINVAL
    assert errno_of(call, one, F_SETLK, WRLCK, -1) == Errno.EINVAL


def test_a_whole_file(threads):
    one, two = threads
    assert run(flock(one, 0, 2)) == 0
    assert errno_of(flock, two, 0, 1 | 4) == Errno.EAGAIN
    assert errno_of(flock, two, 9, 1) == Errno.EBADF
