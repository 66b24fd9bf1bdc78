r"""What an image contains, as a TOML file says it.

::

    name = "pykern"
    volume = "PYKERN"                  # ISO 9660 volume identifier
    profile = "pykern"                 # of the kernel; goes in front of every command line
    kernel = "pykern.elf"              # beside the manifest, or the one built with the package
    kernel_path = "/boot/pykern.elf"   # on the image
    timeout = 0                        # seconds; default_entry = 1

    [initrd]                           # a cpio archive, the module named "initrd"
    path = "/boot/initrd.cpio"
    programs = ["init", "mellos/*"]    # go to program_directory, "/bin", under these names
    strip = true                       # leave symbols and debug information out of them
    [[initrd.files]]
    path = "/etc/motd"
    text = "Welcome\n"                 # or source = "FILE", link = "TARGET", directory = true

    [[files]]                          # on the image itself
    path = "/README.txt"
    source = "readme.txt"

    [[modules]]                        # further files that the kernel is handed
    name = "font"
    path = "/boot/font.psf"
    source = "font.psf"

    [[entries]]                        # of the boot menu
    name = "pykern"
    command_line = "quiet"
    modules = ["initrd", "font"]
    resolution = "1024x768x32"
"""

from __future__ import annotations

import posixpath
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from images.errors import ImageError
from images.toml_table import Table

if TYPE_CHECKING:
    from collections.abc import Callable

MANIFESTS = Path(__file__).parent / "manifests"
INITRD = "initrd"

_CONTENTS = ("text", "source", "link", "directory")
_LONGEST_NAME = 64  # Joliet
_DEEPEST = 8  # ECMA-119, Depth of hierarchy
_PATH = "an absolute path such as /boot/file, at most 8 levels deep, names up to 64 characters"
_VOLUME = "1 to 32 of A-Z, 0-9 and _"
_RESOLUTION = "WIDTHxHEIGHT or WIDTHxHEIGHTxBITS such as 1024x768x32"


@dataclass(frozen=True)
class File:
    """A file of the image or of its initrd; exactly one of text, source, link and directory is set.

    Attributes
    ----------
    path : absolute, where it goes
    source : file of the host
    link : target of a symbolic link
    directory : it is an empty one
    mode : permission bits
    """

    path: str
    text: str | None = None
    source: Path | None = None
    link: str | None = None
    directory: bool = False
    mode: int = 0o644


@dataclass(frozen=True)
class Module:
    """A file that the kernel is handed; of the initrd there is no source, it is written."""

    name: str
    path: str
    source: Path | None = None
    command_line: str = ""


@dataclass(frozen=True)
class Initrd:
    """The archive of the first root file system.

    Attributes
    ----------
    programs : names or patterns
    program_directory : where they go
    strip : leave out of programs what is not loaded
    """

    path: str
    programs: tuple[str, ...] = ()
    program_directory: str = "/bin"
    strip: bool = False
    files: tuple[File, ...] = ()


@dataclass(frozen=True)
class Entry:
    """An entry of the boot menu."""

    name: str
    command_line: str
    modules: tuple[str, ...]
    resolution: str
    protocol: str = "limine"


@dataclass(frozen=True)
class Manifest:
    """Everything about an image but the bytes of its kernel and programs.

    Attributes
    ----------
    file : the manifest, for messages
    kernel : name of the kernel's file
    """

    file: str
    name: str
    volume: str
    profile: str
    kernel: str
    kernel_path: str
    timeout: int
    default_entry: int
    entries: tuple[Entry, ...]
    initrd: Initrd | None = None
    files: tuple[File, ...] = ()
    modules: tuple[Module, ...] = ()

    @property
    def all_modules(self) -> tuple[Module, ...]:
        """Return the modules, the initrd first."""
        initrd = (Module(INITRD, self.initrd.path, command_line=INITRD),) if self.initrd else ()
        return (*initrd, *self.modules)


def names() -> list[str]:
    """Return the names of the manifests that come with the package."""
    return sorted(path.stem for path in MANIFESTS.glob("*.toml"))


def find(name: str) -> Path:
    """Return the manifest of a name, or a path to one.

    Raises
    ------
    ImageError : there is neither
    """
    packaged = MANIFESTS / f"{name}.toml"
    if re.fullmatch(r"[\w-]+", name) and packaged.exists():
        return packaged
    if Path(name).suffix == ".toml" or Path(name).exists():
        return Path(name)
    raise ImageError(
        f"no image {name!r}; there are {', '.join(names())}, or give the path of a manifest (.toml)"
    )


