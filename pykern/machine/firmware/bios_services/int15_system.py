"""INT 15h: memory map and sizes, A20, block move, waiting.

References
----------
ACPI Specification 6.5, System Address Map Interfaces; IBM Personal System/2 and Personal Computer
BIOS Interface Technical Reference: Interrupt 15H.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.machine.firmware import e820
from pykern.machine.firmware.bios_services import rom

if TYPE_CHECKING:
    from pykern.machine.firmware.bios_services.bios import Bios
    from pykern.machine.firmware.bios_services.call import Call

SMAP = 0x534D4150
_DESCRIPTOR_SIZE = 20
_MIB, _16_MIB = 1 << 20, 16 << 20
_A20_BIT = 1 << 1
_WRITE_OUTPUT_PORT, _OUTPUT_PORT = 0xD1, 0xCD  # reset high, clock and data lines idle
_US = 1000  # ns
_TICK_NS = 54_925_494
_EBDA_SEGMENT = e820.EBDA_BASE >> 4
_LARGEST_88 = 63 << 10  # KiB; more would look like a sign to old programs
_MOVE_LIMIT = 0x8000  # words


def serve(bios: Bios, call: Call) -> None:
    """Serve AH = 24h, 86h, 87h, 88h, C0h, C1h and AX = E801h, E820h; refuse all others."""
    bios.set_wait(rom.GO_ON)
    match call.ah:
        case 0x24:
            _a20(bios, call)
        case 0x4F:
            call.set_carry(on=True)  # a key stays what it is
        case 0x86:
            _wait(bios, call)
        case 0x87:
            _move(bios, call)
        case 0x88:
            call.ax = min(e820.extended_kib(bios.memory), _LARGEST_88)
            call.set_carry(on=False)
        case 0xC0:
            call.set_es(rom.SEGMENT)
            call.bx = rom.CONFIGURATION
            call.succeed()
        case 0xC1:
            call.set_es(_EBDA_SEGMENT)
            call.set_carry(on=False)
        case 0xE8:
            _map(bios, call)
        case _:
            bios.unsupported(0x15, call)


def _a20(bios: Bios, call: Call) -> None:
    """AL: 0 off, 1 on, 2 state, 3 what can do it."""
    match call.al:
        case 0 | 1:
            _gate_a20(bios, on=bool(call.al))
        case 2:
            call.al = int(bios.board.a20.level)
        case 3:
            call.bx = 3  # keyboard controller and port 92h
        case _:
            bios.unsupported(0x15, call)
            return
    call.succeed()


def _gate_a20(bios: Bios, *, on: bool) -> None:
    """Set both gates: address bit 20 passes as long as one of them is open."""
    port92, controller = bios.board.port92, bios.board.i8042
    port92.write(0, 1, (port92.read(0, 1) & ~_A20_BIT & 0xFE) | (_A20_BIT if on else 0))
    controller.write(4, 1, _WRITE_OUTPUT_PORT)
    controller.write(0, 1, _OUTPUT_PORT | (_A20_BIT if on else 0))


def _wait(bios: Bios, call: Call) -> None:
    """Wait CX:DX µs: halt as long as a tick is shorter than the rest, then spin."""
    now = bios.machine.now
    if bios.wait_until is None:
        bios.wait_until = now + (call.cx << 16 | call.dx) * _US
    left = bios.wait_until - now
    if left > 0:
        bios.set_wait(rom.HALT if left > _TICK_NS else rom.SPIN)
        return
    bios.wait_until = None
    call.set_carry(on=False)


def _move(bios: Bios, call: Call) -> None:
    """Copy CX words between the addresses of two descriptors of the table at ES:SI."""
    table = call.read("es", call.si, 0x30)
    source, target = (
        int.from_bytes(table[at + 2 : at + 5], "little") | table[at + 7] << 24
        for at in (0x10, 0x18)
    )
    if call.cx > _MOVE_LIMIT:
        call.fail(2)
        return
    size = call.cx * 2
    bios.machine.write(target, bios.machine.read(source, size))
    call.succeed()


def _map(bios: Bios, call: Call) -> None:
    match call.al:
        case 0x01:
            low, high = _sizes(bios)
            call.ax = call.cx = low
            call.bx = call.dx = high
            call.set_carry(on=False)
        case 0x20:
            _query(bios, call)
        case _:
            bios.unsupported(0x15, call)


def _sizes(bios: Bios) -> tuple[int, int]:
    """Return the KiB from 1 to 16 MiB, and the 64-KiB blocks from 16 MiB on."""
    end = _MIB + (e820.extended_kib(bios.memory) << 10)
    return (min(end, _16_MIB) - _MIB) >> 10, max(end - _16_MIB, 0) >> 16


def _query(bios: Bios, call: Call) -> None:
    """Return one range of the memory map; EBX goes through them."""
    number = call.ebx
    if call.edx != SMAP or call.ecx < _DESCRIPTOR_SIZE or number >= len(bios.memory):
        call.fail(0x86)
        return
    call.write("es", call.di, e820.encode([bios.memory[number]]))
    call.eax = SMAP
    call.ecx = _DESCRIPTOR_SIZE
    call.ebx = number + 1 if number + 1 < len(bios.memory) else 0
    call.set_carry(on=False)
