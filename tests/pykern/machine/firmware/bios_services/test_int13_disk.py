"""INT 13h beside SeaBIOS's, on a hard disk, a CD and an emulated diskette."""

from __future__ import annotations

import shutil
import struct
import subprocess

import pytest

from tests.pykern.machine.firmware.bios_services.conftest import (
    BUFFER,
    CODE_SECTORS,
    DISK_SECTORS,
    Bios,
    Host,
    Qemu,
    assemble,
    differences,
    results,
    source,
)

PATTERN = bytes(range(256)) * 4
LAST = DISK_SECTORS - 2  # where the pattern lies


def packet(lba: int, count: int = 1, *, size: int = 16) -> bytes:
    return struct.pack("<BBHHHQ", size, 0, count, BUFFER + 16, 0, lba)


def chs(lba: int, heads: int = 16, sectors: int = 63) -> dict[str, int]:
    cylinder, rest = divmod(lba, heads * sectors)
    head, sector = divmod(rest, sectors)
    return {
        "ecx": (cylinder & 0xFF) << 8 | cylinder >> 2 & 0xC0 | sector + 1,
        "edx": head << 8 | 0x80,
    }


HARD_DISK = [
    Bios(0x13, 0x0000, edx=0x80),
    Bios(0x13, 0x0800, edx=0x80),
    Bios(0x13, 0x1500, edx=0x80),
    Bios(0x13, 0x4100, ebx=0x55AA, edx=0x80, ignore="ecx"),  # no locking or ejecting here
    Bios(0x13, 0x4100, ebx=0x1234, edx=0x80, ignore="eax ebx ecx carry"),  # not looked at there
    Bios(0x13, 0x4800, edx=0x80, at=b"\x1a\0", dump=0x1A),
    Bios(0x13, 0x4800, edx=0x80, at=b"\x19\0", dump=0x1A),
    Bios(0x13, 0x0201, ebx=BUFFER, dump=512, **chs(LAST)),
    Bios(0x13, 0x0202, ebx=BUFFER, dump=1024, **chs(LAST)),
    Bios(0x13, 0x0200, ebx=BUFFER, ecx=1, edx=0x80),
    Bios(0x13, 0x0201, ebx=BUFFER, ecx=0, edx=0x80),  # sectors count from 1
    Bios(0x13, 0x0201, ebx=BUFFER, ecx=0xFFFF, edx=0x80),
    Bios(0x13, 0x0201, ebx=BUFFER, ecx=1, edx=0x1080),
    Bios(0x13, 0x0100, edx=0x80),  # status of the last call
    Bios(0x13, 0x4200, edx=0x80, at=packet(LAST), dump=528),
    Bios(0x13, 0x4200, edx=0x80, at=packet(LAST, 2), dump=1040),
    Bios(0x13, 0x4200, edx=0x80, at=packet(1 << 33), ignore="data"),  # the count becomes 0 here
    Bios(0x13, 0x4200, edx=0x80, at=packet(0, size=15), ignore="eax carry"),
    Bios(0x13, 0x0301, ebx=0x7E00, **chs(LAST - 5)),
    Bios(0x13, 0x0201, ebx=BUFFER, dump=64, **chs(LAST - 5)),
    Bios(0x13, 0x4300, edx=0x80, at=packet(LAST - 9) + b"written"),
    Bios(0x13, 0x4200, edx=0x80, at=packet(LAST - 9) + bytes(8), dump=32),
    Bios(0x13, 0x0401, ecx=1, edx=0x80),
    Bios(0x13, 0x0C00, ecx=1, edx=0x80),
    Bios(0x13, 0x1000, edx=0x80),
    Bios(0x13, 0x9900, edx=0x80),
    Bios(0x13, 0x0800, edx=0x81),
    Bios(0x13, 0x0201, ebx=BUFFER, ecx=1, edx=0x81),
    Bios(0x13, 0x1500, edx=0x81),
]  # fmt: skip


def test_hard_disk(agree):
    results = agree(*HARD_DISK, data=PATTERN)
    assert results[7].data == PATTERN[:512]
    assert results[14].data[16:] == PATTERN[:512]


def test_what_a_guest_writes_does_not_reach_the_image(host):
    medium = bytearray(assemble(source([HARD_DISK[20]]), host.folder, host.size))
    before = bytes(medium)
    host.start(bytes(medium))
    drive = host.computer.bios.media.drives[0x80]
    at = (LAST - 9) * 512
    assert bytes(drive.data[at : at + 7]) == b"written"
    assert bytes(medium) == before


