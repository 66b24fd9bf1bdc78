"""Connections: TCP and unix sockets, one gdb after another.

A `Listener` never waits unless it is told to, so that a machine can look at it between two slices
of its run. Who debugs a machine owns it, so only loopback is listened on unless an address says
otherwise.

References
----------
Debugging with GDB, Connecting to a Remote Target.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import select
import socket
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gdbstub import handover
from gdbstub.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gdbstub.target import Exited, Stop, Target, ThreadExited

_CHUNK = 1 << 16
_MOST_UNSENT = 1 << 22
"""Bytes that may wait for a gdb that does not read; it is not read from meanwhile."""
_GLANCES = 24
"""Looks for the next request before waiting for it: gdb's requests follow each other closely."""
DEFAULT_HOST = "127.0.0.1"


@dataclass(frozen=True)
class Address:
    """Where to listen.

    Attributes
    ----------
    host, port : of TCP; port 0: one that is free
    path : of a unix socket; empty: TCP
    """

    host: str = DEFAULT_HOST
    port: int = 0
    path: str = ""

    def __str__(self) -> str:
        """Return it as gdb's `target remote` takes it."""
        if self.path:
            return self.path
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse_address(text: str) -> Address:
    """Return the meaning of `:PORT`, `HOST:PORT`, QEMU's `tcp::PORT`, or `unix:PATH`.

    Without a host it is loopback.

    Raises
    ------
    ValueError : it is none of them
    """
    if text.startswith("unix:") and len(text) > 5:
        return Address(path=text[5:].split(",")[0])
    host, colon, port = text.removeprefix("tcp:").split(",")[0].rpartition(":")
    digits = port.isascii() and port.isdigit() and len(port) <= 5
    if not colon or not digits or int(port) > 65535:
        raise ValueError(f"address {text!r}, expected :PORT, HOST:PORT or unix:PATH")
    host = host.removeprefix("[").removesuffix("]")
    return Address("127.0.0.1" if host in {"", "localhost"} else _ip(host, text), int(port))


def _ip(host: str, text: str) -> str:
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        raise ValueError(
            f"address {text!r}: {host!r} is neither an IP address nor localhost"
        ) from None


def listening(address: Address) -> socket.socket:
    """Return a socket that listens, without blocking.

    Raises
    ------
    OSError : the address is taken, or not this host's
    """
    with contextlib.ExitStack() as stack:
        sock = stack.enter_context(socket.socket(family(address)))
        if address.path:
            _remove_stale(address.path)
            sock.bind(address.path)
        else:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((address.host, address.port))
        sock.listen(1)
        sock.setblocking(False)
        stack.pop_all()
        return sock


def family(address: Address) -> socket.AddressFamily:
    """Return the kind of socket that an address is of."""
    if address.path:
        return socket.AF_UNIX
    return socket.AF_INET6 if ":" in address.host else socket.AF_INET


def _remove_stale(path: str) -> None:
    """Remove the socket that a server which is gone has left; anything else is left alone."""
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(os.stat(path).st_mode):
            return
        probe = socket.socket(socket.AF_UNIX)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
        finally:
            probe.close()


