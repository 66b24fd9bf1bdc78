"""The IDE channel: commands, errors and registers as QEMU's, in virtual time (MEL-53)."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from pykern.machine.board import Board, BoardOptions
from pykern.machine.devices.ata import COMMAND_NS, SECTOR_NS
from pykern.machine.media import DiskImage
from tests.pykern.machine.fake_machine import FakeMachine
from tests.pykern.machine.qemu_oracle import Script, needs_qemu

if TYPE_CHECKING:
    from pathlib import Path

DATA, ERROR, COUNT, LOW, MID, HIGH, DEVICE, STATUS = range(0x1F0, 0x1F8)
CONTROL = 0x3F6
BSY, DRDY, DSC, DRQ, ERR = 0x80, 0x40, 0x10, 0x08, 0x01
ABRT, IDNF = 0x04, 0x10
SECTORS = 4096
READ, READ_EXT, WRITE, WRITE_EXT, FLUSH = 0x20, 0x24, 0x30, 0x34, 0xE7
READ_MULTIPLE, WRITE_MULTIPLE, SET_MULTIPLE = 0xC4, 0xC5, 0xC6
IDENTIFY, SET_FEATURES = 0xEC, 0xEF
RARE = (0x08, 0x10, 0x40, 0x42, 0x91, 0xE5, FLUSH, 0xEA, 0xF8, 0x27, 0xA1, 0xFF)
MULTIPLE = (READ_MULTIPLE, WRITE_MULTIPLE, 0x29, 0x39)


def disk(folder: Path, name: str = "disk", sectors: int = SECTORS) -> Path:
    path = folder / name
    path.write_bytes(random.Random(name).randbytes(sectors * 512))
    return path


class Bench:
    """A board with disks, and what a driver does to it."""

    def __init__(self, *paths: Path) -> None:
        self.machine = FakeMachine()
        self.media = [DiskImage(path) for path in paths]
        self.board = Board(self.machine, BoardOptions(disks=self.media))
        self.irq = self.board.isa[14]

    def out(self, port: int, value: int, size: int = 1) -> None:
        self.machine.port_out(port, value, size)

    def read(self, port: int, size: int = 1) -> int:
        return self.machine.port_in(port, size)

    def command(self, command: int, lba: int = 0, count: int = 1, drive: int = 0) -> None:
        """Write a task file in LBA28 and its command."""
        for port, value in (
            (DEVICE, 0xE0 | drive << 4 | lba >> 24),
            (COUNT, count & 0xFF),
            (LOW, lba & 0xFF),
            (MID, lba >> 8 & 0xFF),
            (HIGH, lba >> 16 & 0xFF),
            (STATUS, command),
        ):
            self.out(port, value)

    def done(self) -> int:
        """Let the command answer; return its status."""
        self.machine.events.advance(COMMAND_NS + 16 * SECTOR_NS)
        return self.read(STATUS)

    def data(self, size: int = 512) -> bytes:
        return b"".join(self.read(DATA, 2).to_bytes(2, "little") for _ in range(size // 2))

    def send(self, data: bytes) -> None:
        for n in range(0, len(data), 4):
            self.out(DATA, int.from_bytes(data[n : n + 4], "little"), 4)


def test_a_sector_is_read_after_its_time_and_with_an_interrupt(tmp_path: Path) -> None:
    """MEL-53: sector IO."""
    path = disk(tmp_path)
    bench = Bench(path)
    bench.command(READ, lba=7)
    assert bench.read(CONTROL) & (BSY | DRQ) == BSY
    bench.machine.events.advance(COMMAND_NS)
    assert not bench.irq.level, "a sector takes longer than a command without any"
    bench.machine.events.advance(SECTOR_NS)
    assert bench.irq.level
    assert bench.read(STATUS) == DRDY | DSC | DRQ
    assert not bench.irq.level, "the status is read, which takes the interrupt back"
    assert bench.data() == path.read_bytes()[7 * 512 : 8 * 512]
    assert bench.read(STATUS) == DRDY | DSC


def test_what_is_written_is_read_again_and_stays_out_of_the_file(tmp_path: Path) -> None:
    """MEL-53: sector IO; a user's file changes by `write_back` alone."""
    path = disk(tmp_path)
    before = path.read_bytes()
    bench = Bench(path)
    new = random.Random(1).randbytes(1024)
    bench.command(WRITE, lba=100, count=2)
    assert bench.read(STATUS) & DRQ, "the first block is not interrupted for"
    assert not bench.irq.level
    bench.send(new[:512])
    assert bench.done() & (DRQ | ERR) == DRQ
    bench.send(new[512:])
    assert bench.done() == DRDY | DSC
    bench.command(READ, lba=101)
    bench.done()
    assert bench.data() == new[512:]
    bench.board.reset()
    bench.command(READ, lba=100)
    bench.done()
    assert bench.data() == new[:512], "a disk forgets nothing when the machine is reset"
    assert path.read_bytes() == before
    bench.media[0].write_back()
    assert path.read_bytes() == before[: 100 * 512] + new + before[102 * 512 :]


