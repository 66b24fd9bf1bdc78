"""Types of file systems: one module each, imported here by name."""

from pykern.kernel.fs.types import devfs, fat, procfs, tmpfs
from pykern.kernel.fs.types.registry import FileSystemType, Options, types, volume_types

__all__ = ["FileSystemType", "Options", "devfs", "fat", "procfs", "tmpfs", "types", "volume_types"]
