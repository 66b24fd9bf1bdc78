"""Numbers of system calls as gdb knows them: it has Linux's names, whatever personality calls.

So `catch syscall write` catches write, which MelloOS gives the number 0 and Linux 1. A call that
Linux does not have gets the number it has beside Linux's calls (`pykern.kernel.abi.native`), or one
from `UNNAMED` on.
"""

from __future__ import annotations

import functools

from pykern.kernel.abi import linux_x86_64, native
from pykern.kernel.abi.tables import GATES

UNNAMED = 2000
"""Added to the numbers of calls that gdb has no name for."""


@functools.cache
def gdb_number(number: int, symbol: str) -> int:
    """Return by what number gdb knows a call.

    Parameters
    ----------
    number : as the program has put it into RAX
    symbol : the kernel's function that serves it
    """
    linux = {call.number: call.symbol for call in linux_x86_64.CALLS}
    if linux.get(number) == symbol:
        return number
    known = _by_name()
    for name in (*_names(number, symbol), symbol.removeprefix("sys_")):
        if name in known:
            return known[name]
    return UNNAMED + number


def _by_name() -> dict[str, int]:
    return {call.name: call.number for call in (*linux_x86_64.CALLS, *native.CALLS)}


def _names(number: int, symbol: str) -> list[str]:
    """Return what the personalities call it that have a function at that number."""
    calls = (call for table in GATES.values() for call in table)
    return [call.name for call in calls if (call.number, call.symbol) == (number, symbol)]
