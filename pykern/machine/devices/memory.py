"""Plain memory of an adapter: bytes that are read and written, and looked at by a renderer.

References
----------
None: it has no registers.
"""

from __future__ import annotations

from pykern.machine.devices.registers import SavedFields, all_ones

__all__ = ["Memory"]


class Memory(SavedFields):
    """Bytes on the bus.

    Parameters
    ----------
    size : bytes

    Attributes
    ----------
    data : the bytes
    """

    SAVED = ("data",)

    def __init__(self, size: int) -> None:
        self.data = bytearray(size)

    def load(self, state: dict[str, bytes]) -> None:
        """Take the bytes back in place, since a renderer may hold a view of them."""
        self.data[:] = state["data"]

    def reset(self) -> None:
        """Clear it, as after power-up."""
        self.data[:] = bytes(len(self.data))

    def read(self, offset: int, size: int) -> int:
        """Read; the part beyond the end is ones."""
        part = self.data[offset : offset + size]
        missing = size - len(part)
        return int.from_bytes(part, "little") | all_ones(missing) << 8 * len(part)

    def write(self, offset: int, size: int, value: int) -> None:
        """Write; the part beyond the end is lost."""
        room = max(min(size, len(self.data) - offset), 0)
        self.data[offset : offset + room] = (value & all_ones(room)).to_bytes(room, "little")
