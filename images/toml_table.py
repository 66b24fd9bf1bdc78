"""Read one table of a TOML file with errors that name file, key, value and expectation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from images.errors import ImageError

if TYPE_CHECKING:
    from collections.abc import Callable

_MISSING = object()


class Table:
    """A table whose keys are taken one by one; one that nobody took is an error.

    Parameters
    ----------
    data : as tomllib returns it
    file : for messages
    where : dotted name of the table; empty for the whole file
    """

    def __init__(self, data: dict[str, Any], file: str, where: str = "") -> None:
        self._data = dict(data)
        self._file = file
        self._where = where

    def _name(self, key: str) -> str:
        return f"{self._where}.{key}" if self._where else key

    def error(self, key: str, value: object, expected: str) -> ImageError:
        """Return the error about a value."""
        return ImageError(f"{self._file}: {self._name(key)} = {value!r}, expected {expected}")

    def _take(self, key: str, kind: type, expected: str, default: Any) -> Any:
        value = self._data.pop(key, default)
        if value is _MISSING:
            raise ImageError(f"{self._file}: {self._name(key)} is missing, expected {expected}")
        if value is default:
            return value
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise self.error(key, value, expected)
        return value

    def text(
        self,
        key: str,
        expected: str,
        default: Any = _MISSING,
        valid: Callable[[str], object] = lambda _: True,
    ) -> str:
        """Return a string that is valid, or the default."""
        value = self._take(key, str, expected, default)
        if value is not default and not valid(value):
            raise self.error(key, value, expected)
        return str(value)

    def integer(self, key: str, low: int, high: int, default: Any = _MISSING) -> int:
        """Return an integer from `low` to `high`."""
        expected = f"an integer from {low} to {high}"
        value = self._take(key, int, expected, default)
        if not low <= value <= high:
            raise self.error(key, value, expected)
        return int(value)

    def names(self, key: str, expected: str, default: Any = _MISSING) -> tuple[str, ...]:
        """Return a list of strings."""
        value = self._take(key, list, expected, default)
        for item in value:
            if not isinstance(item, str) or not item:
                raise self.error(key, item, expected)
        return tuple(value)

    def has(self, key: str) -> bool:
        """Tell whether a key is there and has not been taken."""
        return key in self._data

    def table(self, key: str) -> Table:
        """Return a table; an empty one if it is not there."""
        value = self._take(key, dict, "a table", {})
        return Table(value, self._file, self._name(key))

    def tables(self, key: str) -> list[Table]:
        """Return an array of tables, each written as `[[key]]`."""
        value = self._take(key, list, f"tables, each written as [[{key}]]", [])
        for number, item in enumerate(value):
            if not isinstance(item, dict):
                raise self.error(f"{key}[{number}]", item, "a table")
        return [
            Table(item, self._file, f"{self._name(key)}[{number}]")
            for number, item in enumerate(value)
        ]

    def finish(self, known: str) -> None:
        """Refuse what nobody took."""
        for key, value in self._data.items():
            raise self.error(key, value, f"no such key; there are {known}")
