"""The output half of the line discipline: columns, tabs and ends of lines.

References
----------
POSIX.1-2024, General Terminal Interface, Output Modes; Linux drivers/tty/n_tty.c.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pykern.kernel.fs.termios import (
    IUTF8,
    OCRNL,
    OLCUC,
    ONLCR,
    ONLRET,
    ONOCR,
    OPOST,
    TABDLY,
    XTABS,
    Termios,
)

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["OutputProcessor", "is_continuation", "is_control"]

RUNS = re.compile(rb"[ -~]+|[^ -~]")
TAB, BACKSPACE, NEWLINE, RETURN, DELETE = b"\t"[0], 8, 10, 13, 127


def is_control(byte: int) -> bool:
    """Whether a byte is a control character, which ECHOCTL shows as `^X`."""
    return byte < 32 or byte == DELETE


def is_continuation(byte: int, termios: Termios) -> bool:
    """Whether a byte goes on with a UTF-8 character, so that it has no width."""
    return bool(termios.iflag & IUTF8) and byte & 0xC0 == 0x80


class OutputProcessor:
    """Turns what programs write into what the terminal gets, and knows the column.

    Parameters
    ----------
    send : takes the bytes for the terminal

    Attributes
    ----------
    column : where the cursor is; the width of escape sequences is not known
    line_column : where it was when the line that is being typed began
    """

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._send = send
        self.column = 0
        self.line_column = 0

    def write(self, data: bytes, termios: Termios) -> None:
        """Send what a program writes."""
        if termios.oflag & OPOST:
            data = b"".join(self._run(run, termios) for run in RUNS.findall(data))
        if data:
            self._send(data)

    def raw(self, data: bytes, columns: int) -> None:
        """Send as it is; it moves the cursor by so many columns."""
        self._send(data)
        self.column = max(self.column + columns, 0)

    def begin_line(self) -> None:
        """Note where the cursor is when somebody begins to type a line."""
        self.line_column = self.column

    def _run(self, run: bytes, termios: Termios) -> bytes:
        """Return printable ASCII, which many bytes of most output are, or one other byte."""
        if len(run) == 1 or termios.oflag & OLCUC:
            return b"".join(self._processed(byte, termios) for byte in run)
        self.column += len(run)
        return run

    def _processed(self, byte: int, termios: Termios) -> bytes:
        oflag = termios.oflag
        if byte == NEWLINE:
            return self._newline(oflag)
        if byte == RETURN:
            return self._return(oflag)
        if byte == TAB:
            spaces = 8 - self.column % 8
            self.column += spaces
            return b" " * spaces if oflag & TABDLY == XTABS else b"\t"
        if byte == BACKSPACE:
            self.column = max(self.column - 1, 0)
        elif not is_control(byte):
            self.column += not is_continuation(byte, termios)
            if oflag & OLCUC:
                return bytes([byte]).upper()
        return bytes([byte])

    def _newline(self, oflag: int) -> bytes:
        if oflag & (ONLRET | ONLCR):
            self.column = 0
        self.line_column = self.column
        return b"\r\n" if oflag & ONLCR else b"\n"

    def _return(self, oflag: int) -> bytes:
        if oflag & ONOCR and self.column == 0:
            return b""
        if oflag & OCRNL:
            if oflag & ONLRET:
                self.column = self.line_column = 0
            return b"\n"
        self.column = self.line_column = 0
        return b"\r"
