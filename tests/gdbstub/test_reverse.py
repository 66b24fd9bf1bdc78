"""Going back in time, packet by packet, with a toy that remembers every instruction."""

from __future__ import annotations

import copy
import pickle

import pytest

from gdbstub import Session, Stop, StopKind, TargetError, ThreadId, handover
from gdbstub.packet import Decoder, Mark, frame
from tests.gdbstub.toy import Toy


class Remembering(Toy):
    """A toy whose past is a list of states."""

    def __init__(self):
        super().__init__()
        self.past, self.backward = [], None

    def run(self, most=1000):
        if self.backward is not None:
            return self._back()
        self.past.append(copy.deepcopy((self.memory, self.cpus)))
        return super().run(most)

    def reverse(self, thread, *, step):
        if thread.tid == 2 and step:
            raise TargetError("the second processor remembers nothing")
        self.backward = thread, step

    def _back(self):
        (thread, _), self.backward = self.backward, None
        if not self.past:
            return Stop(thread, kind=StopKind.REPLAY_BEGIN)
        self.memory, self.cpus = self.past.pop()
        return Stop(thread)


class Client:
    """The other side."""

    def __init__(self, toy):
        self.toy, self.session, self.decoder = toy, Session(toy), Decoder()
        self.first = self.ask("qSupported:swbreak+")
        assert self.ask("QStartNoAckMode") == "OK"

    def ask(self, payload):
        data = self.session.feed(frame(payload.encode()))
        if self.session.running:
            data += self.session.report_stop(self.toy.run())
        replies = [p for p in self.decoder.feed(data) if not isinstance(p, Mark)]
        assert len(replies) == 1, replies
        return replies[0].decode()


def test_only_who_can_promises_it():
    assert "ReverseStep+;ReverseContinue+" in Client(Remembering()).first
    plain = Client(Toy())
    assert "Reverse" not in plain.first
    assert plain.ask("bs") == plain.ask("bc") == ""


@pytest.mark.parametrize("packet", ["bs", "bc"])
def test_back_to_the_beginning(packet):
    client = Client(Remembering())
    start = client.ask("g")
    states = []
    for _ in range(3):
        states.append(client.ask("g"))
        client.ask("vCont;s:1;c")
    for state in states[::-1]:
        assert client.ask(packet).startswith("T05thread:1;")
        assert client.ask("g") == state
    assert client.ask(packet).endswith(";replaylog:begin;")
    assert client.ask("g") == start


def test_what_cannot_go_back_says_so_and_stays():
    client = Client(Remembering())
    client.ask("Hc2")
    before = client.toy.state()
    assert client.ask("bs") == "E0e"
    assert not client.session.running
    assert client.toy.state() == before
    assert client.ask("bcx") == client.ask("b") == client.ask("bsc") == ""


def test_the_end_of_what_is_recorded():
    session = Session(Toy())
    session.feed(frame(b"QStartNoAckMode"))
    session.running = True
    told = session.report_stop(Stop(ThreadId(1, 1), kind=StopKind.REPLAY_END))
    assert b";replaylog:end;#" in told


def test_a_conversation_goes_on_elsewhere():
    """What a session remembers goes through a pickle, in the middle of a packet."""
    client = Client(Remembering())
    client.ask("Hg2")
    whole = frame(b"m0,4")
    client.session.feed(whole[:3])
    state = pickle.loads(pickle.dumps(handover.pack(client.session)))
    client.session = handover.unpack(state, client.toy)
    assert client.session.general == ThreadId(1, 2)
    assert client.session.feed(whole[3:]) == frame(b"00010002")
    assert client.session.feed(frame(b"?"))[:1] == b"$"  # no acknowledgement
