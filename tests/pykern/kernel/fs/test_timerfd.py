"""Timers as files."""

from __future__ import annotations

import pytest

from pykern.kernel.core.errno import Errno
from pykern.kernel.fs.buffer import BytesBuffer
from pykern.kernel.fs.flags import O_NONBLOCK, POLLIN
from pykern.kernel.fs.timerfd import make_timerfd
from tests.pykern.kernel.fs.harness import Kernel, Task, errno_of, read
from tests.virtual_time import VirtualClock


@pytest.fixture
def clock():
    return VirtualClock()


@pytest.fixture
def timer(clock):
    return make_timerfd(Kernel().vfs, clock)


def number(n):
    return n.to_bytes(8, "little")


def test_a_reader_waits_for_the_timer(timer, clock):
    timer.set(50, 0)
    task = Task(timer.read(BytesBuffer(size=8)))
    assert task.asleep
    assert timer.remaining() == (50, 0)
    clock.advance(50)
    assert task.value() == 8
    assert timer.remaining() == (0, 0)


def test_a_read_takes_all_that_has_expired(timer, clock):
    timer.set(10, 5)
    clock.advance(21)
    assert timer.poll(POLLIN) == POLLIN
    assert read(timer, 8) == number(3)
    assert timer.poll(POLLIN) == 0
    assert timer.remaining() == (4, 5)


def test_a_jump_of_the_clock_counts_all_of_it(timer, clock):
    timer.set(10, 5)
    clock.now_ns = 21
    clock.jump()
    assert read(timer, 8) == number(3)
    assert timer.remaining() == (4, 5)


def test_setting_it_anew_forgets_what_has_expired(timer, clock):
    timer.set(10, 0)
    clock.advance(10)
    timer.set(None, 0)
    assert timer.poll(POLLIN) == 0
    assert clock.pending == 0


def test_a_closed_timer_stops(timer, clock):
    timer.set(10, 10)
    timer.put()
    assert clock.pending == 0


def test_refusals(timer):
    timer.set_status(O_NONBLOCK)
    assert errno_of(timer.read, BytesBuffer(size=8)) == Errno.EAGAIN
    assert errno_of(timer.read, BytesBuffer(size=7)) == Errno.EINVAL
    assert errno_of(timer.write, BytesBuffer(b"x")) == Errno.EINVAL
