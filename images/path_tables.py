"""Check the path tables of an ISO 9660 image, which list its directories for slow drives.

References
----------
ECMA-119, Path Table Record; Primary Volume Descriptor, Path Table Size and Locations.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECTOR = 2048
_PVD = 16


class _Record(NamedTuple):
    """A directory: its name, first sector, and the number of the record it is in."""

    name: bytes
    extent: int
    parent: int


def check_path_tables(read: Callable[[int, int], bytes], name: str) -> Iterator[str]:
    """Yield what is wrong with the tables of the primary volume descriptor.

    Parameters
    ----------
    read : returns a number of sectors from a sector
    name : of the image, for messages
    """
    pvd = read(_PVD, 1)
    size = struct.unpack_from("<I", pvd, 132)[0]
    little_at = struct.unpack_from("<I", pvd, 140)[0]
    big_at = struct.unpack_from(">I", pvd, 148)[0]
    sectors = -(-size // SECTOR)
    tables = [read(at, sectors)[:size] for at in (little_at, big_at)]
    for table, at in zip(tables, (little_at, big_at), strict=True):
        if not size or len(table) < size:
            yield f"{name}: path table at sector {at}: {len(table)} bytes, expected {size}"
            return
    little, big = list(_records(tables[0], "<")), list(_records(tables[1], ">"))
    if little != big:
        yield f"{name}: the path tables at sectors {little_at} and {big_at} differ"
    for number, record in enumerate(little, 1):
        yield from _check(read, record, number, f"{name}: path table record {number}")


def _records(table: bytes, order: str) -> Iterator[_Record]:
    position = 0
    while position + 8 <= len(table):
        length, _, extent, parent = struct.unpack_from(f"{order}BBIH", table, position)
        position += 8
        yield _Record(table[position : position + length], extent, parent)
        position += length + length % 2


def _check(
    read: Callable[[int, int], bytes], record: _Record, number: int, where: str
) -> Iterator[str]:
    directory = read(record.extent, 1)
    if len(directory) < SECTOR or directory[32:34] != b"\1\0":
        yield f"{where}: sector {record.extent} does not start with a directory's own record"
        return
    own = struct.unpack_from("<I", directory, 2)[0]
    if own != record.extent:
        yield f"{where}: sector {record.extent} holds the directory of sector {own}"
    if not 1 <= record.parent <= number:
        yield f"{where}: parent is record {record.parent}, expected 1 to {number}"
