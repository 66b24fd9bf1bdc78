"""Mistakes on the kernel's command line, which are the operator's and not the kernel's."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["OptionError", "parsed"]

T = TypeVar("T")


class OptionError(ValueError):
    """An option says what cannot be; the text names it."""


def parsed(options: Mapping[str, str], name: str, parse: Callable[[str], T], default: str) -> T:
    """Return the value of an option, or of what stands for it where it is not given.

    Raises
    ------
    OptionError : `parse` has raised ValueError for it
    """
    text = options.get(name, default)
    try:
        return parse(text)
    except ValueError as error:
        raise OptionError(f"{name}={text}: {error}") from None
