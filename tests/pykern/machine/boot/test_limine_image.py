"""How an executable is laid out: permissions, relocation, and what is refused."""

from __future__ import annotations

import shutil
import struct
import subprocess

import pytest

from pykern.machine.boot import BootError, elf_file
from pykern.machine.boot.limine_image import HIGHEST_2_GIB, load
from pykern.machine.boot.page_tables import NO_EXECUTE, PRESENT, WRITABLE

LIMIT = 64 << 20
POINTERS = """
int words[4] = {10, 11, 12, 13};
int *pointers[3] = {words, words + 2, 0};
char filler[0x1234];
void _start(void) {}
"""
SCRIPT = """
PHDRS { text PT_LOAD FLAGS(5); data PT_LOAD FLAGS(6); dynamic PT_DYNAMIC FLAGS(6); }
SECTIONS {
    . = BASE;
    .text : { *(.text*) } :text
    .rodata : { *(.rodata*) *(.dynsym) *(.dynstr) *(.hash) *(.gnu.hash) } :text
    .rela.dyn : { *(.rela*) } :text
    . = ALIGN(4096);
    .dynamic : { *(.dynamic) } :data :dynamic
    .data : { *(.data*) *(.got*) } :data
    .bss : { *(.bss*) } :data
    /DISCARD/ : { *(.eh_frame*) *(.note*) *(.comment) *(.interp) }
}
"""


@pytest.fixture
def position_independent(tmp_path):
    if shutil.which("gcc") is None:
        pytest.skip("no C compiler")

    def build(base: int) -> bytes:
        (tmp_path / "a.c").write_text(POINTERS)
        (tmp_path / "a.ld").write_text(SCRIPT.replace("BASE", hex(base)))
        flags = "-O1 -ffreestanding -fPIE -nostdlib -shared -Wl,-Bsymbolic -Wl,--build-id=none"
        command = ["gcc", *flags.split(), "-Wl,-T,a.ld", "-Wl,-e,_start", "-o", "a.elf", "a.c"]
        subprocess.run(command, cwd=tmp_path, check=True)
        return (tmp_path / "a.elf").read_bytes()

    return build


def symbols(image: bytes, tmp_path) -> dict[str, int]:
    (tmp_path / "image").write_bytes(image)
    listing = subprocess.run(
        ["nm", tmp_path / "image"], check=True, capture_output=True, text=True
    ).stdout
    return {line.split()[2]: int(line.split()[0], 16) for line in listing.splitlines()}


@pytest.mark.parametrize("base", [0, HIGHEST_2_GIB + 0x200000])
def test_pointers_of_a_position_independent_executable_are_relocated(
    position_independent, tmp_path, base
):
    file = position_independent(base)
    image = load(elf_file.parse(file, "pie"), LIMIT)
    assert image.slide == (0 if base else HIGHEST_2_GIB)
    at = {name: value + image.slide for name, value in symbols(file, tmp_path).items()}
    words = at["words"]
    stored = struct.unpack("<3Q", image.linear(at["pointers"], 24, "pointers"))
    assert stored == (words, words + 8, 0)
    assert image.entry == at["_start"]
    assert image.vbase == base + image.slide


def _refused(elf64, *, entry=HIGHEST_2_GIB, limit=LIMIT) -> str:
    with pytest.raises(BootError) as caught:
        load(elf_file.parse(elf64.build(entry), "k"), limit)
    return str(caught.value)


def test_lower_half_executables_are_refused(elf64):
    message = _refused(elf64.segment(0x100000, b"\xf4"), entry=0x100000)
    assert "k: PT_LOAD segment at p_vaddr 0x100000 with p_memsz 0x1, expected within" in message


def test_a_segment_beyond_the_end_of_the_address_space(elf64):
    message = _refused(elf64.segment(0xFFFFFFFFFFFFF000, b"\xf4", memsz=0x2000))
    assert "p_vaddr 0xfffffffffffff000 with p_memsz 0x2000" in message


