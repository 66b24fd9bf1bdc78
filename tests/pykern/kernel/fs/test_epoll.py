"""epoll, compared with the host's."""

from __future__ import annotations

import os
import select
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pykern.kernel.core.errno import Errno
from pykern.kernel.fs.buffer import BytesBuffer
from pykern.kernel.fs.epoll import (
    EPOLL_CTL_ADD,
    EPOLL_CTL_DEL,
    EPOLL_CTL_MOD,
    EPOLLET,
    EPOLLONESHOT,
    make_epoll,
)
from pykern.kernel.fs.flags import O_CREAT, O_NONBLOCK, O_RDWR, POLLHUP, POLLIN, POLLOUT
from pykern.kernel.fs.pipe import make_pipe
from tests.pykern.kernel.fs.harness import Kernel, Task, errno_of, run, write


@pytest.fixture
def kernel():
    return Kernel()


@pytest.fixture
def epoll(kernel):
    return make_epoll(kernel.vfs)


def test_a_waiter_wakes_when_a_file_becomes_ready(kernel, epoll):
    reader, writer = make_pipe(kernel.vfs)
    epoll.control(EPOLL_CTL_ADD, 5, reader, POLLIN, 77)
    task = Task(epoll.wait(10))
    assert task.asleep
    write(writer, b"x")
    assert task.value() == [(POLLIN, 77)]
    assert run(epoll.wait(10)) == [(POLLIN, 77)]


def test_a_waiter_wakes_when_a_ready_file_is_added(kernel, epoll):
    _, writer = make_pipe(kernel.vfs)
    task = Task(epoll.wait(10))
    epoll.control(EPOLL_CTL_ADD, 5, writer, POLLOUT, 1)
    assert task.value() == [(POLLOUT, 1)]


def test_a_deadline_ends_the_wait(epoll):
    task = Task(epoll.wait(10, deadline_ns=9))
    assert task.wait.deadline_ns == 9
    task.wait.time_out()
    assert task.value() == []


def test_the_set_is_checked(kernel, epoll):
    reader, _writer = make_pipe(kernel.vfs)
    regular = kernel.open(b"/a", O_CREAT | O_RDWR)
    assert errno_of(epoll.control, EPOLL_CTL_ADD, 1, epoll, 0, 0) == Errno.EINVAL
    assert errno_of(epoll.control, EPOLL_CTL_ADD, 1, regular, 0, 0) == Errno.EPERM
    assert errno_of(epoll.control, EPOLL_CTL_MOD, 1, reader, 0, 0) == Errno.ENOENT
    assert errno_of(epoll.control, 9, 1, reader, 0, 0) == Errno.EINVAL
    assert errno_of(epoll.wait, 0) == Errno.EINVAL
    epoll.control(EPOLL_CTL_ADD, 1, reader, POLLIN, 0)
    assert errno_of(epoll.control, EPOLL_CTL_ADD, 1, reader, 0, 0) == Errno.EEXIST
    epoll.control(EPOLL_CTL_ADD, 2, reader, POLLIN, 0)


def test_sets_may_be_nested_and_not_in_a_ring(kernel, epoll):
    outer = make_epoll(kernel.vfs)
    reader, writer = make_pipe(kernel.vfs)
    outer.control(EPOLL_CTL_ADD, 1, epoll, POLLIN, 1)
    epoll.control(EPOLL_CTL_ADD, 2, reader, POLLIN, 2)
    assert errno_of(epoll.control, EPOLL_CTL_ADD, 3, outer, POLLIN, 3) == Errno.ELOOP
    task = Task(outer.wait(10))
    assert task.asleep
    write(writer, b"x")
    assert task.value() == [(POLLIN, 1)]


def test_a_closed_file_leaves_the_set(kernel, epoll):
    reader, writer = make_pipe(kernel.vfs)
    epoll.control(EPOLL_CTL_ADD, 1, reader, POLLIN, 1)
    write(writer, b"x")
    reader.put()
    assert epoll.poll(POLLIN) == 0
    epoll.put()
    assert not reader.pipe.readable.watched


