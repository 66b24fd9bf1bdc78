"""Put an image together: manifest, kernel, programs, boot loader in; ISO 9660 bytes out."""

from __future__ import annotations

import fnmatch
import posixpath
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from images import cpio, iso_writer
from images.errors import ImageError
from images.manifest import INITRD
from images.strip import strip
from pykern.config import BUILT_IN_MARK, BUILT_IN_SIZE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from images.manifest import Entry, File, Initrd, Manifest

CONFIG = "/boot/limine/limine.conf"
LOADER = "/boot/pykern-bios.bin"


@dataclass(frozen=True)
class Inputs:
    """What a manifest refers to by name.

    Attributes
    ----------
    kernel : file of the kernel
    loader : bytes of the BIOS boot loader; without them the image has no boot record
    programs : file of each program, by name
    sign : puts a signature behind each program; None: nothing is signed
    """

    kernel: Path
    loader: bytes = b""
    programs: Mapping[str, Path] = field(default_factory=dict)
    sign: Callable[[bytes], bytes] | None = None


def build(manifest: Manifest, inputs: Inputs) -> bytes:
    """Return the image.

    Raises
    ------
    ImageError : an input is missing or a path is used twice
    """
    contents = tree(manifest, inputs)
    boot_image = LOADER if inputs.loader else None
    return iso_writer.write(contents, manifest.volume, boot_image)


def tree(manifest: Manifest, inputs: Inputs) -> dict[str, bytes]:
    """Return the contents of every file of the image, by path."""
    files: dict[str, bytes] = {}
    catalog = (iso_writer.BOOT_CATALOG,) if inputs.loader else ()  # pycdlib will write it

    def add(path: str, data: bytes) -> None:
        clash = next((other for other in (*files, *catalog) if _clash(other, path)), None)
        if clash is not None:
            raise ImageError(f"{manifest.file}: {path} cannot be beside {clash} on one image")
        files[path] = data

    add(manifest.kernel_path, _read(inputs.kernel, f"{manifest.file}: kernel"))
    add(CONFIG, config(manifest).encode())
    if inputs.loader:
        add(LOADER, inputs.loader)
    if manifest.initrd is not None:
        add(
            manifest.initrd.path,
            initrd(manifest.initrd, inputs.programs, manifest.file, inputs.sign),
        )
    for module in manifest.modules:
        if module.source is not None:
            where = f"{manifest.file}: modules, {module.name}: source"
            add(module.path, _read(module.source, where))
    for file in manifest.files:
        if file.link is not None or file.directory:
            what = "directory" if file.directory else "link"
            raise ImageError(
                f"{manifest.file}: files: {file.path} is a {what}, expected text or source; links "
                f"and empty directories go into the initrd"
            )
        add(file.path, _contents(file, f"{manifest.file}: files, {file.path}"))
    return files


def parts(manifest: Manifest, inputs: Inputs) -> dict[str, bytes]:
    """Return what boots without an image: the files for `-kernel` and `-initrd`, and for gdb.

    `kernel.bin` is `kernel.elf` without what is never loaded, with the command line of the
    manifest's default entry built in.

    Raises
    ------
    ImageError : an input is missing, or the kernel takes no built-in command line
    """
    elf = _read(inputs.kernel, f"{manifest.file}: kernel")
    line = _command_line(manifest.entries[manifest.default_entry - 1], manifest)
    files = {"kernel.elf": elf, "kernel.bin": with_command_line(strip(elf), line)}
    if manifest.initrd is not None:
        files["initrd.img"] = initrd(manifest.initrd, inputs.programs, manifest.file, inputs.sign)
    return files