def test_an_image_larger_than_memory_is_refused_before_it_is_made(elf64):
    elf64.segment(HIGHEST_2_GIB, b"\xf4").segment(HIGHEST_2_GIB + (1 << 30), b"\xf4")
    assert "occupies 1073745920 bytes" in _refused(elf64)


def test_no_segments(elf64):
    assert "no PT_LOAD segment" in _refused(elf64.segment(HIGHEST_2_GIB, b"", kind=6))


def _with_flags(image: bytes, flags: list[int]) -> bytes:
    data = bytearray(image)
    for number, value in enumerate(flags):
        struct.pack_into("<I", data, 64 + 56 * number + 4, value)
    return bytes(data)


def test_permissions(elf64):
    for page in range(3):
        elf64.segment(HIGHEST_2_GIB + page * 0x1000, b"\xf4")
    file = _with_flags(elf64.build(HIGHEST_2_GIB), [5, 4, 6])
    image = load(elf_file.parse(file, "k"), LIMIT)
    assert [part.flags for part in image.ranges] == [
        PRESENT,
        PRESENT | NO_EXECUTE,
        PRESENT | WRITABLE | NO_EXECUTE,
    ]
    assert [(part.offset, part.size) for part in image.ranges] == [
        (0, 0x1000),
        (0x1000, 0x1000),
        (0x2000, 0x1000),
    ]


def test_a_page_with_two_permissions_is_refused(elf64):
    elf64.segment(HIGHEST_2_GIB, b"\xf4").segment(HIGHEST_2_GIB + 0x800, b"\xf4")
    file = _with_flags(elf64.build(HIGHEST_2_GIB), [5, 6])
    with pytest.raises(BootError, match="shares a page with one before it"):
        load(elf_file.parse(file, "k"), LIMIT)
    load(elf_file.parse(_with_flags(file, [5, 5]), "k"), LIMIT)


def _dynamic(elf64, tags: dict[int, int], rela: bytes) -> bytes:
    """Build a position-independent file: relocation table at 1000h, dynamic section at 2000h."""
    dynamic = b"".join(struct.pack("<qQ", *item) for item in tags.items()) + bytes(16)
    elf64.type = 3
    elf64.segment(0, bytes(0x1000)).segment(0x1000, rela + bytes(0x1000))
    elf64.segment(0x2000 + len(rela), dynamic).segment(0x2000, dynamic, kind=2)
    return elf64.build(0)


@pytest.mark.parametrize(
    ("entry", "tags", "message"),
    [
        ((0, 1, 8, 0, 0), {}, None),
        ((0x100000, 8, 0, 0), {}, "relocation at 0x100000, outside of the image"),
        ((0xFFFFFFFFFFFFFFF8, 8, 0, 0), {}, "outside of the image"),
        ((0, 37, 0, 0), {}, "relocation at 0x0 has type 37, expected 1"),
        ((0, 6, 0, 0), {6: 0}, "is to symbol 0, undefined"),
        ((0, 6, 0x1000000, 0), {6: 0}, "the symbol of the relocation at 0x0 needs 24 bytes"),
        ((0, 8, 0, 0), {9: 16}, "DT_RELAENT is 16, expected 24"),
        ((0, 8, 0, 0), {7: 0x900000}, "DT_RELA needs 24 bytes at"),
        ((0, 8, 0, 0), {8: 0x900000}, "DT_RELA needs 9437184 bytes at"),
    ],
)
def test_damaged_relocations(elf64, entry, tags, message):
    if message is None:
        entry = (0, 8, 0, 0x44)
    rela = struct.pack("<QIIQ", *entry)
    file = _dynamic(elf64, {7: 0x1000, 8: 24, 9: 24, **tags}, rela)
    if message is None:
        image = load(elf_file.parse(file, "k"), LIMIT)
        assert image.linear(HIGHEST_2_GIB, 8, "") == (HIGHEST_2_GIB + 0x44).to_bytes(8, "little")
        return
    with pytest.raises(BootError) as caught:
        load(elf_file.parse(file, "k"), LIMIT)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