def test_multiple_sectors_come_with_one_interrupt(tmp_path: Path) -> None:
    path = disk(tmp_path)
    bench = Bench(path)
    bench.command(SET_MULTIPLE, count=0)
    bench.done()
    bench.command(READ_MULTIPLE, count=4)
    assert (bench.done() & ERR, bench.read(ERROR)) == (ERR, ABRT), "it is off"
    bench.command(SET_MULTIPLE, count=8)
    assert bench.done() == DRDY | DSC
    bench.command(READ_MULTIPLE, lba=3, count=12)
    assert bench.done() & DRQ
    data = bench.data(8 * 512)
    assert bench.read(CONTROL) & BSY
    assert bench.done() & DRQ
    data += bench.data(4 * 512)
    assert data == path.read_bytes()[3 * 512 : 15 * 512]
    bench.command(WRITE_MULTIPLE, lba=3, count=2)
    bench.send(bytes(1024))
    assert bench.done() == DRDY | DSC
    assert bench.media[0].read(3, 2) == bytes(1024)


def test_errors_say_what_was_wrong(tmp_path: Path) -> None:
    bench = Bench(disk(tmp_path))
    for command, lba, error in (
        (READ, SECTORS, IDNF),
        (WRITE, SECTORS - 1 + 1, IDNF),
        (0x08, 0, ABRT),
        (0x00, 0, ABRT),
        (SET_FEATURES, 0, ABRT),
    ):
        bench.command(command, lba)
        assert bench.done() == DRDY | ERR, hex(command)
        assert bench.read(ERROR) == error, hex(command)
    bench.command(READ, SECTORS - 1)
    assert bench.done() == DRDY | DSC | DRQ


def test_two_drives_on_each_of_two_channels(tmp_path: Path) -> None:
    paths = [disk(tmp_path, str(n)) for n in range(4)]
    bench = Bench(*paths)
    bench.command(READ, drive=1)
    bench.done()
    assert bench.data() == paths[1].read_bytes()[:512]
    ports = bench.machine.ports
    assert 0x170 in ports
    assert 0x376 in ports


def test_without_disks_there_is_no_controller() -> None:
    machine = FakeMachine()
    board = Board(machine)
    assert machine.port_in(STATUS) == 0xFF
    assert board.pci.function_at(0, 1, 1) is None


def test_a_reset_ends_a_command_and_shows_the_signature(tmp_path: Path) -> None:
    bench = Bench(disk(tmp_path))
    bench.command(READ)
    bench.out(CONTROL, 0x04)
    assert bench.read(CONTROL) & BSY
    bench.out(CONTROL, 0)
    assert bench.done() == DRDY | DSC
    assert [bench.read(port) for port in (ERROR, COUNT, LOW, MID, HIGH)] == [1, 1, 1, 0, 0]
    assert not bench.irq.level


def test_no_interrupt_with_nien(tmp_path: Path) -> None:
    bench = Bench(disk(tmp_path))
    bench.out(CONTROL, 0x02)
    bench.command(READ)
    bench.machine.events.advance(1_000_000)
    assert not bench.irq.level
    bench.out(CONTROL, 0)
    assert bench.irq.level, "it was pending"


