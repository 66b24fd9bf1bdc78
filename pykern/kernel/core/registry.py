"""Plug-ins by name: one explicit dictionary per kind, filled by imports that grep finds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Registry", "UnknownNameError"]

T = TypeVar("T")


class UnknownNameError(LookupError):
    """Nothing of that name is registered; the text lists what is."""


class Registry(Generic[T]):
    """Members of one kind in the order in which they were registered.

    Parameters
    ----------
    kind : what the members are, in words, for error messages: ``scheduler policy``
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._members: dict[str, T] = {}

    def register(self, name: str) -> Callable[[T], T]:
        """Return a decorator that adds what it decorates as `name`.

        Raises
        ------
        ValueError : the name is taken
        """

        def add(member: T) -> T:
            if name in self._members:
                raise ValueError(f"{self.kind} {name!r} is registered already")
            self._members[name] = member
            return member

        return add

    def get(self, name: str) -> T:
        """Return the member called `name`.

        Raises
        ------
        UnknownNameError : there is none; names those that there are
        """
        if name not in self._members:
            known = ", ".join(self._members) or "none"
            raise UnknownNameError(f"no {self.kind} {name!r}; registered: {known}")
        return self._members[name]

    def names(self) -> tuple[str, ...]:
        """Return all names in order of registration."""
        return tuple(self._members)

    def items(self) -> Iterator[tuple[str, T]]:
        """Return names and members in order of registration."""
        return iter(self._members.items())

    def __iter__(self) -> Iterator[T]:
        return iter(self._members.values())

    def __contains__(self, name: object) -> bool:
        return name in self._members

    def __len__(self) -> int:
        return len(self._members)
