"""A channel of an IDE controller with up to two ATA drives, as on Intel's PIIX3.

Offsets (address of the primary channel in brackets; the secondary one is at 0x170 and 0x376)::

    0  data, 2 or 4 bytes                                     (0x1F0)
    1  read: error  4 IDNF  2 ABRT;  write: features          (0x1F1)
    2  sector count    3 LBA low    4 LBA mid    5 LBA high   (0x1F2-0x1F5)
    6  device  6 LBA  4 drive 1  3-0 LBA 27-24, or the head   (0x1F6)
    7  read: status  7 BSY  6 DRDY  5 DF  4 DSC  3 DRQ  0 ERR; clears the interrupt
       write: command                                         (0x1F7)
    8  read: status, and nothing else happens
       write: device control  7 HOB  2 SRST  1 nIEN           (0x3F6)

Registers 2 to 5 are two deep: LBA48 commands take what was written before as well, which HOB shows.
Drives keep what was written over a reset. A command takes COMMAND_NS, and SECTOR_NS for each sector
of a block; then BSY falls and INTRQ rises.

Beyond the last sector the answer is IDNF, as ATA has it; QEMU's is ABRT.

References
----------
ATA/ATAPI-6 (T13/1410D), I/O register descriptions, Software reset protocol; Intel 82371SB (PIIX3)
datasheet, IDE interface.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.machine.devices.ata_drive import BSY, FEATURES, AtaDrive
from pykern.machine.devices.pci import COMMAND, PciFunction
from pykern.machine.devices.registers import SavedFields
from pykern.machine.devices.timing import Timer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pykern.machine.device import Events
    from pykern.machine.devices.ata_drive import Medium
    from pykern.machine.irq import Line

__all__ = ["COMMAND_NS", "SECTOR_NS", "AtaChannel", "ide_function", "isa_bridge"]

COMMAND_NS, SECTOR_NS = 10_000, 5_000
DATA, DEVICE, STATUS, CONTROL = 0, 6, 7, 8
SELECT, ALWAYS_ON = 0x10, 0xA0
HOB, SRST, NIEN = 0x80, 0x04, 0x02
EXECUTE_DIAGNOSTIC = 0x90
_DECODE_ENABLE = 0x80  # IDETIM: the channel answers at its ports
_IDETIM = (0x41, 0x43)
_IO_SPACE = 1


class AtaChannel(SavedFields):
    """Two drives on one cable.

    Parameters
    ----------
    events : virtual time
    irq : wire of the interrupt
    media : of the drives, at least one, at most two
    first : number of the first drive, for serial numbers
    """

    SAVED = ("_unit", "_control", "_interrupt", "_timer", "_drives")

    def __init__(
        self, events: Events, *, irq: Line, media: Sequence[Medium], first: int = 0
    ) -> None:
        self._events = events
        self._irq = irq
        self._timer = Timer(events, self._answer)
        present = [AtaDrive(medium, f"PK{first + n:05d}") for n, medium in enumerate(media)]
        self._drives = [*present, AtaDrive(None)][:2]
        self.reset()

    def reset(self) -> None:
        """Power up: drive 0 selected, interrupts on."""
        self._unit = self._control = 0
        self._interrupt = False
        self._timer.set(None)
        for drive in self._drives:
            drive.reset()
        self.resume()

    def resume(self) -> None:
        """Drive the line as loaded."""
        self._irq.set(self._interrupt and not self._control & NIEN)

    @property
    def _drive(self) -> AtaDrive:
        return self._drives[self._unit]

    def _set_interrupt(self, level: bool) -> None:
        self._interrupt = level
        self.resume()

    # Time

    def _plan(self, sectors: int) -> None:
        self._timer.set(self._events.now + COMMAND_NS + sectors * SECTOR_NS)

    def _answer(self) -> None:
        drive = self._drive
        drive.finish()
        if drive.interrupts:
            self._set_interrupt(True)

    # Registers

    def read(self, offset: int, size: int) -> int:
        """Read data, a register, or several as bytes."""
        if offset == DATA and size > 1:
            return self._read_data(size)
        return sum(self._read_byte(offset + i) << 8 * i for i in range(size))

    def write(self, offset: int, size: int, value: int) -> None:
        """Write data, a register, or several as bytes."""
        if offset == DATA and size > 1:
            self._drive.give(size, value)
            self._go_on()
            return
        for i in range(size):
            self._write_byte(offset + i, value >> 8 * i & 0xFF)

    def _read_data(self, size: int) -> int:
        data = self._drive.take(size)
        self._go_on()
        return data

    def _go_on(self) -> None:
        """Begin what follows a block that is through."""
        sectors = self._drive.turn()
        if sectors is not None:
            self._plan(sectors)

    def _read_byte(self, offset: int) -> int:
        drive = self._drive
        if offset == DATA:
            return self._read_data(1)
        if offset == STATUS:
            self._set_interrupt(False)
            return drive.status
        if offset == CONTROL:
            return drive.status
        if offset > CONTROL:
            return 0xFF
        if offset == FEATURES and not self._control & HOB:
            return drive.error if drive.medium is not None else 0
        two_deep = offset != DEVICE and self._control & HOB
        return drive.older[offset] if two_deep else drive.task[offset]

    def _write_byte(self, offset: int, value: int) -> None:
        if offset == DATA:
            self._drive.give(1, value)
            self._go_on()
        elif offset == CONTROL:
            self._write_control(value)
        elif offset == STATUS:
            self._control &= ~HOB
            self._command(value)
        elif offset < STATUS and not self._drive.busy:
            self._control &= ~HOB
            self._write_task(offset, value)

    def _write_task(self, offset: int, value: int) -> None:
        """Write a register of both drives."""
        for drive in self._drives:
            if offset != DEVICE:
                drive.older[offset] = drive.task[offset]
            drive.task[offset] = value | ALWAYS_ON if offset == DEVICE else value
        if offset == DEVICE:
            self._unit = int(bool(value & SELECT))

    def _command(self, command: int) -> None:
        self._set_interrupt(False)
        drive = self._drive
        if command == EXECUTE_DIAGNOSTIC and not self._drives[0].busy:
            drive = self._drives[0]
            self._drives[1].reset()
            self._unit = 0
        if drive.medium is None or drive.busy:
            return
        sectors = drive.begin(command)
        if drive.status & BSY:
            self._plan(sectors)

    def _write_control(self, value: int) -> None:
        rising, falling = value & ~self._control & SRST, ~value & self._control & SRST
        self._control = value
        self.resume()
        if rising:
            self._timer.set(None)
            self._set_interrupt(False)
            self._unit = 0
            for drive in self._drives:
                drive.reset()
                drive.status |= BSY if drive.medium is not None else 0
        elif falling:
            self._plan(0)
            for drive in self._drives[1:]:
                drive.reset()


def isa_bridge() -> PciFunction:
    """Return function 0 of an Intel 82371SB: the bridge beside which the IDE controller is."""
    bridge = PciFunction(0x8086, 0x7000, 0x060100)
    bridge.make_writable(0x60, b"\xff" * 4)  # PIRQRC
    return bridge


def ide_function() -> PciFunction:
    """Return the IDE controller: both channels at the addresses of the PC/AT, no bus master."""
    function = PciFunction(0x8086, 0x7010, 0x010100)
    function.make_writable(0x40, b"\xff" * 5)  # IDETIM, SIDETIM
    function.preset({COMMAND: _IO_SPACE, **dict.fromkeys(_IDETIM, _DECODE_ENABLE)})
    return function
