"""`monitor` commands about states that are kept: save, load, and QEMU's names of them."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from gdbstub import TargetError
from pykern.debug.history.travel import Journey

if TYPE_CHECKING:
    from collections.abc import Callable

    from pykern.debug.history.history import History
    from pykern.debug.history.reversible_target import ReversibleTarget
    from pykern.debug.monitor import Command

_NOW = "now type: continue\n"


def commands(target: ReversibleTarget, history: Callable[[], History]) -> dict[str, Command]:
    """Return the commands, of a history that is known when they are used."""

    def save(name: str) -> str:
        position = history().save(name)
        return f"{name}: {position.now} ns, {position.total} instructions\n"

    def load(name: str) -> str:
        saved = history().saved.get(name)
        if saved is None:
            known = ", ".join(history().saved) or "none"
            raise TargetError(f"no state {name!r} is kept; there are: {known}")
        if target.execution.non_stop:
            raise TargetError("in non-stop mode no state can be gone back to")
        target.loading = functools.partial(Journey.load, saved=saved, name=name)
        return _NOW

    def drop(name: str) -> str:
        if name not in history().saved:
            raise TargetError(f"no state {name!r} is kept")
        history().drop(name)
        return ""

    def command(text: str, function: Callable[[str], str]) -> Command:
        return "NAME", text, lambda _vcpu, arguments: function(arguments[0])

    return {
        "save": command("keep the state of the machine, for `load`", save),
        "load": command("go on from a state that was kept; what came after is forgotten", load),
        "savevm": command("the same as save, in QEMU's words", save),
        "loadvm": command("the same as load, in QEMU's words", load),
        "delvm": command("keep a state no longer", drop),
    }
