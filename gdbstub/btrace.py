"""Branch trace: what each thread has executed, block by block, for `record btrace`.

References
----------
Debugging with GDB, General Query Packets: Qbtrace, Qbtrace-conf, qXfer btrace; Branch Trace Format;
Branch Trace Configuration Format.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gdbstub.replies import OK, UNSUPPORTED
from gdbstub.requests import RequestError, number
from gdbstub.target import SupportsBranchTrace

if TYPE_CHECKING:
    from gdbstub.session import Session

FEATURES = (
    *("Qbtrace:off+", "Qbtrace:bts+", "Qbtrace-conf:bts:size+"),
    *("qXfer:btrace:read+", "qXfer:btrace-conf:read+"),
)
_BLOCK_SIZE = 24
"""Bytes that a branch takes in the buffer of a processor (SDM Vol. 3B, BTS Record): gdb's unit."""
_SIZE = b"-conf:bts:size="


def command(session: Session, rest: bytes) -> bytes:
    """Qbtrace:bts, Qbtrace:off, Qbtrace-conf:bts:size=SIZE, for the thread of Hg."""
    target = session.target
    if not isinstance(target, SupportsBranchTrace):
        return UNSUPPORTED
    if rest.startswith(_SIZE):
        session.branches = max(number(rest.removeprefix(_SIZE).removeprefix(b"0x")), 1)
        return OK
    traced = target.branches(session.general) is not None
    if rest == b":bts":
        if traced:
            raise RequestError("branches are traced already")
        target.trace_branches(session.general, max(session.branches // _BLOCK_SIZE, 1))
    elif rest == b":off":
        if not traced:
            raise RequestError("branches are not traced")
        target.trace_branches(session.general, 0)
    else:
        return UNSUPPORTED
    return OK


def read(session: Session, annex: bytes) -> bytes | None:
    """Return the trace: all of it, or `new`, all of it if there is more than at the last time."""
    blocks = _blocks(session)
    if blocks is None:
        return None
    if annex not in {b"all", b"new"}:
        raise RequestError("a branch trace is read whole")
    rows = "".join(f'<block begin="{begin:#x}" end="{end:#x}"/>' for begin, end in blocks)
    return f'<btrace version="1.0">{rows}</btrace>'.encode()


def configuration(session: Session, _annex: bytes) -> bytes | None:
    """Return how it is traced; an error where it is not, or gdb would replay what is no trace."""
    if _blocks(session) is None:
        return None
    size = session.branches
    return f'<btrace-conf version="1.0"><bts size="{size:#x}"/></btrace-conf>'.encode()


def _blocks(session: Session) -> list[tuple[int, int]] | None:
    if not isinstance(session.target, SupportsBranchTrace):
        return None
    blocks = session.target.branches(session.general)
    if blocks is None:
        raise RequestError("branches are not traced")
    return blocks
