"""Hostile clients of a target of a hundred lines; the machine's are in tests/pykern/debug."""

from __future__ import annotations

import re

import pytest

from gdbstub import Session
from gdbstub.target import Stop, ThreadId
from tests.gdbstub.hostile import Harness, Hostile, owed
from tests.gdbstub.toy import Toy


class Subject:
    """The toy, as `Harness` wants it."""

    def reset(self):
        self.toy = Toy()

    def connect(self):
        return Session(self.toy)

    def state(self):
        return self.toy.state()

    def settle(self, session):
        return session.report_stop(self.toy.run(20))

    @staticmethod
    def is_silent(payload):
        return payload == b"k" or re.fullmatch(rb"R[0-9a-fA-F]{2}", payload) is not None


@pytest.mark.parametrize("seed", range(40))
def test_every_packet_gets_its_reply_and_what_is_rejected_changes_nothing(seed):
    harness = Harness(Subject(), seed)
    while harness.packets < 100:
        harness.talk(30)


def test_the_second_reading_reads_what_is_meant():
    assert owed(b"$qC#b4+$a}\x03#e1-$x#00$$0* #7a") == ([b"qC", b"a#", b"0000"], 1, 1)
    assert owed(b"$a}#de$*x#a2") == ([], 2, 0)


def test_equal_seeds_make_equal_clients():
    one, other = Hostile(3), Hostile(3)
    assert one.conversation(50) == other.conversation(50) != Hostile(4).conversation(50)


def test_more_requests_than_may_wait_are_refused_each_with_a_reply():
    session = Session(Toy())
    session.feed(b"$QStartNoAckMode#b0")
    session.feed(b"$c#63")
    session.feed(b"$qC#b4" * 1000)
    sent = session.report_stop(Stop(ThreadId(1, 1)))
    assert sent.count(b"$QC1#") == 256
    assert sent.count(b"$E") == 744
