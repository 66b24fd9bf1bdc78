"""poll and eventfd."""

from __future__ import annotations

import pytest

from pykern.kernel.core.errno import Errno
from pykern.kernel.core.wait import Interrupted
from pykern.kernel.fs.buffer import BytesBuffer
from pykern.kernel.fs.eventfd import EFD_SEMAPHORE, make_eventfd
from pykern.kernel.fs.flags import O_CREAT, O_NONBLOCK, O_RDWR, POLLHUP, POLLIN, POLLNVAL, POLLOUT
from pykern.kernel.fs.pipe import make_pipe
from pykern.kernel.fs.poll import poll
from tests.pykern.kernel.fs.harness import Kernel, Task, errno_of, read, run, write


@pytest.fixture
def kernel():
    return Kernel()


def test_poll_waits_for_the_first_that_is_ready(kernel):
    pipes = [make_pipe(kernel.vfs) for _ in range(3)]
    task = Task(poll([(reader, POLLIN) for reader, _ in pipes]))
    assert task.asleep
    write(pipes[1][1], b"x")
    assert task.value() == [0, POLLIN, 0]


def test_poll_takes_no_wakeup_from_a_reader(kernel):
    reader, writer = make_pipe(kernel.vfs)
    reading = Task(reader.read(BytesBuffer(size=1)))
    polling = Task(poll([(reader, POLLIN)]))
    write(writer, b"xy")
    assert reading.value() == 1
    assert polling.value() == [POLLIN]


def test_what_is_ready_needs_no_waiting(kernel):
    reader, writer = make_pipe(kernel.vfs)
    regular = kernel.open(b"/a", O_CREAT | O_RDWR)
    assert run(poll([(writer, POLLOUT), (reader, POLLIN)])) == [POLLOUT, 0]
    assert run(poll([(None, POLLIN), (reader, POLLIN)])) == [POLLNVAL, 0]
    assert run(poll([(regular, POLLIN | POLLOUT)])) == [POLLIN | POLLOUT]
    writer.put()
    assert run(poll([(reader, 0)])) == [POLLHUP]


def test_a_deadline_ends_the_wait(kernel):
    reader, _writer = make_pipe(kernel.vfs)
    task = Task(poll([(reader, POLLIN)], deadline_ns=5))
    assert task.wait.deadline_ns == 5
    task.wait.time_out()
    assert task.value() == [0]


def test_a_signal_ends_the_wait(kernel):
    task = Task(poll([]))
    task.wait.interrupt()
    with pytest.raises(Interrupted):
        task.value()


# --- eventfd -------------------------------------------------------------------------------------


def number(n):
    return n.to_bytes(8, "little")


def test_a_counter_adds_up(kernel):
    file = make_eventfd(kernel.vfs, 3)
    write(file, number(4))
    assert read(file, 8) == number(7)
    task = Task(file.read(BytesBuffer(size=8)))
    assert task.asleep
    write(file, number(1))
    assert task.value() == 8


def test_a_semaphore_counts_down(kernel):
    file = make_eventfd(kernel.vfs, 2, EFD_SEMAPHORE | O_NONBLOCK)
    assert [read(file, 8), read(file, 8)] == [number(1)] * 2
    assert errno_of(file.read, BytesBuffer(size=8)) == Errno.EAGAIN


def test_a_full_counter_waits(kernel):
    file = make_eventfd(kernel.vfs, 0)
    write(file, number((1 << 64) - 2))
    assert file.poll(POLLIN | POLLOUT) == POLLIN
    task = Task(file.write(BytesBuffer(number(1))))
    assert task.asleep
    read(file, 8)
    assert task.value() == 8
    assert errno_of(file.write, BytesBuffer(b"\xff" * 8)) == Errno.EINVAL
    assert errno_of(file.write, BytesBuffer(b"x")) == Errno.EINVAL
    assert errno_of(file.read, BytesBuffer(size=7)) == Errno.EINVAL
