"""Terminals as files: modes of reading, job control, ioctls."""

from __future__ import annotations

import pytest

from pykern.kernel.core.errno import Errno
from pykern.kernel.core.wait import Interrupted
from pykern.kernel.fs.buffer import BytesBuffer
from pykern.kernel.fs.flags import (
    O_NOCTTY,
    O_NONBLOCK,
    O_RDWR,
    POLLERR,
    POLLHUP,
    POLLIN,
    POLLOUT,
)
from pykern.kernel.fs.job_control import SIGCONT, SIGHUP, SIGTTIN, SIGTTOU, SIGWINCH, Caller
from pykern.kernel.fs.termios import ECHO, ICANON, TOSTOP, VMIN, VTIME, Termios, WindowSize
from pykern.kernel.fs.tty import Tty, add_console, add_tty
from tests.pykern.kernel.fs.harness import Argument, Kernel, Task, errno_of, read, run, write

TCGETS, TCSETS, TCSETSW, TCSETSF, TCXONC, TCFLSH = 0x5401, 0x5402, 0x5403, 0x5404, 0x540A, 0x540B
TIOCSCTTY, TIOCGPGRP, TIOCSPGRP, TIOCSTI = 0x540E, 0x540F, 0x5410, 0x5412
TIOCGWINSZ, TIOCSWINSZ, FIONREAD, TIOCNOTTY, TIOCGSID = 0x5413, 0x5414, 0x541B, 0x5422, 0x5429
TCGETS2, TIOCEXCL = 0x802C542A, 0x540C

SHELL = Caller(pid=10, pgid=10, sid=10, tty=None)


class Jobs:
    """Processes as far as a terminal looks: one caller, groups with their sessions."""

    def __init__(self):
        self.me: Caller | None = SHELL
        self.groups = {10: 10, 20: 10, 30: 30}
        self.sent: list[tuple[int, int]] = []
        self.ignored: set[int] = set()
        self.orphans: set[int] = set()
        self.controlling = {}

    def be(self, pid: int, pgid: int, sid: int = 10):
        self.me = Caller(pid, pgid, sid, self.controlling.get(sid))

    def caller(self):
        return self.me

    def signal(self, signal, pgid):
        self.sent.append((signal, pgid))

    def ignores(self, signal):
        return signal in self.ignored

    def orphaned(self, pgid):
        return pgid in self.orphans

    def session_of(self, pgid):
        return self.groups.get(pgid)

    def set_controlling(self, sid, tty):
        self.controlling[sid] = tty
        if self.me.sid == sid:
            self.be(self.me.pid, self.me.pgid, sid)


class Bench:
    def __init__(self):
        self.kernel = Kernel("devtmpfs")
        self.jobs = Jobs()
        self.screen = bytearray()
        self.tty = Tty("ttyS0", (4, 64), self.screen.extend, lambda: self.kernel.ns, self.jobs)
        add_tty(self.kernel.vfs.devices, self.tty)
        add_console(self.kernel.vfs.devices, self.tty)
        self.file = self.kernel.open(b"/ttyS0", O_RDWR)

    def ioctl(self, request, data=b"", value=0):
        argument = Argument(data, value)
        assert run(self.file.ioctl(request, argument)) == 0
        return argument.data

    def modes(self, lflag=0, vmin=1, vtime=0):
        cc = bytearray(Termios().cc)
        cc[VMIN], cc[VTIME] = vmin, vtime
        self.ioctl(TCSETS, Termios(lflag=lflag, cc=bytes(cc)).pack())

    def reading(self, size=100):
        buffer = BytesBuffer(size=size)
        return Task(self.file.read(buffer)), buffer


@pytest.fixture
def it():
    return Bench()


# --- reading and writing -------------------------------------------------------------------------


def test_a_reader_gets_a_line_when_it_ends(it):
    task, buffer = it.reading()
    it.tty.receive(b"hello")
    assert task.asleep
    it.tty.receive(b"\r")
    assert task.value() == 6
    assert buffer.done == b"hello\n"
    assert bytes(it.screen) == b"hello\r\n"


def test_what_is_written_goes_to_the_screen(it):
    assert write(it.file, b"a\nb\n") == 4
    assert bytes(it.screen) == b"a\r\nb\r\n"


def test_control_d_ends_the_file_once(it):
    it.tty.receive(b"\x04x\n")
    assert read(it.file) == b""
    assert read(it.file) == b"x\n"


def test_minimum_without_time_waits_for_so_many_bytes(it):
    it.modes(vmin=3)
    task, buffer = it.reading()
    it.tty.receive(b"ab")
    assert task.asleep
    it.tty.receive(b"cd")
    assert task.value() == 4
    assert buffer.done == b"abcd"


