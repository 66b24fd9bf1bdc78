"""termios: the modes of a terminal, and how they lie in memory.

References
----------
POSIX.1-2024, <termios.h>; Linux include/uapi/asm-generic/termbits.h.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from struct import Struct

__all__ = ["Termios", "WindowSize"]

# c_iflag
IGNBRK, BRKINT, IGNPAR, PARMRK, INPCK, ISTRIP = 0o1, 0o2, 0o4, 0o10, 0o20, 0o40
INLCR, IGNCR, ICRNL, IUCLC, IXON, IXANY = 0o100, 0o200, 0o400, 0o1000, 0o2000, 0o4000
IXOFF, IMAXBEL, IUTF8 = 0o10000, 0o20000, 0o40000

# c_oflag
OPOST, OLCUC, ONLCR, OCRNL, ONOCR, ONLRET = 0o1, 0o2, 0o4, 0o10, 0o20, 0o40
TABDLY = XTABS = 0o14000

# c_cflag
B38400, CS8, CREAD, HUPCL = 0o17, 0o60, 0o200, 0o2000

# c_lflag
ISIG, ICANON, ECHO, ECHOE, ECHOK, ECHONL = 0o1, 0o2, 0o10, 0o20, 0o40, 0o100
NOFLSH, TOSTOP, ECHOCTL, ECHOPRT, ECHOKE = 0o200, 0o400, 0o1000, 0o2000, 0o4000
IEXTEN = 0o100000

# c_cc
VINTR, VQUIT, VERASE, VKILL, VEOF, VTIME, VMIN = range(7)
VSWTC, VSTART, VSTOP, VSUSP, VEOL, VREPRINT, VDISCARD = range(7, 14)
VWERASE, VLNEXT, VEOL2 = range(14, 17)
NCCS = 19
DISABLED = 0

DEFAULT_CC = bytes([3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22, 0, 0, 0])
DEFAULT_LFLAG = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN

LAYOUT = Struct(f"<4IB{NCCS}s")
LAYOUT2 = Struct(f"<4IB{NCCS}s2I")
WINSIZE = Struct("<4H")
SPEED = 38400


@dataclass(frozen=True, slots=True)
class Termios:
    """Modes of a terminal; the defaults are those of a new one ("sane")."""

    iflag: int = ICRNL | IXON
    oflag: int = OPOST | ONLCR
    cflag: int = B38400 | CS8 | CREAD | HUPCL
    lflag: int = DEFAULT_LFLAG
    line: int = 0
    cc: bytes = field(default=DEFAULT_CC)

    def pack(self) -> bytes:
        """Return `struct termios` of the kernel, 36 bytes (TCGETS)."""
        return LAYOUT.pack(*self._fields())

    def pack2(self) -> bytes:
        """Return `struct termios2`, 44 bytes (TCGETS2)."""
        return LAYOUT2.pack(*self._fields(), SPEED, SPEED)

    def _fields(self) -> tuple[int, int, int, int, int, bytes]:
        return self.iflag, self.oflag, self.cflag, self.lflag, self.line, self.cc

    @classmethod
    def unpack(cls, data: bytes) -> Termios:
        """Return the modes of 36 or 44 bytes; speeds are not kept, since a line has none here."""
        return cls(*LAYOUT.unpack(data[: LAYOUT.size]))


@dataclass(frozen=True, slots=True)
class WindowSize:
    """Size of the screen in characters, and in pixels where known."""

    rows: int = 24
    columns: int = 80
    width: int = 0
    height: int = 0

    def pack(self) -> bytes:
        """Return `struct winsize`, 8 bytes."""
        return WINSIZE.pack(self.rows, self.columns, self.width, self.height)

    @classmethod
    def unpack(cls, data: bytes) -> WindowSize:
        """Return the size of 8 bytes."""
        return cls(*WINSIZE.unpack(data))
