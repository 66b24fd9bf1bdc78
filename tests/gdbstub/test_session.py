"""Conversations, packet by packet, with a target of a hundred lines."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gdbstub import Exited, Session, Stop, ThreadId
from gdbstub.commands import COMMANDS
from gdbstub.packet import Decoder, Mark, frame
from tests.gdbstub.toy import ARCHITECTURE, PROGRAM, Toy


class Client:
    """The other side: sends requests, returns replies, lets the toy run where one goes on."""

    def __init__(self, features=b"multiprocess+;swbreak+;hwbreak+"):
        self.toy = Toy()
        self.session = Session(self.toy)
        self.decoder = Decoder()
        self.first = self.ask(b"qSupported:" + features)
        assert self.ask(b"QStartNoAckMode") == b"OK"

    def send(self, payload):
        """Return the payloads of all packets that come back."""
        return self._payloads(self.session.feed(frame(payload)))

    def _payloads(self, data):
        return [item for item in self.decoder.feed(data) if not isinstance(item, Mark)]

    def ask(self, payload):
        replies = self.send(payload)
        if self.session.running:
            assert replies == []
            replies = self._payloads(self.session.report_stop(self.toy.run()))
        (reply,) = replies
        return reply


@pytest.fixture
def client():
    return Client()


def test_only_what_is_there_is_promised():
    features = Client().first.split(b";")
    assert {b"multiprocess+", b"qXfer:exec-file:read+", b"swbreak+"} <= set(features)
    assert b"PacketSize=4000" in features
    assert not [f for f in features if f.startswith((b"QNonStop", b"Reverse", b"Conditional"))]
    assert b"multiprocess+" not in Client(b"swbreak+").first


def test_a_plug_in_may_ask_what_is_supported_without_changing_it(client):
    assert client.ask(b"qSupported") == client.first
    assert client.ask(b"qC") == b"QCp1.1"


def test_acknowledgements_until_they_are_turned_off():
    session = Session(Toy())
    assert session.feed(b"$?#3f") == b"+" + frame(b"T05thread:1;core:0;01:0000000000000000;")
    assert session.feed(b"-") == frame(b"T05thread:1;core:0;01:0000000000000000;")
    assert session.feed(b"$?#00") == b"-"
    assert session.feed(frame(b"QStartNoAckMode")) == b"+$OK#9a"
    assert session.feed(b"$?#00-") == b""
    assert session.feed(b"$qC#b4") == frame(b"QC1")


@pytest.mark.parametrize(
    "packet", [b"vMustReplyEmpty", b"qTStatus", b"QNonStop:1", b"bs", b"_", b""]
)
def test_unknown_requests_get_an_empty_reply(client, packet):
    assert client.ask(packet) == b""


def test_registers(client):
    assert client.ask(b"g") == b"00000000" + b"0" * 16
    assert client.ask(b"P0=2a000000") == b"OK"
    assert client.ask(b"p0") == b"2a000000"
    assert client.ask(b"G01000000" + b"0200000000000000") == b"OK"
    assert client.toy.cpus[1, 1] == {"a": 1, "pc": 2, "id": 1}
    assert client.ask(b"p2") == b"01"
    assert client.ask(b"p3") == b"xxxx"


@pytest.mark.parametrize(
    "packet", [b"P999=00", b"P0=00", b"P0", b"G00", b"Gzz", b"p", b"pff", b"p-1"]
)
def test_wrong_registers_are_errors(client, packet):
    before = client.toy.state()
    assert re.fullmatch(rb"E..", client.ask(packet))
    assert client.toy.state() == before


def test_memory(client):
    assert client.ask(b"m0,8") == PROGRAM.hex().encode()
    assert client.ask(b"mfe,10") == b"ffff"
    assert client.ask(b"M10,2:abCD") == b"OK"
    assert client.ask(b"X12,4:}\x03*#$") == b"E16"
    assert client.ask(b"X12,4:}*#$") == b"OK"
    assert client.toy.memory[0x10:0x16] == b"\xab\xcd}*#$"
    assert client.ask(b"x12,4") == b"b}*#$"
    assert client.ask(b"X0,0:") == b"OK"


@pytest.mark.parametrize(
    "packet",
    [b"m", b"m,", b"m1", b"m100,1", b"mffffffffffffffff,2", b"M0,1", b"M0,2:00", b"M0,1:0",
     b"m0,-1", b"Xff,2:ab", b"m1_0,1", b"qCRC:f0,20", b"qSearch:memory:0;10;", b"qRcmd,zz",
     b"qRcmd"],
)  # fmt: skip
def test_wrong_memory_requests_are_errors(client, packet):
    before = client.toy.state()
    assert re.fullmatch(rb"E..", client.ask(packet))
    assert client.toy.state() == before


def test_errors_are_words_for_a_gdb_that_reads_them():
    assert Client(b"error-message+").ask(b"m100,1") == b"E.no memory at 0x100"


def test_search_and_checksum(client):
    client.toy.memory[0x20:0x23] = b"abc"
    assert client.ask(b"qSearch:memory:0;100;abc") == b"1,20"
    assert client.ask(b"qSearch:memory:21;df;abc") == b"0"
    value = 0xFFFFFFFF
    for byte in client.toy.memory:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1 ^ (0x04C11DB7 if value >> 31 else 0)) & 0xFFFFFFFF
    assert client.ask(b"qCRC:0,100") == b"C%x" % value


def test_threads(client):
    assert client.ask(b"qfThreadInfo") == b"mp1.1,p1.2"
    assert client.ask(b"qsThreadInfo") == b"l"
    assert client.ask(b"qC") == b"QCp1.1"
    assert client.ask(b"Hgp1.2") == b"OK"
    assert client.ask(b"p2") == b"02"
    assert client.ask(b"Tp1.2") == b"OK"
    assert client.ask(b"Tp1.3") == client.ask(b"Hgp1.3") == client.ask(b"Hq1") == b"E16"
    assert bytes.fromhex(client.ask(b"qThreadExtraInfo,p1.2").decode()) == b"cpu2"
    assert client.ask(b"qThreadExtraInfo,p9.9") == b"E16"
    assert client.ask(b"qXfer:threads:read::0,1000") == (
        b'l<threads><thread id="p1.1" core="0" name="cpu1"></thread>'
        b'<thread id="p1.2" core="1" name="cpu2"></thread></threads>'
    )


def test_objects_come_in_parts(client):
    xml, offset = b"", 0
    while True:
        reply = client.ask(b"qXfer:features:read:target.xml:%x,40" % offset)
        xml += reply[1:]
        offset += len(reply) - 1
        if reply[:1] == b"l":
            break
        assert len(reply) == 0x41
    assert xml.decode() == ARCHITECTURE.xml
    assert client.ask(b"qXfer:features:read:other.xml:0,10") == b"E00"
    assert client.ask(b"qXfer:features:read:target.xml") == b"E16"
    assert client.ask(b"qXfer:nothing:read::0,10") == b""
    assert client.ask(b"qXfer:exec-file:read:1:0,100") == b"l/toy.bin"
    assert b'type="ram" start="0x0" length="0x100"' in client.ask(b"qXfer:memory-map:read::0,fff")


def test_files(client):
    name = b"/toy.bin".hex().encode()
    assert client.ask(b"vFile:setfs:0") == b"F0"
    assert client.ask(b"vFile:open:%b,0,0" % name) == b"F0"
    assert client.ask(b"vFile:open:%b,1,1b6" % name) == b"F-1,1e"
    assert client.ask(b"vFile:open:2f78,0,0") == b"F-1,2"
    assert client.ask(b"vFile:pread:0,4,2") == b"F4;" + PROGRAM[2:6]
    assert client.ask(b"vFile:pread:0,4,100") == b"F0;"
    status = client.ask(b"vFile:fstat:0")
    assert status[:4] == b"F40;"
    assert int.from_bytes(status[4 + 28 : 4 + 36], "big") == len(PROGRAM)
    assert client.ask(b"vFile:close:0") == b"F0"
    assert client.ask(b"vFile:close:0") == b"F-1,9"
    assert client.ask(b"vFile:pread:0") == b"F-1,16"
    assert client.ask(b"vFile:unlink:%b" % name) == b""
    assert client.ask(b"vFile:readlink:%b" % name) == b"F-1,2", "it has no links"


def test_steps(client):
    assert client.ask(b"vCont?") == b"vCont;c;C;s;S;r"
    assert client.ask(b"vCont;s:p1.2;c:p1.-1").startswith(b"T05thread:p1.2;core:1;01:02")
    assert client.toy.cpus[1, 1]["pc"] in {0, 2}
    assert client.ask(b"vCont;s:p1.1").startswith(b"T05thread:p1.1;")
    assert client.ask(b"?").startswith(b"T05thread:p1.1;")
    client.toy.write_registers(ThreadId(1, 1), {"pc": 0})
    assert b";01:0600000000000000;" in client.ask(b"vCont;r0,6:p1.1")
    assert b";01:0200000000000000;" in client.ask(b"s0")


def test_breakpoints(client):
    assert client.ask(b"Z0,4,1") == b"OK"
    assert client.ask(b"vCont;c:p1.-1") == b"T05thread:p1.1;core:0;01:0400000000000000;swbreak:;"
    assert client.ask(b"z0,4,1") == client.ask(b"z0,4,1") == b"OK"
    assert client.ask(b"Z2,80,1") == b"OK"
    assert client.ask(b"c") == b"T05thread:p1.1;core:0;01:0600000000000000;watch:80;"
    assert client.ask(b"Z1,0,1") == client.ask(b"Z9,0,1") == b""
    assert client.ask(b"Z0,0") == client.ask(b"Z2,0,0") == client.ask(b"Z0,4,1;X1,27") == b"E16"


def test_a_stop_of_a_kind_that_gdb_does_not_know_is_a_plain_one():
    client = Client(b"multiprocess+")
    client.ask(b"Z0,4,1")
    assert client.ask(b"c") == b"T05thread:p1.1;core:0;01:0400000000000000;"


def test_the_end_of_the_target(client):
    client.toy.memory[4] = 9
    assert client.ask(b"c") == b"W03;process:1"
    assert client.ask(b"?") == b"W03;process:1"
    assert client.ask(b"c") == client.ask(b"vCont;c") == b"E16"


def test_running(client):
    assert client.send(b"vCont;c") == []
    assert client.send(b"g") == client.send(b"?") == []
    client.session.feed(b"\x03")
    assert client.toy.interrupted
    replies = client._payloads(client.session.report_stop(Stop(ThreadId(1, 2), 2)))
    assert [reply[:9] for reply in replies] == [b"T02thread", b"000000000", b"T02thread"]
    assert client.session.report_stop(Exited(1, 0)) == b""


def test_a_storm_of_interrupts_is_one_stop(client):
    client.send(b"vCont;c")
    assert client.session.feed(b"\x03" * 1000) == b""
    assert client.toy.interrupted
    stop = client._payloads(client.session.report_stop(Stop(ThreadId(1, 1), 2)))
    assert len(stop) == 1
    assert client.session.feed(b"\x03" * 1000) == b""
    assert client.session.report_stop(Stop(ThreadId(1, 1), 2)) == b""


def test_an_interrupt_while_stopped_is_nothing(client):
    assert client.session.feed(b"\x03") == b""
    assert not client.toy.interrupted


@pytest.mark.parametrize("packet", [b"vCont", b"vCont;", b"vCont;x", b"vCont;c:p9.1", b"vCont;S1",
                                    b"vCont;r1:p1.1", b"Cxx", b"szz", b"vCont;c:q"])  # fmt: skip
def test_going_on_in_a_wrong_way_is_an_error(client, packet):
    before = client.toy.state()
    assert client.ask(packet) == b"E16"
    assert not client.session.running
    assert client.toy.state() == before


def test_monitor(client):
    hello, other = (b"qRcmd," + word.hex().encode() for word in (b"hello", b"other"))
    assert client.send(hello) == [b"O" + b"hello, too\n".hex().encode(), b"OK"]
    assert client.send(other) == [b"O" + b"no command 'other'\n".hex().encode(), b"OK"]


def test_in_extended_mode_the_connection_outlives_the_target(client):
    client.ask(b"!")
    client.ask(b"Z0,4,1")
    assert client.ask(b"D;1") == b"OK"
    assert not client.toy.breakpoints
    assert not client.session.closed
    assert client.ask(b"vCont;c") == b"E16"
    assert client.ask(b"vRun;") == b"T05thread:p1.1;"


def test_in_extended_mode_the_target_may_be_run_again(client):
    assert client.ask(b"!") == b"OK"
    client.toy.write_registers(ThreadId(1, 1), {"pc": 4})
    assert client.ask(b"vKill;1") == b"OK"
    assert client.ask(b"vCont;c") == b"E16"
    assert client.ask(b"vRun;") == b"T05thread:p1.1;"
    assert client.toy.cpus[1, 1]["pc"] == 0
    client.ask(b"vKill;1")
    assert not client.toy.ended
    client.session.close()
    assert client.toy.ended


@pytest.mark.parametrize("packet", [b"vRun", b"vRun;zz", b"!!", b"k1", b"R", b"Rzz"])
def test_wrong_beginnings_and_ends_are_errors(client, packet):
    before = client.toy.state()
    assert client.ask(packet) == b"E16"
    assert client.toy.state() == before


def test_ends(client):
    client.ask(b"Z0,4,1")
    assert client.ask(b"D;2") == b"E16"
    assert client.ask(b"D;1") == b"OK"
    assert client.session.closed
    assert not client.toy.breakpoints
    other = Client()
    assert other.ask(b"vKill;1") == b"OK"
    assert other.toy.ended
    assert Client().send(b"k") == Client().send(b"R00") == []
    assert Client().ask(b"!") == b"OK"


# -- hostile clients

_WORDS = st.sampled_from(
    [*COMMANDS, *b": ; , p1.1 -1 0 ff memory read c s r # open pread = 1,2".split()]
)
_REQUESTS = st.lists(_WORDS | st.binary(max_size=6), max_size=9).map(b"".join)
_SILENT = re.compile(rb"k|R[0-9a-fA-F]{2}")


@settings(max_examples=600)
@given(st.lists(_REQUESTS, max_size=12), st.integers(1, 50))
def test_each_request_has_exactly_one_reply(requests, cut):
    client = Client()
    for request in requests:
        if client.session.closed:
            client = Client()
        before, data, replies = client.toy.state(), frame(request), []
        for at in range(0, len(data), cut):
            replies += client._payloads(client.session.feed(data[at : at + cut]))
        if client.session.running:
            assert replies == []
            replies = client._payloads(client.session.report_stop(client.toy.run(20)))
        consoles = [r for r in replies if r.startswith(b"O") and r != b"OK"]
        silent = _SILENT.fullmatch(request)
        assert len(replies) - len(consoles) == (0 if silent else 1)
        if replies and re.match(rb"E..\Z|F-1|\Z", replies[-1]):
            assert client.toy.state() == before


@settings(max_examples=300)
@given(st.binary(max_size=400))
def test_noise_changes_nothing(noise):
    client = Client()
    before = client.toy.state()
    client.session.feed(noise.replace(b"$", b"%"))
    assert client.toy.state() == before
    assert client.ask(b"qC") == b"QCp1.1"