def test_neither_minimum_nor_time_never_waits(it):
    it.modes(vmin=0)
    assert read(it.file) == b""
    it.tty.receive(b"ab")
    assert read(it.file) == b"ab"


def test_time_alone_waits_so_long_for_the_first_byte(it):
    it.modes(vmin=0, vtime=5)
    task, _ = it.reading()
    assert task.wait.deadline_ns == it.kernel.ns + 500_000_000
    task.wait.time_out()
    assert task.value() == 0


def test_time_with_a_minimum_runs_between_bytes(it):
    it.modes(vmin=5, vtime=2)
    task, buffer = it.reading()
    assert task.wait.deadline_ns is None
    it.tty.receive(b"ab")
    assert task.asleep
    assert task.wait.deadline_ns == it.kernel.ns + 200_000_000
    task.wait.time_out()
    assert task.value() == 2
    assert buffer.done == b"ab"


def test_a_signal_ends_a_read_and_keeps_what_it_has(it):
    task, _ = it.reading()
    task.wait.interrupt()
    with pytest.raises(Interrupted):
        task.value()
    it.modes(vmin=5)
    task, buffer = it.reading()
    it.tty.receive(b"ab")
    assert task.asleep
    task.wait.interrupt()
    assert (task.value(), buffer.done) == (2, b"ab")


def test_a_nonblocking_read_says_that_it_would_wait(it):
    it.file.set_status(O_NONBLOCK)
    assert errno_of(it.file.read, BytesBuffer(size=1)) == Errno.EAGAIN


def test_a_write_waits_while_output_is_stopped(it):
    it.tty.receive(b"\x13")
    task = Task(it.file.write(BytesBuffer(b"x")))
    assert task.asleep
    assert it.file.poll(POLLIN | POLLOUT) == 0
    it.tty.receive(b"\x11")
    assert task.value() == 1
    assert bytes(it.screen) == b"x"


def test_poll_counts_the_minimum(it):
    it.modes(vmin=2)
    assert it.file.poll(POLLIN | POLLOUT) == POLLOUT
    it.tty.receive(b"a")
    assert it.file.poll(POLLIN) == 0
    it.tty.receive(b"b")
    assert it.file.poll(POLLIN) == POLLIN


def test_a_hangup_ends_everything(it):
    task, _ = it.reading()
    it.tty.hang_up()
    assert task.value() == 0
    assert it.jobs.sent == [(SIGHUP, 10), (SIGCONT, 10)]
    assert errno_of(it.file.write, BytesBuffer(b"x")) == Errno.EIO
    assert it.file.poll(0) == POLLERR | POLLHUP
    assert errno_of(it.kernel.vfs.devices.open, it.file.location, O_RDWR) == Errno.EIO


def test_changing_the_mode_frees_what_was_typed(it):
    task, _ = it.reading()
    it.tty.receive(b"abc")
    assert task.asleep
    it.modes()
    assert task.value() == 3


# --- job control ---------------------------------------------------------------------------------


def test_a_session_leader_gets_the_terminal_it_opens(it):
    assert (it.tty.sid, it.tty.pgid) == (10, 10)
    assert it.jobs.me.tty is it.tty


def test_o_noctty_and_the_console_do_not_control():
    it = Bench()
    it.tty.abandon()
    it.kernel.open(b"/ttyS0", O_RDWR | O_NOCTTY)
    it.kernel.open(b"/console", O_RDWR)
    assert it.tty.sid == 0


@pytest.mark.parametrize(("key", "signal"), [(b"\x03", 2), (b"\x1c", 3), (b"\x1a", 20)])
def test_keys_signal_the_foreground_group(it, key, signal):
    it.ioctl(TIOCSPGRP, (20).to_bytes(4, "little"))
    it.tty.receive(key)
    assert it.jobs.sent == [(signal, 20)]
    assert bytes(it.screen) == bytes([ord("^"), key[0] ^ 0x40])


def test_a_background_reader_is_stopped(it):
    it.jobs.be(20, 20)
    with pytest.raises(Interrupted):
        run(it.file.read(BytesBuffer(size=1)))
    assert it.jobs.sent == [(SIGTTIN, 20)]


def test_a_background_reader_that_cannot_be_stopped_gets_an_error(it):
    it.jobs.be(20, 20)
    it.jobs.ignored = {SIGTTIN}
    assert errno_of(it.file.read, BytesBuffer(size=1)) == Errno.EIO
    it.jobs.ignored, it.jobs.orphans = set(), {20}
    assert errno_of(it.file.read, BytesBuffer(size=1)) == Errno.EIO
    assert it.jobs.sent == []


