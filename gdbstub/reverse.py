"""Going back in time: bs, bc.

References
----------
Debugging with GDB, Packets: bc, bs; Stop Reply Packets: replaylog.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gdbstub.replies import UNSUPPORTED
from gdbstub.requests import RequestError
from gdbstub.running import check_alive
from gdbstub.target import SupportsReverse

if TYPE_CHECKING:
    from gdbstub.session import Session


def step(session: Session, _rest: bytes) -> bytes | None:
    """Go back by one instruction (`bs`) of the thread of Hc."""
    return _back(session, step=True)


def go_on(session: Session, _rest: bytes) -> bytes | None:
    """Go back to the last stop (`bc`), whichever thread's it was."""
    return _back(session, step=False)


def _back(session: Session, *, step: bool) -> bytes | None:
    target = session.target
    if not isinstance(target, SupportsReverse):
        return UNSUPPORTED
    check_alive(session)
    if session.non_stop:
        raise RequestError("in non-stop mode there is no way back")
    chosen = session.continued or session.general
    session.set_off(lambda: target.reverse(chosen, step=step))
    return None
