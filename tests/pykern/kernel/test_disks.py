"""Disks from the controller to the system call: one machine, its IDE drives, real programs."""

from __future__ import annotations

import random
import shutil
import struct
import subprocess

import pytest

from pykern.kernel.integration.programs import status_of
from pykern.kernel.integration.story import Story
from tests.pykern.kernel import hosted

SECTORS = 4096
VOLUME = 70_000


@pytest.fixture
def run_disk(system, monkeypatch):
    """Return what runs `disk` with arguments on a machine with disks."""

    def run(*arguments, disks, prepare=lambda _made: None, **options):
        async def main(story):
            kernel = story.kernel
            await story.start_first_program()
            process = await kernel.usermode.spawn(b"/disk", *map(str.encode, arguments))
            assert await status_of(process) == 0
            kernel.power_off()

        monkeypatch.setattr(Story, "main", main)
        program = hosted.compiled("disk.c").read_bytes()
        init = hosted.compiled("waiting.c").read_bytes()
        files = {"/disk": program, "/sbin/init": init}
        made = system(files=files, disks=disks, **options)
        prepare(made)
        made.run()
        assert made.outcome.status == 0, made.log
        return made

    return run


def blank(folder, sectors=SECTORS, name="disk"):
    path = folder / name
    path.write_bytes(bytes(sectors * 512))
    return path


def mtools(image, name, *arguments):
    if shutil.which(name) is None:
        pytest.skip("no mtools on this host")
    done = subprocess.run([name, "-i", str(image), *arguments], capture_output=True, check=False)
    assert not done.returncode, done.stderr
    return done.stdout


def volume(path, at=""):
    """Make a FAT32 volume with a file in it."""
    note = path.with_suffix(".txt")
    note.write_text("written by mtools\n")
    mtools(f"{path}{at}", "mformat", "-F", "-T", str(VOLUME), "::")
    mtools(f"{path}{at}", "mcopy", str(note), "::/from outside.txt")


def disk_of(made, number=0):
    return made.computer.board.options.disks[number]


def test_every_sector_is_written_and_read(run_disk, tmp_path):
    """MEL-53: sector IO."""
    path = blank(tmp_path)
    made = run_disk("raw", "/dev/sda", disks=[path])
    assert f"/dev/sda has {SECTORS * 512} bytes" in made.log
    assert "raw well" in made.log
    assert path.read_bytes() == bytes(SECTORS * 512), "nobody has asked for it to be written"
    disk_of(made).write_back()
    sectors = [bytearray(struct.pack("<Q", n).ljust(512, b"\0")) for n in range(SECTORS)]
    expected = bytearray(b"".join(sectors))
    expected[1021:1027] = b"middle"
    assert path.read_bytes() == expected


def test_a_volume_of_mtools_and_back(run_disk, tmp_path):
    """MEL-53, MEL-51: `mount -t vfat /dev/sda /mnt`, and what is written there read outside."""
    path = blank(tmp_path, VOLUME)
    volume(path)
    made = run_disk("files", "/dev/sda", disks=[path])
    assert "entry: .\nentry: ..\nentry: from outside.txt\nfound: written by mtools" in made.log
    numbers = "".join(f"{n}\n" for n in range(20000)).encode()
    assert f"size {len(numbers)}" in made.log
    disk_of(made).write_back()
    assert mtools(path, "mtype", "::/moved/numbers") == numbers
    assert mtools(path, "mtype", "::/from outside.txt") == b"written by mtools\n"


def test_a_partition(run_disk, tmp_path):
    """MEL-53: /dev/sdb1, on the second drive of the channel."""
    first, path = blank(tmp_path, 8, "first"), blank(tmp_path, VOLUME + 64)
    volume(path, "@@32K")
    with path.open("r+b") as file:
        file.seek(446)
        file.write(struct.pack("<B3xB3xII", 0, 0x0C, 64, VOLUME))
        file.seek(510)
        file.write(b"\x55\xaa")
    made = run_disk("files", "/dev/sdb1", disks=[first, path])
    assert "sdb: PYKERN HARDDISK, 70064 sectors of 512 bytes sdb1" in made.log
    assert "files well" in made.log
    disk_of(made, 1).write_back()
    assert mtools(f"{path}@@32K", "mtype", "::/moved/numbers").endswith(b"\n19999\n")


def test_a_drive_that_fails_is_eio(run_disk, tmp_path):
    """MEL-53: the drive's error becomes the program's, once; the rest of the disk goes on."""

    def shrink(made):
        """Have the drive refuse sector 1000, whoever asks."""
        drive = made.computer.board.ata0._drives[0]
        locate = drive._locate

        def refuse(**options):
            locate(**options)
            if not drive.error and drive._lba <= 1000 < drive._lba + drive._left:
                drive._fail(0x40)

        drive._locate = refuse

    made = run_disk("broken", "/dev/sda", disks=[blank(tmp_path)], prepare=shrink)
    assert made.log.partition("sound: ")[1:] == (
        "sound: ",
        "512\npread: -1 EIO\npwrite: 512\nfsync: -1 EIO\nfsync again: 0\nsound still: 512\n",
    )


def test_more_than_memory(run_disk, tmp_path):
    """A disk is not kept in memory as a whole: neither by the machine nor by its kernel."""
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(8 << 40)
        file.seek(512 * 1000)
        file.write(random.Random(1).randbytes(512))
    made = run_disk("broken", "/dev/sda", disks=[path], memory=64 << 20)
    assert "pread: 512" in made.log
    assert "fsync: 0" in made.log
    assert list(disk_of(made).changed) == [1000]


def test_a_disk_without_a_first_sector_is_a_disk(run_disk, tmp_path):
    """Where the table of partitions cannot be read there are none; all else goes on."""

    def refuse_first(made):
        drive = made.computer.board.ata0._drives[0]
        locate = drive._locate

        def refuse(**options):
            locate(**options)
            if not drive.error and not drive._lba:
                drive._fail(0x40)

        drive._locate = refuse

    made = run_disk("broken", "/dev/sda", disks=[blank(tmp_path)], prepare=refuse_first)
    assert "sda: EIO: command 0xc4 of drive 0, sector 0: status 0x41, error 0x40" in made.log
    assert "sound: -1" in made.log
    assert "pread: 512" in made.log
