"""`monitor` commands about the past."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING

from gdbstub import TargetError
from pykern.debug.history.errands import Goal

if TYPE_CHECKING:
    from collections.abc import Callable

    from pykern.debug.history.history import History
    from pykern.debug.history.position import Position
    from pykern.debug.monitor import Command
    from pykern_c import Vcpu

_MIB = 1 << 20
_UNITS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9}


def _timeline(history: History, _arguments: list[str]) -> str:
    checkpoints = list(history.checkpoints)
    if not checkpoints:
        return "no history yet\n"
    points = [(c.position, "") for c in checkpoints]
    points += [(position, f"bookmark {name}") for name, position in history.bookmarks.items()]
    points += [(one.position, f"saved {name}") for name, one in history.saved]
    if history.here is not None:
        points.append((history.here, "<- here"))
    if history.journal.end is not None:
        points.append((history.journal.end, "end of what is recorded"))
    points.sort(key=lambda point: point[0].order)
    lines = [f"{at.now:>15} ns {at.total:>15} instructions  {text}".rstrip() for at, text in points]
    size = history.checkpoints.size / _MIB
    bound = history.checkpoints.bound / _MIB
    lines.append(
        f"{len(checkpoints)} checkpoints, {size:.0f} of {bound:.0f} MiB when last measured"
    )
    return "\n".join(lines) + "\n"


def _bookmark(history: History, arguments: list[str]) -> str:
    if history.here is None:
        raise TargetError("the machine does not stand still")
    if history.here.hostcall:
        raise TargetError("no bookmark in the middle of a hosted function")
    history.bookmarks[arguments[0]] = history.here
    return f"{arguments[0]}: {history.here.now} ns, {history.here.total} instructions\n"


def _goto(history: History, arguments: list[str]) -> str:
    here, text = history.here, arguments[0]
    if here is None or history.checkpoints.first is None:
        raise TargetError("there is no history")
    goal = _goal(history, here, text)
    history.wishes.destination = goal
    way = "reverse-continue" if goal.behind(here) else "continue"
    return f"now type: {way}\n"


def _goal(history: History, here: Position, text: str) -> Goal:
    """Return what is meant by a bookmark, +N or -N instructions, or a time.

    Raises
    ------
    TargetError : it is none of them
    """
    if text in history.bookmarks:
        return Goal(history.bookmarks[text])
    if re.fullmatch(r"[+-]\d{1,19}", text):
        return Goal(count=max(0, here.total + int(text)))
    match = re.fullmatch(r"(\d{1,19}(?:\.\d{1,9})?)(ns|us|ms|s)?", text)
    if match is None:
        raise TargetError(f"{text!r} is no bookmark, no +N or -N instructions, and no time")
    return Goal(time=int(Decimal(match[1]) * _UNITS[match[2] or "ns"]))


def commands(history: Callable[[], History]) -> dict[str, Command]:
    """Return the commands, of a history that is known when they are used."""

    def about(function: Callable[[History, list[str]], str]) -> Callable[[Vcpu, list[str]], str]:
        return lambda _vcpu, arguments: function(history(), arguments)

    return {
        "timeline": ("", "checkpoints, bookmarks, and where the machine is", about(_timeline)),
        "bookmark": ("NAME", "name this point, for `goto`", about(_bookmark)),
        "goto": ("WHERE", "a bookmark, a time (1.5s, 20ms), +N, -N instructions", about(_goto)),
    }
