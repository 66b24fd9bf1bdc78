"""Advisory locks; the host's open-file-description locks let one process play several owners."""

from __future__ import annotations

import fcntl as host_fcntl
import os
import struct
import sys
import tempfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pykern.kernel.core.errno import Errno
from pykern.kernel.core.wait import Interrupted
from pykern.kernel.fs.flags import FILE_SIZE_MAX, O_CREAT, O_RDONLY, O_RDWR, O_WRONLY
from pykern.kernel.fs.locks import (
    F_RDLCK,
    F_UNLCK,
    F_WRLCK,
    LOCK_EX,
    LOCK_NB,
    LOCK_SH,
    LOCK_UN,
    RangeLock,
    blocking_range,
    flock,
    range_of,
    set_range,
)
from pykern.kernel.fs.table import FileTable
from tests.pykern.kernel.fs.harness import Kernel, Task, errno_of, run

END = FILE_SIZE_MAX + 1


@pytest.fixture
def kernel():
    kernel = Kernel()
    kernel.write(b"/a", b"x" * 100)
    return kernel


@pytest.fixture
def file(kernel):
    return kernel.open(b"/a", O_RDWR)


def hold(file, owner, kind, start=0, end=END, *, wait=False):
    return set_range(file, RangeLock(kind, start, end, owner, 1), wait=wait)


def test_a_range_that_is_written_has_one_owner(file):
    run(hold(file, "A", F_WRLCK, 10, 20))
    assert errno_of(hold, file, "B", F_RDLCK, 15, 16) == Errno.EAGAIN
    assert errno_of(hold, file, "B", F_WRLCK, 20, 30) is None
    assert errno_of(hold, file, "A", F_RDLCK, 15, 16) is None
    assert errno_of(hold, file, "B", F_RDLCK, 15, 16) is None


def test_waiting_ends_when_the_range_is_free(file):
    run(hold(file, "A", F_WRLCK))
    task = Task(hold(file, "B", F_WRLCK, 5, 6, wait=True))
    assert task.asleep
    run(hold(file, "A", F_UNLCK, 0, 5))
    assert task.asleep
    run(hold(file, "A", F_UNLCK, 5, 6))
    assert task.value() is None


def test_a_waiter_that_was_woken_and_one_that_comes_agree(file):
    run(hold(file, "A", F_WRLCK))
    task = Task(hold(file, "B", F_WRLCK, wait=True))
    run(hold(file, "A", F_UNLCK))
    run(hold(file, "C", F_WRLCK))
    assert task.asleep
    run(hold(file, "C", F_UNLCK))
    assert task.value() is None
    assert errno_of(hold, file, "A", F_RDLCK) == Errno.EAGAIN


def test_two_do_not_wait_for_each_other(file):
    run(hold(file, "A", F_WRLCK, 0, 1))
    run(hold(file, "B", F_WRLCK, 1, 2))
    task = Task(hold(file, "A", F_WRLCK, 1, 2, wait=True))
    assert task.asleep
    assert errno_of(hold, file, "B", F_WRLCK, 0, 1, wait=True) == Errno.EDEADLK
    task.wait.interrupt()
    with pytest.raises(Interrupted):
        task.value()
    assert Task(hold(file, "B", F_WRLCK, 0, 1, wait=True)).asleep


def test_closing_any_descriptor_gives_the_ranges_up(kernel, file):
    files = FileTable()
    first, second = files.install(file), files.install(kernel.open(b"/a"))
    run(hold(file, files, F_WRLCK))
    other = kernel.open(b"/a", O_RDWR)
    assert blocking_range(other, RangeLock(F_RDLCK, 0, 1, "B")).pid == 1
    files.close(second)
    assert blocking_range(other, RangeLock(F_RDLCK, 0, 1, "B")) is None
    assert file.inode.locks.ranges == []
    files.close(first)


def test_a_lock_needs_the_access_mode(kernel):
    assert errno_of(hold, kernel.open(b"/a", O_WRONLY), "A", F_RDLCK) == Errno.EBADF
    assert errno_of(hold, kernel.open(b"/a", O_RDONLY), "A", F_WRLCK) == Errno.EBADF
    assert errno_of(hold, kernel.open(b"/a", O_RDONLY), "A", 9) == Errno.EINVAL


