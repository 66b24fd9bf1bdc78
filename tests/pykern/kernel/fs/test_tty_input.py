"""The line discipline, against a pseudo-terminal of the host's Linux.

The same keys and writes go into both; what a program reads and what the screen gets must be equal.
The host handles keys in a work queue; a read or poll that finds nothing waits for it, so that no
time has to pass.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import select
import sys
import termios as host_termios

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pykern.kernel.fs import termios as t
from pykern.kernel.fs.termios import Termios
from pykern.kernel.fs.tty_input import BACKLOG_SIZE, BUFFER_SIZE, LineDiscipline

linux = pytest.mark.skipif(sys.platform != "linux", reason="the oracle is Linux")

COOKED = Termios()

keys = st.one_of(
    st.sampled_from(
        [
            *[b"a", b"b", b" ", b"_", b".", b"\t", b"\t", b"\n", b"\r", b"\n", b"word one"],
            # erase, kill, word erase, end of file, literal, reprint
            *[b"\x7f", b"\x7f", b"\x15", b"\x17", b"\x17", b"\x04", b"\x16", b"\x12"],
            # interrupt, quit, suspend, stop, start, escape
            *[b"\x03", b"\x1c", b"\x1a", b"\x13", b"\x11", b"\x11", b"\x1b", b"\x00"],
            *["é".encode(), "€".encode(), b"\xe9"],
        ]
    )
)
typed = st.lists(keys, max_size=12).map(b"".join)
written = st.lists(st.sampled_from([b"x", b"\t", b"\n", b"\r", b"\b", b"ab"]), max_size=5)


def flags(always: int, *choices: int):
    """Return a strategy of sums of some of `choices`; `always` is set more often than not."""
    return st.builds(
        lambda base, extra: base ^ sum(extra),
        st.just(always),
        st.sets(st.sampled_from(choices), max_size=3),
    )


modes = st.builds(
    lambda iflag, oflag, lflag, vmin: Termios(
        iflag,
        oflag,
        COOKED.cflag,
        lflag,
        0,
        COOKED.cc[: t.VMIN] + bytes([vmin]) + COOKED.cc[t.VMIN + 1 :],
    ),
    flags(COOKED.iflag, t.ICRNL, t.INLCR, t.IGNCR, t.ISTRIP, t.IXON, t.IXANY, t.IUTF8, t.IMAXBEL),
    flags(COOKED.oflag, t.OPOST, t.ONLCR, t.OCRNL, t.ONOCR, t.ONLRET, t.XTABS),
    flags(
        COOKED.lflag,
        *[t.ICANON, t.ECHO, t.ECHOE, t.ECHOK, t.ECHOCTL, t.ECHOKE, t.IEXTEN, t.ISIG],
        *[t.ECHONL, t.NOFLSH],
    ),
    st.integers(0, 3),
)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("type"), typed, st.sampled_from([1, 3, 100])),
        st.tuples(st.just("type"), typed, st.sampled_from([1, 3, 100])),
        st.tuples(st.just("write"), written.map(b"".join), st.just(0)),
        st.tuples(st.just("modes"), modes, st.just(0)),
    ),
    max_size=6,
)


class Host:
    """A pseudo-terminal of the host.

    Its kernel handles what is typed in a thread of its own, and nothing tells when it has: after
    each key it is given `patience` seconds to show something.
    """

    def __init__(self, patience: float):
        self.patience = patience
        self.keyboard, self.program = os.openpty()
        os.set_blocking(self.keyboard, False)
        os.set_blocking(self.program, False)
        self.modes(COOKED)

    def close(self):
        os.close(self.keyboard)
        os.close(self.program)

    def modes(self, modes: Termios) -> None:
        before = host_termios.tcgetattr(self.program)
        cc = [bytes([byte]) for byte in modes.cc] + before[6][len(modes.cc) :]
        if not modes.lflag & t.ICANON:
            cc[t.VMIN], cc[t.VTIME] = modes.cc[t.VMIN], 0
        host_termios.tcsetattr(
            self.program,
            host_termios.TCSANOW,
            [modes.iflag, modes.oflag, before[2], modes.lflag, before[4], before[5], cc],
        )

    def type(self, data: bytes, size: int) -> list[bytes]:
        if data:
            os.write(self.keyboard, data)
            select.select([self.keyboard, self.program], [], [], self.patience)
        reads = []
        while select.select([self.program], [], [], 0)[0]:
            reads.append(os.read(self.program, size))
        return reads

    def write(self, data: bytes) -> None:
        if data:
            try:
                os.write(self.program, data)
            except BlockingIOError:
                return

    def screen(self) -> bytes:
        shown = b""
        while True:
            try:
                shown += os.read(self.keyboard, 4096)
            except BlockingIOError:
                return shown


class Ours:
    """Our line discipline."""

    def __init__(self):
        self._screen = bytearray()
        self.signals: list[int] = []
        self.discipline = LineDiscipline(self._screen.extend, self.signals.append)

    def modes(self, modes: Termios) -> None:
        self.discipline.set_termios(modes)

    def type(self, data: bytes, size: int) -> list[bytes]:
        self.discipline.receive(data)
        reads = []
        enough = 1 if self.discipline.canonical else max(self.discipline.termios.cc[t.VMIN], 1)
        while self.discipline.available >= enough:
            if self.discipline.canonical:
                reads.append(self.discipline.read_line(size))
            else:
                reads.append(self.discipline.read_raw(size))
        return reads

    def write(self, data: bytes) -> None:
        if not self.discipline.stopped:
            self.discipline.output.write(data, self.discipline.termios)

    def screen(self) -> bytes:
        shown = bytes(self._screen)
        self._screen.clear()
        return shown


PATIENCES = (0, 0.02, 0.2)


def play(sequence) -> None:
    """Do the same on both; what differs may be the host's being late, so it gets more time."""
    for patience in PATIENCES[:-1]:
        with contextlib.suppress(AssertionError):
            play_once(sequence, patience)
            return
    play_once(sequence, PATIENCES[-1])


