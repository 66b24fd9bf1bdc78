"""Read an ISO 9660 image: names, contents and boot catalog.

Names come from the Rock Ridge extensions if the image has them, else from Joliet, else from
ISO 9660 itself (upper case, the version number left out). pycdlib reads the structures; what it
raises on a damaged image becomes one `MediaError`, and it gets only so much to read, because a
directory that contains itself has no end.

References
----------
ECMA-119, Volume and File Structure of CDROM for Information Interchange.
IEEE P1282, Rock Ridge Interchange Protocol.
Joliet Specification, CD-ROM Recording Spec ISO 9660:1988 Extensions for Unicode.
"""

from __future__ import annotations

import enum
import io
import posixpath
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pycdlib
import pycdlib.pycdlibexception

from pykern.machine.media.eltorito import SECTOR, BootImage, read_catalog
from pykern.machine.media.errors import MediaError

if TYPE_CHECKING:
    from collections.abc import Iterator

_RECORD_EXTENT, _RECORD_SIZE = 2, 33  # offsets in a directory record: sector and size, name
_SPACE_SIZE, _ROOT_RECORD = 80, 156  # offsets in the primary volume descriptor
_MOST_ENTRIES = 100_000
_DEEPEST = 64
_MOST_LINKS = 8
_READS_ALLOWED = 2  # times the size of the image: the checks of boot images read it again
_BYTES_ALLOWED = 16 << 20


class EntryKind(enum.Enum):
    """What a name on the medium stands for."""

    FILE = "file"
    DIRECTORY = "directory"
    SYMLINK = "symlink"


@dataclass(frozen=True)
class IsoEntry:
    """A name on the medium.

    Attributes
    ----------
    path : absolute, without the version number
    size : bytes of a file, otherwise 0
    target : of a symbolic link
    sector : first sector of 2048 bytes
    """

    path: str
    kind: EntryKind
    size: int = 0
    target: str = ""
    sector: int = 0


