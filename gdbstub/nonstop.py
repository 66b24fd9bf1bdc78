"""Non-stop mode: threads stop one by one while others run, and gdb may always ask.

A stop is told by a notification; `vStopped` acknowledges it and asks for the next one.

References
----------
Debugging with GDB, Remote Non-Stop; Notification Packets; Packets: vCtrlC, vStopped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gdbstub.replies import OK, UNSUPPORTED, stop_reply
from gdbstub.requests import RequestError
from gdbstub.target import Stop, SupportsNonStop

if TYPE_CHECKING:
    from collections import deque

    from gdbstub.session import Session
    from gdbstub.target import Exited, ThreadExited


def choose(session: Session, rest: bytes) -> bytes:
    """QNonStop:1 or 0."""
    if not isinstance(session.target, SupportsNonStop):
        return UNSUPPORTED
    if rest not in {b":0", b":1"}:
        raise RequestError("QNonStop is neither 0 nor 1")
    if session.target.running_threads():
        raise RequestError("threads are running")
    session.target.non_stop = session.non_stop = rest == b":1"
    return OK


def interrupt(session: Session, _rest: bytes) -> bytes:
    """Interrupt (`vCtrlC`): stop what runs, as Ctrl-C does; its stop is told later."""
    if not session.non_stop:
        raise RequestError("vCtrlC is for non-stop mode")
    assert isinstance(session.target, SupportsNonStop)
    if session.target.running_threads():
        session.target.interrupt()
    return OK


def stopped(session: Session, _rest: bytes) -> bytes:
    """Acknowledge a stop (`vStopped`), and ask for the next one."""
    if not session.non_stop:
        raise RequestError("vStopped is for non-stop mode")
    if session.untold:
        session.untold.popleft()
    return next_stop(session, session.untold)


def all_stops(session: Session) -> bytes:
    """Tell of a thread that is stopped (`?`).

    Of the others gdb is told with its next request: versions 13 to 18 abort on an assertion of
    their own if they get a second stop while they connect.
    """
    assert isinstance(session.target, SupportsNonStop)
    running = session.target.running_threads()
    stops = [
        session.stops.get(thread.id, Stop(thread.id, signal=0))
        for thread in session.target.threads()
        if thread.id not in running
    ]
    session.untold.clear()
    session.untold += stops[:1]
    session.late = stops[1:]
    return next_stop(session, session.untold)


def tells_late(session: Session, payload: bytes) -> bool:
    """Whether behind this request is the time to tell of the stops that are still to be told."""
    return bool(session.late) and not session.untold and payload not in {b"?", b"vStopped"}


def next_stop(session: Session, untold: deque[Stop | Exited | ThreadExited]) -> bytes:
    """Return the stop that is to be told next; OK: there is none."""
    return stop_reply(session, untold[0]) if untold else OK
