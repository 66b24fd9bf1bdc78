"""Memory map and direct map from any layout of RAM."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pykern.machine.boot import LinearFramebuffer
from pykern.machine.boot.limine_image import LoadedImage, MappedRange
from pykern.machine.boot.limine_memory import HHDM_BASE, MemmapType, entries, page_tables

GIB = 1 << 30
MIB = 1 << 20
VBASE = 0xFFFFFFFF80000000
PICTURE = LinearFramebuffer(0xFD000000, 1024, 768, 4096)


def test_types_and_order():
    taken = [(0x200000, 0x300000, MemmapType.EXECUTABLE_AND_MODULES)]
    found = entries([(0, 16 * MIB)], taken, PICTURE)
    assert found == sorted(found)
    usable = [(e.base, e.end) for e in found if e.type is MemmapType.USABLE]
    assert usable == [(0x1000, 0x9F000), (0x100000, 0x200000), (0x300000, 16 * MIB)]
    assert [e.base for e in found if e.type is MemmapType.FRAMEBUFFER] == [0xFD000000]


@given(st.sets(st.integers(256, 4095), max_size=30))
def test_no_page_is_lost_or_found_twice(pages):
    taken = [(p << 12, p + 1 << 12, MemmapType.BOOTLOADER_RECLAIMABLE) for p in sorted(pages)]
    found = entries([(0, 16 * MIB)], taken)
    seen: set[int] = set()
    for entry in found:
        if entry.type in {MemmapType.USABLE, MemmapType.BOOTLOADER_RECLAIMABLE}:
            own = set(range(entry.base >> 12, entry.end >> 12))
            assert not own & seen
            seen |= own
    assert seen == set(range(1, 0x9F)) | set(range(0x100, 0x1000))


def walk(data: bytes, base: int, laddr: int) -> tuple[int, int] | None:
    """Return (paddr, entry) by a walk of encoded tables; None: not mapped."""
    table = base
    for shift in (39, 30, 21, 12):
        offset = table - base + (laddr >> shift & 511) * 8
        entry = int.from_bytes(data[offset : offset + 8], "little")
        if not entry & 1:
            return None
        if shift == 12 or (shift == 21 and entry & 0x80):
            page = (1 << shift) - 1
            return (entry & 0x000FFFFFFFFFF000 & ~page) | laddr & page, entry
        table = entry & 0x000FFFFFFFFFF000
    return None


def mapped(base_revision: int):
    image = LoadedImage("k", bytearray(0x1000), VBASE, 0, VBASE, 4096, (MappedRange(0, 4096, 1),))
    memmap = entries([(0, 3 * GIB), (4 * GIB, GIB)], [], PICTURE)
    tables = page_tables(image, 0x100000, memmap, PICTURE, base_revision)
    data = tables.encode(0x40000)
    return lambda laddr: walk(data, 0x40000, laddr)


def test_the_framebuffer_is_write_combining_in_both_sizes_of_page():
    at = mapped(0)
    for offset, pat in ((0, 1 << 12), (2 * MIB, 1 << 7), (3 * MIB - 4096, 1 << 7)):
        for base in (HHDM_BASE, 0):
            paddr, entry = at(base + 0xFD000000 + offset)
            assert paddr == 0xFD000000 + offset
            assert entry & (pat | 0x18) == pat | 0x08  # PAT, PWT, not PCD: PAT5
    for paddr in (0xFCFFF000, 0xFD000000 + 3 * MIB, 0x100000):
        found, entry = at(HHDM_BASE + paddr)
        assert found == paddr
        assert not entry & 0x18


def test_large_pages_where_they_fit():
    at = mapped(3)
    assert at(HHDM_BASE + 4 * GIB + 5 * MIB)[1] & 0x80
    assert at(HHDM_BASE + 0x200000)[1] & 0x80
    assert at(HHDM_BASE + 0x100000)[1] & 0x80 == 0
    assert at(HHDM_BASE + 0xB8000) is None
    assert at(VBASE) == (0x100000, 0x100001)
