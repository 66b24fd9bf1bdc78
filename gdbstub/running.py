"""Going on and stopping, beginning again and ending: vCont, c, s, C, S, ?, D, k, vKill, R, !.

References
----------
Debugging with GDB, Packets: vCont.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gdbstub.os_target import SupportsProcesses
from gdbstub.replies import OK, UNSUPPORTED, stop_reply
from gdbstub.requests import ALL, RequestError, data, fields, matches, number, thread_id
from gdbstub.target import Action, Exited, SupportsDetach, SupportsKill, SupportsRestart, ThreadId

if TYPE_CHECKING:
    from gdbstub.session import Session

_EVERY = ThreadId(ALL, ALL)


def last_stop(session: Session, _rest: bytes) -> bytes:
    """Say why the target is stopped (`?`)."""
    return stop_reply(session, session.last_stop)


def v_cont(session: Session, rest: bytes) -> bytes | None:
    """Go on thread by thread (`vCont`): the first action that means a thread is its."""
    if rest == b"?":
        return b"vCont;c;C;s;S;r"
    if not rest.startswith(b";"):
        raise RequestError("vCont without an action")
    _check_alive(session)
    wanted = [_action(text) for text in rest[1:].split(b";")]
    session.resume(
        {
            thread.id: action
            for thread in session.target.threads()
            for action in [next((a for who, a in wanted if matches(who, thread.id)), None)]
            if action is not None
        }
    )
    return None


def _action(text: bytes) -> tuple[ThreadId, Action]:
    """Return the meaning of an action of vCont, and the threads it is for."""
    what, colon, who = text.partition(b":")
    threads = thread_id(who) if colon else _EVERY
    verb, argument = what[:1], what[1:]
    if verb in {b"c", b"s"} and not argument:
        return threads, Action(step=verb == b"s")
    if verb in {b"C", b"S"} and len(argument) == 2:
        return threads, Action(step=verb == b"S", signal=number(argument))
    if verb == b"r":
        first, end = map(number, fields(argument, 2))
        return threads, Action(step=True, within=(first, end))
    raise RequestError(f"vCont action {what[:20]!r}, expected c, C, s, S or r")


def resume_at(session: Session, rest: bytes) -> None:
    """Go on (`c`), at an ADDRESS if given."""
    _go_on(session, Action(), rest)


def step_at(session: Session, rest: bytes) -> None:
    """Step (`s`), at an ADDRESS if given."""
    _go_on(session, Action(step=True), rest)


def resume_with_signal(session: Session, rest: bytes) -> None:
    """Go on with a signal (`C`): SIGNAL[;ADDRESS]."""
    signal, _, address = rest.partition(b";")
    _go_on(session, Action(signal=number(signal)), address)


def step_with_signal(session: Session, rest: bytes) -> None:
    """Step with a signal (`S`): SIGNAL[;ADDRESS]."""
    signal, _, address = rest.partition(b";")
    _go_on(session, Action(step=True, signal=number(signal)), address)


def _go_on(session: Session, action: Action, address: bytes) -> None:
    """Let the thread of Hc go on so; the others go on as well unless one was chosen."""
    _check_alive(session)
    chosen = session.continued or session.general
    if not session.thread_exists(chosen):
        raise RequestError(f"no thread {chosen.tid} in process {chosen.pid}")
    if address:
        session.target.write_registers(chosen, {session.architecture.pc: number(address)})
    others = () if session.continued else session.target.threads()
    session.resume({**{thread.id: Action() for thread in others}, chosen: action})


def _check_alive(session: Session) -> None:
    last = session.last_stop
    if not isinstance(last, Exited):
        return
    if all(thread.id.pid == last.pid for thread in session.target.threads()):
        raise RequestError("the target has ended")


# -- beginnings and ends


def extended_mode(session: Session, _rest: bytes) -> bytes:
    """Extended mode (`!`): the connection outlives the target, if that can begin again."""
    return OK if isinstance(session.target, SupportsRestart) else UNSUPPORTED


def restart(session: Session, rest: bytes) -> bytes | None:
    """Restart (`R`) XX: begin again; there is no reply."""
    if len(data(rest)) != 1:
        raise RequestError("R without two digits")
    if not isinstance(session.target, SupportsRestart):
        return UNSUPPORTED
    session.target.restart()
    return None


def detach(session: Session, rest: bytes) -> bytes:
    """Detach (`D`), from a PROCESS if given."""
    if rest:
        pid = _check_process(session, rest)
        if isinstance(session.target, SupportsProcesses) and session.target.detach_process(pid):
            return OK
    if isinstance(session.target, SupportsDetach):
        session.target.detach()
    session.closed = True
    return OK


def kill(session: Session, rest: bytes) -> bytes:
    """End a PROCESS (`vKill`)."""
    pid = _check_process(session, rest)
    if not isinstance(session.target, SupportsKill):
        return UNSUPPORTED
    session.target.kill(pid)
    others = isinstance(session.target, SupportsProcesses) and session.target.detach_process(pid)
    session.closed = not others
    return OK


def kill_all(session: Session, rest: bytes) -> bytes | None:
    """End everything (`k`): end the target; there is no reply."""
    if rest:
        raise RequestError("k takes no argument")
    if not isinstance(session.target, SupportsKill):
        return UNSUPPORTED
    for pid in sorted({thread.id.pid for thread in session.target.threads()}):
        session.target.kill(pid)
    session.closed = True
    return None


def _check_process(session: Session, rest: bytes) -> int:
    pid = number(rest.removeprefix(b";"))
    if all(thread.id.pid != pid for thread in session.target.threads()):
        raise RequestError(f"no process {pid}")
    return pid
