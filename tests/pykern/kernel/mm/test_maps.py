"""MEL-38: what an address space says of itself; the host's own /proc is the judge."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from pykern.kernel.core.units import PAGE_SIZE
from pykern.kernel.mm.maps import describe, line
from pykern.kernel.mm.vma import Vma, VmaMap

HOST = Path("/proc/self/maps")
LINE = re.compile(r"(\w+)-(\w+) ([r-])([w-])([x-])([sp]) (\w+) (\w+):(\w+) (\d+) *(.*)", re.ASCII)


@pytest.mark.skipif(not HOST.exists(), reason="needs Linux's /proc")
def test_lines_are_those_of_linux():
    lines = HOST.read_text(encoding="utf-8").splitlines()
    assert len(lines) > 10
    for expected in lines:
        start, end, r, w, x, kind, offset, major, minor, inode, name = LINE.fullmatch(
            expected
        ).groups()
        identity = (int(major, 16), int(minor, 16), int(inode))
        file = SimpleNamespace(name=name, identity=identity) if identity[2] else None
        vma = Vma(
            int(start, 16),
            int(end, 16),
            (r == "r") | (w == "w") << 1 | (x == "x") << 2,
            shared=kind == "s",
            pager=file,
            offset=int(offset, 16),
            name=name,
        )
        assert line(vma) == expected


def test_an_address_is_placed():
    areas = VmaMap([Vma(0x40_0000, 0x40_1000, 5), Vma(0x50_0000, 0x50_2000, 3, name="[heap]")])
    assert describe(areas, 0x50_0010) == (
        "0x500010 is 0x10 bytes into [heap] (0x500000-0x501fff rw-p)"
    )
    assert describe(areas, 8) == "0x8 is in the first page: a null pointer"
    text = describe(areas, 0x40_1010)
    assert "0x10 bytes behind anonymous memory (0x400000-0x400fff r-xp)" in text
    assert "0xfeff0 bytes below [heap]" in text
    assert describe(VmaMap(), PAGE_SIZE).endswith("in an empty space")
