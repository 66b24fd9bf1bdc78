"""`pykern profiles`: which kernels can be made of this one, and what each is made of."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from pykern.cli.errors import UsageError
from pykern.exit_status import ExitStatus
from pykern.kernel.core.registry import UnknownNameError
from pykern.kernel.profiles import PROFILES, Profile

if TYPE_CHECKING:
    import argparse

_COLUMNS = ("profile", "scheduler", "heap", "SYSCALL", "int 0x80", "CPUs", "log", "first program")
_ADDRESSES = ("layout", "user")


def run(args: argparse.Namespace) -> int:
    """Print the table of all profiles, or all that one of them chooses."""
    print(table() if args.name is None else details(_find(args.name)))
    return ExitStatus.POWER_OFF


def _find(name: str) -> Profile:
    try:
        return PROFILES.get(name)
    except UnknownNameError as error:
        raise UsageError(str(error)) from None


def table() -> str:
    """Return a line for each profile."""
    rows = [_COLUMNS, *map(_row, PROFILES)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(_COLUMNS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _row(profile: Profile) -> tuple[str, ...]:
    return (
        profile.name,
        profile.policy,
        f"{profile.heap} {profile.heap_initial >> 20}-{profile.layout.heap_size >> 20} MB",
        _table_name(profile.syscall_table),
        _table_name(profile.int80_table),
        str(profile.max_cpus),
        profile.log_style,
        profile.init,
    )


def _table_name(symbol: str | None) -> str:
    return "-" if symbol is None else symbol.removesuffix("_call_table")


def details(profile: Profile) -> str:
    """Return all that a profile chooses, a line for each."""
    lines: list[tuple[str, str]] = []
    for field in dataclasses.fields(profile):
        value = getattr(profile, field.name)
        if dataclasses.is_dataclass(value):
            lines += [
                (f"{field.name}.{part.name}", _text(getattr(value, part.name), field.name))
                for part in dataclasses.fields(value)
            ]
        else:
            lines.append((field.name, _text(value)))
    width = max(len(name) for name, _ in lines)
    return "\n".join(f"{name:{width}}  {text}" for name, text in lines)


def _text(value: object, group: str = "") -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) and group in _ADDRESSES:
        return f"{value:#x}"
    return "-" if value is None or not str(value) else str(value)
