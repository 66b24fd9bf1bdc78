"""The built-in BIOS: it leaves memory and chips as a PC's does, and serves software interrupts.

References
----------
IBM Personal System/2 and Personal Computer BIOS Interface Technical Reference; BIOS Boot
Specification 1.01.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from typing import TYPE_CHECKING, Any

from pykern.machine.firmware.bios_services import (
    int08_timer,
    int09_key,
    int1a_time,
    int10_video,
    int11_equipment,
    int12_memory,
    int13_disk,
    int14_serial,
    int15_system,
    int16_keyboard,
    int18_no_boot,
    int19_bootstrap,
    int70_rtc,
    rom,
)
from pykern.machine.firmware.bios_services.call import Call

if TYPE_CHECKING:
    from collections.abc import Callable

    from pykern.machine.board import Board
    from pykern.machine.firmware.bios_services.drives import Media
    from pykern.machine.firmware.e820 import AddressRange

SERVICES: dict[int, Callable[[Bios, Call], None]] = {
    0x08: int08_timer.serve,
    0x09: int09_key.serve,
    0x10: int10_video.serve,
    0x11: int11_equipment.serve,
    0x12: int12_memory.serve,
    0x13: int13_disk.serve,
    0x14: int14_serial.serve,
    0x15: int15_system.serve,
    0x16: int16_keyboard.serve,
    0x18: int18_no_boot.serve,
    0x19: int19_bootstrap.serve,
    0x1A: int1a_time.serve,
    0x70: int70_rtc.serve,
}
BDA = 0x400
_CR0_ET = 1 << 4
_MEMORY_FAULT = 0x09  # INT 13h: DMA across a boundary; nearest to memory that is not there


class Bios:
    """Services and what they remember.

    Precondition: firmware tables and chips are as `Board.initialize` and `firmware.install` leave
    them.

    Parameters
    ----------
    machine : gets the ROM and the hook of the service port
    board : whose devices are used
    media : the drives
    memory : what INT 15h/E820h reports
    font : 16 bytes for each character, the upper line first

    Attributes
    ----------
    unknown : (vector, AX) of calls that no service knew -> how often
    """

    def __init__(
        self,
        machine: Any,
        board: Board,
        media: Media,
        memory: tuple[AddressRange, ...],
        font: bytes,
    ) -> None:
        self.machine = machine
        self.board = board
        self.media = media
        self.memory = memory
        self.font = font
        self.unknown: Counter[tuple[int, int]] = Counter()
        self.wait_until: int | None = None
        self.vbe_mode = 0
        self._hook: int | None = None

    def start(self) -> None:
        """Do what the power-on self test leaves behind, and let the processor start a medium."""
        if self._hook is None:
            self._hook = self.machine.add_hook(self._serve, kinds="out", first=rom.PORT)
        self.wait_until = None
        self.vbe_mode = 0
        for offset, data in rom.pieces(self.font).items():
            self.machine.write(rom.BASE + offset, data)
        self.machine.write(0, rom.vectors())
        self.write_bda(0x6C, int1a_time.ticks_of_day(self), 4)
        self.write_bda(0x75, sum(0x80 <= number < 0xE0 for number in self.media.drives), 1)
        # As after reset, but that caches are on and the first instruction is below 1 MiB.
        state = {"cr0": _CR0_ET, "cs": rom.SEGMENT, "cs.base": rom.BASE, "rip": rom.BOOTSTRAP}
        for name, value in state.items():
            self.machine.vcpus[0].write_register(name, value)

    def close(self) -> None:
        """Take the hook away."""
        if self._hook is not None:
            self.machine.remove_hook(self._hook)
            self._hook = None

    def read_bda(self, offset: int, size: int) -> int:
        """Return a field of the BIOS data area."""
        return int.from_bytes(self.machine.read(BDA + offset, size), "little")

    def write_bda(self, offset: int, value: int, size: int) -> None:
        """Set a field of the BIOS data area."""
        self.machine.write(BDA + offset, value.to_bytes(size, "little"))

    def set_text_mode(self, number: int) -> None:
        """Leave the framebuffer for a text mode."""
        self.vbe_mode = 0
        int10_video.set_mode(self, number)

    def set_wait(self, kind: int) -> None:
        """Say what the handler does next: return, or ask again after an interrupt or some time."""
        self.machine.write(rom.BASE + rom.WAIT, bytes((kind,)))

    def unsupported(self, vector: int, call: Call) -> None:
        """Count a call that is not served, and refuse it as BIOSes do."""
        self.unknown[vector, call.ax] += 1
        call.fail(0x86)

    def _serve(self, vcpu: Any, _port: int, _size: int, _write: bool) -> None:
        laddr = vcpu.read_register("cs.base") + vcpu.read_register("rip")
        vector = rom.vector_at(laddr)
        if vector is None:
            return  # somebody else's OUT to this port
        service = SERVICES.get(vector)
        call = Call(vcpu)
        if service is None:
            self.unknown[vector, call.ax] += 1
            return
        try:
            service(self, call)
        except ValueError:
            # The caller has named memory that is not there; its stack may not be there either.
            call.ah = _MEMORY_FAULT
            with contextlib.suppress(ValueError):
                call.set_carry(on=True)