def with_command_line(kernel: bytes, line: str) -> bytes:
    """Return a kernel with a command line of its own, which the loader's is appended to.

    Raises
    ------
    ImageError : it has no room for one, or the line is too long
    """
    at = kernel.find(BUILT_IN_MARK)
    if at < 0:
        raise ImageError(f"the kernel has no {BUILT_IN_MARK.decode()!r} to put {line!r} behind")
    room = BUILT_IN_SIZE - len(BUILT_IN_MARK) - 1
    text = line.encode()
    if len(text) > room:
        raise ImageError(f"command line of {len(text)} bytes, the kernel has room for {room}")
    first = at + len(BUILT_IN_MARK)
    return kernel[:first] + text.ljust(room, b"\0") + kernel[first + room :]


def _command_line(entry: Entry, manifest: Manifest) -> str:
    return f"profile={manifest.profile} {entry.command_line}".strip()


def _clash(one: str, other: str) -> bool:
    """Tell whether two paths are the same, or one is a directory of the other."""
    return one == other or one.startswith(other + "/") or other.startswith(one + "/")


def config(manifest: Manifest) -> str:
    """Return the boot configuration as Limine reads it."""
    lines = [f"timeout: {manifest.timeout}", f"default_entry: {manifest.default_entry}"]
    for entry in manifest.entries:
        lines += ["", f"/{entry.name}", *(f"    {line}" for line in _options(entry, manifest))]
    return "\n".join(lines) + "\n"


def _options(entry: Entry, manifest: Manifest) -> list[str]:
    modules = {module.name: module for module in manifest.all_modules}
    lines = [
        f"protocol: {entry.protocol}",
        f"path: boot():{manifest.kernel_path}",
        f"cmdline: {_command_line(entry, manifest)}",
    ]
    for name in entry.modules:
        lines.append(f"module_path: boot():{modules[name].path}")
        if modules[name].command_line:
            lines.append(f"module_string: {modules[name].command_line}")
    if entry.resolution:
        lines.append(f"resolution: {entry.resolution}")
    return lines


def initrd(
    wanted: Initrd,
    programs: Mapping[str, Path],
    file: str,
    sign: Callable[[bytes], bytes] | None = None,
) -> bytes:
    """Return the archive of programs and files.

    Raises
    ------
    ImageError : a program does not exist, a file cannot be read, a path is used twice
    """
    members = []
    for name in _program_names(wanted, programs, file):
        data = _read(programs[name], f"{file}: {INITRD}.programs, {name}")
        path = posixpath.join(wanted.program_directory, name)
        mode = stat.S_IFREG | 0o755
        data = strip(data) if wanted.strip else data
        members.append(cpio.Member(path, sign(data) if sign else data, mode))
    members += [_member(item, f"{file}: {INITRD}.files, {item.path}") for item in wanted.files]
    try:
        return cpio.archive(members, iso_writer.EPOCH)
    except ValueError as error:
        raise ImageError(f"{file}: {INITRD}: {error}") from None


def _program_names(wanted: Initrd, programs: Mapping[str, Path], file: str) -> list[str]:
    """Return the names that the patterns stand for; a `*` does not reach beyond a slash."""
    names: set[str] = set()
    for pattern in wanted.programs:
        found = {name for name in programs if _matches(name.split("/"), pattern.split("/"))}
        if not found:
            known = ", ".join(sorted(programs)) or "none"
            raise ImageError(f"{file}: {INITRD}.programs: {pattern!r}, expected one of {known}")
        names |= found
    return sorted(names)


def _matches(parts: list[str], patterns: list[str]) -> bool:
    return len(parts) == len(patterns) and all(map(fnmatch.fnmatchcase, parts, patterns))


def _member(file: File, where: str) -> cpio.Member:
    if file.link is not None:
        return cpio.Member(file.path, file.link.encode(), stat.S_IFLNK | 0o777)
    if file.directory:
        return cpio.Member(file.path, b"", stat.S_IFDIR | file.mode)
    return cpio.Member(file.path, _contents(file, where), stat.S_IFREG | file.mode)


def _contents(file: File, where: str) -> bytes:
    if file.source is not None:
        return _read(file.source, f"{where}: source")
    return (file.text or "").encode()


def _read(path: Path, where: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ImageError(f"{where} is {path}: {error.strerror}, expected a file") from None
