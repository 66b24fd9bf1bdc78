"""One who only looks."""

from __future__ import annotations

import pytest

from gdbstub import Session
from gdbstub.observer import Observer
from gdbstub.packet import frame
from tests.gdbstub.toy import PROGRAM, Toy


@pytest.fixture
def toy():
    return Toy()


@pytest.fixture
def ask(toy):
    session = Session(Observer(toy, toy.monitor))
    session.feed(frame(b"qSupported:multiprocess+;error-message+") + frame(b"QStartNoAckMode"))
    return lambda request: session.feed(frame(request))


def test_everything_can_be_seen(ask):
    assert ask(b"g") == frame(b"00000000" + b"0" * 16)
    assert ask(b"m0,8") == frame(PROGRAM.hex().encode())
    assert ask(b"qXfer:exec-file:read:1:0,100") == frame(b"l/toy.bin")
    assert ask(b"qRcmd," + b"hello".hex().encode()).endswith(frame(b"OK"))


@pytest.mark.parametrize("request_", [b"P0=01000000", b"M10,1:00", b"X10,1:a", b"vCont;c", b"c",
                                      b"G01000000" + b"0" * 16])  # fmt: skip
def test_nothing_can_be_changed(ask, toy, request_):
    before = toy.state()
    assert ask(request_) == frame(b"E.this connection only looks; the one that debugs is another")
    assert toy.state() == before


@pytest.mark.parametrize("request_", [b"Z0,4,1", b"z0,4,1", b"k", b"R00", b"vRun;", b"QNonStop:1",
                                      b"Qqemu.PhyMemMode:1"])  # fmt: skip
def test_what_it_does_not_have_it_does_not_know(ask, toy, request_):
    before = toy.state()
    assert ask(request_) == frame(b"")
    assert toy.state() == before


def test_to_leave_is_to_leave_everything_as_it_is(ask, toy):
    toy.insert_breakpoint(None, "one")
    assert ask(b"D") == frame(b"OK")
    assert toy.breakpoints == {"one"}


def test_monitor_may_be_refused():
    session = Session(Observer(Toy()))
    assert b"only looks" in bytes.fromhex(
        session.feed(frame(b"qRcmd,00")).partition(b"$O")[2].partition(b"#")[0].decode()
    )
