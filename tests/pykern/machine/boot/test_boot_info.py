"""The native hand-off structure: the loader's header is what Python writes."""

from __future__ import annotations

from pathlib import Path

from images.boot import loader
from pykern.machine.boot import boot_info


def test_the_header_of_the_loader_is_current():
    """To renew: write `boot_info.c_header()` to images/boot/boot_info.h."""
    found = (Path(loader.__file__).parent / "boot_info.h").read_text(encoding="utf-8")
    assert found == boot_info.c_header()


def test_fields_stand_where_a_c_compiler_puts_them():
    """No field needs padding: offsets are multiples of the size, for 32- and 64-bit C alike."""
    for structure in boot_info.STRUCTURES:
        offset = 0
        for field in structure.subcon.subcons:
            size = field.sizeof()
            assert offset % min(size, 8) == 0, field.name
            offset += size
        assert offset == structure.sizeof()
        assert offset % 8 == 0
