"""Messages between copies of the emulator, with open files in them.

Both ends are the same program, forked; so a message is a pickle.
"""

from __future__ import annotations

import pickle
import socket
import struct
from typing import Any

_LENGTH = struct.Struct("<Q")
_MOST_FILES = 250
"""Descriptors in one message; Linux takes 253."""
_CHUNK = 1 << 16


class ChannelClosed(Exception):  # noqa: N818 - it is an event, not an error
    """Nobody is at the other end any more."""


class Channel:
    """One end of a connection.

    Parameters
    ----------
    end : a connected stream socket of the unix family
    """

    def __init__(self, end: socket.socket) -> None:
        self._socket = end

    @classmethod
    def pair(cls) -> tuple[Channel, Channel]:
        """Return both ends of a new connection."""
        one, other = socket.socketpair()
        return cls(one), cls(other)

    @classmethod
    def of(cls, descriptor: int) -> Channel:
        """Return the channel that a descriptor is, which has come in a message."""
        return cls(socket.socket(fileno=descriptor))

    def fileno(self) -> int:
        """Return the descriptor: readable when something has come, or nobody is there."""
        return self._socket.fileno()

    def send(self, message: Any, files: tuple[int, ...] = ()) -> None:
        """Send a message, and open files with it.

        Raises
        ------
        ChannelClosed : nobody is there
        """
        data = pickle.dumps(message)
        head = _LENGTH.pack(len(data))
        try:
            if files:
                socket.send_fds(self._socket, [head], files)
            else:
                self._socket.sendall(head)
            self._socket.sendall(data)
        except OSError as error:
            raise ChannelClosed(str(error)) from None

    def receive(self) -> tuple[Any, list[int]]:
        """Wait for a message; return it, and the files that have come with it.

        Raises
        ------
        ChannelClosed : nobody is there
        """
        try:
            head, files, _, _ = socket.recv_fds(self._socket, _LENGTH.size, _MOST_FILES)
            head += self._exactly(_LENGTH.size - len(head))
            data = self._exactly(_LENGTH.unpack(head)[0])
        except OSError as error:
            raise ChannelClosed(str(error)) from None
        return pickle.loads(data), files

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def _exactly(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            chunk = self._socket.recv(min(size - len(data), _CHUNK))
            if not chunk:
                raise ChannelClosed("the other end has gone")
            data += chunk
        return bytes(data)
