"""The cache of a disk against a plain array of bytes (MEL-53)."""

from __future__ import annotations

import random
import struct

import pytest

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.fs.block import SECTOR, Disk, Partition, partitions
from pykern.kernel.mm.pager import NotResident

SECTORS = 600


class Drive:
    """A drive in memory that counts what it is asked for, and refuses some sectors."""

    def __init__(self, data):
        self.data = bytearray(data)
        self.sectors = len(data) // SECTOR
        self.bad = set()
        self.reads, self.writes, self.flushes = [], [], 0

    def _check(self, lba, count):
        if self.bad & set(range(lba, lba + count)):
            raise SysError(Errno.EIO)

    async def read(self, lba, count):
        self.reads.append((lba, count))
        self._check(lba, count)
        return bytes(self.data[lba * SECTOR : (lba + count) * SECTOR])

    async def write(self, lba, data):
        self.writes.append((lba, len(data) // SECTOR))
        self._check(lba, len(data) // SECTOR)
        self.data[lba * SECTOR : lba * SECTOR + len(data)] = data

    async def flush(self):
        self.flushes += 1


def make(seed=0, sectors=SECTORS):
    drive = Drive(random.Random(seed).randbytes(sectors * SECTOR))
    disk = Disk("sda", drive)
    return disk, drive


def finish(coroutine):
    """Run what does not sleep."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("it sleeps")


def resident(operation, *arguments):
    """Do what a system call does: again, once what was missing has come."""
    while True:
        try:
            return operation(*arguments)
        except NotResident as missing:
            finish(missing.pager.load(missing.offset))


def load(disk, offset, size):
    return resident(disk.load, offset, size)


def settle(disk):
    """Let the thread of the disk write until nothing is left."""
    thread = disk.write_behind()
    thread.send(None)
    thread.close()


def test_random_use_is_that_of_an_array():
    for seed in range(10):
        disk, drive = make(seed)
        disk._room = 150  # much is forgotten and read again
        rng, model = random.Random(seed), bytearray(drive.data)
        for _ in range(400):
            offset = rng.randrange(len(model) + 10)
            size = rng.choice((1, 4, 32, 511, 512, 513, 4096))
            if rng.random() < 0.5:
                data = rng.randbytes(size)
                room = max(len(model) - offset, 0)
                assert disk.store(offset, data) == min(size, room)
                model[offset : offset + size] = data[:room]
                del model[SECTORS * SECTOR :]
            else:
                assert load(disk, offset, size) == model[offset : offset + size]
            if rng.random() < 0.1:
                settle(disk)
                assert drive.data == model
        settle(disk)
        assert drive.data == model


def test_storing_never_reads_and_neighbours_are_written_at_once():
    disk, drive = make()
    for n in range(40, 60):
        disk.store(n * SECTOR, bytes(SECTOR))
    disk.store(7, b"x")
    assert not drive.reads
    settle(disk)
    assert drive.reads == [(0, 1)], "the rest of the sector of which a byte was stored"
    assert drive.writes == [(0, 1), (40, 20)]


def test_what_is_asked_for_is_read_at_once_and_some_more():
    disk, drive = make()
    load(disk, 0, 1)
    assert drive.reads == [(0, 128)]
    load(disk, 100 * SECTOR, 20 * SECTOR)
    assert len(drive.reads) == 1
    load(disk, 200 * SECTOR, 300 * SECTOR)
    assert drive.reads[1:] == [(200, 256), (456, 44)]


def test_a_sector_that_cannot_be_read_is_eio_each_time_and_no_other():
    disk, drive = make()
    drive.bad = {50}
    for _ in range(2):
        with pytest.raises(SysError, match="EIO: sda: sector 50 cannot be read"):
            load(disk, 50 * SECTOR, 1)
    assert load(disk, 49 * SECTOR, SECTOR) == drive.data[49 * SECTOR : 50 * SECTOR]
    with pytest.raises(SysError, match="EIO"):
        load(disk, 48 * SECTOR, 4 * SECTOR)
    assert load(disk, 51 * SECTOR, SECTOR) == drive.data[51 * SECTOR : 52 * SECTOR]
    drive.bad = set()
    assert load(disk, 50 * SECTOR, SECTOR) == drive.data[50 * SECTOR : 51 * SECTOR]


@pytest.mark.parametrize("size", [SECTOR, 3])
def test_what_cannot_be_written_is_told_by_the_next_sync(size):
    disk, drive = make()
    drive.bad = {3}
    disk.store(3 * SECTOR, bytes(size))
    disk.store(9 * SECTOR, bytes(SECTOR))
    settle(disk)
    with pytest.raises(SysError, match="EIO"):
        finish(disk.sync())
    finish(disk.sync())
    assert drive.data[9 * SECTOR : 10 * SECTOR] == bytes(SECTOR)
    drive.bad = set()
    assert load(disk, 3 * SECTOR, SECTOR) == drive.data[3 * SECTOR : 4 * SECTOR]


def test_sync_waits_for_the_thread_and_flushes_the_drive():
    disk, drive = make()
    disk.store(0, b"a")
    waiting = disk.sync()
    waiting.send(None)
    settle(disk)
    with pytest.raises(StopIteration):
        waiting.send(None)
    assert (drive.data[0], drive.flushes) == (ord("a"), 1)


def test_nobody_writes_faster_than_the_disk():
    disk, _ = make(sectors=10_000)
    disk.make_room()
    disk.store(0, bytes(5000 * SECTOR))
    with pytest.raises(NotResident) as full:
        disk.make_room()
    waiting = full.value.pager.load(0)
    waiting.send(None)
    settle(disk)
    with pytest.raises(StopIteration):
        waiting.send(None)
    disk.make_room()


def test_a_partition_ends_where_it_ends():
    disk, drive = make()
    part = Partition(disk, 10, 2)
    assert part.store(SECTOR, b"x" * 600) == SECTOR
    assert load(part, 0, 5000) == drive.data[10 * SECTOR : 11 * SECTOR] + b"x" * SECTOR
    assert part.store(3 * SECTOR, b"x") == 0
    assert load(disk, 12 * SECTOR, 1) == drive.data[12 * SECTOR : 12 * SECTOR + 1]


def record(*entries, signature=b"\x55\xaa"):
    table = b"".join(struct.pack("<B3xB3xII", *entry) for entry in entries)
    return bytes(446) + table.ljust(64, b"\0") + signature


def test_partitions_of_a_master_boot_record():
    table = record((0x80, 0x0C, 64, 100), (0, 0, 1, 1), (0, 0x83, 164, 36))
    assert partitions(table, 200) == {1: (64, 100), 3: (164, 36)}
    assert partitions(table, 199) == {1: (64, 100)}, "the other one reaches beyond the disk"
    assert partitions(record((0x80, 0x0C, 64, 100), signature=b"\0\0"), 200) == {}
    assert partitions(record((0x42, 0x0C, 64, 100)), 200) == {}, "code, or text, no table"
