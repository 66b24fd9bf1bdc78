"""Hosted functions: names that the kernel image has thunks for, and the Python behind them.

`@hostcall` marks a function; `image.thunks` finds the mark in the source text when the image is
built (so that building imports nothing), and the running kernel binds the image's names to the
functions. A hosted function may be `async def` where it runs in a thread: it can then sleep.
Interrupts and exceptions are handled by plain functions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Function = TypeVar("Function", bound="Callable[..., Any]")

PREFIXES = {"hostcall": "", "syscall": "sys_"}
"""Decorator → what the image's symbol has in front of the function's name."""


def hostcall(function: Function) -> Function:
    """Mark a function or method as the body of a function of the kernel image."""
    function.__hostcall__ = True  # type: ignore[attr-defined]
    return function


def bound_methods(objects: list[object]) -> dict[str, Callable[..., Any]]:
    """Return every marked method of the objects, by name.

    Raises
    ------
    ValueError : two objects have a hosted function of one name
    """
    out: dict[str, Callable[..., Any]] = {}
    for owner in objects:
        for name in dir(type(owner)):
            function = getattr(type(owner), name)
            if not getattr(function, "__hostcall__", False):
                continue
            if name in out:
                raise ValueError(f"two hosted functions are named {name}: in {owner!r} and before")
            out[name] = getattr(owner, name)
    return out
