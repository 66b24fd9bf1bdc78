"""A conversation that another process goes on with: what of it has to be known there.

The target stays where it is; everything else that a session remembers is plain data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gdbstub.session import Session

if TYPE_CHECKING:
    from gdbstub.target import Target

_OF_TARGET = frozenset(("target", "breakpoints", "breakpoint_agent", "tracer", "packed"))
"""What a session takes from its target; a trace experiment stays with that."""


def pack(session: Session) -> dict[str, Any]:
    """Return what a session remembers, which can be pickled."""
    return {name: value for name, value in vars(session).items() if name not in _OF_TARGET}


def unpack(state: dict[str, Any], target: Target) -> Session:
    """Return the session that goes on with a conversation, about another target."""
    session = Session(target)
    vars(session).update(state)
    return session
