"""One ISO, booted directly and by its own boot loader on the built-in BIOS. MIC-07."""

from __future__ import annotations

import pytest

from pykern.cli import main
from pykern.exit_status import ExitStatus
from pykern.machine.boot import BootError, BootOptions
from pykern.machine.boot.bios import BiosProtocol
from pykern.machine.firmware.bios_services import insert

MANIFEST = """
name = "test"
volume = "TEST"
profile = "none"
kernel = "kernel.elf"
timeout = 0

[[files]]
path = "/data/internal.bin"
text = "contents of the internal module"

[[entries]]
name = "test"
command_line = "quiet"
resolution = "800x600x32"
"""


@pytest.fixture
def iso(tmp_path, limine_guest):
    (tmp_path / "kernel.elf").write_bytes(limine_guest("BASE_REVISION=3", "NO_MP"))
    (tmp_path / "test.toml").write_text(MANIFEST)
    path = tmp_path / "test.iso"
    assert main(["image", "build", str(tmp_path / "test.toml"), "-o", str(path)]) == 0
    return path


def lines(path, out, *words: str) -> list[str]:
    arguments = ["-m", "32M", "--debugcon", f"file:{out}", "--serial", "null", "--timeout", "9"]
    assert main(["boot", str(path), *arguments, "--framebuffer", "800x600", *words]) == 0
    return out.read_text().splitlines()


SAME = (
    *("registers", "return", "cr0", "cr4", "efer", "segments", "loaded_revision"),
    *("asked_revision", "cmdline", "firmware_type", "hhdm", "ignored", "framebuffer.address"),
    *("framebuffer.width", "framebuffer.height", "framebuffer.pitch", "paging_mode", "rsdp"),
    *("framebuffer.bpp_and_masks", "efi_system_table", "dtb", "virtual_base", "uninitialized"),
    *("constant", "constant_through_hhdm", "smbios_32", "smbios_64"),
)


def test_both_ways_lead_to_the_same(iso, tmp_path):
    direct = lines(iso, tmp_path / "direct")
    loaded = lines(iso, tmp_path / "loaded", "--firmware", "bios")
    assert direct[-1] == loaded[-1] == "done"
    for name in SAME:
        found = [
            [line for line in text if line.split(" ")[0] == name][:1] for text in (direct, loaded)
        ]
        assert found[0] == found[1] != [], name


def test_the_record_is_the_loader(iso):
    medium = insert(iso.read_bytes(), "test.iso")
    assert medium.record.drive == 0xE0
    assert medium.record.load_address == 0x7C00
    assert medium.el_torito.emulation == "none"


def test_a_machine_without_a_board(machine):
    with pytest.raises(BootError, match="k: this machine has no board, expected one with a BIOS"):
        BiosProtocol().load(b"", machine, BootOptions(name="k"))


def test_it_never_claims_an_image(iso):
    assert not BiosProtocol().probe(iso.read_bytes())


def test_a_medium_that_is_too_small(tmp_path, capsys):
    (tmp_path / "small").write_bytes(bytes(100))
    assert main(["boot", "--firmware", "bios", str(tmp_path / "small")]) == ExitStatus.BAD_IMAGE
    assert "small: 100 bytes, expected a disk image" in capsys.readouterr().err


WRITER = bytes.fromhex(
    "b8 01 03"  # mov ax, 0301h
    "bb 00 7c"  # mov bx, 7C00h
    "b9 02 00"  # mov cx, 2: the second sector
    "b6 00"  # mov dh, 0
    "cd 13"  # int 13h
    "b0 10 e6 f4"  # mov al, 10h; out F4h, al
)


def test_a_disk_is_written_back_only_when_asked(tmp_path):
    disk = tmp_path / "disk"
    before = WRITER.ljust(510, b"\0") + b"\x55\xaa" + bytes(100 << 10)
    disk.write_bytes(before)
    arguments = ["boot", "-m", "4M", "--serial", "null", "--firmware", "bios", str(disk)]
    assert main(arguments) == ExitStatus.GUEST_EXIT
    assert disk.read_bytes() == before
    assert main([*arguments, "--write-back"]) == ExitStatus.GUEST_EXIT
    assert disk.read_bytes() == before[:512] * 2 + before[1024:]
