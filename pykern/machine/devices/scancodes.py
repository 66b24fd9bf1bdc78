"""Keys of the 101/102-key keyboard: names, scan codes of sets 1 and 2, and how US text is typed.

A code above 0xFF has the prefix 0xE0. The controller's translation of set 2 to set 1 is the same
table read across, since IBM made set 1 of it.

References
----------
IBM PS/2 Hardware Interface Technical Reference: Keyboards (101- and 102-Key), Scan Code Tables,
Keyboard and Auxiliary Device Controller.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["KEYS", "SET2_TO_SET1", "Key", "codes", "strokes"]


class Key(NamedTuple):
    """Make codes of a key."""

    set1: int
    set2: int


KEYS = {
    "escape": Key(0x01, 0x76),
    "1": Key(0x02, 0x16),
    "2": Key(0x03, 0x1E),
    "3": Key(0x04, 0x26),
    "4": Key(0x05, 0x25),
    "5": Key(0x06, 0x2E),
    "6": Key(0x07, 0x36),
    "7": Key(0x08, 0x3D),
    "8": Key(0x09, 0x3E),
    "9": Key(0x0A, 0x46),
    "0": Key(0x0B, 0x45),
    "minus": Key(0x0C, 0x4E),
    "equal": Key(0x0D, 0x55),
    "backspace": Key(0x0E, 0x66),
    "tab": Key(0x0F, 0x0D),
    "q": Key(0x10, 0x15),
    "w": Key(0x11, 0x1D),
    "e": Key(0x12, 0x24),
    "r": Key(0x13, 0x2D),
    "t": Key(0x14, 0x2C),
    "y": Key(0x15, 0x35),
    "u": Key(0x16, 0x3C),
    "i": Key(0x17, 0x43),
    "o": Key(0x18, 0x44),
    "p": Key(0x19, 0x4D),
    "left_bracket": Key(0x1A, 0x54),
    "right_bracket": Key(0x1B, 0x5B),
    "enter": Key(0x1C, 0x5A),
    "left_ctrl": Key(0x1D, 0x14),
    "a": Key(0x1E, 0x1C),
    "s": Key(0x1F, 0x1B),
    "d": Key(0x20, 0x23),
    "f": Key(0x21, 0x2B),
    "g": Key(0x22, 0x34),
    "h": Key(0x23, 0x33),
    "j": Key(0x24, 0x3B),
    "k": Key(0x25, 0x42),
    "l": Key(0x26, 0x4B),
    "semicolon": Key(0x27, 0x4C),
    "apostrophe": Key(0x28, 0x52),
    "grave": Key(0x29, 0x0E),
    "left_shift": Key(0x2A, 0x12),
    "backslash": Key(0x2B, 0x5D),
    "z": Key(0x2C, 0x1A),
    "x": Key(0x2D, 0x22),
    "c": Key(0x2E, 0x21),
    "v": Key(0x2F, 0x2A),
    "b": Key(0x30, 0x32),
    "n": Key(0x31, 0x31),
    "m": Key(0x32, 0x3A),
    "comma": Key(0x33, 0x41),
    "period": Key(0x34, 0x49),
    "slash": Key(0x35, 0x4A),
    "right_shift": Key(0x36, 0x59),
    "keypad_multiply": Key(0x37, 0x7C),
    "left_alt": Key(0x38, 0x11),
    "space": Key(0x39, 0x29),
    "caps_lock": Key(0x3A, 0x58),
    "f1": Key(0x3B, 0x05),
    "f2": Key(0x3C, 0x06),
    "f3": Key(0x3D, 0x04),
    "f4": Key(0x3E, 0x0C),
    "f5": Key(0x3F, 0x03),
    "f6": Key(0x40, 0x0B),
    "f7": Key(0x41, 0x83),
    "f8": Key(0x42, 0x0A),
    "f9": Key(0x43, 0x01),
    "f10": Key(0x44, 0x09),
    "num_lock": Key(0x45, 0x77),
    "scroll_lock": Key(0x46, 0x7E),
    "keypad_7": Key(0x47, 0x6C),
    "keypad_8": Key(0x48, 0x75),
    "keypad_9": Key(0x49, 0x7D),
    "keypad_minus": Key(0x4A, 0x7B),
    "keypad_4": Key(0x4B, 0x6B),
    "keypad_5": Key(0x4C, 0x73),
    "keypad_6": Key(0x4D, 0x74),
    "keypad_plus": Key(0x4E, 0x79),
    "keypad_1": Key(0x4F, 0x69),
    "keypad_2": Key(0x50, 0x72),
    "keypad_3": Key(0x51, 0x7A),
    "keypad_0": Key(0x52, 0x70),
    "keypad_period": Key(0x53, 0x71),
    "less": Key(0x56, 0x61),
    "f11": Key(0x57, 0x78),
    "f12": Key(0x58, 0x07),
    "keypad_enter": Key(0xE01C, 0xE05A),
    "right_ctrl": Key(0xE01D, 0xE014),
    "keypad_slash": Key(0xE035, 0xE04A),
    "right_alt": Key(0xE038, 0xE011),
    "home": Key(0xE047, 0xE06C),
    "up": Key(0xE048, 0xE075),
    "page_up": Key(0xE049, 0xE07D),
    "left": Key(0xE04B, 0xE06B),
    "right": Key(0xE04D, 0xE074),
    "end": Key(0xE04F, 0xE069),
    "down": Key(0xE050, 0xE072),
    "page_down": Key(0xE051, 0xE07A),
    "insert": Key(0xE052, 0xE070),
    "delete": Key(0xE053, 0xE071),
    "left_gui": Key(0xE05B, 0xE01F),
    "right_gui": Key(0xE05C, 0xE027),
    "menu": Key(0xE05D, 0xE02F),
}

#: Without the prefix, which the controller passes through. 0x84 is Alt + Print Screen; 0x02 is no
#: key but the keyboard's answer to "which set".
SET2_TO_SET1 = {key.set2 & 0xFF: key.set1 & 0xFF for key in KEYS.values()}
SET2_TO_SET1 |= {0x84: 0x54, 0x02: 0x41}

# Keys whose sequences are not of the pattern: (make, break) in sets 1 and 2.
_IRREGULAR = {
    "print_screen": {
        1: ("E0 2A E0 37", "E0 B7 E0 AA"),
        2: ("E0 12 E0 7C", "E0 F0 7C E0 F0 12"),
    },
    "pause": {
        1: ("E1 1D 45 E1 9D C5", ""),
        2: ("E1 14 77 E1 F0 14 F0 77", ""),
    },
}

_NAMED = {
    " ": "space",
    "\n": "enter",
    "\r": "enter",
    "\t": "tab",
    "\b": "backspace",
    "\x1b": "escape",
    "-": "minus",
    "=": "equal",
    "[": "left_bracket",
    "]": "right_bracket",
    ";": "semicolon",
    "'": "apostrophe",
    "`": "grave",
    "\\": "backslash",
    ",": "comma",
    ".": "period",
    "/": "slash",
}
_SHIFTED = dict(zip('!@#$%^&*()_+{}:"~|<>?', "1234567890-=[];'`\\,./", strict=True))


def codes(name: str, *, down: bool, scan_set: int) -> bytes:
    """Return the bytes a keyboard sends when a key goes down or up.

    Raises
    ------
    ValueError : there is no key of that name
    """
    if name in _IRREGULAR:
        return bytes.fromhex(_IRREGULAR[name][scan_set][0 if down else 1])
    if name not in KEYS:
        raise ValueError(f"unknown key {name!r}, expected one of: {', '.join(KEYS)}")
    code = KEYS[name].set1 if scan_set == 1 else KEYS[name].set2
    prefix = b"\xe0" if code > 0xFF else b""
    code &= 0xFF
    if down:
        return prefix + bytes((code,))
    if scan_set == 1:
        return prefix + bytes((code | 0x80,))
    return prefix + bytes((0xF0, code))


def strokes(text: str) -> list[tuple[str, bool]]:
    """Return the (key, down) events that type a text on a US keyboard.

    Raises
    ------
    ValueError : a character has no key
    """
    events: list[tuple[str, bool]] = []
    for character in text:
        name, shift = _key_of(character)
        stroke = [(name, True), (name, False)]
        events += [("left_shift", True), *stroke, ("left_shift", False)] if shift else stroke
    return events


def _key_of(character: str) -> tuple[str, bool]:
    plain = _SHIFTED.get(character)
    shift = plain is not None or character.isupper()
    plain = plain or character.lower()
    name = _NAMED.get(plain, plain)
    if name not in KEYS:
        raise ValueError(f"no key types {character!r} on a US keyboard")
    return name, shift
