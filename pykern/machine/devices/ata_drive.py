"""One ATA drive: its task file, and what its commands do to it and to its medium.

References
----------
ATA/ATAPI-6 (T13/1410D), Command descriptions; PIO data-in, PIO data-out and Non-data protocols.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar, Protocol

from pykern.machine.devices.ata_identify import HEADS, MULTIPLE_MOST, SECTORS_PER_TRACK, identify
from pykern.machine.devices.registers import SavedFields

if TYPE_CHECKING:
    from collections.abc import Callable

    from pykern.machine.device import State

__all__ = ["ABRT", "BSY", "DRDY", "DRQ", "DSC", "ERR", "IDNF", "UNC", "AtaDrive", "Medium"]

SECTOR = 512
BSY, DRDY, DF, DSC, DRQ, ERR = 0x80, 0x40, 0x20, 0x10, 0x08, 0x01
ABRT, IDNF, UNC = 0x04, 0x10, 0x40
FEATURES, COUNT, LBA_LOW, LBA_MID, LBA_HIGH, DEVICE = 1, 2, 3, 4, 5, 6
LBA_MODE = 0x40
_DIAGNOSTIC_PASSED = 0x01
_ACTIVE = 0xFF
_LBA28_MOST = 1 << 28
_FEATURES_KNOWN = {0x02, 0x82, 0x03, 0x05, 0x85, 0x55, 0xAA, 0x66, 0xCC}


class Medium(Protocol):
    """What holds the sectors.

    Attributes
    ----------
    sectors : how many there are
    changed : those that were written, by number
    """

    sectors: int
    changed: dict[int, bytes]

    def read(self, lba: int, count: int, /) -> bytes:
        """Return sectors that there are.

        Raises
        ------
        OSError : the host cannot read them
        """

    def write(self, lba: int, data: bytes, /) -> None:
        """Store sectors that there are."""


class AtaDrive(SavedFields):
    """A drive, or the place of one.

    Parameters
    ----------
    medium : its sectors; None: there is no drive
    serial : its serial number

    Attributes
    ----------
    status, error : the registers; BSY while a command has not begun to answer
    task : the registers 1 to 6 as they were written last, `older` as they were before (HOB)
    buffer : what goes through the data port
    position : bytes of it that have
    interrupts : whether the host is to be told when BSY falls
    """

    SAVED = (
        *("status", "error", "task", "older", "buffer", "position", "interrupts"),
        *("_writing", "_lba", "_left", "_block", "_multiple", "_wide"),
    )

    def __init__(self, medium: Medium | None, serial: str = "") -> None:
        self.medium = medium
        self._serial = serial
        self._multiple = MULTIPLE_MOST
        self.reset()

    def reset(self) -> None:
        """Pass the diagnostic and show the signature of a drive; the medium stays as it is."""
        self.status = DRDY | DSC if self.medium is not None else 0
        self.error = _DIAGNOSTIC_PASSED
        self.task = [0, 0, 1, 1, 0, 0, 0xA0]
        self.older = [0] * 7
        self.buffer = bytearray()
        self.position = 0
        self.interrupts = False
        self._writing = self._wide = False
        self._lba = self._left = self._block = 0

    def save(self) -> State:
        """Return the registers, and the sectors that were changed."""
        changed = {} if self.medium is None else self.medium.changed
        return {**super().save(), "changed": {str(n): data for n, data in changed.items()}}

    def load(self, state: State) -> None:
        """Take them back; the medium must be the same."""
        super().load(state)
        if self.medium is not None:
            self.medium.changed = {int(n): data for n, data in state["changed"].items()}

    @property
    def busy(self) -> bool:
        """Whether registers other than the command's are deaf."""
        return bool(self.status & (BSY | DRQ))

    # Commands

    def begin(self, command: int) -> int:
        """Take a command; return how many sectors are moved before the answer.

        `finish` is to be called when that time has gone by.
        """
        self.error, self.buffer, self.position = 0, bytearray(), 0
        self._left, self._writing, self.interrupts = 0, False, True
        self.status = DRDY | BSY
        run = self._COMMANDS.get(command)
        if run is None:
            self._fail(ABRT)
        else:
            run(self)
        return min(self._left, self._block)

    def finish(self) -> None:
        """Answer: data for the host, room for its data, or the end of the command."""
        self.status &= ~BSY
        if self.status & ERR:
            return
        if self._writing:
            self._store()
        if self._left:
            self._open_block()
        elif not self.buffer:
            self.status |= DSC

    def _fail(self, error: int) -> None:
        self.error |= error
        self._left = 0
        self.status = self.status & ~DSC | ERR

    def _read(self, *, multiple: bool = False, wide: bool = False) -> None:
        self._locate(multiple=multiple, wide=wide)

    def _write(self, *, multiple: bool = False, wide: bool = False) -> None:
        self._locate(multiple=multiple, wide=wide)
        if not self.error:
            # The host's first data are waited for, not interrupted for.
            self.status, self.interrupts = DRDY | DSC, False
            self._writing = True
            self._open_block()

    def _verify(self, *, wide: bool = False) -> None:
        self._locate(multiple=False, wide=wide)
        self._left = 0

    def _locate(self, *, multiple: bool, wide: bool) -> None:
        """Find out which sectors are meant."""
        if multiple and not self._multiple:
            self._fail(ABRT)
            return
        assert self.medium is not None
        self._wide = wide
        self._left = self._count()
        self._lba = lba = self._address()
        self._block = self._multiple if multiple else 1
        if lba < 0 or lba + self._left > self.medium.sectors:
            self._fail(IDNF)

    def _count(self) -> int:
        if not self._wide:
            return self.task[COUNT] or 256
        return self.older[COUNT] << 8 | self.task[COUNT] or 65536

    def _address(self) -> int:
        """Return the first sector; -1: there is none of that cylinder, head and sector."""
        low = self.task[LBA_LOW] | self.task[LBA_MID] << 8 | self.task[LBA_HIGH] << 16
        if self._wide:
            high = self.older[LBA_LOW] | self.older[LBA_MID] << 8 | self.older[LBA_HIGH] << 16
            return high << 24 | low
        if self.task[DEVICE] & LBA_MODE:
            return (self.task[DEVICE] & 0xF) << 24 | low
        sector, cylinder, head = low & 0xFF, low >> 8, self.task[DEVICE] & 0xF
        if not 1 <= sector <= SECTORS_PER_TRACK:
            return -1
        return (cylinder * HEADS + head) * SECTORS_PER_TRACK + sector - 1

    def _advance(self, count: int) -> None:
        """Let the registers name the sector behind those that are done."""
        self._left -= count
        self._lba += count
        self.task[COUNT] = self._left & 0xFF
        lba = self._lba
        if self._wide:
            self.older[LBA_LOW : LBA_HIGH + 1] = lba.to_bytes(6, "little")[3:]
        elif self.task[DEVICE] & LBA_MODE:
            self.task[DEVICE] = self.task[DEVICE] & 0xF0 | lba >> 24 & 0xF
        else:
            track, sector = divmod(lba, SECTORS_PER_TRACK)
            cylinder, head = divmod(track, HEADS)
            self.task[DEVICE] = self.task[DEVICE] & 0xF0 | head
            lba = cylinder << 8 | sector + 1
        self.task[LBA_LOW : LBA_HIGH + 1] = (lba & 0xFF_FFFF).to_bytes(3, "little")

    # Data

    def _open_block(self) -> None:
        """Offer the next block to the host, or room for it."""
        count = min(self._left, self._block)
        assert self.medium is not None
        if self._writing:
            self.buffer = bytearray(count * SECTOR)
        else:
            try:
                self.buffer = bytearray(self.medium.read(self._lba, count))
            except OSError:
                self._fail(UNC)
                return
            self._advance(count)
        self.position = 0
        self.status |= DRQ | DSC

    def _offers(self, *, writing: bool) -> bool:
        return self.status & (BSY | DRQ) == DRQ and self._writing == writing

    def take(self, size: int) -> int:
        """Read the data port."""
        if not self._offers(writing=False):
            return 0
        data = int.from_bytes(self.buffer[self.position : self.position + size], "little")
        self.position += size
        return data

    def give(self, size: int, value: int) -> None:
        """Write the data port."""
        if not self._offers(writing=True):
            return
        room = min(size, len(self.buffer) - self.position)
        data = value.to_bytes(size, "little")[:room]
        self.buffer[self.position : self.position + room] = data
        self.position += size

    def turn(self) -> int | None:
        """Return how many sectors are moved next, once the block is through; None: nothing is."""
        if not self._offers(writing=self._writing) or self.position < len(self.buffer):
            return None
        self.status &= ~DRQ
        self.interrupts = True
        if self._writing:
            self.status |= BSY
            return len(self.buffer) // SECTOR
        self.buffer, self.position = bytearray(), 0
        if not self._left:
            return None
        self.status |= BSY
        return min(self._left, self._block)

    def _store(self) -> None:
        assert self.medium is not None
        self.medium.write(self._lba, bytes(self.buffer))
        self._advance(len(self.buffer) // SECTOR)
        self.buffer, self.position = bytearray(), 0

    # The rest

    def _identify(self) -> None:
        assert self.medium is not None
        self.buffer = bytearray(identify(self.medium.sectors, self._serial, self._multiple))
        self.status |= DRQ | DSC

    def _set_multiple(self) -> None:
        count = self.task[COUNT]
        if count > MULTIPLE_MOST or count & count - 1:
            self._fail(ABRT)
        else:
            self._multiple = count

    def _set_features(self) -> None:
        if self.task[FEATURES] not in _FEATURES_KNOWN:
            self._fail(ABRT)

    def _diagnose(self) -> None:
        self.reset()
        self.interrupts = True
        self.status |= BSY

    def _check_power(self) -> None:
        self.task[COUNT] = _ACTIVE

    def _read_native_max(self, *, wide: bool = False) -> None:
        assert self.medium is not None
        last = self.medium.sectors - 1
        if wide:
            self.older[LBA_LOW : LBA_HIGH + 1] = last.to_bytes(6, "little")[3:]
        else:
            last = min(last, _LBA28_MOST - 1)
            self.task[DEVICE] = self.task[DEVICE] & 0xF0 | last >> 24
        self.task[LBA_LOW : LBA_HIGH + 1] = (last & 0xFF_FFFF).to_bytes(3, "little")

    def _do_nothing(self) -> None:
        """Succeed: nothing is cached, nothing turns, nothing sleeps."""

    _COMMANDS: ClassVar[dict[int, Callable[[AtaDrive], None]]] = {
        0x10: _do_nothing,  # RECALIBRATE
        **dict.fromkeys((0x20, 0x21), _read),
        0x24: partial(_read, wide=True),
        0x27: partial(_read_native_max, wide=True),
        0x29: partial(_read, multiple=True, wide=True),
        **dict.fromkeys((0x30, 0x31), _write),
        0x34: partial(_write, wide=True),
        0x39: partial(_write, multiple=True, wide=True),
        **dict.fromkeys((0x40, 0x41), _verify),
        0x42: partial(_verify, wide=True),
        0x70: _do_nothing,  # SEEK
        0x90: _diagnose,
        0x91: _do_nothing,  # INITIALIZE DEVICE PARAMETERS
        0xC4: partial(_read, multiple=True),
        0xC5: partial(_write, multiple=True),
        0xC6: _set_multiple,
        **dict.fromkeys((0xE0, 0xE1, 0xE2, 0xE3), _do_nothing),  # STANDBY, IDLE
        0xE5: _check_power,
        0xE7: _do_nothing,  # FLUSH CACHE
        0xEA: _do_nothing,  # FLUSH CACHE EXT
        0xEC: _identify,
        0xEF: _set_features,
        0xF8: _read_native_max,
    }