def test_a_state_that_is_loaded_goes_on_where_it_was(tmp_path: Path) -> None:
    path = disk(tmp_path)
    bench = Bench(path)
    bench.command(WRITE, lba=5)
    bench.send(bytes(512))
    bench.done()
    bench.command(READ, lba=4, count=2)
    bench.done()
    first = bench.data(100)
    state = bench.board.save()
    other = Bench(path)
    other.machine.events.now = bench.machine.events.now
    other.board.load(state)
    rest = [b.data(412) + bytes([b.done()]) + b.data() for b in (bench, other)]
    assert rest[0] == rest[1]
    assert first + rest[0][:412] == path.read_bytes()[4 * 512 : 5 * 512]
    assert rest[0][413:] == bytes(512)


def test_any_sequence_of_accesses_is_taken(tmp_path: Path) -> None:
    """No guest can raise, and none reaches the host's file or its memory."""
    path = disk(tmp_path, sectors=64)
    before = path.read_bytes()
    commands = [READ, READ_EXT, WRITE, WRITE_EXT, READ_MULTIPLE, WRITE_MULTIPLE, SET_MULTIPLE]
    commands += [0x29, 0x39, 0x42, 0x27, 0xF8, 0x90, IDENTIFY, FLUSH]
    for seed in range(20):
        rng = random.Random(seed)
        bench = Bench(path, path)
        for _ in range(3000):
            port = rng.choice([*range(DATA, STATUS + 1), STATUS, DATA, DATA, CONTROL])
            size = rng.choice((1, 2, 4, 8)) if port == DATA else 1
            if rng.random() < 0.3:
                value = bench.read(port, size)
                assert 0 <= value < 1 << 8 * size
                continue
            value = rng.getrandbits(8 * size)
            if port == STATUS and rng.random() < 0.8:
                value = rng.choice(commands)
            elif port not in {DATA, DEVICE} and rng.random() < 0.7:
                value = rng.randrange(4)
            bench.out(port, value, size)
            bench.machine.events.advance(rng.choice((0, 0, COMMAND_NS, 100 * SECTOR_NS)))
        assert all(len(data) == 512 for m in bench.media for data in m.changed.values())
        assert all(0 <= lba < 64 for m in bench.media for lba in m.changed)
        bench.board.load(bench.board.save())
    assert path.read_bytes() == before


# QEMU


def _wait(script: Script, bits: int = DRDY) -> None:
    script.wait(STATUS, BSY | bits, bits)
    script.inp(STATUS)


def _task(script: Script, command: int, lba: int, count: int, device: int = 0xE0) -> None:
    for port, value in (
        (DEVICE, device | lba >> 24),
        (COUNT, count),
        (LOW, lba & 0xFF),
        (MID, lba >> 8 & 0xFF),
        (HIGH, lba >> 16 & 0xFF),
        (STATUS, command),
    ):
        script.out(port, value)


def _registers(script: Script) -> None:
    for port in (STATUS, ERROR, COUNT, LOW, MID, HIGH, DEVICE):
        script.inp(port)


def _data_in(script: Script, sectors: int, words: int = 256) -> None:
    for _ in range(sectors):
        _wait(script, DRQ)
        for _ in range(words):
            script.inp(DATA, 2)


def _data_out(script: Script, sectors: int, rng: random.Random) -> None:
    for _ in range(sectors):
        script.wait(STATUS, BSY | DRQ, DRQ)
        for _ in range(128):
            script.out(DATA, rng.getrandbits(32), 4)


