"""Connections: addresses, and one gdb after another."""

from __future__ import annotations

import socket

import pytest

from gdbstub import Listener, parse_address
from gdbstub.packet import frame
from gdbstub.server import _MOST_UNSENT, Address
from gdbstub.target import Stop, ThreadId
from tests.gdbstub.toy import Toy


@pytest.mark.parametrize(
    ("text", "address", "back"),
    [
        (":1234", Address(port=1234), "127.0.0.1:1234"),
        ("tcp::1234", Address(port=1234), "127.0.0.1:1234"),
        ("localhost:7", Address(port=7), "127.0.0.1:7"),
        ("0.0.0.0:7", Address("0.0.0.0", 7), "0.0.0.0:7"),
        ("[::1]:7", Address("::1", 7), "[::1]:7"),
        ("unix:/a/b", Address(path="/a/b"), "/a/b"),
        ("unix:/a/b,server,nowait", Address(path="/a/b"), "/a/b"),
    ],
)
def test_addresses(text, address, back):
    assert parse_address(text) == address
    assert str(address) == back


@pytest.mark.parametrize(
    "text", ["", "1234", "x:y", ":65536", "example.org:1", ":-1", "unix:", ":"]
)
def test_what_is_no_address(text):
    with pytest.raises(ValueError, match="address"):
        parse_address(text)


def test_no_host_is_this_host_only():
    assert parse_address(":0").host == "127.0.0.1"


@pytest.fixture
def listen(tmp_path):
    listeners = []

    def start(address=None):
        toy, halts = Toy(), []
        where = address or Address(path=str(tmp_path / "socket"))
        listeners.append(Listener(where, toy, lambda: halts.append(1)))
        return listeners[-1], toy, halts

    yield start
    for listener in listeners:
        listener.close()


@pytest.fixture
def dial():
    clients = []

    def connect(listener):
        address = listener.address
        sock = socket.socket(socket.AF_UNIX if address.path else socket.AF_INET)
        clients.append(sock)
        sock.settimeout(20)
        sock.connect(address.path or (address.host, address.port))
        return sock

    yield connect
    for client in clients:
        client.close()


def ask(listener, client, request):
    client.sendall(request)
    assert listener.poll(20)
    return client.recv(1 << 16)


@pytest.mark.parametrize("address", [None, Address()])
def test_a_conversation(listen, dial, address):
    listener, toy, halts = listen(address)
    assert not listener.poll()
    client = dial(listener)
    assert listener.poll(20)
    assert (listener.connected, halts) == (True, [1])
    assert ask(listener, client, frame(b"qC")) == b"+" + frame(b"QC1")
    client.sendall(frame(b"c"))
    listener.poll(20)
    assert client.recv(100) == b"+"
    assert toy.actions
    listener.report_stop(Stop(ThreadId(1, 1)))
    assert client.recv(100).startswith(b"$T05thread:1;")


def test_one_gdb_after_another(listen, dial):
    listener, toy, halts = listen()
    first = dial(listener)
    listener.poll(20)
    second = dial(listener)
    second.sendall(frame(b"qC"))
    assert not listener.poll()
    ask(listener, first, frame(b"Z0,4,1"))
    first.close()
    assert listener.poll(20)
    assert not toy.breakpoints
    assert listener.poll(20)
    assert listener.poll(20)
    assert second.recv(100) == b"+" + frame(b"QC1")
    assert halts == [1, 1]


def test_after_detach_the_connection_is_closed(listen, dial):
    listener, _, _ = listen()
    client = dial(listener)
    listener.poll(20)
    assert ask(listener, client, frame(b"D")) == b"+" + frame(b"OK")
    assert client.recv(10) == b""
    assert not listener.connected


def test_a_gdb_that_does_not_read_is_not_read_from(listen, dial):
    listener, _, _ = listen()
    client = dial(listener)
    listener.poll(20)
    client.settimeout(0)
    sent = 0
    request = frame(b"qXfer:features:read:target.xml:0,1000") * 50
    for _ in range(2000):
        try:
            sent += client.send(request)
        except BlockingIOError:
            if not listener.poll():
                break
        listener.poll()
    else:
        pytest.fail("the server takes in more than it can give out")
    assert len(listener._unsent) < 2 * _MOST_UNSENT


def test_a_stale_socket_is_replaced_and_anything_else_left(listen, tmp_path):
    path = tmp_path / "socket"
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(str(path))
    sock.close()
    listener, _, _ = listen()
    with pytest.raises(OSError, match="in use"):
        listen()
    listener.close()
    assert not path.exists()
    path.write_text("mine")
    with pytest.raises(OSError, match="in use"):
        listen()
    assert path.read_text() == "mine"
