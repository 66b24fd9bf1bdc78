"""The host's end of a serial port: standard input and output, a file, or nothing."""

from __future__ import annotations

import contextlib
import os
import select
import stat
import sys
import termios
from typing import IO, TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from pykern.config import SerialSpec

_CHUNK = 4096


class Visitor(Protocol):
    """Somebody else whom a wait for input must not keep waiting: a debugger."""

    @property
    def connected(self) -> bool:
        """Whether there is somebody; else nobody may ever come."""

    def fileno(self) -> int:
        """Return the descriptor that is readable when there is something to say."""


# Positions in the list of termios.tcgetattr.
_IFLAG, _LFLAG, _CC = 0, 3, 6


class NoInput:
    """A serial port at which nobody types."""

    def __init__(self) -> None:
        self.visitors: list[Visitor] = []

    def read(self) -> bytes:
        """Return nothing."""
        return b""

    def wait(self, seconds: float | None) -> bool:
        """Wait for the time to pass, since no input will come, or for a visitor."""
        if seconds is None and not any(visitor.connected for visitor in self.visitors):
            return False
        return bool(select.select(self.visitors, [], [], seconds)[0])


class FileInput(NoInput):
    """Bytes from a file descriptor.

    A regular file enters whole at the beginning, so that the run repeats; of a terminal or a pipe
    whatever has arrived.
    """

    def __init__(self, fd: int) -> None:
        super().__init__()
        self._fd = fd
        self._open = True
        self._regular = stat.S_ISREG(os.fstat(fd).st_mode)

    def read(self) -> bytes:
        """Return what has arrived."""
        data = bytearray()
        while self._open and (self._regular or self._readable()):
            chunk = os.read(self._fd, _CHUNK)
            self._open = bool(chunk)
            data += chunk
            if not self._regular:
                break
        return bytes(data)

    def wait(self, seconds: float | None) -> bool:
        """Wait for input; at the end of the file for the time to pass."""
        if not self._open:
            return super().wait(seconds)
        waited_for: list[int | Visitor] = [self._fd, *self.visitors]
        return bool(select.select(waited_for, [], [], seconds)[0])

    def _readable(self) -> bool:
        return bool(select.select([self._fd], [], [], 0)[0])


class Output:
    """Where the bytes of a port go: unbuffered, so that nothing is lost when a run is cut off."""

    def __init__(self, stream: IO[bytes] | None) -> None:
        self._stream = stream

    def through(self, wrap: Callable[[Any], Any]) -> None:
        """Have everything go through something else on its way to the stream."""
        if self._stream is not None:
            self._stream = wrap(self._stream)

    def write(self, data: bytes) -> None:
        """Write all of it now."""
        if self._stream is not None:
            self._stream.write(data)
            self._stream.flush()


@contextlib.contextmanager
def opened_output(spec: SerialSpec) -> Generator[Output, None, None]:
    """Open what a `--serial` option names for writing."""
    if spec.path is not None:
        with spec.path.open("wb") as stream:
            yield Output(stream)
        return
    yield Output(sys.stdout.buffer if spec.kind == "stdio" else None)


@contextlib.contextmanager
def opened_input(spec: SerialSpec) -> Generator[NoInput | FileInput, None, None]:
    """Open the input that belongs to a `--serial` option; a terminal is raw until the end."""
    fd = _standard_input() if spec.kind == "stdio" else None
    if fd is None:
        yield NoInput()
        return
    with _raw(fd):
        yield FileInput(fd)


def _standard_input() -> int | None:
    """Return the descriptor of standard input; None where there is none (closed, or captured)."""
    try:
        return sys.stdin.fileno()
    except (AttributeError, OSError, ValueError):
        return None


@contextlib.contextmanager
def _raw(fd: int) -> Generator[None, None, None]:
    """Hand every key to the guest as it is typed, but leave Ctrl-C to end the run."""
    if not os.isatty(fd):
        yield
        return
    before = termios.tcgetattr(fd)
    try:
        termios.tcsetattr(fd, termios.TCSADRAIN, _raw_attributes(before))
        yield
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)


def _raw_attributes(attributes: list[Any]) -> list[Any]:
    raw = [*attributes[:_CC], list(attributes[_CC])]
    raw[_IFLAG] &= ~(termios.ICRNL | termios.INLCR | termios.IXON)
    raw[_LFLAG] &= ~(termios.ICANON | termios.ECHO | termios.IEXTEN)
    raw[_CC][termios.VMIN], raw[_CC][termios.VTIME] = 1, 0
    return raw
