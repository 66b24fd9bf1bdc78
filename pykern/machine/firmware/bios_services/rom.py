"""The code of the built-in BIOS: a handler for every interrupt, which asks the host to serve it.

Every handler starts with an OUT to `PORT`: the host does the work there, with the caller's
registers before it. What a processor has to do itself (wait, end an interrupt, call INT 1Ch, jump
to the boot sector) is code::

    F000:A000                 the font, 8x16
    F000:D000 + 16 * vector   handlers
    F000:E000                 parts they share; WAIT and BOOT, which the host writes
    F000:FF53                 IRET, where IBM's BIOS has it
    F000:FFF0                 reset vector, date, model

References
----------
IBM Personal System/2 and Personal Computer BIOS Interface Technical Reference; Intel MultiProcessor
Specification (virtual wire mode).
"""

from __future__ import annotations

SEGMENT, BASE = 0xF000, 0xF0000
PORT = 0xEA
FONT = 0xA000
HANDLERS, HANDLER_SIZE = 0xD000, 16
SHARED = 0xE000
BOOTSTRAP, SPIN_TAIL = SHARED, SHARED + 0x40
WAIT, BOOT = SHARED + 0x80, SHARED + 0x84
IRET = 0xFF53
CONFIGURATION = SHARED + 0x90

GO_ON, HALT, SPIN = 0, 1, 2
"""Values of WAIT: return to the caller, or call the service again when something has happened."""

_ASK = "e6 ea"  # out 0xEA, al
_IRET = "cf"  # iret
_END_MASTER = "50 b0 20 e6 20 58 cf"  # push ax; mov al, 20h; out 20h, al; pop ax; iret
_END_BOTH = "50 b0 20 e6 a0 e6 20 58 cf"  # the same, with out A0h, al before it
_CALL_USER_TIMER = "cd 1c"  # int 1Ch
_STOP = "fa f4 eb fc"  # cli; hlt; back to cli

_KEYBOARD = bytes.fromhex(
    "e6 ea"  # again: out 0xEA, al
    "2e 80 3e 80 e0 00"  # cmp byte ptr cs:[0xE080], 0
    "75 01"  # jne wait
    "cf"  # iret
    "fb"  # wait: sti
    "f4"  # hlt
    "eb f1"  # jmp again
)
_SYSTEM = bytes.fromhex(
    "e6 ea"  # out 0xEA, al
    "2e 80 3e 80 e0 00"  # cmp byte ptr cs:[0xE080], 0
    "75 01"  # jne wait
    "cf"  # iret
    "e9 e2 0e"  # wait: jmp 0xE040
)
_SPIN_TAIL = bytes.fromhex(
    "fb"  # sti
    "2e 80 3e 80 e0 01"  # cmp byte ptr cs:[0xE080], 1
    "75 04"  # jne spin
    "f4"  # hlt
    "e9 03 f1"  # jmp 0xD150
    "51"  # spin: push cx
    "31 c9"  # xor cx, cx
    "e2 fe"  # loop .
    "59"  # pop cx
    "e9 fa f0"  # jmp 0xD150
)
_BOOTSTRAP = bytes.fromhex(
    "31 c0"  # xor ax, ax
    "8e d8"  # mov ds, ax
    "8e c0"  # mov es, ax
    "8e d0"  # mov ss, ax
    "bc 00 7c"  # mov sp, 0x7C00
    "cd 19"  # int 0x19, whose handler does not return
)
_START = bytes.fromhex(
    "e6 ea"  # out 0xEA, al
    "b8 55 aa"  # mov ax, 0xAA55
    "fb"  # sti
    "2e ff 2e 84 e0"  # jmp far ptr cs:[0xE084]
)
_FAULTS = (0, 6, 7, 12, 13)  # #DE #UD #NM #SS #GP: they would come again for ever
_FOR_PROGRAMS = (0x05, 0x1B, 0x1C)  # print screen, break, tick: called by the BIOS itself
_TIMER, _KEY, _RTC = 0x08, 0x09, 0x70


def _handler(vector: int) -> bytes:
    special = {
        _TIMER: bytes.fromhex(_ASK + _CALL_USER_TIMER + _END_MASTER),
        _KEY: bytes.fromhex(_ASK + _END_MASTER),
        _RTC: bytes.fromhex(_ASK + _END_BOTH),
        0x15: _SYSTEM,
        0x16: _KEYBOARD,
        0x18: bytes.fromhex(_ASK + _STOP),
        0x19: _START,
    }
    if vector in special:
        return special[vector]
    if vector in _FAULTS:
        return bytes.fromhex(_STOP)
    if vector in _FOR_PROGRAMS:
        return bytes.fromhex(_IRET)
    if 0x08 <= vector < 0x10:
        return bytes.fromhex(_END_MASTER)
    if 0x70 <= vector < 0x78:
        return bytes.fromhex(_END_BOTH)
    return bytes.fromhex(_ASK + _IRET)


def pieces(font: bytes) -> dict[int, bytes]:
    """Return offset in segment F000h -> bytes; the font has 16 for each character."""
    handlers = b"".join(_handler(vector).ljust(HANDLER_SIZE, b"\x90") for vector in range(256))
    reset = bytes.fromhex("ea") + BOOTSTRAP.to_bytes(2, "little") + SEGMENT.to_bytes(2, "little")
    # 8 bytes; model FC (AT), submodel, revision; feature 1: second 8259, RTC, keyboard intercept
    table = bytes.fromhex("08 00 fc 00 00 70 00 00 00 00")
    return {
        FONT: font,
        HANDLERS: handlers,
        BOOTSTRAP: _BOOTSTRAP,
        SPIN_TAIL: _SPIN_TAIL,
        WAIT: bytes(8),
        CONFIGURATION: table,
        IRET: bytes.fromhex(_IRET),
        0xFFF0: reset + b"01/01/26\0\xfc\0",
    }


def vectors() -> bytes:
    """Return the interrupt vector table."""
    return b"".join(
        (HANDLERS + HANDLER_SIZE * vector).to_bytes(2, "little") + SEGMENT.to_bytes(2, "little")
        for vector in range(256)
    )


def vector_at(laddr: int) -> int | None:
    """Return the vector whose handler an instruction belongs to; None: it is none of them."""
    offset = laddr - BASE - HANDLERS
    return offset // HANDLER_SIZE if 0 <= offset < 256 * HANDLER_SIZE else None