def test_those_that_are_always_ready_take_turns(kernel, epoll):
    for number in range(3):
        _, writer = make_pipe(kernel.vfs)
        epoll.control(EPOLL_CTL_ADD, number, writer, POLLOUT, number)
    assert [run(epoll.wait(2))[0][1] for _ in range(3)] == [0, 2, 1]


steps = st.lists(
    st.one_of(
        st.tuples(
            st.just("control"),
            st.sampled_from([EPOLL_CTL_ADD, EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD]),
            st.sampled_from(["reader", "writer"]),
            st.sampled_from([0, POLLIN, POLLOUT, POLLIN | POLLOUT]),
            st.sampled_from([0, 0, EPOLLET, EPOLLONESHOT]),
        ),
        st.tuples(st.sampled_from(["write", "read", "close reader", "close writer", "wait"])),
        st.tuples(st.sampled_from(["write", "read", "wait", "wait"])),
    ),
    max_size=15,
)


@pytest.mark.skipif(sys.platform != "linux", reason="the oracle is Linux")
@settings(max_examples=300)
@given(steps)
def test_events_are_those_of_linux(sequence):
    ours, host = Ours(), Host()
    try:
        for name, *arguments in sequence:
            method = name.replace(" ", "_")
            assert (sequence, name, getattr(ours, method)(*arguments)) == (
                sequence, name, getattr(host, method)(*arguments),
            )  # fmt: skip
    finally:
        host.end()


NUMBERS = {"reader": 100, "writer": 200}


class Ours:
    def __init__(self):
        kernel = Kernel()
        self.epoll = make_epoll(kernel.vfs)
        self.ends = dict(zip(NUMBERS, make_pipe(kernel.vfs, O_NONBLOCK), strict=True))

    def control(self, operation, end, events, modifier):
        if end not in self.ends:
            return Errno.EBADF
        arguments = (operation, NUMBERS[end], self.ends[end], events | modifier, NUMBERS[end])
        return errno_of(self.epoll.control, *arguments)

    def write(self):
        return "writer" in self.ends and errno_of(self.ends["writer"].write, BytesBuffer(b"x"))

    def read(self):
        return "reader" in self.ends and errno_of(self.ends["reader"].read, BytesBuffer(size=9))

    def close_reader(self):
        if "reader" in self.ends:
            self.ends.pop("reader").put()

    def close_writer(self):
        if "writer" in self.ends:
            self.ends.pop("writer").put()

    def wait(self):
        task = Task(self.epoll.wait(9, deadline_ns=0))
        if not task.done:
            task.wait.time_out()
        return sorted((data, mask) for mask, data in task.value())


class Host:
    def __init__(self):
        self.epoll = select.epoll()
        self.ends = dict(zip(NUMBERS, os.pipe2(os.O_NONBLOCK), strict=True))

    def end(self):
        self.epoll.close()
        for fd in self.ends.values():
            os.close(fd)

    def _errno(self, call, *arguments):
        try:
            call(*arguments)
        except OSError as error:
            return Errno(error.errno)
        return None

    def control(self, operation, end, events, modifier):
        if end not in self.ends:
            return Errno.EBADF
        calls = {1: self.epoll.register, 2: self.epoll.unregister, 3: self.epoll.modify}
        arguments = [self.ends[end]] + [events | modifier] * (operation != EPOLL_CTL_DEL)
        return self._errno(calls[operation], *arguments)

    def write(self):
        return "writer" in self.ends and self._errno(os.write, self.ends["writer"], b"x")

    def read(self):
        return "reader" in self.ends and self._errno(os.read, self.ends["reader"], 9)

    def close_reader(self):
        if "reader" in self.ends:
            os.close(self.ends.pop("reader"))

    def close_writer(self):
        if "writer" in self.ends:
            os.close(self.ends.pop("writer"))

    def wait(self):
        names = {fd: NUMBERS[end] for end, fd in self.ends.items()}
        return sorted((names[fd], mask) for fd, mask in self.epoll.poll(0))


def test_a_hangup_is_told_unasked(kernel, epoll):
    reader, writer = make_pipe(kernel.vfs)
    epoll.control(EPOLL_CTL_ADD, 1, reader, 0, 1)
    task = Task(epoll.wait(1))
    writer.put()
    assert task.value() == [(POLLHUP, 1)]