def play_once(sequence, patience: float) -> None:
    host, ours = Host(patience), Ours()
    try:
        for name, *arguments in sequence:
            if name == "type":
                # One by one, as by fingers: the echo of a burst that holds Ctrl-C is lost.
                data, size = arguments
                reads = [
                    [terminal.type(data[i : i + 1], size) for i in range(len(data))]
                    for terminal in (ours, host)
                ]
                if not ours.discipline.canonical:
                    reads = [b"".join(itertools.chain(*each)) for each in reads]
                assert (sequence, reads[0]) == (sequence, reads[1])
            else:
                getattr(ours, name)(arguments[0])
                getattr(host, name)(arguments[0])
                # What was typed before may have become readable.
                assert (sequence, ours.type(b"", 100)) == (sequence, host.type(b"", 100))
            assert (name, arguments, ours.screen()) == (name, arguments, host.screen())
    finally:
        host.close()


@linux
@settings(max_examples=400)
@given(steps)
@example([("type", b"ab\x7f\x7f\x7fc\n", 100)])
@example([("type", b"\x01\t\x7f\x7f", 100), ("write", b"ab", 0), ("type", b"\t\x7f\x15", 1)])
@example([("type", b"abc\x04", 3), ("type", b"abc\x04", 1), ("type", b"\x04\n", 1)])
@example([("type", b"one two,three\x17\x17\n", 100)])
@example([("type", b"\x16\x03a\x12b\n", 100)])
@example([("type", b"\x13abc\n", 100), ("type", b"\x11", 100)])
def test_keys_do_what_they_do_on_linux(sequence):
    play(sequence)


@linux
def test_a_line_that_is_too_long_is_cut():
    play([("type", b"x" * 3000, 5000), ("type", b"y" * 3000 + b"\n", 5000)])


@pytest.mark.parametrize(("key", "signal"), [(b"\x03", 2), (b"\x1c", 3), (b"\x1a", 20)])
def test_a_key_sends_its_signal_and_forgets_the_line(key, signal):
    ours = Ours()
    assert ours.type(b"abc" + key + b"d\n", 100) == [b"d\n"]
    assert ours.signals == [signal]


def test_without_isig_a_key_is_a_byte():
    ours = Ours()
    ours.modes(Termios(lflag=COOKED.lflag & ~t.ISIG))
    assert ours.type(b"\x03\n", 100) == [b"\x03\n"]
    assert ours.signals == []


def test_the_buffer_is_bounded():
    ours = Ours()
    lines = ours.type(b"x" * 3 * BUFFER_SIZE + b"\n", 10 * BUFFER_SIZE)
    assert [len(line) for line in lines] == [BUFFER_SIZE]
    ours.modes(Termios(lflag=0))
    ours.discipline.receive(bytes(2 * BACKLOG_SIZE))
    assert ours.discipline.available == BUFFER_SIZE - 1
    assert ours.discipline.room == BUFFER_SIZE - 1


@given(modes, st.lists(typed, max_size=4).map(b"".join))
def test_a_burst_is_handled_as_its_bytes(burst_modes, data):
    """Runs of plain bytes are handled at once; one by one must give the same."""
    at_once, by_bytes = Ours(), Ours()
    for ours in (at_once, by_bytes):
        ours.modes(burst_modes)
    at_once.discipline.receive(data)
    for byte in data:
        by_bytes.discipline.receive(bytes([byte]))
    assert at_once.screen() == by_bytes.screen()
    assert at_once.type(b"", 100) == by_bytes.type(b"", 100)


def test_a_burst_waits_for_its_reader():
    """A script that is piped into the console arrives in whole."""
    ours = Ours()
    script = b"".join(b"echo %d\n" % number for number in range(5000))
    assert b"".join(ours.type(script, 1000)) == script
