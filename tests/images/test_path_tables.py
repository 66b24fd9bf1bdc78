"""Path tables: literal records, right and wrong."""

from __future__ import annotations

import struct

import pytest

from images.path_tables import check_path_tables


def record(order: str, name: bytes, extent: int, parent: int) -> bytes:
    padded = name + bytes(len(name) % 2)
    return struct.pack(f"{order}BBIH", len(name), 0, extent, parent) + padded


def directory(extent: int) -> bytes:
    return struct.pack("<BBI26xBB", 34, 0, extent, 1, 0).ljust(2048, b"\0")


def medium(change=lambda sectors: None):
    pvd = bytearray(2048)
    little = record("<", b"\0", 30, 1) + record("<", b"ABC", 31, 1)
    big = record(">", b"\0", 30, 1) + record(">", b"ABC", 31, 1)
    struct.pack_into("<I", pvd, 132, len(little))
    struct.pack_into("<I", pvd, 140, 20)
    struct.pack_into(">I", pvd, 148, 21)
    sectors = {16: pvd, 20: bytearray(little), 21: bytearray(big)}
    sectors |= {30: bytearray(directory(30)), 31: bytearray(directory(31))}
    change(sectors)

    def read(sector: int, count: int) -> bytes:
        if sector > 1000:
            return b""
        return b"".join(
            bytes(sectors.get(number, b"")).ljust(2048, b"\0")
            for number in range(sector, sector + count)
        )

    return read


def test_right_tables():
    assert list(check_path_tables(medium(), "cd")) == []


@pytest.mark.parametrize(
    ("sector", "offset", "data", "message"),
    [
        (21, 5, b"\x1f", "cd: the path tables at sectors 20 and 21 differ"),
        (20, 6, b"\x09", "cd: path table record 1: parent is record 9, expected 1 to 1"),
        (31, 2, b"\x20", "cd: path table record 2: sector 31 holds the directory of sector 32"),
        (31, 32, b"\2", "record 2: sector 31 does not start with a directory's own record"),
        (16, 132, b"\0", "cd: path table at sector 20: 0 bytes, expected 0"),
        (16, 142, b"\x09", "cd: path table at sector 589844: 0 bytes, expected 22"),
    ],
)
def test_wrong_tables(sector, offset, data, message):
    def change(sectors):
        sectors[sector][offset : offset + len(data)] = data

    assert any(message in line for line in check_path_tables(medium(change), "cd"))
