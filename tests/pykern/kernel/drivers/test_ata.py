"""The driver on a board of ours, with interrupts and with drives that misbehave (MEL-53)."""

from __future__ import annotations

import random

import pytest

from pykern.kernel.core.errno import SysError
from pykern.kernel.drivers.ata import CHANNELS, AtaChannel, AtaDrive
from pykern.machine.board import Board, BoardOptions
from pykern.machine.media import DiskImage
from tests.pykern.kernel.fs.harness import Task
from tests.pykern.machine.fake_machine import FakeMachine


class Vcpu:
    """A processor's I/O instructions."""

    def __init__(self, machine):
        self.machine = machine

    def port_read(self, port, size):
        return self.machine.port_in(port, size)

    def port_write(self, port, size, value):
        self.machine.port_out(port, value, size)


class Bench:
    def __init__(self, folder, sectors=600, disks=1):
        self.machine = FakeMachine()
        self.media = []
        for number in range(disks):
            path = folder / str(number)
            path.write_bytes(random.Random(number).randbytes(sectors * 512))
            self.media.append(DiskImage(path))
        self.board = Board(self.machine, BoardOptions(disks=self.media))
        vcpu = Vcpu(self.machine)
        self.channel = AtaChannel(CHANNELS[0], lambda: vcpu, lambda: self.machine.events.now)
        self.interrupts = 0
        self.board.isa[14].connect(self._interrupt)
        self.thread = Task(self.channel.run())

    def _interrupt(self, level):
        if level:
            self.interrupts += 1
            self.channel.interrupt()

    def run(self, coroutine):
        """Let time pass until a coroutine has ended, and return its result."""
        task, events = Task(coroutine), self.machine.events
        for _ in range(10_000):
            self.thread.step()
            if task.step().done:
                return task.value()
            wait, pending = self.thread.wait, events.pending
            deadline = None if wait is None or wait.result is not None else wait.deadline_ns
            if pending and (deadline is None or pending[0] <= deadline):
                events.advance_to(pending[0])
            elif deadline is not None:
                events.advance_to(deadline)
                wait.time_out()
        raise AssertionError("it never ends")

    def drive(self, unit=0):
        drive = AtaDrive(self.channel, unit)
        self.run(drive.identify())
        return drive


def test_a_drive_says_what_it_is(tmp_path):
    bench = Bench(tmp_path)
    assert [bench.channel.is_there(unit) for unit in (0, 1)] == [True, False]
    drive = bench.drive()
    assert (drive.sectors, drive.model) == (600, "PYKERN HARDDISK")


def test_sectors_by_interrupts_of_sixteen(tmp_path):
    """MEL-53: sector IO."""
    bench = Bench(tmp_path, disks=2)
    for unit in (0, 1):
        drive, medium = bench.drive(unit), bench.media[unit]
        bench.interrupts = 0
        assert bench.run(drive.read(300, 256)) == medium.read(300, 256)
        assert bench.interrupts == 16
        new = random.Random(9).randbytes(33 * 512)
        bench.run(drive.write(7, new))
        bench.run(drive.flush())
        assert medium.read(7, 33) == new
        assert bench.run(drive.read(7, 33)) == new


def test_requests_of_several_are_done_in_order(tmp_path):
    bench = Bench(tmp_path)
    drive = bench.drive()
    tasks = [Task(drive.write(5, bytes([n]) * 512)) for n in range(4)]
    assert bench.run(drive.read(5, 1)) == bytes([3]) * 512
    for task in tasks:
        task.value()


def test_an_error_of_the_drive_says_what_it_was(tmp_path):
    bench = Bench(tmp_path)
    drive = bench.drive()
    words = "EIO: command 0xc4 of drive 0, sector 600: status 0x41, error 0x10"
    with pytest.raises(SysError, match=words):
        bench.run(drive.read(600, 1))
    with pytest.raises(SysError, match="EIO: command 0xc5 of drive 0, sector 599"):
        bench.run(drive.write(599, bytes(1024)))
    assert bench.run(drive.read(599, 1)) == bench.media[0].read(599, 1)


def test_a_drive_that_does_not_answer_is_reset(tmp_path):
    bench = Bench(tmp_path)
    drive = bench.drive()
    plan, bench.board.ata0._plan = bench.board.ata0._plan, lambda _sectors: None
    reading = Task(drive.read(0, 1))
    bench.thread.step()
    bench.board.ata0._plan = plan
    with pytest.raises(SysError, match="EIO: command 0xc4 of drive 0: no answer"):
        bench.run(reading_of(reading))
    assert bench.run(drive.read(1, 1)) == bench.media[0].read(1, 1)


async def reading_of(task):
    """Return what another task does, waiting where it waits."""
    while task.asleep:
        await task.wait
    return task.value()


def test_large_addresses_take_the_commands_of_48_bits(tmp_path):
    bench = Bench(tmp_path)
    drive = bench.drive()
    medium = bench.media[0]
    medium.sectors = 1 << 32
    bench.run(drive.write((1 << 28) - 1, b"a" * 1024))
    bench.run(drive.write((1 << 31) + 5, b"b" * 512))
    assert sorted(medium.changed) == [(1 << 28) - 1, 1 << 28, (1 << 31) + 5]
    assert bench.run(drive.read((1 << 31) + 5, 1)) == b"b" * 512
