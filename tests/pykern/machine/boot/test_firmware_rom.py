"""Firmware ROMs: at the top of 4 GiB and below 1 MiB; the processor is left as reset left it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pykern.machine.boot import BootError, BootOptions, find
from pykern.machine.boot.firmware_rom import FirmwareRom

SEABIOS = Path("/usr/share/seabios/bios-256k.bin")


def rom(size: int) -> bytes:
    return bytes(size - 16) + b"\xea\x5b\xe0\x00\xf0".ljust(16, b"\0")


@pytest.mark.parametrize("size", [64 << 10, 128 << 10, 256 << 10])
def test_mapping(machine, size):
    image = rom(size)
    FirmwareRom().load(image, machine, BootOptions())
    assert machine.roms == {(1 << 32) - size: image}
    shadow = min(size, 128 << 10)
    assert machine.read(0x100000 - shadow, shadow) == image[-shadow:]
    assert machine.cpu.registers == {}


@pytest.mark.parametrize("image", [b"", rom(65536)[:-1], bytes(17 << 20)])
def test_refused(machine, image):
    with pytest.raises(BootError, match="expected a ROM"):
        FirmwareRom().load(image, machine, BootOptions(name="bios"))


@pytest.mark.skipif(not SEABIOS.exists(), reason="seabios is not installed")
def test_seabios_is_recognised():
    assert find(SEABIOS.read_bytes(), "bios").name == "firmware"
