"""Going on and stopping, beginning again and ending: vCont, c, s, C, S, ?, D, k, vKill, R, !.

References
----------
Debugging with GDB, Packets: vCont.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gdbstub import nonstop
from gdbstub.os_target import SupportsProcesses
from gdbstub.replies import OK, UNSUPPORTED, stop_reply, thread_text
from gdbstub.requests import ALL, RequestError, data, fields, matches, number, thread_id
from gdbstub.target import (
    Action,
    Exited,
    Stop,
    SupportsDetach,
    SupportsKill,
    SupportsNonStop,
    SupportsRestart,
    ThreadId,
)

if TYPE_CHECKING:
    from gdbstub.session import Session

_EVERY = ThreadId(ALL, ALL)


def last_stop(session: Session, _rest: bytes) -> bytes:
    """Say why the target is stopped (`?`)."""
    if session.non_stop:
        return nonstop.all_stops(session)
    return stop_reply(session, session.last_stop)


def v_cont(session: Session, rest: bytes) -> bytes | None:
    """Go on thread by thread (`vCont`): the first action that means a thread is its."""
    if rest == b"?":
        both = isinstance(session.target, SupportsNonStop)
        return b"vCont;c;C;s;S;t;r" if both else b"vCont;c;C;s;S;r"
    if not rest.startswith(b";"):
        raise RequestError("vCont without an action")
    check_alive(session)
    wanted = [_action(text) for text in rest[1:].split(b";")]
    actions = {
        thread.id: action
        for thread in session.target.threads()
        for action in [next((a for who, a in wanted if matches(who, thread.id)), None)]
        if action is not None
    }
    if session.non_stop:
        return _change(session, actions)
    if _HALT in actions.values():
        raise RequestError("vCont;t is for non-stop mode")
    session.resume(actions)
    return None


def _change(session: Session, actions: dict[ThreadId, Action]) -> bytes:
    """Let threads go on or stop in non-stop mode; what a thread does already is no change."""
    assert isinstance(session.target, SupportsNonStop)
    running = session.target.running_threads()
    go = {who: a for who, a in actions.items() if a != _HALT and who not in running}
    if go:
        session.resume(go)
    halting = [who for who, action in actions.items() if action == _HALT and who in running]
    if halting:
        session.target.stop_threads(halting)
    return OK


_HALT = Action(signal=-1)
"""Stands for vCont's `t`."""


def _action(text: bytes) -> tuple[ThreadId, Action]:
    """Return the meaning of an action of vCont, and the threads it is for."""
    what, colon, who = text.partition(b":")
    threads = thread_id(who) if colon else _EVERY
    verb, argument = what[:1], what[1:]
    if verb in {b"c", b"s"} and not argument:
        return threads, Action(step=verb == b"s")
    if verb == b"t" and not argument:
        return threads, _HALT
    if verb in {b"C", b"S"} and len(argument) == 2:
        return threads, Action(step=verb == b"S", signal=number(argument))
    if verb == b"r":
        first, end = map(number, fields(argument, 2))
        return threads, Action(step=True, within=(first, end))
    raise RequestError(f"vCont action {what[:20]!r}, expected c, C, s, S, t or r")


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
    check_alive(session)
    if session.non_stop:
        raise RequestError("in non-stop mode threads go on by vCont")
    chosen = session.continued or session.general
    if not session.thread_exists(chosen):
        raise RequestError(f"no thread {chosen.tid} in process {chosen.pid}")
    if address:
        session.target.write_registers(chosen, {session.architecture.pc: number(address)})
    others = () if session.continued else session.target.threads()
    session.resume({**{thread.id: Action() for thread in others}, chosen: action})


def check_alive(session: Session) -> None:
    """Refuse to run what has ended.

    Raises
    ------
    RequestError : the target has ended
    """
    last = session.last_stop
    if not isinstance(last, Exited):
        return
    if all(thread.id.pid == last.pid for thread in session.target.threads()):
        raise RequestError("the target has ended")


# -- beginnings and ends


def extended_mode(session: Session, rest: bytes) -> bytes:
    """Extended mode (`!`): the connection outlives the target, if that can begin again."""
    if rest:
        raise RequestError("! takes no argument")
    if not isinstance(session.target, SupportsRestart):
        return UNSUPPORTED
    session.extended = True
    return OK


def restart(session: Session, rest: bytes) -> bytes | None:
    """Restart (`R`) XX: begin again; there is no reply."""
    if len(data(rest)) != 1:
        raise RequestError("R without two digits")
    if not isinstance(session.target, SupportsRestart):
        return UNSUPPORTED
    session.target.restart()
    return None


def run(session: Session, rest: bytes) -> bytes:
    """Run a PROGRAM with ARGUMENTS (`vRun`): begin again with the same one; no other is known."""
    if not isinstance(session.target, SupportsRestart):
        return UNSUPPORTED
    if not rest.startswith(b";"):
        raise RequestError("vRun without a program")
    for word in rest[1:].split(b";"):
        data(word)
    session.target.restart()
    session.killed = None
    session.general = session.target.threads()[0].id
    session.last_stop = Stop(session.general)
    # No registers: the target may begin again only when this has been said.
    return b"T05thread:%b;" % thread_text(session, session.general)


def detach(session: Session, rest: bytes) -> bytes:
    """Detach (`D`), from a PROCESS if given."""
    if rest:
        pid = _check_process(session, rest)
        if isinstance(session.target, SupportsProcesses) and session.target.detach_process(pid):
            return OK
    if isinstance(session.target, SupportsDetach):
        session.target.detach()
    if _may_run_again(session):
        session.last_stop = Exited(session.general.pid, 0)
    else:
        session.closed = True
    return OK


def _may_run_again(session: Session) -> bool:
    """Whether the target is one program that gdb may run again, and has said that it might."""
    target = session.target
    whole = isinstance(target, SupportsRestart) and not isinstance(target, SupportsProcesses)
    return session.extended and whole


def kill(session: Session, rest: bytes) -> bytes:
    """End a PROCESS (`vKill`)."""
    pid = _check_process(session, rest)
    if not isinstance(session.target, SupportsKill):
        return UNSUPPORTED
    if _may_run_again(session):
        # gdb may want to run it again; if it goes away instead, that is the end.
        session.killed = pid
        session.last_stop = Exited(pid, 0)
        return OK
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
