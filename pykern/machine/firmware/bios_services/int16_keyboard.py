"""INT 16h: the keyboard; what arrives at COM1 is typed as well.

References
----------
IBM Personal System/2 and Personal Computer BIOS Interface Technical Reference: Interrupt 16H.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.machine.firmware.bios_services import keyboard_buffer, rom

if TYPE_CHECKING:
    from pykern.machine.firmware.bios_services.bios import Bios
    from pykern.machine.firmware.bios_services.call import Call

_READ, _CHECK, _SHIFTS, _PUSH, _CAPABILITIES = 0x00, 0x01, 0x02, 0x05, 0x09
_EXTENDED = 0x10


def serve(bios: Bios, call: Call) -> None:
    """Serve AH = 0, 1, 2, their extended forms 10h to 12h, 5, and 9."""
    bios.set_wait(rom.GO_ON)
    match call.ah:
        case 0x00 | 0x10:
            _read(bios, call)
        case 0x01 | 0x11:
            word = keyboard_buffer.peek(bios)
            call.set_zero(on=word is None)
            if word is not None:
                call.ax = _plain(word) if call.ah == _CHECK else word
        case 0x02:
            call.al = bios.read_bda(keyboard_buffer.FLAGS, 1)
        case 0x12:
            flags = bios.read_bda(keyboard_buffer.FLAGS, 1)
            call.ax = bios.read_bda(keyboard_buffer.FLAGS_2, 1) << 8 | flags
        case 0x05:
            call.al = 0 if keyboard_buffer.push(bios, call.cx) else 1
        case 0x09:
            call.al = 0x20  # AH = 10h to 12h are there
        case _:
            bios.unknown[0x16, call.ax] += 1


def _read(bios: Bios, call: Call) -> None:
    """Return a key, or let the processor halt until there is one."""
    word = keyboard_buffer.pop(bios)
    if word is None:
        bios.set_wait(rom.HALT)
        return
    call.ax = _plain(word) if call.ah == _READ else word


def _plain(word: int) -> int:
    """Return an entry as programs of the 84-key keyboard know it: E0 is no character there."""
    return word & 0xFF00 if word & 0xFF == 0xE0 and word >> 8 else word
