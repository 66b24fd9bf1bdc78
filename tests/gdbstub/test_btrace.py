"""Branch trace, packet by packet."""

from __future__ import annotations

from gdbstub import Session
from gdbstub.packet import Decoder, Mark, frame
from tests.gdbstub.toy import Toy


class Recording(Toy):
    """A toy that has executed two blocks since it is recorded."""

    def __init__(self):
        super().__init__()
        self.most = {}

    def trace_branches(self, thread, most):
        self.most[thread.tid] = most

    def branches(self, thread):
        return [(0x40, 0x42), (0x10, 0x20)] if self.most.get(thread.tid) else None


class Client:
    """The other side."""

    def __init__(self, toy):
        self.session, self.decoder = Session(toy), Decoder()
        self.first = self.ask("qSupported:swbreak+")
        assert self.ask("QStartNoAckMode") == "OK"

    def ask(self, payload):
        data = self.session.feed(frame(payload.encode()))
        replies = [p for p in self.decoder.feed(data) if not isinstance(p, Mark)]
        assert len(replies) == 1, replies
        return replies[0].decode()


def test_only_who_can_promises_it():
    assert "Qbtrace:bts+" in Client(Recording()).first
    plain = Client(Toy())
    assert "btrace" not in plain.first
    assert plain.ask("Qbtrace:bts") == plain.ask("qXfer:btrace:read:all:0,100") == ""


def test_a_trace_is_there_while_it_is_recorded():
    toy = Recording()
    client = Client(toy)
    for read in ("qXfer:btrace-conf:read::0,1000", "qXfer:btrace:read:all:0,1000", "Qbtrace:off"):
        assert client.ask(read).startswith("E"), "gdb would replay what was never recorded"
    assert client.ask("Qbtrace-conf:bts:size=0x60") == "OK"
    assert client.ask("Qbtrace:bts") == "OK"
    assert toy.most == {1: 4}
    assert client.ask("Qbtrace:bts").startswith("E")
    assert client.ask("qXfer:btrace-conf:read::0,1000") == (
        'l<btrace-conf version="1.0"><bts size="0x60"/></btrace-conf>'
    )
    for annex in ("all", "new"):
        assert client.ask(f"qXfer:btrace:read:{annex}:0,1000") == (
            'l<btrace version="1.0"><block begin="0x40" end="0x42"/>'
            '<block begin="0x10" end="0x20"/></btrace>'
        )
    assert client.ask("qXfer:btrace:read:delta:0,1000").startswith("E")
    assert client.ask("Hg2") == "OK"
    assert client.ask("qXfer:btrace:read:all:0,1000").startswith("E"), "each thread has its own"
    assert client.ask("Hg1") == "OK"
    assert client.ask("Qbtrace:off") == "OK"
    assert client.ask("qXfer:btrace:read:all:0,1000").startswith("E")


def test_what_is_no_request_changes_nothing():
    toy = Recording()
    client = Client(toy)
    for request in ("Qbtrace", "Qbtrace:", "Qbtrace:pt", "Qbtrace-conf:bts:size=", "Qbtrace:btsx"):
        assert client.ask(request) == "" or client.ask(request).startswith("E")
    assert toy.most == {}


def test_passing_through_threads_is_not_looking_at_them():
    """gdb asks each for its trace when it connects; what names no thread means another then."""
    client = Client(Recording())
    for thread in (1, 2):
        client.ask(f"Hg{thread}")
        assert client.ask("qXfer:btrace-conf:read::0,1000").startswith("E")
    assert client.session.general.tid == 2
    client.ask("qCRC:0,4")
    assert client.session.looked_at.tid == 1
    client.ask("m0,4")  # gdb believes that the second is chosen
    client.ask("qCRC:0,4")
    assert client.session.looked_at.tid == 2
    client.ask("Hg1")
    client.ask("qCRC:0,4")
    assert client.session.looked_at.tid == 1
