"""Driver of a PS/2 keyboard: scan codes of set 1 become what a terminal sends (MEL-39, MEL-53).

The layout is the US one; keys that type nothing send the sequences of the Linux console.

References
----------
IBM PS/2 Hardware Interface Technical Reference: Keyboard and Auxiliary Device Controller, Scan Code
Tables. Linux console_codes(4), linux terminfo entry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from pykern_c import Vcpu

__all__ = ["IRQ", "Keyboard"]

IRQ = 1
_DATA, _STATUS = 0x60, 0x64
_OUTPUT_FULL, _FROM_MOUSE = 0x01, 0x20
_FIFO_MOST = 64
_BREAK, _EXTENDED, _PAUSE = 0x80, 0xE0, 0xE1
_PAUSE_REST = 2
"""How many codes follow 0xE1, at Pause's press and at its release."""

_PLAIN = {
    0x02: "1234567890-=\x7f\t",
    0x10: "qwertyuiop[]\r",
    0x1E: "asdfghjkl;'`",
    0x2B: "\\zxcvbnm,./",
    0x37: "*",
    0x39: " ",
    0x56: "<",
}
_SHIFTED = {
    0x02: "!@#$%^&*()_+\x7f\t",
    0x10: "QWERTYUIOP{}\r",
    0x1E: 'ASDFGHJKL:"~',
    0x2B: "|ZXCVBNM<>?",
    0x37: "*",
    0x39: " ",
    0x56: ">",
}
_KEYPAD = dict(enumerate("789-456+1230.", 0x47))
_CURSOR = {
    0x47: "[1~",
    0x48: "[A",
    0x49: "[5~",
    0x4B: "[D",
    0x4C: "[G",
    0x4D: "[C",
    0x4F: "[4~",
    0x50: "[B",
    0x51: "[6~",
    0x52: "[2~",
    0x53: "[3~",
}
"""The keypad without Num Lock, and the keys of the same codes behind 0xE0."""
_FUNCTION = {
    0x3B: "[[A",
    0x3C: "[[B",
    0x3D: "[[C",
    0x3E: "[[D",
    0x3F: "[[E",
    0x40: "[17~",
    0x41: "[18~",
    0x42: "[19~",
    0x43: "[20~",
    0x44: "[21~",
    0x57: "[23~",
    0x58: "[24~",
}
_LEFT_SHIFT, _RIGHT_SHIFT, _CTRL, _ALT = 0x2A, 0x36, 0x1D, 0x38
_MODIFIERS = {_LEFT_SHIFT: "shift", _RIGHT_SHIFT: "shift", _CTRL: "ctrl", _ALT: "alt"}
_CAPS_LOCK, _NUM_LOCK, _ESCAPE, _DELETE = 0x3A, 0x45, 0x01, 0x53
_EXTENDED_PLAIN = {0x1C: "\r", 0x35: "/"}
_EXTENDED_SHIFTS = {_LEFT_SHIFT, _RIGHT_SHIFT}
"""Behind 0xE0 they are no keys: keyboards put them around others, for old programs."""
_CONTROL = {**{chr(64 + n): chr(n) for n in range(32)}, "?": "\x7f", " ": "\x00"}


def _characters(rows: dict[int, str]) -> dict[int, str]:
    return {first + n: char for first, row in rows.items() for n, char in enumerate(row)}


_KEYS, _SHIFTED_KEYS = _characters(_PLAIN), _characters(_SHIFTED)


class Keyboard:
    """The keyboard at the i8042.

    Parameters
    ----------
    processor : returns the processor that acts now; its I/O instructions reach the controller
    on_reset : what Ctrl-Alt-Del does

    Attributes
    ----------
    received : takes what is typed
    caps_lock, num_lock : whether they are on
    """

    def __init__(
        self, processor: Callable[[], Vcpu], on_reset: Callable[[], None] = lambda: None
    ) -> None:
        self._processor = processor
        self._on_reset = on_reset
        self._held: set[tuple[str, bool]] = set()
        self._extended = False
        self._skip = 0
        self.caps_lock = False
        self.num_lock = True
        self.received: Callable[[bytes], None] = lambda _data: None

    def interrupt(self, _cpu: object = None) -> None:
        """Take the codes that have arrived."""
        vcpu = self._processor()
        for _ in range(_FIFO_MOST):
            status = vcpu.port_read(_STATUS, 1)
            if not status & _OUTPUT_FULL:
                return
            code = vcpu.port_read(_DATA, 1)
            if not status & _FROM_MOUSE:
                self._send(self.decode(code))

    def _send(self, text: str) -> None:
        if text:
            self.received(text.encode())

    def decode(self, code: int) -> str:
        """Return what a code types; most type nothing.

        Parameters
        ----------
        code : of set 1, one after the other
        """
        if self._skip:
            self._skip -= 1
            return ""
        if code == _PAUSE:
            self._skip = _PAUSE_REST
            return ""
        if code == _EXTENDED:
            self._extended = True
            return ""
        extended, self._extended = self._extended, False
        return self._key(code & ~_BREAK, extended=extended, down=not code & _BREAK)

    def _key(self, key: int, *, extended: bool, down: bool) -> str:
        if extended and key in _EXTENDED_SHIFTS:
            return ""
        if key in _MODIFIERS:
            change = self._held.add if down else self._held.discard
            change((_MODIFIERS[key], extended or key == _RIGHT_SHIFT))
            return ""
        if not down:
            return ""
        if key == _DELETE and self._is_held("ctrl") and self._is_held("alt"):
            self._on_reset()
            return ""
        return self._special(key, extended=extended) or self._character(key, extended=extended)

    def _is_held(self, modifier: str) -> bool:
        return (modifier, False) in self._held or (modifier, True) in self._held

    def _special(self, key: int, *, extended: bool) -> str:
        """Return what a key sends that types no character."""
        if key == _CAPS_LOCK:
            self.caps_lock = not self.caps_lock
        elif key == _NUM_LOCK and not extended:
            self.num_lock = not self.num_lock
        elif key == _ESCAPE:
            return "\x1b"
        elif key in _FUNCTION:
            return "\x1b" + _FUNCTION[key]
        elif key in _CURSOR and (extended or not self.num_lock):
            return "\x1b" + _CURSOR[key]
        return ""

    def _character(self, key: int, *, extended: bool) -> str:
        shift = self._is_held("shift")
        if extended:
            char = _EXTENDED_PLAIN.get(key, "")
        elif key in _KEYPAD:
            char = _KEYPAD[key]
        else:
            plain = _KEYS.get(key, "")
            shifted = shift != (self.caps_lock and plain.isalpha())
            char = _SHIFTED_KEYS.get(key, "") if shifted else plain
        if char and self._is_held("ctrl"):
            char = _CONTROL.get(char.upper(), char)
        return "\x1b" + char if char and self._is_held("alt") else char
