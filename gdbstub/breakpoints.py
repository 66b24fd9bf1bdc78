"""Breakpoints and watchpoints: Z0 to Z4, z0 to z4.

References
----------
Debugging with GDB, Packets: insert a breakpoint or watchpoint.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gdbstub.replies import OK, UNSUPPORTED
from gdbstub.requests import RequestError, fields, number
from gdbstub.target import Breakpoint, BreakpointKind, SupportsBreakpoints

if TYPE_CHECKING:
    from gdbstub.session import Session

_LONGEST = 1 << 32
"""Bytes a watchpoint may span."""


def insert(session: Session, rest: bytes) -> bytes:
    """Z KIND,ADDRESS,SIZE."""
    wanted = _parse(session, rest)
    if wanted is None or not isinstance(session.target, SupportsBreakpoints):
        return UNSUPPORTED
    session.target.insert_breakpoint(session.general, wanted)
    return OK


def remove(session: Session, rest: bytes) -> bytes:
    """Undo Z (`z`)."""
    wanted = _parse(session, rest)
    if wanted is None or not isinstance(session.target, SupportsBreakpoints):
        return UNSUPPORTED
    session.target.remove_breakpoint(session.general, wanted)
    return OK


def _parse(session: Session, rest: bytes) -> Breakpoint | None:
    """Return what a packet means; None: the target has no such breakpoints."""
    place, semicolon, _ = rest.partition(b";")
    kind_text, address, size = fields(place, 3)
    kind = number(kind_text)
    if not isinstance(session.target, SupportsBreakpoints):
        return None
    if kind not in session.target.breakpoint_kinds:
        return None
    if semicolon:
        raise RequestError("conditions and commands of breakpoints are gdb's own task here")
    wanted = Breakpoint(BreakpointKind(kind), number(address), number(size))
    if kind >= BreakpointKind.WRITE and not 0 < wanted.size <= _LONGEST:
        raise RequestError(f"{wanted.size} bytes to watch")
    return wanted
