"""A client of gdb's remote protocol without gdb: what a stub costs, with as little else as can be.

References
----------
Debugging with GDB, Remote Protocol.
"""

from __future__ import annotations

import re
import socket
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_TIMEOUT_SECONDS = 60
_CHUNK = 1 << 18
_PACKET = re.compile(rb"\$([^#]*)#[0-9a-f]{2}", re.DOTALL)
_RUN = re.compile(rb"(.)\*(.)", re.DOTALL)


class Client:
    """One conversation, with acknowledgements only if the stub insists on them.

    Parameters
    ----------
    path : unix socket of the stub; it is waited for

    Attributes
    ----------
    features : what the stub says it can do
    """

    def __init__(self, path: Path) -> None:
        self._socket = _connected(str(path))
        self._received = b""
        self._acknowledge = True
        reply = self.ask(b"qSupported:swbreak+;hwbreak+;vContSupported+")
        self.features = frozenset(reply.decode().split(";"))
        if "QStartNoAckMode+" in self.features:
            self.ask(b"QStartNoAckMode")
            self._acknowledge = False

    def ask(self, request: bytes) -> bytes:
        """Send a request; return the payload of its reply, runs at length."""
        self._socket.sendall(b"$%b#%02x" % (request, sum(request) & 0xFF))
        while (found := _PACKET.search(self._received)) is None:
            part = self._socket.recv(_CHUNK)
            if not part:
                raise ConnectionError(f"the stub hung up at {request[:40]!r}")
            self._received += part
        self._received = self._received[found.end() :]
        if self._acknowledge:
            self._socket.sendall(b"+")
        body = found[1]
        if b"*" in body:
            body = _RUN.sub(lambda run: run[1] * (run[2][0] - 28), body)
        return _unescaped(body) if b"}" in body else body

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


def _unescaped(body: bytes) -> bytes:
    for special in (b"$", b"#", b"*", b"}"):
        body = body.replace(bytes((0x7D, special[0] ^ 0x20)), special)
    return body


def _connected(path: str) -> socket.socket:
    deadline = time.monotonic() + _TIMEOUT_SECONDS
    while True:
        one = socket.socket(socket.AF_UNIX)
        one.settimeout(_TIMEOUT_SECONDS)
        try:
            one.connect(path)
        except (FileNotFoundError, ConnectionRefusedError):
            one.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return one
