"""The input half of the line discipline N_TTY: editing, echo, signals, lines.

It knows nothing of files or processes: bytes go in, echo and signals come out, readers take lines.

References
----------
POSIX.1-2024, General Terminal Interface, Canonical Mode Input Processing and Special Characters;
Linux termios(3), drivers/tty/n_tty.c.
"""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING

from pykern.kernel.fs import termios as t
from pykern.kernel.fs.termios import DISABLED, Termios
from pykern.kernel.fs.tty_output import (
    DELETE,
    NEWLINE,
    RETURN,
    TAB,
    OutputProcessor,
    is_continuation,
)
from pykern.kernel.fs.tty_output import is_control as is_control_character

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["BACKLOG_SIZE", "BUFFER_SIZE", "LineDiscipline"]

BUFFER_SIZE = 4096
BACKLOG_SIZE = 65536
SIGINT, SIGQUIT, SIGTSTP = 2, 3, 20
SIGNALS = {t.VINTR: SIGINT, t.VQUIT: SIGQUIT, t.VSUSP: SIGTSTP}


def _is_word(byte: int) -> bool:
    """Whether a byte is a letter, a digit or `_` in Latin-1, as the kernel's ctype has it."""
    letter = byte >= 0xC0 and byte not in {0xD7, 0xF7}
    return letter or (byte < 0x80 and (bytes([byte]).isalnum() or byte == ord("_")))


def _plain_bytes(termios: Termios) -> re.Pattern[bytes]:
    """Return what matches printable ASCII that no mode makes special."""
    plain = set(range(0x20, DELETE)) - set(termios.cc)
    if termios.iflag & t.IUCLC:
        plain.clear()
    return re.compile(b"[%s]+" % re.escape(bytes(sorted(plain))) if plain else b"(?!)")


