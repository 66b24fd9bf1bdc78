"""Requests about processes: a made-up system of two processes, without one thing it cannot do."""

from __future__ import annotations

import pytest

from gdbstub import Exited, Session, Stop, Thread, ThreadExited, ThreadId
from gdbstub.events import Executed, Forked, SystemCall, ThreadCreated, VforkDone
from gdbstub.packet import Decoder, Mark, frame
from gdbstub.signals import NUMBERS
from tests.gdbstub.toy import Toy

FIRST, SECOND = ThreadId(1, 1), ThreadId(7, 7)
HELLO = "qSupported:multiprocess+;fork-events+;vfork-events+;exec-events+;error-message+"


class System(Toy):
    """The toy, whose processors are called processes."""

    thread_events = False
    passed_signals = frozenset()

    def __init__(self):
        super().__init__()
        self.cpus = {FIRST: {"a": 0, "pc": 0, "id": 1}, SECOND: {"a": 0, "pc": 0, "id": 7}}
        self.caught, self.gone, self.killed = {}, set(), []

    def threads(self):
        return [Thread(t, "task") for t in self.cpus if t.pid not in self.gone]

    def attach_process(self, pid):
        self.gone.discard(pid)
        return ThreadId(pid, pid)

    def detach_process(self, pid):
        self.gone.add(pid)
        return len(self.gone) < 2

    def kill(self, pid):
        self.killed.append(pid)

    def catch_syscalls(self, pid, numbers):
        self.caught[pid] = numbers

    def os_tables(self):
        return {"cakes": "What <there> is"}

    def os_table(self, _name):
        return [{"name": "a&b", "layers": "3"}]

    def auxv(self, thread):
        return bytes(thread.pid for _ in range(16))

    def libraries(self, _thread):
        return [("/lib/c & d.so", 0x7000)]

    def tls_address(self, thread, offset, module):
        return thread.tid << 16 | module << 8 | offset


@pytest.fixture
def system():
    return System()


@pytest.fixture
def ask(system):
    session, decoder = Session(system), Decoder()

    def asked(request):
        replies = [r for r in decoder.feed(session.feed(frame(request.encode())))
                   if not isinstance(r, Mark)]  # fmt: skip
        return replies[-1].decode() if replies else None

    asked("QStartNoAckMode")
    asked(HELLO)
    asked.session = session
    asked.tell = lambda reason: decoder.feed(session.report_stop(reason))[-1].decode()
    return asked


def test_only_what_the_system_can_do_is_said(ask):
    words = ask(HELLO).split(";")
    assert {"QCatchSyscalls+", "QPassSignals+", "QProgramSignals+", "QThreadEvents+"} < {*words}
    assert {"qXfer:osdata:read+", "qXfer:auxv:read+", "qXfer:libraries-svr4:read+"} < {*words}
    assert {"fork-events+", "vfork-events+", "exec-events+"} < {*words}
    assert "exec-events" not in ask("qSupported:multiprocess+;fork-events+")


@pytest.mark.parametrize(
    "request_",
    ["QCatchSyscalls:1", "QPassSignals:e", "QProgramSignals:e", "QThreadEvents:1", "vAttach;1",
     "qGetTLSAddr:1,0,0", "qXfer:osdata:read::0,10", "qXfer:auxv:read::0,10",
     "qXfer:libraries-svr4:read::0,10"],
)  # fmt: skip
def test_a_target_without_a_system_has_none_of_it(request_):
    session, decoder = Session(Toy()), Decoder()
    session.feed(frame(b"QStartNoAckMode"))
    assert decoder.feed(session.feed(frame(request_.encode()))) == [b""]


def test_system_calls_are_caught_for_the_selected_process(ask, system):
    assert ask("Hgp7.7") == "OK"
    assert ask("QCatchSyscalls:1;1;3b") == "OK"
    assert system.caught == {7: frozenset({1, 0x3B})}
    assert ask("QCatchSyscalls:1") == "OK"
    assert system.caught == {7: None}
    assert ask("QCatchSyscalls:0") == "OK"
    assert system.caught == {7: frozenset()}


@pytest.mark.parametrize(
    "request_",
    ["QCatchSyscalls", "QCatchSyscalls:2", "QCatchSyscalls:0;1", "QCatchSyscalls:1;",
     "QCatchSyscalls:1;x", "QPassSignals:z", "QProgramSignals:z", "QThreadEvents:2",
     "QThreadEvents", "vAttach;", "vAttach;x", "qGetTLSAddr:p1.1,0", "qGetTLSAddr:p9.9,0,0",
     "qGetTLSAddr:p1.1,x,0", "qXfer:osdata:read:pies:0,10", "D;9", "vKill;9"],
)  # fmt: skip
def test_malformed_requests_change_nothing(ask, system, request_):
    before = system.state(), dict(system.caught), system.thread_events, system.passed_signals
    assert ask(request_).startswith("E.")
    assert before == (
        system.state(), dict(system.caught), system.thread_events, system.passed_signals,
    )  # fmt: skip