def test_memory_that_is_not_there_fails_the_call(host):
    host.memory = 1 << 20
    far = struct.pack("<BBHHHQ", 16, 0, 1, 0xFFFF, 0xFFFF, 0)
    (result,) = host.run(Bios(0x13, 0x4200, edx=0x80, at=far))
    assert (result.carry, result.ah) == (True, 9)


@pytest.fixture
def on_cd(tmp_path):
    """Run calls from an El Torito image, here and on SeaBIOS; return pairs of results."""
    for program in ("as", "xorriso", "qemu-system-x86_64"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")

    def run(emulation: str, *calls: Bios):
        text = source(list(calls))
        options = []
        size = 1474560
        if emulation == "none":
            # Everything is loaded at once.
            text = text.replace("int $0x13\n    jc failed", "")
            size = (CODE_SECTORS + 1) * 512
            options = ["-no-emul-boot", "-boot-load-size", str(size // 512)]
        (tmp_path / "root").mkdir()
        (tmp_path / "root" / "boot.bin").write_bytes(assemble(text, tmp_path, size))
        command = ["xorriso", "-as", "mkisofs", "-quiet", "-R", "-o", "a.iso", "-b", "boot.bin"]
        subprocess.run(
            [*command, *options, "root"], cwd=tmp_path, check=True, stderr=subprocess.DEVNULL
        )
        iso = (tmp_path / "a.iso").read_bytes()
        ours = results(Host(tmp_path).start(iso), list(calls))
        there = Qemu(tmp_path).start(iso, "-cdrom", f"{tmp_path}/medium", "-boot", "d")
        theirs = results(there, list(calls))
        triples = zip(calls, ours, theirs, strict=True)
        assert [line for three in triples for line in differences(*three)] == []
        return iso, ours

    return run


def test_cd_without_emulation(on_cd):
    iso, results = on_cd(
        "none",
        Bios(0x13, 0x4B01, edx=0xE0, dump=19, ignore="data"),
        Bios(0x13, 0x4200, edx=0xE0, at=packet(16), dump=2064),
        Bios(0x13, 0x4100, ebx=0x55AA, edx=0xE0, ignore="ecx"),
        Bios(0x13, 0x4800, edx=0xE0, at=b"\x1a\0", dump=0x1A, ignore="data"),
        Bios(0x13, 0x0800, edx=0xE0),
        Bios(0x13, 0x0201, ebx=BUFFER, ecx=1, edx=0xE0),
        Bios(0x13, 0x4300, edx=0xE0, at=packet(16)),
        Bios(0x13, 0x4200, edx=0xE0, at=packet(0x100000), ignore="eax data"),  # AH = 1, there 0Ch
        Bios(0x13, 0x4B00, edx=0xE0, dump=1),
    )
    size, kind, drive, _, lba = struct.unpack_from("<BBBBI", results[0].data)
    assert (size, kind, drive) == (0x13, 0, 0xE0)
    assert iso[lba * 2048 : lba * 2048 + 4] == b"\xfa\x31\xc0\x8e"
    assert results[1].data[16:] == iso[16 * 2048 : 17 * 2048]
    assert struct.unpack_from("<QH", results[3].data, 16) == (len(iso) // 2048, 2048)


def test_an_emulated_diskette(on_cd):
    on_cd(
        "floppy",
        Bios(0x13, 0x0800, edx=0, ignore="edx edi es"),  # QEMU has a diskette drive as well
        Bios(0x13, 0x1500, edx=0),
        Bios(0x13, 0x0201, ebx=BUFFER, ecx=1, edx=0, dump=512),
        Bios(0x13, 0x0201, ebx=BUFFER, ecx=0x4F12, edx=0x0100, dump=16),
        Bios(0x13, 0x0201, ebx=BUFFER, ecx=19, edx=0),
        Bios(0x13, 0x0301, ebx=BUFFER, ecx=1, edx=0, ignore="eax"),  # AL is 0 there
        Bios(0x13, 0x4100, ebx=0x55AA, edx=0),
        Bios(0x13, 0x4200, edx=0xE0, at=packet(16), dump=64),
        Bios(0x13, 0x4B00, edx=0, dump=3, ignore="data"),
        Bios(0x13, 0x4200, edx=0xE0, at=packet(16), dump=64),
    )
