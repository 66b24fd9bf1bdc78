"""VBE: the mode that is the board's framebuffer."""

from __future__ import annotations

import struct

import pytest

from pykern.machine.board import FramebufferOptions
from tests.pykern.machine.firmware.bios_services.conftest import BUFFER, Bios


@pytest.fixture
def adapter(host):
    host.framebuffer = FramebufferOptions(800, 600, pitch=3200)
    return host


def test_without_a_framebuffer_there_is_no_vbe(host):
    (result,) = host.run(Bios(0x10, 0x4F00))
    assert result.eax == 0x4F00


def test_information(adapter):
    (result,) = adapter.run(Bios(0x10, 0x4F00, at=b"VBE2", dump=512))
    assert result.eax == 0x004F
    signature, version, text, _, modes, memory = struct.unpack_from("<4sHIIIH", result.data)
    assert (signature, version, memory) == (b"VESA", 0x300, 30)
    assert result.data[text - BUFFER :][:7] == b"pykern\0"
    assert struct.unpack_from("<2H", result.data, modes - BUFFER) == (0x143, 0xFFFF)


def test_a_program_of_vbe_1_gets_256_bytes(adapter):
    (result,) = adapter.run(Bios(0x10, 0x4F00, at=bytes(256) + b"behind", dump=262))
    _, _, text, _, modes, _ = struct.unpack_from("<4sHIIIH", result.data)
    assert result.data[text - BUFFER :][:7] == b"pykern\0"
    assert struct.unpack_from("<2H", result.data, modes - BUFFER) == (0x143, 0xFFFF)
    assert result.data[256:] == b"behind"


def test_mode_information(adapter):
    (result,) = adapter.run(Bios(0x10, 0x4F01, ecx=0x4143, dump=256))
    assert result.eax == 0x004F
    attributes, pitch, width, height = struct.unpack_from("<H14xHHH", result.data)
    assert attributes & 0x99 == 0x99  # supported, colour, graphics, linear framebuffer
    assert (pitch, width, height) == (3200, 800, 600)
    assert (result.data[25], result.data[27]) == (32, 6)
    assert struct.unpack_from("<I", result.data, 40) == (0xFD000000,)
    assert result.data[31:37] == bytes((8, 16, 8, 8, 8, 0))


@pytest.mark.parametrize("mode", [0x4144, 0x0143, 0x4100])
def test_other_modes_fail(adapter, mode):
    (result,) = adapter.run(Bios(0x10, 0x4F02, ebx=mode))
    assert result.eax == 0x014F


def test_setting_the_mode_shows_the_framebuffer(adapter):
    text, current = adapter.run(Bios(0x10, 0x0003), Bios(0x10, 0x4F03))
    assert current.ebx == 3
    assert adapter.computer.display is adapter.computer.board.vga
    set_mode, current = adapter.run(Bios(0x10, 0x4F02, ebx=0x4143), Bios(0x10, 0x4F03))
    assert (set_mode.eax, current.ebx) == (0x004F, 0x4143)
    assert adapter.computer.display.render().size == (800, 600)
    adapter.run(Bios(0x10, 0x4F02, ebx=0x4143), Bios(0x10, 0x0003))
    assert adapter.computer.display is adapter.computer.board.vga
    assert text.eax
