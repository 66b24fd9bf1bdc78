"""Accesses to watched memory: noted in the middle of an instruction, told behind it.

A write that leaves what is watched as it was is none for gdb, which compares values itself and goes
on without a word; so it is not told. What reads, or watches more than a page, is always told.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gdbstub import BreakpointKind, Stop, StopKind, ThreadId

if TYPE_CHECKING:
    from gdbstub import Breakpoint
    from pykern_c import Machine, Vcpu

_STOP_KINDS = {
    BreakpointKind.WRITE: StopKind.WATCH,
    BreakpointKind.READ: StopKind.RWATCH,
    BreakpointKind.ACCESS: StopKind.AWATCH,
}
_MOST_COMPARED = 4096


@dataclass(frozen=True)
class _Access:
    """One of a watchpoint's.

    Attributes
    ----------
    before : what was there; None: it is not compared
    """

    vcpu: Vcpu
    watched: Breakpoint
    address: int
    before: bytes | None


class Accesses:
    """What the present instruction has done to watched memory."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._noted: list[_Access] = []

    def note(self, vcpu: Vcpu, watched: Breakpoint, laddr: int, _size: int) -> None:
        """Take an access before it is done."""
        if all(noted.watched != watched for noted in self._noted):
            address = max(laddr, watched.address)
            self._noted.append(_Access(vcpu, watched, address, _value(vcpu, watched)))

    def stop(self) -> Stop | None:
        """Return the stop behind the instruction; None: nothing has changed."""
        told = [noted for noted in self._noted if _counts(noted)]
        self._noted.clear()
        if not told:
            return None
        seen = [(_STOP_KINDS[noted.watched.kind], noted.address) for noted in told]
        thread = ThreadId(1, told[0].vcpu.index + 1)
        return Stop(thread, kind=seen[0][0], address=seen[0][1], others=tuple(seen[1:]))


def _value(vcpu: Vcpu, watched: Breakpoint) -> bytes | None:
    if watched.kind != BreakpointKind.WRITE or watched.size > _MOST_COMPARED:
        return None
    try:
        return vcpu.read_linear(watched.address, watched.size)
    except ValueError:
        return None


def _counts(noted: _Access) -> bool:
    return noted.before is None or _value(noted.vcpu, noted.watched) != noted.before