def load(path: Path) -> Manifest:
    """Read a manifest.

    Raises
    ------
    ImageError : it cannot be read, or a value of it is not what is expected
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ImageError(f"{path}: {error.strerror}, expected a manifest") from None
    except (ValueError, RecursionError) as error:
        raise ImageError(f"{path}: {error}, expected TOML") from None
    return parse(data, str(path), path.parent)


def parse(data: dict[str, object], file: str, folder: Path) -> Manifest:
    """Check what a manifest says; sources are relative to `folder`."""
    table = Table(data, file)
    name = table.text("name", "a name of letters, digits, - and _", valid=_is_name)
    kernel = table.text("kernel", "the file of the kernel", valid=bool)
    initrd = _initrd(table.table("initrd"), folder) if table.has("initrd") else None
    manifest = Manifest(
        file=file,
        name=name,
        volume=table.text("volume", _VOLUME, name.upper().replace("-", "_"), _is_volume),
        profile=table.text("profile", "the name of a profile", valid=_is_name),
        kernel=kernel,
        kernel_path=table.text(
            "kernel_path", _PATH, f"/boot/{posixpath.basename(kernel)}", _is_path
        ),
        timeout=table.integer("timeout", 0, 9999, 0),
        default_entry=table.integer("default_entry", 1, 999, 1),
        entries=tuple(_entry(entry) for entry in table.tables("entries")),
        initrd=initrd,
        files=tuple(_file(item, folder) for item in table.tables("files")),
        modules=tuple(_module(item, folder) for item in table.tables("modules")),
    )
    table.finish(
        "name, volume, profile, kernel, kernel_path, timeout, default_entry, initrd, files, "
        "modules, entries"
    )
    _check(manifest, table)
    return manifest


def _is_name(text: str) -> object:
    return re.fullmatch(r"[A-Za-z0-9][\w-]{0,31}", text, re.ASCII)


def _is_volume(text: str) -> object:
    return re.fullmatch(r"[A-Z0-9_]{1,32}", text)


def _is_path(text: str) -> bool:
    parts = text.split("/")[1:]
    return (
        text.startswith("/")
        and 1 <= len(parts) <= _DEEPEST
        and all(0 < len(part) <= _LONGEST_NAME and part.isprintable() for part in parts)
        and not {".", ".."} & set(parts)
        and not set(text) & set('*:;?\\"<>|')
    )


def _is_line(text: str) -> bool:
    return text.isprintable() and "${" not in text and text == text.strip()


def _is_resolution(text: str) -> object:
    return re.fullmatch(r"[1-9]\d{2,4}x[1-9]\d{2,4}(x(8|15|16|24|32))?", text)


def _initrd(table: Table, folder: Path) -> Initrd:
    initrd = Initrd(
        path=table.text("path", _PATH, "/boot/initrd.cpio", _is_path),
        programs=table.names("programs", 'a list of program names or patterns such as "*"', []),
        program_directory=table.text("program_directory", _PATH, "/bin", _is_path),
        strip=table.flag("strip", default=False),
        files=tuple(_file(item, folder) for item in table.tables("files")),
    )
    table.finish("path, programs, program_directory, strip, files")
    return initrd


def _file(table: Table, folder: Path) -> File:
    path = table.text("path", _PATH, valid=_is_path)
    given = [key for key in _CONTENTS if table.has(key)]
    if len(given) != 1:
        raise table.error(
            "path",
            path,
            f"one of {', '.join(_CONTENTS)} with it; given: {', '.join(given) or '-'}",
        )
    directory = given[0] == "directory"
    if directory and not table.flag("directory", default=True):
        raise table.error("directory", False, "true, or one of the other keys")
    value = "" if directory else table.text(given[0], "a string", valid=_is_content(given[0]))
    mode = table.integer("mode", 0, 0o7777, 0o755 if directory else 0o644)
    table.finish(f"path, {', '.join(_CONTENTS)}, mode")
    return File(
        path,
        text=value if given[0] == "text" else None,
        source=folder / value if given[0] == "source" else None,
        link=value if given[0] == "link" else None,
        directory=directory,
        mode=mode,
    )


def _is_content(key: str) -> Callable[[str], object]:
    return lambda text: text or key == "text"


def _module(table: Table, folder: Path) -> Module:
    name = table.text("name", "a name that entries refer to", valid=_is_name)
    module = Module(
        name=name,
        path=table.text("path", _PATH, valid=_is_path),
        source=folder / table.text("source", "the file to take", valid=bool),
        command_line=table.text("command_line", "one line of text", name, _is_line),
    )
    table.finish("name, path, source, command_line")
    return module


def _entry(table: Table) -> Entry:
    entry = Entry(
        name=table.text(
            "name", "one line of text", valid=lambda t: t and _is_line(t) and t[0] not in "/+#"
        ),
        command_line=table.text("command_line", "one line of text without ${", "", _is_line),
        modules=table.names("modules", "a list of names of modules", []),
        resolution=table.text("resolution", _RESOLUTION, "", _is_resolution),
        protocol=table.text("protocol", "limine", "limine", lambda text: text == "limine"),
    )
    table.finish("name, command_line, modules, resolution, protocol")
    return entry


def _check(manifest: Manifest, table: Table) -> None:
    """Check what one value says about another."""
    if not manifest.entries:
        raise table.error("entries", [], "at least one [[entries]]")
    if manifest.default_entry > len(manifest.entries):
        raise table.error("default_entry", manifest.default_entry, f"1 to {len(manifest.entries)}")
    known = [module.name for module in manifest.all_modules]
    if len(set(known)) < len(known):
        raise table.error("modules", known, "a different name for each; the initrd is one of them")
    for number, entry in enumerate(manifest.entries):
        for name in entry.modules:
            if name not in known:
                raise table.error(
                    f"entries[{number}].modules", name, f"one of {', '.join(known) or 'none'}"
                )