def test_settings(ask, system):
    assert ask("QPassSignals:e;14;") == "OK"
    assert system.passed_signals == {14, 20}
    assert ask("QPassSignals:") == "OK"
    assert system.passed_signals == frozenset()
    assert ask("QProgramSignals:0;1") == "OK"
    assert ask("QThreadEvents:1") == "OK"
    assert system.thread_events


def test_objects(ask):
    assert ask("qXfer:auxv:read::0,8") == "m" + "\1" * 8
    listed = ask("qXfer:libraries-svr4:read::0,1000")
    assert '<library name="/lib/c &amp; d.so" lm="0x1" l_addr="0x7000"' in listed
    assert '<column name="Description">What &lt;there&gt; is</column>' in ask(
        "qXfer:osdata:read::0,1000"
    )
    assert ask("qXfer:osdata:read:cakes:0,1000").endswith(
        '<osdata type="cakes"><item><column name="name">a&amp;b</column>'
        '<column name="layers">3</column></item></osdata>'
    )
    assert ask("qGetTLSAddr:p7.7,4,2") == f"{7 << 16 | 2 << 8 | 4:x}"


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (Forked(SECOND), "fork:p7.7;"),
        (Forked(SECOND, shares_memory=True), "vfork:p7.7;"),
        (VforkDone(), "vforkdone:;"),
        (Executed("/bin/a"), f"exec:{b'/bin/a'.hex()};"),
        (ThreadCreated(), "create:;"),
        (SystemCall(0x3B), "syscall_entry:3b;"),
        (SystemCall(1, returns=True), "syscall_return:1;"),
    ],
)
def test_stops_say_what_has_happened(ask, event, words):
    ask("vCont;c")
    said = ask.tell(Stop(FIRST, event=event))
    assert said.startswith("T05thread:p1.1;")
    assert said.endswith(words)
    assert ask("?") == said


def test_the_end_of_one_process_is_not_the_end_of_all(ask, system):
    ask("vCont;c")
    system.gone.add(7)
    assert ask.tell(Exited(7, 3)) == "W03;process:7"
    assert ask("vCont;c") is None
    assert ask.tell(Exited(1, 0, NUMBERS["SIGSEGV"])) == "X0b;process:1"
    assert ask("vCont;c") == "E.the target has ended"


def test_the_end_of_a_thread(ask):
    ask("vCont;c")
    assert ask.tell(ThreadExited(SECOND, 1)) == "w01;p7.7"
    assert ask("vCont;c") is None


def test_one_process_is_left_alone_and_attended_to_again(ask, system):
    assert ask("D;7") == "OK"
    assert not ask.session.closed
    assert "p7.7" not in ask("qXfer:threads:read::0,1000")
    assert ask("vAttach;7").startswith("T00thread:p7.7;")
    assert ask("qC") == "QCp7.7"
    assert ask("D;7") == "OK"
    assert ask("D;1") == "OK"
    assert ask.session.closed


def test_one_process_is_ended(ask, system):
    assert ask("vKill;7") == "OK"
    assert system.killed == [7]
    assert not ask.session.closed
    assert ask("vKill;1") == "OK"
    assert ask.session.closed


class Links(System):
    """The same, with a symbolic link."""

    def read_link(self, path):
        if path != "/proc/1/exe":
            raise FileNotFoundError(path)
        return "/toy.bin"


def test_symbolic_links():
    session, decoder = Session(Links()), Decoder()
    session.feed(frame(b"QStartNoAckMode"))
    names = [path.encode().hex().encode() for path in ("/proc/1/exe", "/proc/1/cwd")]
    replies = [decoder.feed(session.feed(frame(b"vFile:readlink:" + name)))[-1] for name in names]
    assert replies == [b"F8;/toy.bin", b"F-1,2"]


def test_a_stop_of_a_process_that_gdb_has_not_let_go_on_brings_all_its_registers(ask):
    """gdb believes to know them, and would show those of the stop before."""
    assert ask("Hgp1.1") == "OK"
    for threads, expected in (("p1.-1", ["01"]), ("p7.-1", ["00", "01"])):
        ask(f"vCont;c:{threads}")
        words = ask.tell(Stop(FIRST)).split(";")
        assert [word[:2] for word in words if word[2:3] == ":"] == expected
