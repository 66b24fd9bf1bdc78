"""Messages between two kernels: whole ones, parts of them, and what is none."""

from __future__ import annotations

import itertools
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pykern.kernel.migration import BadMessage, LinkClosed, Wire
from pykern.kernel.migration.wire import Type, pack, parse

PAGE = bytes(4096)


class Clock:
    now_ns = 0


class System:
    clock = Clock()


class Bytes:
    """A link on which these bytes have come, and then it was closed."""

    def __init__(self, *chunks: bytes) -> None:
        self.chunks = list(chunks)
        self.sent = b""
        self.closed = False

    def send(self, data: bytes) -> None:
        self.sent += data

    def flush(self) -> bool:
        return True

    def receive(self) -> bytes:
        if not self.chunks:
            raise LinkClosed
        return self.chunks.pop(0)

    def close(self) -> None:
        self.closed = True


def wire(*chunks):
    return Wire(System(), Bytes(*chunks))


def test_a_message_is_what_was_packed():
    data = pack(Type.PAGE, 0x400000, PAGE)
    message, end = parse(data + b"more")
    assert (message.type, message.number, message.data, end) == (
        Type.PAGE,
        0x400000,
        PAGE,
        len(data),
    )


def test_a_message_comes_in_parts():
    raw = pack(Type.STATE, 1, b"state") + pack(Type.COMMIT)
    received = wire(*(raw[at : at + 1] for at in range(len(raw))))
    assert received.poll().data == b"state"
    assert received.poll().type is Type.COMMIT
    with pytest.raises(LinkClosed):
        received.poll()


@pytest.mark.parametrize(
    ("raw", "what"),
    [
        (struct.pack("<BQI", 99, 0, 0), "message of type 99"),
        (struct.pack("<BQI", 0, 0, 0), "message of type 0"),
        (struct.pack("<BQI", Type.STATE, 0, (1 << 32) - 1), "STATE of 4294967295 bytes"),
        (struct.pack("<BQI", Type.PAGE, 0, 4097), "PAGE of 4097 bytes, expected 4096"),
        (struct.pack("<BQI", Type.PAGE, 0, 1), "PAGE of 1 bytes, expected 4096"),
        (struct.pack("<BQI", Type.COMMIT, 0, 1), "COMMIT of 1 bytes, expected 0"),
        (b"GET / HTTP/1.1\r\n", "message of type 71"),
    ],
)
def test_what_is_no_message_is_refused_by_its_head(raw, what):
    """MYR-25: nothing is waited for, and nothing is kept, of what could not be right."""
    with pytest.raises(BadMessage, match=what):
        wire(raw).poll()


def test_who_gives_up_says_why():
    """Whatever the other side says, it is shown as one line of plain text."""
    with pytest.raises(BadMessage, match=r"gave up: no \?\[31mroom\?$"):
        wire(pack(Type.ABORT, 0, b"no \x1b[31mroom\n")).poll()
    gone = wire()
    gone.abort("why" * 1000)
    assert parse(gone._link.sent)[0].data.startswith(b"whywhy")
    assert gone._link.closed


@given(st.lists(st.binary(max_size=40), max_size=8))
def test_any_bytes_are_messages_or_refused(chunks):
    """Fuzzing: messages, then BadMessage or the end; nothing else, and always an end."""
    assert drained(wire(*chunks)) < 100


def drained(received):
    """Return how many messages come before the end."""
    for count in itertools.count():
        try:
            received.poll()
        except (BadMessage, LinkClosed):
            return count
    raise AssertionError
