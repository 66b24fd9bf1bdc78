"""What register files of many chips have in common: byte-wide access, saving and loading."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from pykern.machine.device import State

__all__ = ["ByteRegisters", "SavedFields", "all_ones"]


def all_ones(size: int) -> int:
    """Return what a bus reads where nobody answers: `size` bytes of 0xFF."""
    return (1 << 8 * size) - 1


def _freeze(value: Any) -> Any:
    if isinstance(value, SavedFields):
        return value.save()
    if isinstance(value, bytearray):
        return bytes(value)
    if isinstance(value, list | tuple | deque):
        return [_freeze(item) for item in value]
    return value


def _thaw(present: Any, saved: Any) -> Any:
    """Return the value of a field of which `present` shows the type."""
    if isinstance(present, SavedFields):
        present.load(saved)
        return present
    if isinstance(present, bytearray):
        return bytearray(saved)
    if isinstance(present, deque):
        return deque(saved)
    if isinstance(present, list | tuple) and present and isinstance(present[0], SavedFields):
        for item, state in zip(present, saved, strict=True):
            item.load(state)
        return present
    if isinstance(present, list | tuple):
        return type(present)(saved)
    return saved


class SavedFields:
    """Give `save()` and `load()` to a class that names its state in `SAVED`.

    A field may be an int, bool, str, bytes, bytearray, a list or deque of such, or SavedFields.
    """

    SAVED: ClassVar[tuple[str, ...]] = ()

    def save(self) -> State:
        """Return the fields named in SAVED."""
        return {name.lstrip("_"): _freeze(getattr(self, name)) for name in self.SAVED}

    def load(self, state: State) -> None:
        """Take the fields back, then let `resume()` derive the rest."""
        for name in self.SAVED:
            setattr(self, name, _thaw(getattr(self, name), state[name.lstrip("_")]))
        self.resume()

    def resume(self) -> None:
        """Drive lines and schedule events again as the loaded fields demand."""


class ByteRegisters(SavedFields, ABC):
    """A chip on an 8-bit bus, where wider accesses arrive as bytes, the low one first."""

    @abstractmethod
    def read_byte(self, offset: int) -> int:
        """Return the register at `offset`; 0xFF where there is none."""

    @abstractmethod
    def write_byte(self, offset: int, value: int) -> None:
        """Write the register at `offset`, if there is one."""

    def read(self, offset: int, size: int) -> int:
        """Read `size` registers from `offset`."""
        if size == 1:
            return self.read_byte(offset)
        return sum(self.read_byte(offset + i) << 8 * i for i in range(size))

    def write(self, offset: int, size: int, value: int) -> None:
        """Write `size` registers from `offset`."""
        for i in range(size):
            self.write_byte(offset + i, value >> 8 * i & 0xFF)
