"""fw_cfg as firmware made for QEMU reads it."""

from __future__ import annotations

import struct

import pytest

from pykern.machine.devices.fw_cfg import E820_RAM, FwCfg, e820_file


def read(device: FwCfg, key: int, size: int) -> bytes:
    device.write(0, 2, key)
    return bytes(device.read(1, 1) for _ in range(size))


@pytest.fixture
def device() -> FwCfg:
    files = {"etc/e820": e820_file([(0, 0x100000, E820_RAM)]), "opt/empty": b""}
    return FwCfg(64 << 20, 4, files)


def test_signature_and_revision(device: FwCfg) -> None:
    assert read(device, 0, 6) == b"QEMU\0\0", "zeros beyond the end"
    assert read(device, 1, 4) == b"\x01\0\0\0", "traditional interface, no DMA"


def test_sizes(device: FwCfg) -> None:
    assert int.from_bytes(read(device, 3, 8), "little") == 64 << 20
    assert read(device, 5, 2) == read(device, 0x0F, 2) == b"\x04\0"


def test_a_file_is_found_through_the_directory(device: FwCfg) -> None:
    count = int.from_bytes(read(device, 0x19, 4), "big")
    entries = list(struct.iter_unpack(">IHH56s", read(device, 0x19, 4 + 64 * count)[4:]))
    names = {name.rstrip(b"\0"): (size, select) for size, select, _, name in entries}
    size, select = names[b"etc/e820"]
    assert struct.unpack("<QQI", read(device, select, size)) == (0, 0x100000, 1)
    assert names[b"opt/empty"][0] == 0


def test_unknown_item_is_empty(device: FwCfg) -> None:
    assert read(device, 0x1234, 4) == bytes(4)


def test_a_name_too_long_is_refused() -> None:
    with pytest.raises(ValueError, match="expected under 56"):
        FwCfg(0, 1, {"x" * 56: b""})