class Listener:
    """Waits for gdb, and holds one conversation at a time.

    Parameters
    ----------
    address : where
    target : what each session debugs
    connected : called when gdb has come; it stops the target

    Attributes
    ----------
    target : what the next session debugs; `connected` may change it
    """

    def __init__(self, address: Address, target: Target, connected: Callable[[], None]) -> None:
        self._socket = listening(address)
        self.target = target
        self._connected = connected
        self._client: socket.socket | None = None
        self._unsent = bytearray()
        self._asleep = False
        self.session: Session | None = None
        self.address = address
        if not address.path:
            self.address = Address(address.host, self._socket.getsockname()[1])

    def fileno(self) -> int:
        """Return the descriptor that is readable when gdb comes, or says something."""
        return (self._client or self._socket).fileno()

    @property
    def connected(self) -> bool:
        """Whether there is a gdb."""
        return self._client is not None

    def poll(self, timeout: float | None = 0, closed: Sequence[Listener] = ()) -> bool:
        """Serve what has arrived; wait for it at most so many seconds, None: for ever.

        Parameters
        ----------
        closed : others, where nobody may come in meanwhile: who tries is hung up on

        Returns
        -------
        Whether anything has happened.
        """
        if self._asleep:
            return False
        if timeout is None and self._client is not None and not self._unsent and not closed:
            for _ in range(_GLANCES):
                if self._receive():
                    return True
            self._receive(wait=True)
            return True
        writers = [self._client] if self._client is not None and self._unsent else []
        readers = [self] if len(self._unsent) < _MOST_UNSENT else []
        readable, writable, _ = select.select([*readers, *closed], writers, [], timeout)
        for other in closed:
            if other in readable:
                other.refuse()
                readable.remove(other)
        if writable:
            self._send(b"")
        elif readable and self._client is None:
            self._accept()
        elif readable:
            self._receive()
        return bool(readable or writable)

    def report_stop(self, reason: Stop | Exited | ThreadExited) -> None:
        """Tell gdb that the target has stopped."""
        if self.session is not None:
            self._send(self.session.report_stop(reason))

    def print(self, text: str) -> None:
        """Show text on gdb's console."""
        if self.session is not None:
            self._send(self.session.print(text))

    def refuse(self) -> None:
        """Hang up on whoever wants to come in now."""
        with contextlib.suppress(BlockingIOError):
            self._socket.accept()[0].close()

    # -- for a process that is copied

    def sleep(self) -> None:
        """Let the original talk to gdb, and hear nothing here until `take_over`."""
        if self._client is not None:
            self._client.close()
        self._client = self.session = None
        self._unsent.clear()
        self._asleep = True

    def hand_over(self) -> tuple[dict[str, Any], int | None]:
        """Return what another copy needs to go on with the conversation, and its descriptor."""
        if self._client is None or self.session is None:
            return {}, None
        state = {"unsent": bytes(self._unsent), "session": handover.pack(self.session)}
        return state, self._client.fileno()

    def take_over(self, state: dict[str, Any], descriptor: int | None) -> None:
        """Go on with a conversation, or listen if there is none."""
        self._asleep = False
        if descriptor is None:
            return
        self._client = socket.socket(fileno=descriptor)
        self._client.setblocking(False)
        self._unsent = bytearray(state["unsent"])
        self.session = handover.unpack(state["session"], self.target)

    def close(self) -> None:
        """Hang up, and listen no longer."""
        self._hang_up()
        self._socket.close()
        if self.address.path:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.address.path)

    def _accept(self) -> None:
        try:
            self._client, _ = self._socket.accept()
        except BlockingIOError:
            return
        self._client.setblocking(True)  # each call says for itself whether it waits
        if self._client.family != socket.AF_UNIX:
            self._client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connected()
        self.session = Session(self.target)

    def _receive(self, *, wait: bool = False) -> bool:
        """Serve what gdb has sent; return whether it has sent anything."""
        client, session = self._client, self.session
        assert client is not None
        assert session is not None
        try:
            data = client.recv(_CHUNK, 0 if wait else socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except ConnectionError:
            data = b""
        if not data:
            self._hang_up()
            return True
        self._send(session.feed(data))
        if session.closed:
            self._hang_up()
        return True

    def _send(self, data: bytes) -> None:
        self._unsent += data
        while self._client is not None and self._unsent:
            try:
                sent = self._client.send(self._unsent, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            except ConnectionError:
                self._hang_up()
                return
            del self._unsent[:sent]

    def _hang_up(self) -> None:
        client, session = self._client, self.session
        self._client = self.session = None
        self._unsent.clear()
        if client is not None:
            client.close()
        if session is not None:
            session.close()