class LineDiscipline:
    """What lies between the keys and a program that reads.

    Parameters
    ----------
    send : takes bytes for the terminal
    on_signal : called with a signal for the foreground process group
    on_flow : called when output is stopped or started by a key

    Attributes
    ----------
    termios : the modes; set by `set_termios`
    stopped : output is stopped (Ctrl-S)
    on_read : called when a reader has made room
    """

    def __init__(
        self,
        send: Callable[[bytes], None],
        on_signal: Callable[[int], None],
        on_flow: Callable[[], None] = lambda: None,
    ) -> None:
        self.termios = Termios()
        self._plain = _plain_bytes(self.termios)
        self.output = OutputProcessor(send)
        self.stopped = False
        self.on_read: Callable[[], object] = lambda: None
        self._on_signal = on_signal
        self._on_flow = on_flow
        self._backlog = bytearray()
        self._buffer = bytearray()
        # Places in the stream of bytes: of the first in the buffer, and behind the last line.
        self._tail = 0
        self._line_head = 0
        # Places of the bytes that end lines; an end of file is a zero byte there.
        self._ends: deque[int] = deque()
        self._literal = False
        self._erasing = False
        # Echo that waits for output to go on.
        self._held: list[Callable[[], None]] = []

    # --- for readers --------------------------------------------------------------------------

    @property
    def canonical(self) -> bool:
        """Whether input comes in lines."""
        return bool(self.termios.lflag & t.ICANON)

    @property
    def available(self) -> int:
        """Bytes that can be read; in canonical mode only whole lines count."""
        return self._line_head - self._tail if self.canonical else len(self._buffer)

    def read_line(self, size: int) -> bytes:
        """Return a line, or its first part; empty for an end of file.

        Precondition: something is available.
        """
        end = self._ends[0] if self._ends else self._line_head - 1
        if end - self._tail >= size:
            line = self._drop(size)
            self._skip_end_of_file()
        else:
            self._ends.popleft()
            line = self._drop(end - self._tail + 1)
            line = line[:-1] if self._is_end_of_file(line[-1:]) else line
        self._work()
        self.on_read()
        return line

    def read_raw(self, size: int) -> bytes:
        """Return bytes as they came."""
        data = self._drop(min(size, len(self._buffer)))
        self._work()
        self.on_read()
        return data

    def _skip_end_of_file(self) -> None:
        """Drop an end of file behind a read that was filled: it has ended that line."""
        if self._ends and self._ends[0] == self._tail and self._is_end_of_file(self._buffer[:1]):
            self._ends.popleft()
            self._drop(1)

    @staticmethod
    def _is_end_of_file(byte: bytes | bytearray) -> bool:
        return byte == bytes([DISABLED])

    def _drop(self, size: int) -> bytes:
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        self._tail += len(taken)
        self._line_head = max(self._line_head, self._tail)
        return taken

    # --- modes --------------------------------------------------------------------------------

    def set_termios(self, termios: Termios) -> None:
        """Take new modes; what was typed before becomes a line, or plain bytes."""
        changed = (termios.lflag ^ self.termios.lflag) & t.ICANON
        self.termios = termios
        self._plain = _plain_bytes(termios)
        if changed:
            self._literal = self._erasing = False
            self._ends.clear()
            self._line_head = self._tail
            if self.canonical and self._buffer:
                self._line_head = self._head
                self._ends.append(self._head - 1)
            self._work()
        if not termios.iflag & t.IXON and self.stopped:
            self.start()

    def flush(self) -> None:
        """Forget what was typed and not read."""
        self._tail = self._line_head = self._head
        self._buffer.clear()
        self._ends.clear()
        self._held.clear()
        self._literal = self._erasing = False

    def stop(self) -> None:
        """Stop output."""
        self.stopped = True
        self._on_flow()

    def start(self) -> None:
        """Start output again, with the echo of what was typed meanwhile."""
        self.stopped = False
        held, self._held = self._held, []
        for show in held:
            show()
        self._on_flow()

    # --- bytes from the terminal --------------------------------------------------------------

    def receive(self, data: bytes) -> None:
        """Take what was typed; what finds no room waits, and is lost beyond `BACKLOG_SIZE`."""
        self._backlog += data[: self.room]
        self._work()

    @property
    def room(self) -> int:
        """How many bytes `receive` would take without a loss."""
        return BACKLOG_SIZE - len(self._backlog)

    def _work(self) -> None:
        """Handle what was typed, until the buffer is full of what only a reader can take away."""
        done, typed = 0, bytes(self._backlog)
        self._backlog.clear()
        while done < len(typed) and self._make_room():
            if plain := self._plain.match(typed, done, done + self._plain_room):
                self._ordinary_run(plain[0])
                done = plain.end()
                continue
            byte = typed[done]
            done += 1
            self._receive(byte & 0x7F if self.termios.iflag & t.ISTRIP else byte)
        self._backlog[:0] = typed[done:]

    @property
    def _plain_room(self) -> int:
        """How many bytes can be handled at once if none of them is special."""
        if self.stopped or self._literal or self._erasing:
            return 0
        return BUFFER_SIZE - 1 - len(self._buffer)

    def _make_room(self) -> bool:
        """Whether one more byte can be handled; the last of a line without end gives way to it."""
        if len(self._buffer) < BUFFER_SIZE - 1:
            return True
        if not self.canonical or self._line_head != self._tail:
            return False
        del self._buffer[BUFFER_SIZE - 1 :]
        return True

    @property
    def _head(self) -> int:
        return self._tail + len(self._buffer)

    def _is(self, byte: int, *which: int) -> bool:
        """Whether a byte is one of some special characters."""
        return byte != DISABLED and any(self.termios.cc[index] == byte for index in which)

    def _receive(self, byte: int) -> None:
        if not self._literal and (self._flow(byte) or self._signal(byte)):
            return
        if self.stopped and self.termios.iflag & (t.IXON | t.IXANY) == t.IXON | t.IXANY:
            self.start()
        if self._literal:
            self._literal = False
            self._ordinary(byte)
            return
        translated = self._translate(byte)
        if translated is None:
            return
        if self.canonical and self._edit(translated):
            return
        # A plain newline is shown as `^J` in raw mode, a translated one as what it is.
        self._ordinary(translated, plain=translated == byte)

    def _flow(self, byte: int) -> bool:
        """Do what Ctrl-S and Ctrl-Q do; return whether that was all."""
        if not self.termios.iflag & t.IXON:
            return False
        if self._is(byte, t.VSTART):
            self.start()
            return True
        if self._is(byte, t.VSTOP):
            self.stop()
            return True
        return False

    def _signal(self, byte: int) -> bool:
        r"""Send the signal of Ctrl-C, Ctrl-\\ or Ctrl-Z; return whether it was one."""
        if not self.termios.lflag & t.ISIG:
            return False
        index = next((index for index in SIGNALS if self._is(byte, index)), None)
        if index is None:
            return False
        if not self.termios.lflag & t.NOFLSH:
            self.flush()
        self._on_signal(SIGNALS[index])
        if self.termios.iflag & t.IXON and self.stopped:
            self.start()
        self._echo(byte)
        return True

    def _translate(self, byte: int) -> int | None:
        """Return the byte by the input modes; None: dropped."""
        iflag = self.termios.iflag
        if byte == RETURN:
            if iflag & t.IGNCR:
                return None
            return NEWLINE if iflag & t.ICRNL else byte
        if byte == NEWLINE:
            return RETURN if iflag & t.INLCR else byte
        if iflag & t.IUCLC and self.termios.lflag & t.IEXTEN:
            return bytes([byte]).lower()[0]
        return byte

    def _edit(self, byte: int) -> bool:
        """Do what a special character of canonical mode does; return whether it was one."""
        extended = self.termios.lflag & t.IEXTEN
        if self._is(byte, t.VERASE):
            self._erase()
        elif self._is(byte, t.VKILL):
            self._kill()
        elif extended and self._is(byte, t.VWERASE):
            self._erase_word()
        elif extended and self._is(byte, t.VLNEXT):
            self._next_is_literal()
        elif extended and self.termios.lflag & t.ECHO and self._is(byte, t.VREPRINT):
            self._reprint(byte)
        elif not self._end(byte):
            return False
        return True

    def _end(self, byte: int) -> bool:
        """End the line if the byte does that; return whether it does."""
        lflag = self.termios.lflag
        if byte == NEWLINE:
            if lflag & (t.ECHO | t.ECHONL):
                self._show(b"\n")
            self._end_line(byte)
        elif self._is(byte, t.VEOF):
            self._end_line(DISABLED)
        elif self._is(byte, t.VEOL) or (lflag & t.IEXTEN and self._is(byte, t.VEOL2)):
            self._echo(byte)
            self._end_line(byte)
        else:
            return False
        return True

    def _end_line(self, byte: int) -> None:
        self._ends.append(self._head)
        self._buffer.append(byte)
        self._line_head = self._head

    def _ordinary(self, byte: int, *, plain: bool = True) -> None:
        """Keep and show a byte."""
        self._finish_erasing()
        if byte != NEWLINE or plain:
            self._echo(byte)
        elif self.termios.lflag & t.ECHO:
            self._show(b"\n")
        self._buffer.append(byte)

    def _ordinary_run(self, run: bytes) -> None:
        """Keep and show bytes that are neither special nor control characters."""
        if self.termios.lflag & t.ECHO:
            self._begin_line()
            self._show(run)
        self._buffer += run

    def _next_is_literal(self) -> None:
        self._literal = True
        if self.termios.lflag & t.ECHO:
            self._finish_erasing()
            if self.termios.lflag & t.ECHOCTL:
                self._show_raw(b"^\b", columns=0)

    def _reprint(self, byte: int) -> None:
        self._finish_erasing()
        self._echo(byte)
        self._show(b"\n")
        for typed in self._typed():
            self._echo(typed)

    # --- erasing ------------------------------------------------------------------------------

    def _typed(self) -> bytearray:
        """Return the line as typed so far."""
        return self._buffer[self._line_head - self._tail :]

    def _erase(self) -> None:
        erased = self._erase_one()
        if erased is not None and not self._typed():
            self._finish_erasing()

    def _erase_word(self) -> None:
        seen_word = False
        while (last := self._last_character()) is not None:
            if _is_word(last[0]):
                seen_word = True
            elif seen_word:
                break
            self._erase_one(by_word=True)
        if not self._typed():
            self._finish_erasing()

    def _kill(self) -> None:
        lflag = self.termios.lflag
        if not self._typed():
            return
        visible = t.ECHOK | t.ECHOKE | t.ECHOE
        if lflag & t.ECHO and lflag & visible == visible:
            while self._erase_one(by_word=True) is not None:
                pass
            self._finish_erasing()
            return
        del self._buffer[self._line_head - self._tail :]
        if lflag & t.ECHO:
            self._finish_erasing()
            self._echo(self.termios.cc[t.VKILL])
            if lflag & t.ECHOK:
                self._show(b"\n")

    def _last_character(self) -> bytes | None:
        """Return the character typed last; None if nothing was, or only a part of one."""
        typed = self._typed()
        start = len(typed)
        while start:
            start -= 1
            if not is_continuation(typed[start], self.termios):
                return bytes(typed[start:])
        return None

    def _erase_one(self, *, by_word: bool = False) -> bytes | None:
        """Take the last character back, on the screen as well; None: there is none."""
        character = self._last_character()
        if character is None:
            return None
        del self._buffer[-len(character) :]
        if self.termios.lflag & t.ECHO:
            self._echo_erased(character, by_word=by_word)
        return character

    def _echo_erased(self, character: bytes, *, by_word: bool) -> None:
        lflag = self.termios.lflag
        first = character[0]
        if lflag & t.ECHOPRT:
            self._print_erased(character)
        elif not by_word and not lflag & t.ECHOE:
            self._echo(self.termios.cc[t.VERASE])
        elif first == TAB:
            self._back_over_tab()
        else:
            self._show(b"\b \b" * self._cells(first))

    def _print_erased(self, character: bytes) -> None:
        if not self._erasing:
            self._erasing = True
            self._show(b"\\")
        for byte in character:
            self._echo(byte)

    def _finish_erasing(self) -> None:
        if self._erasing:
            self._erasing = False
            self._show(b"/")

    def _back_over_tab(self) -> None:
        """Go back to where the cursor was before the tab."""
        before = self._typed().rpartition(b"\t")
        width = sum(self._cells(byte) for byte in before[2])
        from_start = not before[1]

        def show() -> None:
            column = width + (self.output.line_column if from_start else 0)
            back = 8 - column % 8
            self.output.raw(b"\b" * back, -back)

        self._when_started(show)

    def _cells(self, byte: int) -> int:
        """Return how many columns a byte takes on the screen."""
        if is_control_character(byte):
            return 2 if self.termios.lflag & t.ECHOCTL else 0
        return int(not is_continuation(byte, self.termios))

    # --- echo ---------------------------------------------------------------------------------

    def _echo(self, byte: int) -> None:
        """Show a typed byte, a control character as `^X`."""
        lflag = self.termios.lflag
        if not lflag & t.ECHO:
            return
        self._begin_line()
        if lflag & t.ECHOCTL and is_control_character(byte) and byte != TAB:
            self._show_raw(bytes([ord("^"), byte ^ 0x40]), columns=2)
        else:
            self._show(bytes([byte]))

    def _begin_line(self) -> None:
        if self._line_head == self._head:
            self._when_started(self.output.begin_line)

    def _show(self, data: bytes) -> None:
        self._when_started(lambda: self.output.write(data, self.termios))

    def _show_raw(self, data: bytes, *, columns: int) -> None:
        self._when_started(lambda: self.output.raw(data, columns))

    def _when_started(self, show: Callable[[], None]) -> None:
        """Show now, or once output goes on."""
        if self.stopped:
            self._held.append(show)
        else:
            show()
