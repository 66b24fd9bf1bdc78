"""epoll and eventfd as programs call them."""

from __future__ import annotations

import struct

import pytest

from pykern.kernel.core.errno import Errno
from pykern.kernel.fs.flags import O_CLOEXEC, POLLIN
from pykern.kernel.syscalls import events
from tests.pykern.kernel.fs.harness import Kernel, Task, errno_of, run, write
from tests.pykern.kernel.syscalls.fake_thread import fake_thread
from tests.virtual_time import VirtualClock

AT = 0x1000
ADD, DEL = 1, 2


@pytest.fixture
def thread():
    return fake_thread(Kernel())


def test_an_event_comes_back_with_its_data(thread):
    epfd = events.epoll_create1(thread, O_CLOEXEC)
    fd = events.eventfd2(thread, 0, 0)
    thread.process.space.copy_out(AT, struct.pack("<IQ", POLLIN, 0xABCDEF0123456789))
    assert events.epoll_ctl(thread, epfd, ADD, fd, AT) == 0
    task = Task(events.epoll_wait(thread, epfd, AT + 100, 10, -1))
    assert task.asleep
    assert task.wait.deadline_ns is None
    write(thread.process.files.get(fd), (1).to_bytes(8, "little"))
    assert task.value() == 1
    told = thread.process.space.copy_in(AT + 100, 12)
    assert struct.unpack("<IQ", told) == (POLLIN, 0xABCDEF0123456789)
    assert events.epoll_ctl(thread, epfd, DEL, fd, 0) == 0
    assert thread.process.files.cloexec(epfd)


def test_a_time_limit_is_in_milliseconds(thread):
    epfd = events.epoll_create(thread, 1)
    thread.process.space.copy_out(AT, (0xFF).to_bytes(8, "little"))
    task = Task(events.epoll_pwait(thread, epfd, AT, 10, 5, AT))
    assert task.wait.deadline_ns == 1000 + 5_000_000
    assert (thread.saved_mask, thread.blocked) == (0, 0xFF)
    task.wait.time_out()
    assert task.value() == 0


def test_refusals(thread):
    epfd, fd = events.epoll_create1(thread, 0), events.eventfd(thread, 3)
    assert errno_of(events.epoll_create, thread, 0) == Errno.EINVAL
    assert errno_of(events.epoll_create1, thread, 1) == Errno.EINVAL
    assert errno_of(events.eventfd2, thread, 0, 2) == Errno.EINVAL
    assert errno_of(events.epoll_ctl, thread, epfd, ADD, fd, 0) == Errno.EFAULT
    assert errno_of(events.epoll_ctl, thread, fd, ADD, epfd, AT) == Errno.EINVAL
    assert errno_of(events.epoll_ctl, thread, epfd, ADD, 99, AT) == Errno.EBADF
    assert errno_of(events.epoll_wait, thread, fd, AT, 1, 0) == Errno.EINVAL
    assert errno_of(events.epoll_wait, thread, epfd, AT, 0, 0) == Errno.EINVAL


def test_no_descriptor_is_left_over(thread):
    thread.process.files.limit = 0
    assert errno_of(events.eventfd, thread, 0) == Errno.EMFILE
    assert thread.system.vfs.unnamed.users == 0


def test_a_counter_starts_where_it_is_told(thread):
    file = thread.process.files.get(events.eventfd(thread, 3))
    assert file.count == 3
    assert run(file.read(_Eight())) == 8


class _Eight:
    remaining = 8

    def put(self, data):
        assert data == (3).to_bytes(8, "little")


# --- timers --------------------------------------------------------------------------------------

ITIMERSPEC = struct.Struct("<4q")
SECOND = 1_000_000_000


def settime(thread, fd, value, interval=(0, 0), flags=0, old=0):
    thread.process.space.copy_out(AT, ITIMERSPEC.pack(*interval, *value))
    return events.timerfd_settime(thread, fd, flags, AT, old)


def told(thread, uaddr):
    return ITIMERSPEC.unpack(thread.process.space.copy_in(uaddr, ITIMERSPEC.size))


@pytest.fixture
def timed(thread):
    thread.system.clock = VirtualClock()
    thread.system.realtime_ns = 100 * SECOND
    return thread


@pytest.mark.parametrize(
    ("clockid", "flags", "value"),
    [(1, 0, (5, 7)), (1, 1, (5, 7)), (0, 1, (105, 7)), (7, 0, (5, 7))],
)
def test_a_timer_goes_by_its_clock(timed, clockid, flags, value):
    fd = events.timerfd_create(timed, clockid, 0)
    assert settime(timed, fd, value, flags=flags) == 0
    events.timerfd_gettime(timed, fd, AT + 200)
    assert told(timed, AT + 200) == (0, 0, 5, 7)
    assert timed.system.clock.jump()
    assert timed.system.clock.now_ns == 5 * SECOND + 7
    assert timed.process.files.get(fd).poll(POLLIN) == POLLIN


def test_a_timer_is_stopped_and_tells_what_it_was(timed):
    fd = events.timerfd_create(timed, 1, O_CLOEXEC)
    settime(timed, fd, (5, 0), (2, 0))
    settime(timed, fd, (0, 0), old=AT + 200)
    assert told(timed, AT + 200) == (2, 0, 5, 0)
    assert timed.system.clock.pending == 0


def test_timers_are_checked(timed):
    fd = events.timerfd_create(timed, 1, 0)
    assert errno_of(events.timerfd_create, timed, 5, 0) == Errno.EINVAL
    assert errno_of(settime, timed, fd, (0, SECOND)) == Errno.EINVAL
    assert errno_of(settime, timed, fd, (-1, 0)) == Errno.EINVAL
    assert errno_of(settime, timed, fd, (1, 0), flags=4) == Errno.EINVAL
    assert errno_of(settime, timed, events.eventfd(timed, 0), (1, 0)) == Errno.EINVAL
