"""Trace experiments, packet by packet, with a toy that says when a tracepoint is reached."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gdbstub import Session, TargetError
from gdbstub.agent import AgentError, Op
from gdbstub.packet import Decoder, Mark, frame
from gdbstub.tracer import BUFFER_SIZE, Frame, Tracer
from gdbstub.tracing import NAMES
from tests.gdbstub.toy import Toy


class TracedToy(Toy):
    """A toy whose first processor can be at a tracepoint."""

    def __init__(self):
        super().__init__()
        self.armed = []
        self.tracer = Tracer({}, lambda: self.armed.append(sorted(self.tracer.armed)))

    def reach(self, address, a=0):
        """Be at an address with a value in register A."""
        self.cpus[1, 1].update(a=a, pc=address)
        for point in self.tracer.armed.get(address, ()):
            for behind in range(self.tracer.hit(point, Recorder(self, point)), 0, -1):
                self.cpus[1, 1]["pc"] += 1
                self.tracer.step(point, Recorder(self, point), last=behind == 1)


class Recorder:
    def __init__(self, toy, point):
        pc = toy.cpus[1, 1]["pc"]
        self.toy, self.frame = toy, Frame(point.number, pc, {1: pc})

    def register(self, number):
        return self.toy.cpus[1, 1][("a", "pc")[number]]

    def collect_register(self, number):
        self.frame.registers[number] = self.register(number)

    def read(self, address, size):
        try:
            return self.toy.read_memory(None, address, size)
        except TargetError:
            raise AgentError("memory") from None

    def collect(self, address, size):
        self.frame.blocks.append((address, self.read(address, size)))

    def variable(self, number):
        return self.toy.tracer.values[number]

    def set_variable(self, number, value):
        self.toy.tracer.values[number] = value

    def collect_variable(self, number):
        self.frame.variables[number] = self.variable(number)


class Client:
    def __init__(self):
        self.toy = TracedToy()
        self.session = Session(self.toy)
        self.decoder = Decoder()
        self.features = self.ask("qSupported:multiprocess+")

    def ask(self, request):
        data = self.session.feed(frame(request.encode()))
        (reply,) = (item for item in self.decoder.feed(data) if not isinstance(item, Mark))
        return reply.decode()

    def all(self, *requests):
        for request in requests:
            assert self.ask(request) == "OK", request


@pytest.fixture
def client():
    return Client()


def expression(*ops):
    code = bytes((*ops, Op.END))
    return f"X{len(code):x},{code.hex()}"


A_IS_5 = expression(Op.REG, 0, 0, Op.CONST8, 5, Op.EQUAL)
COUNT = expression(Op.GETV, 0, 2, Op.CONST8, 1, Op.ADD, Op.SETV, 0, 2, Op.TRACEV, 0, 2)


def defined(client, condition=""):
    client.all(
        "QTinit",
        f"QTDP:1:4:E:0:0{condition}-",
        f"QTDP:-1:4:R01M-1,0,4M0,10,2{COUNT}",
        "QTDPsrc:1:4:at:0:4:2a307834",
        "QTDV:2:7:0:6e",
    )


def test_what_is_promised(client):
    assert "ConditionalTracepoints+" in client.features
    assert "qXfer:traceframe-info:read+" in client.features
    assert "Tracepoint" not in Session(Toy()).feed(frame(b"qSupported")).decode()
    assert Session(Toy()).feed(frame(b"qTStatus")) == b"+$#00"


def test_an_experiment(client):
    defined(client)
    client.toy.reach(4)
    assert "tframes:0;" in client.ask("qTStatus")
    client.all("QTStart")
    assert client.ask("qTStatus").startswith("T1;tunknown:0;tframes:0;")
    client.toy.reach(4, a=0x20)
    client.toy.reach(6)
    client.toy.reach(4, a=0x21)
    client.all("QTStop")
    status = client.ask("qTStatus")
    assert status.startswith("T0;tstop::0;tframes:2;tcreated:2;")
    assert client.toy.armed == [[], [4], []]
    assert client.ask("qTP:1:4").startswith("V2:")
    assert client.ask("qTV:2") == "V9"
    assert client.ask("qTV:63") == "U"


def test_frames_are_looked_at_in_place_of_the_target(client):
    defined(client)
    client.all("QTStart")
    client.toy.reach(4, a=0x20)
    client.toy.reach(4, a=0x22)
    client.all("QTStop")
    client.toy.memory[:] = bytes(256)
    assert client.ask("QTFrame:0") == "F0T1"
    assert client.ask("g") == "20000000" + "0400000000000000"
    assert client.ask("p2") == "xx"
    assert client.ask("m0,8") == "00010002"
    assert client.ask("m30,2") == "ffff"
    assert client.ask("m31,2") == "ff"
    assert client.ask("m40,2") == "E01"
    assert client.ask("qTV:2") == "V8"
    assert client.ask("qXfer:traceframe-info:read::0,fff") == (
        'l<traceframe-info><memory start="0x0" length="0x4"/><memory start="0x30" length="0x2"/>'
        '<tvar id="2"/></traceframe-info>'
    )
    assert client.ask("M0,1:00")[0] == client.ask("P0=00000000")[0] == client.ask("G00")[0] == "E"
    assert client.ask("QTFrame:tdp:1") == "F1T1"
    assert client.ask("p0") == "22000000"
    assert client.ask("QTFrame:tdp:1") == "F-1"
    assert client.ask("QTFrame:ffffffff") == "OK"
    assert client.ask("m0,2") == "0000"
    assert client.ask("qXfer:traceframe-info:read::0,fff") == "E00"


@pytest.mark.parametrize(
    ("how", "found"),
    [("pc:4", "F0T1"), ("pc:6", "F1T2"), ("tdp:2", "F1T2"), ("range:5:6", "F1T2"),
     ("range:7:9", "F-1"), ("outside:0:4", "F1T2"), ("1", "F1T2"), ("2", "F-1")],
)  # fmt: skip
def test_finding_frames(client, how, found):
    client.all("QTinit", "QTDP:1:4:E:0:0", "QTDP:2:6:E:0:0", "QTStart")
    client.toy.reach(4)
    client.toy.reach(6)
    assert client.ask(f"QTFrame:{how}") == found


def test_memory_that_cannot_have_changed(client):
    client.all("QTinit", "QTDP:1:4:E:0:0", "QTro:0,8:80,90", "QTStart")
    client.toy.reach(4)
    client.all("QTStop")
    assert client.ask("QTFrame:0") == "F0T1"
    assert client.ask("m0,2") == "0001"
    assert client.ask("m7,2") == "E01"


def test_conditions_and_passes(client):
    client.all("QTinit", f"QTDP:1:4:E:0:2:{A_IS_5}", "QTStart")
    for a in (1, 5, 2, 5, 5):
        client.toy.reach(4, a)
    assert client.ask("qTStatus").startswith("T0;tpasscount:1;tframes:2;")


def test_instructions_behind_a_hit_are_collected_at(client):
    client.all("QTinit", "QTDP:1:4:E:3:2", "QTDP:-1:4:R1-", "QTDP:-1:4:SM-1,0,2-", "QTDP:-1:4:R1")
    assert [client.ask("qTfP"), *(client.ask("qTsP") for _ in range(3))] == [
        "T1:4:E:3:2", "A1:4:R1", "S1:4:M-1,0,2", "S1:4:R1"
    ]  # fmt: skip
    client.all("QTStart")
    for a in (7, 8, 9):
        client.toy.reach(4, a)
    assert client.ask("qTStatus").startswith("T0;tpasscount:1;tframes:8;")
    frames = client.toy.tracer.frames
    assert [frame.pc for frame in frames] == [4, 5, 6, 7] * 2
    assert [len(frame.blocks) for frame in frames] == [0, 1, 1, 1] * 2
    assert client.ask("qTP:1:4").startswith("V2:")


def test_steps_end_with_the_experiment(client):
    client.all("QTinit", "QTDP:1:4:E:9:0", "QTBuffer:size:30", "QTStart")
    client.toy.reach(4)
    assert client.ask("qTStatus").startswith("T0;tfull:0;tframes:3;")


def test_tracepoints_are_turned_off_and_on(client):
    client.all("QTinit", "QTDP:1:4:D:0:0", "QTStart")
    client.toy.reach(4)
    client.all("QTEnable:1:4")
    client.toy.reach(4)
    client.all("QTDisable:1:4")
    client.toy.reach(4)
    assert "tframes:1;" in client.ask("qTStatus")
    assert client.ask("QTEnable:9:4")[0] == "E"


@pytest.mark.parametrize(("circular", "why", "last"), [(0, "tfull:0", 3), (1, "tunknown:0", 9)])
def test_a_buffer_that_is_full(client, circular, why, last):
    client.all("QTinit", "QTDP:1:4:E:0:0", "QTDP:-1:4:R1", f"QTBuffer:circular:{circular}",
               "QTBuffer:size:60", "QTStart")  # fmt: skip
    for a in range(10):
        client.toy.reach(4, a)
    status = client.ask("qTStatus")
    assert f";{why};" in status
    assert ";tframes:4;" in status
    assert client.toy.tracer.frames[-1].registers[0] == last
    client.all("QTBuffer:size:-1" if not circular else "QTStop")
    assert client.toy.tracer.limit == (BUFFER_SIZE if not circular else 0x60)


def test_an_action_that_fails_ends_the_experiment(client):
    client.all("QTinit", "QTDP:1:4:E:0:0", f"QTDP:-1:4:{expression(Op.CONST16, 9, 9, Op.REF8)}")
    client.all("QTStart")
    client.toy.reach(4)
    assert client.ask("qTStatus").startswith(f"T0;terror:{b'memory'.hex()}:1;")


def test_another_gdb_learns_what_there_is(client):
    defined(client, f":{A_IS_5}")
    told = [client.ask("qTfP")]
    while told[-1] != "l":
        told.append(client.ask("qTsP"))
    assert told == [
        f"T1:4:E:0:0:{A_IS_5}", f"A1:4:R01M-1,0,4M0,10,2{COUNT}", "Z1:4:at:0:4:2a307834", "l",
    ]  # fmt: skip
    assert client.ask("qTfV") == "1:0:1:" + b"trace_timestamp".hex()
    assert [client.ask("qTsV"), client.ask("qTsV")] == ["2:7:0:6e", "l"]


def test_the_buffer_as_a_file_has_it(client):
    defined(client)
    client.all("QTStart")
    client.toy.reach(4, a=0x20)
    raw = bytes.fromhex(client.ask("qTBuffer:0,1000"))
    number, size = struct.unpack_from("<hI", raw)
    assert (number, size) == (1, len(raw) - 6)
    registers = b"R" + struct.pack("<IQ", 0x20, 4)
    memory = b"M" + struct.pack("<QH", 0, 4) + bytes((0, 1, 0, 2))
    assert raw[6:].startswith(registers + memory)
    assert raw[6:].endswith(b"V" + struct.pack("<iQ", 2, 8))
    assert client.ask(f"qTBuffer:{len(raw):x},10") == "l"


@pytest.mark.parametrize("kept", [False, True])
def test_a_trace_ends_with_the_connection_unless_it_shall_not(client, kept):
    client.all("QTinit", "QTDP:1:4:E:0:0", f"QTDisconnected:{kept:d}", "QTStart")
    client.session.close()
    assert client.toy.tracer.running is kept


@pytest.mark.parametrize(
    "packet",
    ["QTDP:1:4:E:0", "QTDP:1:4:Q:0:0", "QTDP:1:4:E:x:0", "QTDP:1:4:E:0:0:F1", "QTDP:-1:4:R1",
     "QTDP:1:4:E:0:0:X1,02", "QTDP:-5", "QTDPsrc:1:4:at:0:4:2a", "QTDV:1:2", "QTro:1",
     "QTBuffer:size:x", "QTFrame:pc", "QTFrame:odd:1", "QTFrame:range:1", "qTP:1", "qTV:x",
     "qTBuffer:0", "QTEnable:1"],
)  # fmt: skip
def test_malformed_packets_are_errors(client, packet):
    assert client.ask(packet)[0] == "E"
    assert not client.toy.tracer.points


def test_bounds(client):
    client.all("QTinit", "QTDP:1:4:E:0:0")
    assert client.ask("QTDP:-1:4:M-1,0,100001")[0] == "E"
    assert client.ask(f"QTDP:-1:4:{'R1' * 1025}")[0] == "E"
    client.all("QTBuffer:size:ffffffffff")
    assert client.toy.tracer.limit == 1 << 28


_WORDS = st.sampled_from(
    [*(name.decode() for name in NAMES), "R3", "M-1,0,8", "M0,fff,10", COUNT, A_IS_5, "E", "D",
     *": - , ; 0 1 4 ff ffffffff pc tdp range outside circular size at".split()]
)  # fmt: skip
_REQUESTS = st.lists(_WORDS, max_size=9).map("".join) | st.sampled_from(
    [
        "QTinit",
        "QTDP:1:4:E:0:0",
        "QTDP:-1:4:R3M-1,0,8",
        "QTStart",
        "QTStop",
        "QTFrame:0",
        "g",
        "m0,8",
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(_REQUESTS, max_size=12))
def test_each_request_has_one_reply_whatever_it_is(requests):
    client = Client()
    for request in requests:
        if not request.startswith(("QT", "qT", "g", "m")):
            continue
        before = client.toy.state()
        client.ask(request)
        client.toy.reach(4)
        client.toy.cpus[1, 1].update(a=0, pc=0)
        assert client.toy.state() == before
