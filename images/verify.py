"""Check that an image is whole: structures, boot record, configuration, kernel, modules.

Every check says what it looked at; a problem says what was found, where, and what was expected.

References
----------
ECMA-119, Volume Descriptors, Path Table Record.
"El Torito" Bootable CD-ROM Format Specification 1.0; mkisofs(8), EL TORITO BOOT INFO TABLE.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from images import build
from images.path_tables import check_path_tables
from pykern.machine.boot import elf_file
from pykern.machine.boot.config_files import BootConfig, ConfigError, find_config, parse
from pykern.machine.boot.protocol import BootError
from pykern.machine.media import BootImage, EntryKind, IsoImage, MediaError, Platform

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from images.manifest import Manifest

SECTOR = 2048
_PVD, _LAST_DESCRIPTOR = 16, 64
_TERMINATOR = 255
_INFO_TABLE, _CHECKSUM_FROM = 8, 64
_HIGH_HALF = 0xFFFFFFFF80000000


@dataclass(frozen=True)
class Report:
    """What was looked at and what is wrong with it, one line each."""

    checked: tuple[str, ...]
    problems: tuple[str, ...]


def verify(data: bytes, name: str, manifest: Manifest | None = None) -> Report:
    """Check an image.

    Parameters
    ----------
    name : of the image, for messages
    manifest : what the image is to contain, if that is known

    Raises
    ------
    MediaError : the directories cannot be read at all
    """
    image = IsoImage(data, name)
    checked = [f"{len(image.entries)} names ({image.names}), volume {image.volume_id}"]
    problems: list[str] = []
    steps: list[Callable[[IsoImage], Iterator[str]]] = [_descriptors, _path_tables, _boot_record]
    for step in steps:
        found = list(step(image))
        problems += found
        checked += [] if found else [str(step.__doc__).strip().rstrip(".")]
    found, seen = _boot_entries(image)
    problems += found
    checked += seen
    if manifest is not None:
        problems += _differences(image, manifest)
        checked.append(f"contents named by {manifest.file}")
    return Report(tuple(checked), tuple(problems))


def _descriptors(image: IsoImage) -> Iterator[str]:
    """Volume descriptors."""
    kinds = []
    for sector in range(_PVD, _LAST_DESCRIPTOR):
        descriptor = image.read_sectors(sector, 1)
        if descriptor[1:7] not in {b"CD001\1", b"CD001\2"}:
            yield (
                f"{image.name}: sector {sector} holds {descriptor[:7].hex(' ')}, expected a volume "
                f"descriptor or the terminator ff 43 44 30 30 31 01"
            )
            return
        kinds.append(descriptor[0])
        if descriptor[0] == _TERMINATOR:
            break
    pvd = image.read_sectors(_PVD, 1)
    size = struct.unpack_from("<I", pvd, 80)[0]
    if size * SECTOR > len(image.data):
        yield (
            f"{image.name}: volume space size is {size} sectors, the file has "
            f"{len(image.data) // SECTOR}"
        )
    block = struct.unpack_from("<H", pvd, 128)[0]
    if block != SECTOR:
        yield f"{image.name}: logical block size is {block}, expected {SECTOR}"


def _path_tables(image: IsoImage) -> Iterator[str]:
    """Path tables."""
    return check_path_tables(image.read_sectors, image.name)


def _boot_record(image: IsoImage) -> Iterator[str]:
    """El Torito boot record."""
    if not image.boot_images:
        yield f"{image.name}: no El Torito boot catalog, expected one with a BIOS entry"
    for number, boot in enumerate(image.boot_images):
        where = f"{image.name}: boot image {number} at sector {boot.sector}"
        if boot.sector * SECTOR + boot.size > len(image.data):
            yield f"{where}: {boot.size} bytes reach beyond the end ({len(image.data)} bytes)"
        elif boot.platform == Platform.BIOS and boot.bootable:
            yield from _info_table(image, boot, where)


def _info_table(image: IsoImage, boot: BootImage, where: str) -> Iterator[str]:
    """Check the boot information table of our loader; other loaders need none."""
    entry = image.find(build.LOADER)
    if entry is None or entry.sector != boot.sector:
        return
    data = image.read(build.LOADER)
    found = struct.unpack_from("<4I", data, _INFO_TABLE)
    words = data[_CHECKSUM_FROM:] + bytes(-len(data) % 4)
    checksum = sum(struct.unpack(f"<{len(words) // 4}I", words)) & 0xFFFFFFFF
    expected = (_PVD, boot.sector, len(data), checksum)
    names = ("sector of volume descriptor", "sector of this file", "size", "checksum")
    for name, value, wanted in zip(names, found, expected, strict=True):
        if value != wanted:
            yield f"{where}: boot information table: {name} is {value:#x}, expected {wanted:#x}"


def _boot_entries(image: IsoImage) -> tuple[list[str], list[str]]:
    """Check configuration, kernels and modules; return problems and what is right."""
    try:
        path = find_config(image)
        config = parse(image.read(path), f"{image.name}: {path}")
    except (ConfigError, MediaError) as error:
        return [str(error)], []
    problems: list[str] = []
    right: list[str] = [f"{path}: {len(config.entries)} entries"]
    for number in range(len(config.entries)):
        found, what = _boot_entry(image, config, number)
        problems += found
        right += what
    return problems, right


def _boot_entry(image: IsoImage, config: BootConfig, number: int) -> tuple[list[str], list[str]]:
    entry = config.entries[number]
    where = f"{config.name}: entry {entry.name!r}"
    if entry.problems:
        return [f"{where}: {problem}" for problem in entry.problems], []
    problems = [
        f"{where}: module {module.path} is not on the image"
        for module in entry.modules
        if not _is_file(image, module.path)
    ]
    if not _is_file(image, entry.kernel_path):
        return [*problems, f"{where}: kernel {entry.kernel_path} is not on the image"], []
    if entry.protocol == "limine":
        problems += _kernel(image, entry.kernel_path)
    what = f"entry {entry.name!r}: {entry.kernel_path}, {len(entry.modules)} modules"
    return problems, [] if problems else [what]


def _is_file(image: IsoImage, path: str) -> bool:
    entry = image.find(path)
    return entry is not None and entry.kind is EntryKind.FILE


def _kernel(image: IsoImage, path: str) -> Iterator[str]:
    """Check that the Limine protocol can load a kernel."""
    where = f"{image.name}: {path}"
    try:
        elf = elf_file.parse(image.read(path), where)
    except (BootError, MediaError) as error:
        yield str(error)
        return
    if elf.elf_class != elf_file.ELFCLASS64:
        yield f"{where}: EI_CLASS is {elf.elf_class}, expected 2 (64-bit)"
        return
    if not elf.load_segments:
        yield f"{where}: no PT_LOAD segment, expected at least one"
    for segment in elf.load_segments:
        if segment.p_vaddr < _HIGH_HALF:
            yield (
                f"{where}: a PT_LOAD segment has p_vaddr {segment.p_vaddr:#x}, expected at least "
                f"{_HIGH_HALF:#x}"
            )
    if not any(s.p_vaddr <= elf.entry < s.p_vaddr + s.p_memsz for s in elf.load_segments):
        yield f"{where}: e_entry {elf.entry:#x} is in none of the PT_LOAD segments"


def _differences(image: IsoImage, manifest: Manifest) -> Iterator[str]:
    """Compare with what the manifest says; programs and kernel are there, whatever they hold."""
    expected: dict[str, bytes | None] = {
        manifest.kernel_path: None,
        build.CONFIG: build.config(manifest).encode(),
        **dict.fromkeys((module.path for module in manifest.all_modules), None),
        **{file.path: None if file.text is None else file.text.encode() for file in manifest.files},
    }
    if image.volume_id != manifest.volume:
        yield f"{image.name}: volume is {image.volume_id!r}, expected {manifest.volume!r}"
    for path, contents in expected.items():
        if not _is_file(image, path):
            yield f"{image.name}: no file {path}, which {manifest.file} names"
        elif contents is not None and image.read(path) != contents:
            yield f"{image.name}: {path} differs from what {manifest.file} says"
