"""Breakpoints and watchpoints: Z0 to Z4, z0 to z4.

References
----------
Debugging with GDB, Packets: insert a breakpoint or watchpoint.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gdbstub.agent import AgentError, verify
from gdbstub.replies import OK, UNSUPPORTED
from gdbstub.requests import RequestError, data, fields, number
from gdbstub.target import Breakpoint, BreakpointKind

if TYPE_CHECKING:
    from gdbstub.session import Session

_LONGEST = 1 << 32
"""Bytes a watchpoint may span."""
_EXPRESSION = re.compile(rb";?X([0-9a-fA-F]{1,8}),")
_COMMANDS = re.compile(rb";cmds:[0-9a-fA-F]+,")


def insert(session: Session, rest: bytes) -> bytes:
    """Z KIND,ADDRESS,SIZE[;CONDITIONS][;cmds:PERSIST,COMMANDS], which replaces what was there."""
    wanted = _parse(session, rest)
    if wanted is None or session.breakpoints is None:
        return UNSUPPORTED
    session.breakpoints.insert_breakpoint(session.general, wanted)
    if wanted.kind >= BreakpointKind.WRITE:
        session.watched.add(wanted)
    return OK


def remove(session: Session, rest: bytes) -> bytes:
    """Undo Z (`z`)."""
    wanted = _parse(session, rest)
    if wanted is None or session.breakpoints is None:
        return UNSUPPORTED
    session.breakpoints.remove_breakpoint(session.general, wanted)
    session.watched.discard(wanted)
    return OK


def _parse(session: Session, rest: bytes) -> Breakpoint | None:
    """Return what a packet means; None: the target has no such breakpoints."""
    place, _, tail = rest.partition(b";")
    kind_text, address, size = fields(place, 3)
    kind = number(kind_text)
    if session.breakpoints is None or kind not in session.breakpoints.breakpoint_kinds:
        return None
    conditions, commands = _programs(session, tail)
    wanted = Breakpoint(BreakpointKind(kind), number(address), number(size), conditions, commands)
    if kind >= BreakpointKind.WRITE and not 0 < wanted.size <= _LONGEST:
        raise RequestError(f"{wanted.size} bytes to watch")
    return wanted


def _programs(session: Session, tail: bytes) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """Return the conditions and the commands that follow a place.

    Raises
    ------
    RequestError : they are malformed, or the target leaves them to gdb
    """
    if not tail:
        return (), ()
    if not session.breakpoint_agent:
        raise RequestError("conditions and commands of breakpoints are gdb's own task here")
    tail = b";" + tail
    begin = _COMMANDS.search(tail)
    if begin is None:
        return expressions(tail, 1), ()
    return expressions(tail[: begin.start()], 1), expressions(tail[begin.end() :], 0)


def expressions(text: bytes, results: int) -> tuple[bytes, ...]:
    """Return agent expressions, each given as X LENGTH,CODE.

    Parameters
    ----------
    results : values that each leaves, at least

    Raises
    ------
    RequestError : one is malformed, or could not be executed
    """
    found, at = [], 0
    while at < len(text):
        head = _EXPRESSION.match(text, at)
        if head is None:
            raise RequestError("an agent expression begins with X LENGTH,")
        end = head.end() + 2 * int(head[1], 16)
        code = data(text[head.end() : end])
        if end > len(text):
            raise RequestError(f"{len(code)} bytes of an agent expression of {int(head[1], 16)}")
        try:
            verify(code, results)
        except AgentError as error:
            raise RequestError(f"an agent expression that cannot be executed: {error}") from None
        found.append(code)
        at = end
    return tuple(found)