def _script() -> Script:
    script, rng = Script(), random.Random(5)
    _wait(script)
    _task(script, READ, 9, 2)
    _data_in(script, 2)
    _registers(script)
    _task(script, WRITE, 2000, 2)
    _data_out(script, 2, rng)
    _wait(script)
    _registers(script)
    _task(script, READ, 1999, 3)
    _data_in(script, 3)
    _task(script, READ, 3 << 16 | 2, 1, 0xA1)  # cylinder 768: beyond; then one that there is
    script.wait(STATUS, BSY | ERR, ERR)
    _task(script, READ, 1 << 8 | 63, 2, 0xA2)
    _data_in(script, 2)
    _registers(script)
    _task(script, SET_MULTIPLE, 0, 4)
    _wait(script)
    _task(script, READ_MULTIPLE, 50, 6)
    _data_in(script, 1, 4 * 256)
    _data_in(script, 1, 2 * 256)
    _registers(script)
    for count, low in ((0, 0), (1, 77)):  # LBA48: the older bytes, then the newer
        for port, value in ((COUNT, count), (LOW, low), (MID, 0), (HIGH, 0)):
            script.out(port, value)
    script.out(STATUS, READ_EXT)
    _data_in(script, 1)
    _registers(script)
    for command in (0x08, 0x00, 0xA1, SET_FEATURES, 0xE7, 0xEA, 0xE5, 0x91, 0x10, 0xF8, 0x40):
        _task(script, command, 5, 1)
        script.wait(STATUS, BSY, 0)
        _registers(script)
    script.out(DEVICE, 0xF0)
    _registers(script)  # nobody
    script.out(DEVICE, 0xE0)
    script.out(CONTROL, 0x04)
    script.out(CONTROL, 0x00)
    _wait(script)
    _registers(script)
    return script


@needs_qemu
def test_registers_and_data_agree_with_qemu(tmp_path: Path) -> None:
    """MEL-53: sector IO."""
    path = disk(tmp_path)
    bench = Bench(path)
    script = _script()
    ours = script.on(bench.machine)
    drive = ("-drive", f"file={path},format=raw,if=ide,snapshot=on")
    assert ours.hex(" ") == script.on_qemu(*drive).hex(" ")


def _random_script(seed: int) -> Script:
    """Any commands on registers of any content, within the disk; what is moved is moved fully."""
    script, rng, multiple = Script(), random.Random(seed), 16
    _wait(script)
    for _ in range(40):
        for port, most in ((ERROR, 256), (COUNT, 4), (LOW, 256), (MID, 14), (HIGH, 1)):
            for _ in range(rng.choice((0, 1, 1, 2))):
                script.out(port, rng.randrange(most))
        count = rng.randrange(1, 4)
        for port, value in ((COUNT, 0), (COUNT, count), (LOW, 0), (LOW, rng.randrange(256))):
            script.out(port, value)
        for port, value in ((MID, 0), (MID, rng.randrange(14)), (HIGH, 0), (HIGH, 0)):
            script.out(port, value)
        script.out(DEVICE, 0x40 | rng.choice((0, 0xA0)))
        command = rng.choice((READ, READ_EXT, WRITE, WRITE_EXT, *RARE, *MULTIPLE, SET_MULTIPLE))
        if command == SET_MULTIPLE:
            multiple = rng.choice((0, 2, 4, 8, 16))
            script.out(COUNT, multiple)
        script.out(STATUS, command)
        if command in {READ, READ_EXT, WRITE, WRITE_EXT} or (command in MULTIPLE and multiple):
            _move(script, rng, command, count, multiple if command in MULTIPLE else 1)
        script.wait(STATUS, BSY | DRQ, 0)
        _registers(script)
        script.out(CONTROL, 0x80)
        _registers(script)
        script.out(CONTROL, 0)
    return script


def _move(script: Script, rng: random.Random, command: int, count: int, block: int) -> None:
    """Move sectors in blocks: all of each written, of those read only the status and some data."""
    writes = command in {WRITE, WRITE_EXT, WRITE_MULTIPLE, 0x39}
    while count:
        step = min(block, count)
        script.wait(STATUS, BSY | DRQ, DRQ)
        for _ in range(step * 128):
            if writes:
                script.out(DATA, rng.getrandbits(32), 4)
            else:
                script.inp(DATA, 4)
        count -= step


@needs_qemu
def test_random_use_agrees_with_qemu(tmp_path: Path) -> None:
    path = disk(tmp_path)
    script = _random_script(3)
    ours = script.on(Bench(path).machine)
    drive = ("-drive", f"file={path},format=raw,if=ide,snapshot=on")
    assert ours.hex(" ") == script.on_qemu(*drive).hex(" ")