class _BoundedFile(io.BytesIO):
    """A file that ends the reading of an image that leads in circles."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._left = _READS_ALLOWED * len(data) + _BYTES_ALLOWED

    def read(self, size: int | None = -1, /) -> bytes:
        """Read, and count."""
        data = super().read(size)
        self._left -= len(data) + 1
        if self._left < 0:
            raise MediaError("its structures refer to each other in circles")
        return data


class IsoImage:
    """An ISO 9660 image whose directories have all been read.

    Parameters
    ----------
    source : the image, or where it is
    name : for messages; the path if not given

    Raises
    ------
    MediaError : the image is damaged or is none
    OSError : the file cannot be read
    """

    def __init__(self, source: bytes | Path, name: str = "") -> None:
        self.name = name or (str(source) if isinstance(source, Path) else "image")
        self.data = source.read_bytes() if isinstance(source, Path) else bytes(source)
        self._check_descriptor()
        self.boot_images: tuple[BootImage, ...] = read_catalog(self.read_sectors, self.name)
        self._iso = pycdlib.PyCdlib()
        self._facade: Any = None
        self._raw_paths: dict[str, str] = {}
        self._entries: dict[str, IsoEntry] = {}
        self._guarded("reading directories", self._open)
        self._folded = self._fold()

    def _check_descriptor(self) -> None:
        found = self.read_sectors(16, 1)[:6]
        if found != b"\1CD001":
            raise MediaError(
                f"{self.name}: offset 0x8000 holds {found.hex(' ') or 'nothing'}, expected "
                f"01 43 44 30 30 31 (ISO 9660 primary volume descriptor)"
            )
        descriptor = self.read_sectors(16, 1)
        if len(descriptor) < SECTOR:
            raise MediaError(
                f"{self.name}: the volume descriptor at 0x8000 is cut off: {len(descriptor)} "
                f"bytes, expected {SECTOR}"
            )
        little, big = descriptor[_SPACE_SIZE:][:4], descriptor[_SPACE_SIZE + 4 :][:4]
        if little != big[::-1]:
            raise MediaError(
                f"{self.name}: volume space size is {int.from_bytes(little, 'little')} in one byte "
                f"order and {int.from_bytes(big, 'big')} in the other, expected the same number"
            )
        root, size = struct.unpack_from("<I4xI", descriptor, _ROOT_RECORD + _RECORD_EXTENT)
        if root * SECTOR + size > len(self.data):
            raise MediaError(
                f"{self.name}: the root directory, {size} bytes at sector {root}, is beyond the "
                f"end of the medium ({len(self.data)} bytes)"
            )

    def _guarded(self, doing: str, function: Any, *arguments: Any) -> Any:
        """Call into pycdlib; whatever it raises on a damaged image is one error."""
        try:
            return function(*arguments)
        except (MemoryError, KeyboardInterrupt):
            raise
        except MediaError as error:
            text = str(error)
            prefix = "" if text.startswith(self.name) else f"{self.name}: {doing}: "
            raise MediaError(prefix + text) from None
        except pycdlib.pycdlibexception.PyCdlibException as error:
            what = " ".join(str(error).split())
            raise MediaError(f"{self.name}: {doing}: {what}{self._cut_off()}") from None
        except Exception as error:  # the list of what a damaged image makes it raise has no end
            what = f"{type(error).__name__}: {' '.join(str(error).split())}"
            raise MediaError(
                f"{self.name}: {doing}: a structure is damaged ({what}){self._cut_off()}"
            ) from None

    def _cut_off(self) -> str:
        """Return what to add to a message where the reason is plain."""
        sectors = struct.unpack_from("<I", self.data, 16 * SECTOR + _SPACE_SIZE)[0]
        if sectors * SECTOR <= len(self.data):
            return ""
        return f"; the image is cut off: {sectors * SECTOR} bytes expected, {len(self.data)} there"

    def _open(self) -> None:
        self._iso.open_fp(_BoundedFile(self.data))
        if self._iso.has_rock_ridge():
            self.names, self._facade = "Rock Ridge", self._iso.get_rock_ridge_facade()
        elif self._iso.has_joliet():
            self.names, self._facade = "Joliet", self._iso.get_joliet_facade()
        else:
            self.names, self._facade = "ISO 9660", self._iso.get_iso9660_facade()
        self.volume_id = self._iso.pvd.volume_identifier.decode("latin-1").rstrip(" \0")
        for entry, raw in self._walk("/", "/", 0):
            if entry.path in self._entries:
                continue  # files of more than one extent have a record for each
            self._entries[entry.path] = entry
            self._raw_paths[entry.path] = raw
            if len(self._entries) > _MOST_ENTRIES:
                raise MediaError(f"more than {_MOST_ENTRIES} names")

    def _walk(self, path: str, raw: str, depth: int) -> Iterator[tuple[IsoEntry, str]]:
        if depth > _DEEPEST:
            raise MediaError(f"directories are nested deeper than {_DEEPEST}")
        for record in self._facade.list_children(raw):
            if record.is_dot() or record.is_dotdot():
                continue
            name, raw_name = self._name(record)
            entry = self._entry(posixpath.join(path, name), record)
            raw_path = posixpath.join(raw, raw_name)
            yield entry, raw_path
            if entry.kind is EntryKind.DIRECTORY:
                yield from self._walk(entry.path, raw_path, depth + 1)

    def _name(self, record: Any) -> tuple[str, str]:
        """Return the name that a user sees and the one that pycdlib looks up."""
        if self.names == "Rock Ridge":
            name = record.rock_ridge.name().decode() if record.rock_ridge else ""
            raw = name
        elif self.names == "Joliet":
            raw = record.file_ident.decode("utf-16-be")
            name = raw.split(";")[0]
        else:
            raw = record.file_ident.decode("latin-1")
            name = raw.split(";")[0].removesuffix(".")
        if not name or "/" in name or "\0" in name or name in {".", ".."}:
            raise MediaError(f"the record at sector {record.extent_location()} is named {name!r}")
        return name, raw

    def _entry(self, path: str, record: Any) -> IsoEntry:
        rock_ridge = record.rock_ridge
        if record.is_dir():
            return IsoEntry(path, EntryKind.DIRECTORY, sector=record.extent_location())
        if rock_ridge is not None and rock_ridge.is_symlink():
            return IsoEntry(path, EntryKind.SYMLINK, target=rock_ridge.symlink_path().decode())
        size, sector = record.get_data_length(), record.extent_location()
        if sector * SECTOR + size >= len(self.data):
            self._check_size(path, record)
        return IsoEntry(path, EntryKind.FILE, size, sector=sector)

    def _check_size(self, path: str, record: Any) -> None:
        """Refuse a file that ends behind the medium; pycdlib would have cut it off in silence."""
        sector, position = record.extent_location(), 0
        folder = record.parent
        start = folder.extent_location() * SECTOR
        directory = self.data[start : start + folder.get_data_length()]
        while position + _RECORD_SIZE < len(directory):
            length = directory[position]
            found, size = struct.unpack_from("<I4xI", directory, position + _RECORD_EXTENT)
            ident = directory[position + _RECORD_SIZE :][: len(record.file_ident)]
            if length and ident == record.file_ident and sector * SECTOR + size > len(self.data):
                raise MediaError(
                    f"{path}: {size} bytes at sector {found} reach beyond the end of the medium "
                    f"({len(self.data)} bytes)"
                )
            position = position + length if length else (position // SECTOR + 1) * SECTOR

    def _fold(self) -> dict[str, str]:
        folded: dict[str, str] = {}
        for path in self._entries:
            folded.setdefault(path.casefold(), path)
        return folded

    @property
    def entries(self) -> tuple[IsoEntry, ...]:
        """Return every name, a directory before what it contains, sorted by path."""
        return tuple(sorted(self._entries.values(), key=lambda entry: entry.path.split("/")))

    def read_sectors(self, sector: int, count: int) -> bytes:
        """Return sectors of 2048 bytes; fewer where the medium ends."""
        return self.data[sector * SECTOR : (sector + count) * SECTOR]

    def find(self, path: str) -> IsoEntry | None:
        """Return the entry of a path, links followed; without regard to case if need be.

        Raises
        ------
        MediaError : symbolic links lead in a circle
        """
        wanted = posixpath.normpath("/" + path.lstrip("/"))
        for _ in range(_MOST_LINKS):
            entry = self._follow_directories(wanted)
            if entry is None or entry.kind is not EntryKind.SYMLINK:
                return entry
            wanted = self._target(entry)
        raise MediaError(f"{self.name}: {path}: more than {_MOST_LINKS} symbolic links")

    def _target(self, link: IsoEntry) -> str:
        folder = posixpath.dirname(link.path)
        return posixpath.normpath("/" + posixpath.join(folder, link.target).lstrip("/"))

    def _lookup(self, path: str) -> IsoEntry | None:
        return self._entries.get(path) or self._entries.get(self._folded.get(path.casefold(), ""))

    def _follow_directories(self, path: str) -> IsoEntry | None:
        """Return the entry of a path whose directories may be links; a link at its end stays."""
        if path == "/":
            return IsoEntry("/", EntryKind.DIRECTORY)
        place, hops = "", 0
        parts = path.strip("/").split("/")
        for number, part in enumerate(parts):
            entry = self._lookup(f"{place}/{part}")
            while entry is not None and entry.kind is EntryKind.SYMLINK and number < len(parts) - 1:
                hops += 1
                if hops > _MOST_LINKS:
                    raise MediaError(f"{self.name}: {path}: more than {_MOST_LINKS} symbolic links")
                entry = self._lookup(self._target(entry))
            if entry is None:
                return None
            place = entry.path
        return self._lookup(place)

    def read(self, path: str) -> bytes:
        """Return the contents of a file.

        Raises
        ------
        MediaError : there is no such file, or its data cannot be read
        """
        entry = self.find(path)
        if entry is None:
            raise MediaError(f"{self.name}: no file {path}")
        if entry.kind is not EntryKind.FILE:
            raise MediaError(f"{self.name}: {path} is a {entry.kind.value}, expected a file")
        data = bytes(self._guarded(f"reading {entry.path}", self._contents, entry.path))
        if len(data) != entry.size:
            raise MediaError(
                f"{self.name}: {entry.path}: {len(data)} bytes could be read, its record says "
                f"{entry.size}"
            )
        return data

    def _contents(self, path: str) -> bytes:
        out = io.BytesIO()
        self._facade.get_file_from_iso_fp(out, self._raw_paths[path])
        return out.getvalue()
