"""What a read fills and a write drains."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Buffer", "BytesBuffer"]


class Buffer(Protocol):
    """A range of memory with a place in it; user memory is pinned, so neither call can fail."""

    @property
    def remaining(self) -> int:
        """Bytes behind the place."""
        ...

    def put(self, data: bytes | bytearray | memoryview) -> None:
        """Store at the place and move it on; at most `remaining` bytes."""
        ...

    def take(self, size: int) -> bytes:
        """Return the next bytes, at most `size` and at most `remaining`, and move on."""
        ...


class BytesBuffer:
    """A buffer of the kernel's own.

    Parameters
    ----------
    data : what a write drains
    size : room for a read, bytes; the length of `data` unless given
    """

    def __init__(self, data: bytes = b"", *, size: int | None = None) -> None:
        self.data = bytearray(data) if size is None else bytearray(size)
        self._place = 0

    @property
    def remaining(self) -> int:
        """Bytes behind the place."""
        return len(self.data) - self._place

    @property
    def done(self) -> bytes:
        """What has been put or taken so far."""
        return bytes(self.data[: self._place])

    def put(self, data: bytes | bytearray | memoryview) -> None:
        """Store at the place and move it on.

        Raises
        ------
        ValueError : more than `remaining` bytes
        """
        end = self._place + len(data)
        if end > len(self.data):
            raise ValueError(f"{len(data)} bytes into a buffer with room for {self.remaining}")
        self.data[self._place : end] = data
        self._place = end

    def take(self, size: int) -> bytes:
        """Return the next bytes, at most `size` and at most `remaining`, and move on."""
        taken = bytes(self.data[self._place : self._place + size])
        self._place += len(taken)
        return taken
