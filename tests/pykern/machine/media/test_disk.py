"""Disks in files: nothing of a user's file changes unless that is asked for (MEL-53)."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

import pytest

from pykern.machine.media import DiskImage, MediaError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def image(folder: Path, sectors: int = 4) -> Path:
    path = folder / "disk"
    path.write_bytes(random.Random(sectors).randbytes(sectors * 512))
    return path


def test_what_is_written_lies_over_the_file(tmp_path: Path) -> None:
    path = image(tmp_path)
    before = path.read_bytes()
    disk = DiskImage(path)
    disk.write(1, b"A" * 512 + b"B" * 512)
    assert disk.read(0, 4) == before[:512] + b"A" * 512 + b"B" * 512 + before[1536:]
    assert path.read_bytes() == before
    disk.write_back()
    assert path.read_bytes() == disk.read(0, 4)


def test_a_disk_that_nobody_has_written_to_is_not_touched(tmp_path: Path) -> None:
    path = image(tmp_path)
    disk = DiskImage(path)
    path.chmod(0o444)
    before = path.stat().st_mtime_ns
    disk.write_back()
    assert path.stat().st_mtime_ns == before


@pytest.mark.parametrize("size", [0, 1, 511, 513])
def test_a_file_that_is_no_disk(size: int, tmp_path: Path) -> None:
    path = tmp_path / "odd"
    path.write_bytes(bytes(size))
    with pytest.raises(MediaError, match=f"{size} bytes, expected a multiple of 512"):
        DiskImage(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="No such file"):
        DiskImage(tmp_path / "none")


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_what_is_no_file(make: Callable[[Path], None], tmp_path: Path) -> None:
    """A pipe without a writer is not waited for."""
    make(tmp_path / "other")
    with pytest.raises(MediaError, match="neither a file nor a block device"):
        DiskImage(tmp_path / "other")
