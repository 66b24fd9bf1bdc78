"""The keyboard buffer and shift flags of the BIOS data area, and what a key puts there.

References
----------
IBM Personal System/2 and Personal Computer BIOS Interface Technical Reference: Data Areas,
Interrupt 16H, Keyboard Scan Code tables.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pykern.machine.firmware.bios_services.bios import Bios

HEAD, TAIL, START, END = 0x1A, 0x1C, 0x80, 0x82
FLAGS, FLAGS_2, FLAGS_3 = 0x17, 0x18, 0x96
RIGHT_SHIFT, LEFT_SHIFT, CTRL, ALT = 1 << 0, 1 << 1, 1 << 2, 1 << 3
SCROLL_LOCK, NUM_LOCK, CAPS_LOCK, INSERT = 1 << 4, 1 << 5, 1 << 6, 1 << 7
_E0_SEEN = 1 << 1

_MODIFIERS = {0x2A: LEFT_SHIFT, 0x36: RIGHT_SHIFT, 0x1D: CTRL, 0x38: ALT}
_LOCKS = {0x3A: CAPS_LOCK, 0x45: NUM_LOCK, 0x46: SCROLL_LOCK}
_PLAIN = {
    0x01: "\x1b", 0x0E: "\b", 0x0F: "\t", 0x1C: "\r", 0x39: " ", 0x2B: "\\", 0x29: "`", 0x28: "'",
    0x37: "*", 0x4A: "-", 0x4E: "+",
}  # fmt: skip
_SHIFTED = {
    0x01: "\x1b", 0x0E: "\b", 0x1C: "\r", 0x39: " ", 0x2B: "|", 0x29: "~", 0x28: '"', 0x37: "*",
    0x4A: "-", 0x4E: "+",
}  # fmt: skip
for _first, _plain, _shifted in (
    (0x02, "1234567890-=", "!@#$%^&*()_+"),
    (0x10, "qwertyuiop[]", "QWERTYUIOP{}"),
    (0x1E, "asdfghjkl;", "ASDFGHJKL:"),
    (0x2C, "zxcvbnm,./", "ZXCVBNM<>?"),
):
    _PLAIN.update(enumerate(_plain, _first))
    _SHIFTED.update(enumerate(_shifted, _first))
_KEYPAD = dict(zip(range(0x47, 0x54), "789-456+1230.", strict=True))
_CODE_OF = {text: code for table in (_SHIFTED, _PLAIN) for code, text in table.items()}
_LETTERS = {code for code, text in _PLAIN.items() if text.isalpha()}
# With Ctrl, the keys whose code changes; F1 to F10 from 5Eh, with Shift 54h, with Alt 68h.
_CONTROL = {0x01: "\x1b", 0x0E: "\x7f", 0x1C: "\n", 0x1A: "\x1b", 0x1B: "\x1d", 0x2B: "\x1c",
            0x07: "\x1e", 0x0C: "\x1f", 0x39: " "}  # fmt: skip
_F1, _F10 = 0x3B, 0x44


def push(bios: Bios, word: int) -> bool:
    """Append scan code and character; tell whether there was room."""
    tail = bios.read_bda(TAIL, 2)
    following = tail + 2
    if following >= bios.read_bda(END, 2):
        following = bios.read_bda(START, 2)
    if following == bios.read_bda(HEAD, 2):
        return False
    bios.write_bda(tail, word, 2)
    bios.write_bda(TAIL, following, 2)
    return True


def peek(bios: Bios) -> int | None:
    """Return the oldest entry, what has come over the serial line included."""
    _take_serial(bios)
    head = bios.read_bda(HEAD, 2)
    return None if head == bios.read_bda(TAIL, 2) else bios.read_bda(head, 2)


def pop(bios: Bios) -> int | None:
    """Remove and return the oldest entry."""
    word = peek(bios)
    if word is None:
        return None
    head = bios.read_bda(HEAD, 2) + 2
    bios.write_bda(HEAD, bios.read_bda(START, 2) if head >= bios.read_bda(END, 2) else head, 2)
    return word


def _take_serial(bios: Bios) -> None:
    """Let what arrives at COM1 be typed, unless the guest lets the port interrupt."""
    uart = bios.board.com1
    while not uart.read(1, 1) & 0xF and uart.read(5, 1) & 1:
        character = chr(uart.read(0, 1))
        character = {"\n": "\r", "\x7f": "\b"}.get(character, character)
        if not push(bios, _CODE_OF.get(character, 0) << 8 | ord(character)):
            return


def take_scan_code(bios: Bios, code: int) -> None:
    """Follow a byte of scan code set 1 from the keyboard."""
    state = bios.read_bda(FLAGS_3, 1)
    if code in {0xE0, 0xE1}:
        bios.write_bda(FLAGS_3, state | _E0_SEEN, 1)
        return
    extended = bool(state & _E0_SEEN)
    bios.write_bda(FLAGS_3, state & ~_E0_SEEN, 1)
    released, code = bool(code & 0x80), code & 0x7F
    flags = bios.read_bda(FLAGS, 1)
    if code in _MODIFIERS:
        if extended and code in {0x2A, 0x36}:
            return  # the shift that surrounds extended keys
        bit = _MODIFIERS[code]
        bios.write_bda(FLAGS, flags & ~bit if released else flags | bit, 1)
    elif released:
        return
    elif code in _LOCKS and not extended:
        bios.write_bda(FLAGS, flags ^ _LOCKS[code], 1)
    else:
        push(bios, _entry(code, flags, extended=extended))


def _entry(code: int, flags: int, *, extended: bool) -> int:
    """Return what a key that goes down puts into the buffer."""
    if extended and code not in {0x1C, 0x35}:
        return code << 8 | 0xE0
    shift = bool(flags & (LEFT_SHIFT | RIGHT_SHIFT))
    if _F1 <= code <= _F10:
        offset = 0x2D if flags & ALT else 0x23 if flags & CTRL else 0x19 if shift else 0
        return code + offset << 8
    if flags & ALT:
        return code << 8
    if flags & CTRL:
        plain = _PLAIN.get(code, "")
        text = chr(ord(plain) & 0x1F) if code in _LETTERS else _CONTROL.get(code, "")
        return code << 8 | ord(text or "\0")
    if code in _KEYPAD and code not in _PLAIN:
        numeric = bool(flags & NUM_LOCK) != shift
        return code << 8 | (ord(_KEYPAD[code]) if numeric else 0)
    if code in _LETTERS:
        shift ^= bool(flags & CAPS_LOCK)
    return code << 8 | ord((_SHIFTED if shift else _PLAIN).get(code, "\0"))