def test_ranges_are_given_as_in_struct_flock(file):
    file.offset = 50
    assert range_of(file, 0, 5, 3) == (5, 8)
    assert range_of(file, 1, -10, 0) == (40, END)
    assert range_of(file, 2, 0, -100) == (0, 100)
    assert errno_of(range_of, file, 2, 0, -101) == Errno.EINVAL
    assert errno_of(range_of, file, 3, 0, 0) == Errno.EINVAL
    assert errno_of(range_of, file, 0, 1, FILE_SIZE_MAX + 1) == Errno.EOVERFLOW


# --- flock ---------------------------------------------------------------------------------------


def test_a_whole_file_is_shared_or_alone(kernel, file):
    other = kernel.open(b"/a")
    run(flock(file, LOCK_SH))
    run(flock(other, LOCK_SH))
    assert errno_of(flock, file, LOCK_EX | LOCK_NB) == Errno.EAGAIN
    run(flock(other, LOCK_UN))
    run(flock(file, LOCK_EX))
    assert errno_of(flock, other, LOCK_SH | LOCK_NB) == Errno.EAGAIN
    task = Task(flock(other, LOCK_SH))
    assert task.asleep
    file.put()
    assert task.value() is None
    assert errno_of(flock, other, 9) == Errno.EINVAL


# --- the host ------------------------------------------------------------------------------------

FLOCK = struct.Struct("<hh4xqqi4x")
F_OFD_GETLK, F_OFD_SETLK = 36, 37
ranges = st.tuples(st.integers(0, 12), st.integers(0, 6))
steps = st.lists(
    st.tuples(
        st.sampled_from(["set", "set", "get", "close"]),
        st.integers(0, 2),
        st.sampled_from([F_RDLCK, F_WRLCK, F_UNLCK]),
        ranges,
    ),
    max_size=15,
)


@pytest.mark.skipif(sys.platform != "linux", reason="the oracle is Linux")
@settings(max_examples=300)
@given(steps)
def test_ranges_are_those_of_linux(sequence):
    kernel = Kernel()
    with tempfile.NamedTemporaryFile() as place:
        host = [os.open(place.name, os.O_RDWR) for _ in range(3)]
        ours = [kernel.open(b"/a", O_CREAT | O_RDWR) for _ in range(3)]
        for name, who, kind, (start, length) in sequence:
            if name == "close":
                os.close(host[who])
                host[who] = os.open(place.name, os.O_RDWR)
                ours[who].put()
                ours[who] = kernel.open(b"/a", O_RDWR)
            elif name == "set":
                expected = _host_set(host[who], kind, start, length)
                assert (sequence, _ours_set(ours[who], kind, start, length)) == (sequence, expected)
            elif kind != F_UNLCK:
                expected = _host_get(host[who], kind, start, length)
                # Which of several is told is not specified.
                found = _ours_get(ours[who], kind, start, length)
                assert (sequence, bool(found)) == (sequence, expected is not None)
                assert expected is None or expected in found
        for fd in host:
            os.close(fd)


def _host_set(fd, kind, start, length):
    try:
        host_fcntl.fcntl(fd, F_OFD_SETLK, FLOCK.pack(kind, 0, start, length, 0))
    except OSError as error:
        return Errno(error.errno)
    return None


def _host_get(fd, kind, start, length):
    found = host_fcntl.fcntl(fd, F_OFD_GETLK, FLOCK.pack(kind, 0, start, length, 0))
    kind, _, start, length, _ = FLOCK.unpack(found)
    return None if kind == F_UNLCK else (kind, start, start + length if length else END)


def _ours_set(file, kind, start, length):
    return errno_of(hold, file, file, kind, *range_of(file, 0, start, length))


def _ours_get(file, kind, start, length):
    wanted = RangeLock(kind, *range_of(file, 0, start, length), file)
    held = file.inode.locks.blocking(wanted) if file.inode.locks else []
    return [(found.kind, found.start, found.end) for found in held]