def test_a_background_writer_is_stopped_if_the_terminal_wants_so(it):
    it.jobs.be(20, 20)
    assert write(it.file, b"x") == 1
    it.tty.discipline.set_termios(Termios(lflag=ECHO | ICANON | TOSTOP))
    with pytest.raises(Interrupted):
        run(it.file.write(BytesBuffer(b"x")))
    it.jobs.ignored = {SIGTTOU}
    assert write(it.file, b"x") == 1


def test_the_background_may_not_set_modes(it):
    it.jobs.be(20, 20)
    with pytest.raises(Interrupted):
        it.modes()
    assert it.jobs.sent == [(SIGTTOU, 20)]
    assert it.tty.discipline.canonical


def test_the_foreground_is_a_group_of_the_session(it):
    def number(n):
        return n.to_bytes(4, "little", signed=True)

    def refused(pgid):
        return errno_of(it.file.ioctl, TIOCSPGRP, Argument(number(pgid)))

    assert (refused(30), refused(99), refused(-1)) == (Errno.EPERM, Errno.ESRCH, Errno.EINVAL)
    it.ioctl(TIOCSPGRP, number(20))
    assert it.ioctl(TIOCGPGRP) == number(20)
    assert it.ioctl(TIOCGSID) == number(10)
    it.jobs.be(30, 30, 30)
    assert errno_of(it.file.ioctl, TIOCGPGRP, Argument()) == Errno.ENOTTY


def test_another_session_takes_the_terminal_only_by_force(it):
    it.jobs.be(30, 30, 30)
    assert errno_of(it.file.ioctl, TIOCSCTTY, Argument()) == Errno.EPERM
    it.ioctl(TIOCSCTTY, value=1)
    assert (it.tty.sid, it.jobs.controlling) == (30, {10: None, 30: it.tty})
    it.ioctl(TIOCNOTTY)
    assert (it.tty.sid, it.tty.pgid) == (0, 0)
    assert it.jobs.controlling[30] is None


def test_dev_tty_is_the_own_terminal(it):
    own = it.kernel.open(b"/tty", O_RDWR)
    assert own.tty is it.tty
    it.jobs.be(30, 30, 30)
    assert errno_of(it.kernel.vfs.devices.open, own.location, O_RDWR) == Errno.ENXIO


# --- ioctls --------------------------------------------------------------------------------------


def test_modes_are_read_back(it):
    assert len(it.ioctl(TCGETS)) == 36
    assert len(it.ioctl(TCGETS2)) == 44
    raw = Termios(iflag=0, oflag=0, lflag=0).pack()
    for request in (TCSETS, TCSETSW, TCSETSF):
        it.ioctl(request, raw)
        assert it.ioctl(TCGETS) == raw


def test_tcsetsf_forgets_what_was_typed(it):
    it.tty.receive(b"abc\n")
    assert it.ioctl(FIONREAD) == (4).to_bytes(4, "little")
    it.ioctl(TCSETSF, Termios().pack())
    assert it.ioctl(FIONREAD) == bytes(4)
    it.tty.receive(b"abc\n")
    it.ioctl(TCFLSH, value=0)
    assert it.ioctl(FIONREAD) == bytes(4)


def test_a_new_window_size_is_told(it):
    assert it.ioctl(TIOCGWINSZ) == WindowSize(24, 80).pack()
    it.ioctl(TIOCSWINSZ, WindowSize(50, 132).pack())
    it.ioctl(TIOCSWINSZ, WindowSize(50, 132).pack())
    assert it.ioctl(TIOCGWINSZ) == WindowSize(50, 132).pack()
    assert it.jobs.sent == [(SIGWINCH, 10)]


def test_output_can_be_stopped_by_a_call(it):
    it.ioctl(TCXONC, value=0)
    task = Task(it.file.write(BytesBuffer(b"x")))
    assert task.asleep
    it.ioctl(TCXONC, value=1)
    assert task.value() == 1


def test_typing_by_a_call(it):
    for byte in (b"x", b"\n"):
        it.ioctl(TIOCSTI, byte)
    assert read(it.file) == b"x\n"


def test_an_exclusive_terminal_cannot_be_opened_again(it):
    it.ioctl(TIOCEXCL)
    assert errno_of(it.kernel.vfs.devices.open, it.file.location, O_RDWR) == Errno.EBUSY


def test_an_unknown_request_is_refused(it):
    assert errno_of(it.file.ioctl, 0x1234, Argument()) == Errno.ENOTTY
    assert errno_of(it.file.ioctl, TCFLSH, Argument(value=9)) == Errno.EINVAL
    assert errno_of(it.file.ioctl, TCXONC, Argument(value=9)) == Errno.EINVAL
