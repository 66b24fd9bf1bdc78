"""What an ABI table is made of: one row for each system call."""

from __future__ import annotations

from typing import NamedTuple

MOST_ARGUMENTS = 6


class Call(NamedTuple):
    """One system call of a personality.

    Attributes
    ----------
    number : int
        What the program puts into RAX.
    name : str
        The name in POSIX or Linux, in lower case.
    arguments : tuple of str
        Names of the arguments, in the order of the argument registers.
    function : str
        The kernel's name of what serves it, if that is another.
    """

    number: int
    name: str
    arguments: tuple[str, ...]
    function: str = ""

    @property
    def symbol(self) -> str:
        """The kernel's function that serves it."""
        return f"sys_{self.function or self.name}"


def parse(rows: str) -> tuple[Call, ...]:
    """Return the calls that a table names, one per line: number, name, names of arguments.

    ``exit=exit_group`` is a call named exit that the kernel's exit_group serves.

    Raises
    ------
    ValueError
        A number or name occurs twice, or a call has more than six arguments.
    """
    calls = tuple(_call(row.split()) for row in rows.strip().splitlines())
    for field in ("number", "name"):
        values = [getattr(call, field) for call in calls]
        twice = sorted({value for value in values if values.count(value) > 1})
        if twice:
            raise ValueError(f"system call {field} {twice[0]!r} stands twice in the table")
    return calls


def _call(words: list[str]) -> Call:
    number, name, *arguments = words
    if len(arguments) > MOST_ARGUMENTS:
        raise ValueError(
            f"system call {name!r} has {len(arguments)} arguments, expected at most six"
        )
    name, _, function = name.partition("=")
    return Call(int(number), name, tuple(arguments), function)
