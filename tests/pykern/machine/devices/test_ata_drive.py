"""A drive without its channel: addresses in every form (MEL-53)."""

from __future__ import annotations

import pytest

from pykern.machine.devices.ata_drive import ABRT, DRDY, DRQ, DSC, ERR, IDNF, UNC, AtaDrive

SECTORS = 1 << 30


class Medium:
    """Sectors that hold their numbers, more than LBA28 reaches."""

    def __init__(self) -> None:
        self.sectors = SECTORS
        self.changed: dict[int, bytes] = {}

    def read(self, lba: int, count: int) -> bytes:
        return b"".join((lba + n).to_bytes(8, "little").ljust(512, b"\0") for n in range(count))

    def write(self, lba: int, data: bytes) -> None:
        self.changed[lba] = data


def first_of(drive: AtaDrive) -> int:
    """Return the number of the sector that the drive offers, and take it."""
    assert drive.status & DRQ, hex(drive.status)
    number = drive.take(8)
    while drive.position < len(drive.buffer):
        drive.take(8)
    drive.turn()
    return number


def ready(*, task: tuple[int, ...], older: tuple[int, ...] = (0,) * 4) -> AtaDrive:
    """Return a drive with its registers: count, LBA low, mid, high, and the device."""
    drive = AtaDrive(Medium())
    drive.task[2:7] = task
    drive.older[2:6] = older
    return drive


@pytest.mark.parametrize(
    ("task", "older", "command", "lba"),
    [
        ((1, 0x78, 0x56, 0x34, 0xE2), (0,) * 4, 0x20, 0x0234_5678),
        ((1, 0x78, 0x56, 0x34, 0xE0), (0, 0x12, 0, 0), 0x24, 0x1234_5678),
        ((1, 63, 2, 1, 0xA5), (0,) * 4, 0x20, ((0x102 * 16 + 5) * 63) + 62),
    ],
)
def test_a_sector_by_its_address(
    task: tuple[int, ...], older: tuple[int, ...], command: int, lba: int
) -> None:
    drive = ready(task=task, older=older)
    assert drive.begin(command) == 1
    drive.finish()
    assert first_of(drive) == lba
    assert drive.status == DRDY | DSC


def test_no_sectors_are_256() -> None:
    for command, count in ((0x20, 256), (0xC4, 256)):
        drive = ready(task=(0, 0, 0, 0, 0xE0))
        drive._multiple = 1
        drive.begin(command)
        drive.finish()
        done = 0
        while drive.status & DRQ:
            assert first_of(drive) == done
            done += 1
            drive.finish()
        assert done == count


def test_no_sectors_are_65536_in_48_bits() -> None:
    reaching = (SECTORS - 65536).to_bytes(4, "little")
    for beyond in (0, 1):
        drive = ready(task=(0, reaching[0] + beyond, *reaching[1:3], 0xE0))
        drive.older[3] = reaching[3]
        drive.begin(0x24)
        assert drive.error == (IDNF if beyond else 0)


@pytest.mark.parametrize(
    ("task", "command", "error"),
    [
        ((1, 0, 0, 0, 0xA0), 0x20, IDNF),  # sectors of a track are counted from 1
        ((1, 64, 0, 0, 0xA0), 0x20, IDNF),
        ((3, 0, 0, 0, 0xE0), 0xC6, ABRT),  # no power of two
        ((32, 0, 0, 0, 0xE0), 0xC6, ABRT),
        ((1, 0, 0, 0, 0xE0), 0xFF, ABRT),
    ],
)
def test_what_is_refused(task: tuple[int, ...], command: int, error: int) -> None:
    drive = ready(task=task)
    drive.begin(command)
    drive.finish()
    assert (drive.status, drive.error) == (DRDY | ERR, error)


def test_the_last_sector_and_the_one_behind_it() -> None:
    last = (SECTORS - 1).to_bytes(4, "little")
    for count, good in ((1, True), (2, False)):
        drive = ready(task=(count, *last[:3], 0xE0), older=(0, last[3], 0, 0))
        drive.begin(0x24)
        drive.finish()
        assert bool(drive.status & DRQ) == good
        assert drive.error == (0 if good else IDNF)


def test_the_native_size() -> None:
    drive = ready(task=(0, 0, 0, 0, 0xE0))
    drive.begin(0x27)
    drive.finish()
    low, high = bytes(drive.task[3:6]), bytes(drive.older[3:6])
    assert int.from_bytes(low + high, "little") == SECTORS - 1


def test_what_the_host_cannot_read_is_an_uncorrectable_error() -> None:
    class Broken(Medium):
        def read(self, lba: int, count: int) -> bytes:
            raise OSError(lba, count)

    drive = AtaDrive(Broken())
    drive.task[2:7] = 1, 0, 0, 0, 0xE0
    drive.begin(0x20)
    drive.finish()
    assert (drive.status, drive.error) == (DRDY | ERR, UNC)
    assert drive.take(2) == 0
