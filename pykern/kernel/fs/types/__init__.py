"""Types of file systems: one module each, imported here by name."""

from pykern.kernel.fs.types import devfs, procfs, tmpfs
from pykern.kernel.fs.types.registry import FileSystemType, Options, types

__all__ = ["FileSystemType", "Options", "devfs", "procfs", "tmpfs", "types"]
