"""IDENTIFY DEVICE (MEL-53)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from pykern.machine.devices.ata_identify import identify
from tests.pykern.machine.devices.test_ata import (
    BSY,
    DATA,
    DEVICE,
    DRQ,
    IDENTIFY,
    SECTORS,
    STATUS,
    Bench,
    disk,
)
from tests.pykern.machine.qemu_oracle import Script, needs_qemu

if TYPE_CHECKING:
    from pathlib import Path

GEOMETRY = (1, 3, 6, 54, 55, 56, 57, 58, 60, 61, 100, 101, 102, 103)
"""Words that say how large the drive is: cylinders, heads, sectors, LBA28, LBA48."""


def words(raw: bytes) -> tuple[int, ...]:
    return struct.unpack("<256H", raw)


def test_texts_have_the_first_character_of_each_pair_in_the_upper_byte() -> None:
    raw = identify(SECTORS, "PK00007", 0)
    swapped = b"".join(word.to_bytes(2, "big") for word in words(raw))
    assert swapped[54:94].strip() == b"PYKERN HARDDISK"
    assert swapped[20:40].strip() == b"PK00007"


@pytest.mark.parametrize("sectors", [1, 1 << 28, (1 << 28) - 1, 1 << 40])
def test_the_size_in_lba28_ends_where_its_addresses_do(sectors: int) -> None:
    found = words(identify(sectors, "", 0))
    assert found[60] | found[61] << 16 == min(sectors, 0x0FFF_FFFF)
    assert sum(found[100 + n] << 16 * n for n in range(4)) == sectors
    assert found[1] <= 16383


@needs_qemu
def test_the_size_is_what_qemu_says(tmp_path: Path) -> None:
    path = disk(tmp_path)
    script = Script()
    script.out(DEVICE, 0xE0)
    script.out(STATUS, IDENTIFY)
    script.wait(STATUS, BSY | DRQ, DRQ)
    for _ in range(256):
        script.inp(DATA, 2)
    ours = words(script.on(Bench(path).machine))
    theirs = words(script.on_qemu("-drive", f"file={path},format=raw,if=ide,snapshot=on"))
    assert [ours[n] for n in GEOMETRY] == [theirs[n] for n in GEOMETRY]
    for word, bits in ((49, 1 << 9), (83, 1 << 10 | 1 << 12 | 1 << 13), (47, 0xFF)):
        assert ours[word] & bits == theirs[word] & bits, word
