"""Non-stop mode, packet by packet."""

from __future__ import annotations

import pytest

from gdbstub import Session, Stop, ThreadId
from gdbstub.packet import frame, notification
from tests.gdbstub.toy import NonStopToy, Toy


class Client:
    def __init__(self, toy=None):
        self.toy = toy or NonStopToy()
        self.session = Session(self.toy)
        self.ask("qSupported:multiprocess+;swbreak+")
        self.ask("QStartNoAckMode")

    def ask(self, request):
        sent = self.session.feed(frame(request.encode()))
        assert sent.count(b"$") == 1
        return sent

    def wait(self):
        """Return what is sent when the next thread stops."""
        return self.session.report_stop(self.toy.run_until_stop())


@pytest.fixture
def client():
    one = Client()
    assert one.ask("QNonStop:1") == frame(b"OK")
    return one


def told(sent):
    return sent.partition(b";")[0]


def test_threads_are_told_of_one_by_one_when_gdb_comes(client):
    assert told(client.ask("?")) == b"$T00thread:p1.1"
    assert client.ask("vStopped") == frame(b"OK")
    reply = client.ask("qC")
    assert reply.startswith(frame(b"QCp1.1") + b"%Stop:T00thread:p1.2;")
    assert client.ask("vStopped") == frame(b"OK")


def test_one_thread_stops_while_the_other_runs_and_gdb_may_ask(client):
    client.toy.memory[6:8] = b"\x02\x00"
    client.ask("Z0,4,1")
    client.toy.write_registers(ThreadId(1, 2), {"pc": 6})
    assert client.ask("vCont;c:p1.1") == frame(b"OK")
    assert client.ask("vCont;c:p1.2") == frame(b"OK")
    assert client.ask("m0,2") == frame(b"0001")
    first = client.wait()
    assert first.startswith(b"%Stop:T05thread:p1.1;")
    assert client.toy.running_threads() == {ThreadId(1, 2)}
    assert client.wait() == b""
    assert told(client.ask("vStopped")) == b"$T05thread:p1.2"
    assert client.ask("vStopped") == frame(b"OK")
    assert client.ask("vStopped") == frame(b"OK")


def test_a_thread_is_stopped_without_a_signal(client):
    client.ask("vCont;c")
    assert client.ask("vCont;t:p1.2") == frame(b"OK")
    assert client.wait().startswith(b"%Stop:T00thread:p1.2;")
    assert client.ask("vCont;t:p1.2") == frame(b"OK")
    assert not client.toy.halting
    assert told(client.ask("?")) == b"$T00thread:p1.2"


def test_interrupt(client):
    assert client.ask("vCtrlC") == frame(b"OK")
    assert not client.toy.interrupted
    client.ask("vCont;c")
    assert client.ask("vCtrlC") == frame(b"OK")
    assert client.toy.interrupted


@pytest.mark.parametrize("request_", ["c", "s", "vCont;x", "QNonStop:2", "QNonStop:0"])
def test_what_does_not_belong_there_is_an_error(client, request_):
    client.ask("vCont;c:p1.1")
    assert client.ask(request_) == frame(b"E16")


def test_all_stop_has_none_of_it():
    client = Client()
    for request in ("vCont;t", "vCtrlC", "vStopped"):
        assert client.ask(request) == frame(b"E16")
    assert b"QNonStop+" in client.ask("qSupported:")
    plain = Client(Toy())
    assert plain.ask("QNonStop:1") == frame(b"")
    assert b"t" not in plain.ask("vCont?")[6:]


def test_a_notification_has_a_frame_of_its_own():
    assert notification(b"Stop:a#b") == b"%%Stop:a}\x03b#%02x" % (sum(b"Stop:a}\x03b") % 256)
    client = Client()
    assert client.session.report_stop(Stop(ThreadId(1, 1))) == b""
