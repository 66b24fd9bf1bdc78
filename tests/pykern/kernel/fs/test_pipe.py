"""Pipes and FIFOs; cites MEL-51."""

from __future__ import annotations

import os
import select
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pykern.kernel.core.errno import Errno
from pykern.kernel.core.wait import Interrupted
from pykern.kernel.fs.buffer import BytesBuffer
from pykern.kernel.fs.entries import mknod
from pykern.kernel.fs.flags import (
    O_NONBLOCK,
    O_RDONLY,
    O_RDWR,
    O_WRONLY,
    POLLERR,
    POLLHUP,
    POLLIN,
    POLLOUT,
)
from pykern.kernel.fs.open import open_at
from pykern.kernel.fs.pipe import CAPACITY, make_pipe
from tests.pykern.kernel.fs.harness import Argument, Kernel, Task, errno_of, read, run, write


@pytest.fixture
def kernel():
    return Kernel()


@pytest.fixture
def ends(kernel):
    return make_pipe(kernel.vfs)


def test_what_is_written_is_read(ends):
    reader, writer = ends
    assert write(writer, b"abcde") == 5
    assert read(reader, 3) == b"abc"
    assert read(reader) == b"de"


def test_a_reader_sleeps_until_something_is_written(ends):
    reader, writer = ends
    task = Task(reader.read(BytesBuffer(size=10)))
    assert task.asleep
    write(writer, b"x")
    assert task.value() == 1


def test_a_reader_gets_the_end_when_the_last_writer_goes(ends):
    reader, writer = ends
    task = Task(reader.read(BytesBuffer(size=10)))
    writer.get()
    writer.put()
    assert task.asleep
    writer.put()
    assert task.value() == 0


def test_a_writer_sleeps_while_the_pipe_is_full(ends):
    reader, writer = ends
    data = bytes(range(256)) * 300
    task = Task(writer.write(BytesBuffer(data)))
    assert task.asleep
    got = b""
    while len(got) < len(data):
        got += read(reader, 5000)
        task.step()
    assert task.value() == len(data)
    assert got == data


def test_small_writes_are_never_mixed(ends):
    reader, writer = ends
    write(writer, bytes(CAPACITY - 100))
    first = Task(writer.write(BytesBuffer(b"a" * 4096)))
    second = Task(writer.write(BytesBuffer(b"b" * 4096)))
    assert read(reader, CAPACITY) == bytes(CAPACITY - 100)
    assert first.value() == second.value() == 4096
    assert read(reader, CAPACITY) in {b"a" * 4096 + b"b" * 4096, b"b" * 4096 + b"a" * 4096}


def test_without_a_reader_the_writer_is_told(kernel, ends):
    told = []
    kernel.vfs.on_broken_pipe = lambda: told.append("SIGPIPE")
    reader, writer = make_pipe(kernel.vfs)
    reader.put()
    assert errno_of(writer.write, BytesBuffer(b"x")) == Errno.EPIPE
    assert told == ["SIGPIPE"]


def test_a_sleeping_writer_is_told_when_the_reader_goes(ends):
    reader, writer = ends
    task = Task(writer.write(BytesBuffer(bytes(CAPACITY + 1))))
    assert task.asleep
    reader.put()
    assert task.value() == CAPACITY
    assert errno_of(writer.write, BytesBuffer(b"x")) == Errno.EPIPE


def test_an_interrupted_write_returns_what_it_wrote(ends):
    _, writer = ends
    task = Task(writer.write(BytesBuffer(bytes(CAPACITY + 1))))
    task.wait.interrupt()
    assert task.value() == CAPACITY
    task = Task(writer.write(BytesBuffer(b"x")))
    task.wait.interrupt()
    with pytest.raises(Interrupted):
        task.value()


def test_a_reader_that_sleeps_keeps_its_end_open(ends):
    """Another thread of the process closes the descriptor meanwhile."""
    reader, writer = ends
    task = Task(reader.read(BytesBuffer(size=10)))
    reader.put()
    assert task.asleep
    assert write(writer, b"x") == 1
    assert task.value() == 1
    assert errno_of(writer.write, BytesBuffer(b"x")) == Errno.EPIPE


def test_nonblocking_ends_do_not_sleep(kernel):
    reader, writer = make_pipe(kernel.vfs, O_NONBLOCK)
    assert errno_of(reader.read, BytesBuffer(size=1)) == Errno.EAGAIN
    assert write(writer, bytes(CAPACITY + 5000)) == CAPACITY
    assert errno_of(writer.write, BytesBuffer(b"x")) == Errno.EAGAIN


def test_an_end_does_one_thing(ends):
    reader, writer = ends
    assert errno_of(reader.write, BytesBuffer(b"x")) == Errno.EBADF
    assert errno_of(writer.read, BytesBuffer(size=1)) == Errno.EBADF
    assert errno_of(reader.lseek, 0, 0) == Errno.ESPIPE


