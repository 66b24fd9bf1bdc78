"""Write an ISO 9660 image with Rock Ridge and Joliet names and an El Torito boot record.

The same tree gives the same bytes, whenever and wherever it is written: every date is `EPOCH`,
everything stands in the order of its path.

References
----------
ECMA-119, File Identifier, Interchange Levels; IEEE P1282; Joliet Specification.
"El Torito" Bootable CD-ROM Format Specification 1.0.
"""

from __future__ import annotations

import contextlib
import io
import posixpath
import re
import threading
import time
import types
from typing import TYPE_CHECKING

import pycdlib
import pycdlib.dates
import pycdlib.headervd
import pycdlib.utils

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

EPOCH = 946_684_800  # 2000-01-01 00:00:00 UTC
BOOT_CATALOG = "/boot/boot.cat"
BOOT_SECTORS = 4  # of 512 bytes: all that every BIOS loads; the loader loads the rest of itself

_STEM, _SUFFIX = 20, 8  # with the dot and a distinguishing number within 30 characters
_DIRECTORY_MODE, _FILE_MODE = 0o040555, 0o100444
_CLOCKS = (pycdlib.pycdlib, pycdlib.dates, pycdlib.headervd, pycdlib.utils)
_one_at_a_time = threading.Lock()


# The module `time` of a host where it is always EPOCH, in UTC.
_FIXED = types.SimpleNamespace(
    time=lambda: float(EPOCH),
    localtime=time.gmtime,
    gmtime=time.gmtime,
    strftime=time.strftime,
    strptime=time.strptime,
    struct_time=time.struct_time,
)


@contextlib.contextmanager
def _fixed_clock() -> Generator[None, None, None]:
    """Have pycdlib, which cannot be told a date, see a clock that stands still."""
    with _one_at_a_time:
        try:
            for module in _CLOCKS:
                vars(module)["time"] = _FIXED
            yield
        finally:
            for module in _CLOCKS:
                vars(module)["time"] = time


class _Names:
    """ISO 9660 names for paths: upper case, 30 characters, different within a directory."""

    def __init__(self) -> None:
        self._names = {"/": "/"}
        self._taken: set[str] = set()

    def directory(self, path: str) -> str:
        """Return the path of a directory; those around it have been given names before."""
        return self._add(path, _plain(posixpath.basename(path))[:_STEM], "")

    def file(self, path: str) -> str:
        """Return the path of a file, with its version number."""
        stem, _, suffix = posixpath.basename(path).rpartition(".")
        if not stem:
            stem, suffix = suffix, ""
        return self._add(path, _plain(stem)[:_STEM], f".{_plain(suffix)[:_SUFFIX]};1")

    def _add(self, path: str, stem: str, suffix: str) -> str:
        folder = self._names[posixpath.dirname(path)]
        name, number = posixpath.join(folder, stem + suffix), 0
        while name in self._taken:
            number += 1
            name = posixpath.join(folder, f"{stem[: _STEM - 4]}_{number}{suffix}")
        self._taken.add(name)
        self._names[path] = name
        return name


def _plain(text: str) -> str:
    return re.sub(r"[^A-Z0-9_]", "_", text.upper())


def write(tree: Mapping[str, bytes], volume: str, boot_image: str | None = None) -> bytes:
    """Return an image.

    Parameters
    ----------
    tree : contents of files, by absolute path
    volume : volume identifier
    boot_image : path of the file that a BIOS starts; it gets a boot information table
    """
    with _fixed_clock():
        iso = pycdlib.PyCdlib()
        iso.new(
            interchange_level=3,
            vol_ident=volume,
            sys_ident="LINUX",
            app_ident_str="PYKERN",
            joliet=3,
            rock_ridge="1.09",
        )
        names = _Names()
        for path in _directories(tree, boot_image):
            iso.add_directory(
                names.directory(path),
                rr_name=posixpath.basename(path),
                joliet_path=path,
                file_mode=_DIRECTORY_MODE,
            )
        plain = {path: names.file(path) for path in sorted(tree)}
        for path in sorted(tree):
            _add_file(iso, plain[path], path, tree[path])
        if boot_image is not None:
            _add_boot_record(iso, plain[boot_image], names.file(BOOT_CATALOG))
        out = io.BytesIO()
        iso.write_fp(out)
        iso.close()
    return out.getvalue()


def _directories(tree: Mapping[str, bytes], boot_image: str | None) -> list[str]:
    """Return the directories of the files, outer ones first."""
    found: set[str] = set()
    for path in [*tree, *([BOOT_CATALOG] if boot_image is not None else [])]:
        folder = posixpath.dirname(path)
        while folder != "/":
            found.add(folder)
            folder = posixpath.dirname(folder)
    return sorted(found)


def _add_file(iso: pycdlib.PyCdlib, plain: str, path: str, data: bytes) -> None:
    iso.add_fp(
        io.BytesIO(data),
        len(data),
        plain,
        rr_name=posixpath.basename(path),
        joliet_path=path,
        file_mode=_FILE_MODE,
    )


def _add_boot_record(iso: pycdlib.PyCdlib, boot_image: str, catalog: str) -> None:
    iso.add_eltorito(
        boot_image,
        bootcatfile=catalog,
        rr_bootcatname=posixpath.basename(BOOT_CATALOG),
        joliet_bootcatfile=BOOT_CATALOG,
        boot_load_size=BOOT_SECTORS,
        boot_info_table=True,
    )
