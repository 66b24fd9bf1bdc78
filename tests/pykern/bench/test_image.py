"""Building guest programs: parameters, ROM layout, and code that keeps to its addresses."""

from __future__ import annotations

import shutil
import struct
from typing import TYPE_CHECKING

import pytest

from pykern.bench import image
from pykern.bench.image import Image

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(not shutil.which("gcc"), reason="no C compiler")

SEGMENT = 0x10000
MULTIBOOT_MAGIC = 0x1BADB002


@pytest.fixture(scope="module")
def fib(tmp_path_factory: pytest.TempPathFactory) -> Image:
    return image.build("fib", "fib.S", tmp_path_factory.mktemp("build"))


def test_multiboot_header_is_valid(fib: Image) -> None:
    """Multiboot 0.6.96, "The layout of Multiboot header": the three first fields sum to 0."""
    magic, flags, checksum, header, load, load_end, bss_end, entry = struct.unpack_from(
        "<8I", fib.data
    )
    assert magic == MULTIBOOT_MAGIC
    assert (magic + flags + checksum) & 0xFFFFFFFF == 0
    assert flags & 1 << 16
    assert header == load == image.LOAD_ADDRESS
    assert load_end - load == len(fib.data)
    assert load < entry < load_end <= bss_end


def test_patched_changes_only_the_parameters(fib: Image) -> None:
    patched = fib.patched(0x1122334455667788, (1, 2, 3, 4))
    at = fib.data.index(image.PARAMETERS_MAGIC) + 8
    assert struct.unpack_from("<5Q", patched, at) == (0x1122334455667788, 1, 2, 3, 4)
    assert patched[:at] == fib.data[:at]
    assert patched[at + 40 :] == fib.data[at + 40 :]


def test_too_many_arguments_are_refused(fib: Image) -> None:
    with pytest.raises(ValueError, match="5 arguments"):
        fib.patched(1, (1, 2, 3, 4, 5))


def test_image_without_parameters_is_refused() -> None:
    with pytest.raises(image.BuildError, match="no parameter block"):
        Image("empty", b"", b"").patched(1)


def test_rom_ends_with_a_jump_at_the_reset_vector(fib: Image) -> None:
    rom = fib.rom(3)
    assert len(rom) % SEGMENT == 0
    assert rom.startswith(fib.patched(3))
    opcode, displacement = struct.unpack_from("<Bh", rom, len(rom) - 16)
    assert opcode == 0xE9  # JMP rel16
    assert (0xFFF0 + 3 + displacement) & 0xFFFF == 0


def test_rom_says_where_the_image_lies(fib: Image) -> None:
    rom = fib.rom(3)
    address, words, entry = struct.unpack_from("<III", rom, len(rom) - 0x20)
    assert address == (1 << 32) - len(rom)
    assert 4 * words == len(rom) - SEGMENT
    assert entry == struct.unpack_from("<I", fib.data, 28)[0]


def test_compiler_diagnostics_are_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bad.c").write_text("int run( {")
    for name in ("start.S", "guest.ld", "rom.S", "layout.h"):
        (tmp_path / name).write_text((image.GUESTS / name).read_text())
    monkeypatch.setattr(image, "GUESTS", tmp_path)
    with pytest.raises(image.BuildError, match=r"bad\.c:1"):
        image.build("bad", "bad.c", tmp_path)