def test_the_capacity_can_be_set(ends):
    reader, writer = ends
    writer.pipe.resize(5000)
    assert writer.pipe.capacity == 8192
    write(writer, bytes(8000))
    assert errno_of(writer.pipe.resize, 4096) == Errno.EBUSY
    assert errno_of(writer.pipe.resize, 1 << 21) == Errno.EPERM
    argument = Argument()
    run(reader.ioctl(0x541B, argument))
    assert argument.data == (8000).to_bytes(4, "little")


# --- poll ----------------------------------------------------------------------------------------

# Linux counts room in pages that may be partly filled; of whole pages both count the same.
whole_pages = st.sampled_from([4096, 8192, 17 * 4096])
steps = st.lists(
    st.one_of(
        st.tuples(st.just("write"), whole_pages),
        st.tuples(st.just("read"), whole_pages),
        st.tuples(st.sampled_from(["close reader", "close writer"]), st.just(0)),
    ),
    max_size=8,
)


@pytest.mark.skipif(sys.platform != "linux", reason="the oracle is Linux")
@settings(max_examples=200)
@given(steps)
def test_poll_and_results_are_those_of_linux(sequence):
    kernel = Kernel()
    ours = dict(zip(["reader", "writer"], make_pipe(kernel.vfs, O_NONBLOCK), strict=True))
    host = dict(zip(["reader", "writer"], os.pipe2(os.O_NONBLOCK), strict=True))
    try:
        for name, size in sequence:
            assert (name, size, _ours(ours, name, size)) == (name, size, _host(host, name, size))
            assert _poll_ours(ours) == _poll_host(host)
    finally:
        for fd in host.values():
            os.close(fd)


def _ours(ends, name, size):
    if name.startswith("close"):
        end = ends.pop(name.split()[1], None)
        return end and end.put()
    end = ends.get("reader" if name == "read" else "writer")
    if end is None:
        return None
    buffer = BytesBuffer(size=size)
    operation = end.read if name == "read" else end.write
    return errno_of(operation, buffer) or len(buffer.done)


def _host(ends, name, size):
    if name.startswith("close"):
        end = ends.pop(name.split()[1], None)
        return end and os.close(end)
    end = ends.get("reader" if name == "read" else "writer")
    if end is None:
        return None
    try:
        return len(os.read(end, size)) if name == "read" else os.write(end, bytes(size))
    except OSError as error:
        return Errno(error.errno)


def _poll_ours(ends):
    return {name: end.poll(POLLIN | POLLOUT) for name, end in ends.items()}


def _poll_host(ends):
    masks = {}
    for name, fd in ends.items():
        poller = select.poll()
        poller.register(fd, select.POLLIN | select.POLLOUT)
        masks[name] = sum(mask for _, mask in poller.poll(0))
    return masks


# --- FIFOs ---------------------------------------------------------------------------------------


@pytest.fixture
def fifo(kernel):
    mknod(kernel.ctx, b"/fifo", 0o010666)
    return kernel


def test_open_of_a_fifo_waits_for_the_other_end(fifo):
    reader = Task(open_at(fifo.ctx, b"/fifo", O_RDONLY))
    assert reader.asleep
    writer = fifo.open(b"/fifo", O_WRONLY)
    write(writer, b"hi")
    writer.put()
    assert read(reader.value()) == b"hi"
    assert read(reader.value()) == b""


def test_a_short_visit_of_the_other_end_is_not_missed(fifo):
    writer = Task(open_at(fifo.ctx, b"/fifo", O_WRONLY))
    fifo.open(b"/fifo", O_RDONLY | O_NONBLOCK).put()
    assert errno_of(writer.value().write, BytesBuffer(b"x")) == Errno.EPIPE


def test_a_writer_that_will_not_wait_needs_a_reader(fifo):
    assert errno_of(open_at, fifo.ctx, b"/fifo", O_WRONLY | O_NONBLOCK) == Errno.ENXIO
    reader = fifo.open(b"/fifo", O_RDONLY | O_NONBLOCK)
    assert reader.poll(POLLIN | POLLHUP) == 0
    assert errno_of(open_at, fifo.ctx, b"/fifo", O_WRONLY | O_NONBLOCK) is None


def test_one_open_can_have_both_ends(fifo):
    both = fifo.open(b"/fifo", O_RDWR)
    write(both, b"x")
    assert read(both) == b"x"
    assert both.poll(POLLIN | POLLOUT | POLLERR) == POLLOUT


def test_an_interrupted_open_leaves_nothing(fifo):
    reader = Task(open_at(fifo.ctx, b"/fifo", O_RDONLY))
    reader.wait.interrupt()
    with pytest.raises(Interrupted):
        reader.value()
    assert errno_of(open_at, fifo.ctx, b"/fifo", O_WRONLY | O_NONBLOCK) == Errno.ENXIO
    assert fifo.mounts.root.mount.users == 0
