"""Pseudo-terminals; hanging up is compared with the host's."""

from __future__ import annotations

import fcntl
import os
import select
import sys

import pytest

from pykern.kernel.core.errno import Errno
from pykern.kernel.fs.buffer import BytesBuffer
from pykern.kernel.fs.flags import O_NOCTTY, O_NONBLOCK, O_RDWR, POLLHUP, POLLIN, POLLOUT
from pykern.kernel.fs.job_control import NoJobs
from pykern.kernel.fs.open import open_at
from pykern.kernel.fs.path import walk
from pykern.kernel.fs.pty import add_ptmx
from pykern.kernel.fs.termios import WindowSize
from pykern.kernel.fs.types import types
from tests.pykern.kernel.fs.harness import Argument, Kernel, Task, errno_of, read, run, write

TIOCGPTN, TIOCSPTLCK, TIOCGWINSZ, TIOCSWINSZ = 0x80045430, 0x40045431, 0x5413, 0x5414
UNLOCK = Argument(bytes(4))


class Bench:
    def __init__(self, flags: int = O_RDWR):
        self.kernel = Kernel("devtmpfs")
        add_ptmx(self.kernel.vfs.devices, lambda: self.kernel.ns, NoJobs())
        self.master = self.kernel.open(b"/ptmx", flags)

    def slave(self, flags: int = O_RDWR):
        run(self.master.ioctl(TIOCSPTLCK, UNLOCK))
        return self.kernel.open(b"/pts/0", flags | O_NOCTTY)


@pytest.fixture
def it():
    return Bench()


def test_keys_go_in_and_the_screen_comes_out(it):
    slave = it.slave()
    write(it.master, b"ls\r")
    assert read(slave) == b"ls\n"
    write(slave, b"file\n")
    assert read(it.master) == b"ls\r\nfile\r\n"


def test_each_open_makes_a_terminal_and_closing_takes_it_away(it):
    second = it.kernel.open(b"/ptmx", O_RDWR)
    argument = Argument()
    run(second.ioctl(TIOCGPTN, argument))
    assert argument.data == (1).to_bytes(4, "little")
    assert errno_of(walk, it.kernel.ctx, b"/pts/1") is None
    it.master.put()
    assert errno_of(walk, it.kernel.ctx, b"/pts/0") == Errno.ENOENT
    third = it.kernel.open(b"/ptmx", O_RDWR)
    assert third.number == 0


def test_a_terminal_is_locked_at_first(it):
    assert errno_of(open_at, it.kernel.ctx, b"/pts/0", O_RDWR) == Errno.EIO
    assert it.slave()


def test_both_ends_speak_of_one_window(it):
    run(it.master.ioctl(TIOCSWINSZ, Argument(WindowSize(50, 100).pack())))
    argument = Argument()
    run(it.slave().ioctl(TIOCGWINSZ, argument))
    assert argument.data == WindowSize(50, 100).pack()


def test_a_program_waits_while_nobody_looks_at_the_screen(it):
    slave = it.slave()
    task = Task(slave.write(BytesBuffer(bytes(100_000))))
    assert task.asleep
    assert slave.poll(POLLOUT) == 0
    total = 0
    while not task.step().done or it.master.poll(POLLIN):
        total += len(read(it.master))
    assert total == task.value() == 100_000


def test_typing_waits_while_no_program_reads(it):
    slave = it.slave()
    run(slave.ioctl(0x5402, Argument(bytes(36))))
    typed = 0
    task = Task(it.master.write(BytesBuffer(bytes(50_000))))
    while task.step().done:
        typed += task.value()
        task = Task(it.master.write(BytesBuffer(bytes(50_000))))
    assert it.master.poll(POLLOUT) == 0
    assert typed > 65536
    read(slave, 5000)
    assert task.step().done


def test_closing_the_master_hangs_up(it):
    slave = it.slave()
    task = Task(slave.read(BytesBuffer(size=1)))
    it.master.put()
    assert task.value() == 0
    assert errno_of(slave.write, BytesBuffer(b"x")) == Errno.EIO


@pytest.mark.skipif(sys.platform != "linux", reason="the oracle is Linux")
def test_the_master_sees_programs_come_and_go_as_on_linux():
    master = os.open("/dev/ptmx", os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY)
    it = Bench(O_RDWR | O_NONBLOCK)
    try:
        fcntl.ioctl(master, TIOCSPTLCK, bytes(4))
        number = int.from_bytes(fcntl.ioctl(master, TIOCGPTN, bytes(4)), "little")
        name = f"/dev/pts/{number}"
        assert _seen_ours(it) == _seen_host(master)
        for _ in range(2):
            slave, ours = os.open(name, os.O_RDWR | os.O_NOCTTY), it.slave()
            assert _seen_ours(it) == _seen_host(master)
            os.write(slave, b"bye")
            write(ours, b"bye")
            os.close(slave)
            ours.put()
            assert _seen_ours(it) == _seen_host(master)
            assert _seen_ours(it) == _seen_host(master)
    finally:
        os.close(master)


def test_devpts_shows_the_terminals_alone(it):
    fs = types.get("devpts")(b"devpts", {}, it.kernel.vfs)
    assert {entry.name for entry in fs.root.entries()} == {b"0", b"ptmx"}
    it.kernel.mounts.mount(walk(it.kernel.ctx, b"/pts"), fs)
    run(it.master.ioctl(TIOCSPTLCK, UNLOCK))
    assert it.kernel.open(b"/pts/0", O_RDWR | O_NOCTTY).tty is it.master.tty
    it.master.put()
    assert {entry.name for entry in fs.root.entries()} == {b"ptmx"}


def _seen_host(master):
    poller = select.poll()
    poller.register(master, select.POLLIN | select.POLLOUT)
    mask = sum(mask for _, mask in poller.poll(0))
    try:
        return mask & (POLLIN | POLLHUP), os.read(master, 100)
    except OSError as error:
        return mask & (POLLIN | POLLHUP), Errno(error.errno)


def _seen_ours(it):
    mask = it.master.poll(POLLIN | POLLHUP)
    dst = BytesBuffer(size=100)
    errno = errno_of(it.master.read, dst)
    return mask, errno or dst.done
