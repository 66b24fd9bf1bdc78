"""The types of file systems by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from pykern.kernel.core.registry import Registry

if TYPE_CHECKING:
    from pykern.kernel.fs.block import BlockDevice
    from pykern.kernel.fs.context import Vfs
    from pykern.kernel.fs.inode import FileSystem, Inode

__all__ = ["FileSystemType", "Options", "VolumeType", "types", "volume_types"]

Options = Mapping[str, str]
# Called with the source, the options and what all files share; returns a mounted instance.
FileSystemType = Callable[[bytes, Options, "Vfs"], "FileSystem"]

types: Registry[FileSystemType] = Registry("file-system type")

# Called with the file that holds the volume instead of its name.
VolumeType = Callable[["Inode | BlockDevice", Options, "Vfs"], "FileSystem"]

volume_types: Registry[VolumeType] = Registry("type of volume")
