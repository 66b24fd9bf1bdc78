"""The face of physical memory under the name that users of `mm` look for."""

from pykern.kernel.core.memory import PhysicalMemory, read_u64, write_u64

__all__ = ["PhysicalMemory", "read_u64", "write_u64"]
