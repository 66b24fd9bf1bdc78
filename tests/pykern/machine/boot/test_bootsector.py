"""Boot sectors: entered as a BIOS enters the first sector of a hard disk."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pykern.machine.boot import BootOptions
from pykern.machine.boot.bootsector import BootSector


def sector(code: bytes = b"\xf4", extra: bytes = b"") -> bytes:
    return code.ljust(510, b"\x90") + b"\x55\xaa" + extra


def test_entry_state(machine):
    BootSector().load(sector(b"\xfa\xf4"), machine, BootOptions())
    cpu = machine.cpu
    assert (cpu["cs"], cpu["cs.base"], cpu["rip"]) == (0, 0, 0x7C00)
    assert cpu["rdx"] & 0xFF == 0x80
    assert cpu["cr0"] & 1 == 0
    assert machine.read(0x7C00, 512) == sector(b"\xfa\xf4")


def test_a_small_image_is_loaded_whole(machine):
    BootSector().load(sector(extra=b"more"), machine, BootOptions())
    assert machine.read(0x7E00, 4) == b"more"


def test_of_a_disk_only_the_first_sector(machine):
    BootSector().load(sector(extra=b"\xcc" * 700_000), machine, BootOptions())
    assert machine.read(0x7E00, 4) == bytes(4)


@given(st.binary(max_size=600))
def test_probe(image):
    assert BootSector().probe(image) == (len(image) >= 512 and image[510:512] == b"\x55\xaa")
