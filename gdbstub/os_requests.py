"""Requests about processes and their system: QCatchSyscalls, QPassSignals, vAttach, and others.

References
----------
Debugging with GDB, General Query Packets; Packets: vAttach; Operating System Information;
Library List Format for SVR4 Targets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from gdbstub.os_target import (
    SupportsAuxv,
    SupportsLibraries,
    SupportsOsData,
    SupportsProcesses,
    SupportsSignals,
    SupportsSyscallCatch,
    SupportsThreadEvents,
    SupportsTls,
)
from gdbstub.replies import OK, UNSUPPORTED, stop_reply
from gdbstub.requests import RequestError, fields, number, thread_id
from gdbstub.target import Stop

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gdbstub.session import Session

_PROCESS_EVENTS = ("fork-events+", "vfork-events+", "exec-events+")
_FEATURES: tuple[tuple[type, tuple[str, ...]], ...] = (
    (SupportsSyscallCatch, ("QCatchSyscalls+",)),
    (SupportsSignals, ("QPassSignals+", "QProgramSignals+")),
    (SupportsThreadEvents, ("QThreadEvents+",)),
    (SupportsOsData, ("qXfer:osdata:read+",)),
    (SupportsAuxv, ("qXfer:auxv:read+",)),
    (SupportsLibraries, ("qXfer:libraries-svr4:read+",)),
)


def features(session: Session) -> list[str]:
    """Return what of this the target can do, in the words of qSupported."""
    known = [
        name for kind, names in _FEATURES if isinstance(session.target, kind) for name in names
    ]
    if isinstance(session.target, SupportsProcesses):
        known += [event for event in _PROCESS_EVENTS if event in session.client]
    return known


def catch_syscalls(session: Session, rest: bytes) -> bytes:
    """QCatchSyscalls:0, or 1 and the NUMBERS to catch; none: all. For the selected process."""
    if not isinstance(session.target, SupportsSyscallCatch):
        return UNSUPPORTED
    switch, semicolon, numbers = rest.removeprefix(b":").partition(b";")
    if switch not in {b"0", b"1"} or (switch == b"0" and semicolon):
        raise RequestError("QCatchSyscalls is neither 0 nor 1 with numbers")
    wanted = frozenset(map(number, numbers.split(b";"))) if semicolon else None
    if switch == b"0":
        wanted = frozenset()
    session.target.catch_syscalls(session.general.pid, wanted)
    return OK


def pass_signals(session: Session, rest: bytes) -> bytes:
    """QPassSignals:SIGNAL;…: deliver these without a stop."""
    if not isinstance(session.target, SupportsSignals):
        return UNSUPPORTED
    session.target.passed_signals = _signals(rest)
    return OK


def program_signals(session: Session, rest: bytes) -> bytes:
    """QProgramSignals:SIGNAL;…: those a program may get; each comes with its own C anyway."""
    if not isinstance(session.target, SupportsSignals):
        return UNSUPPORTED
    _signals(rest)
    return OK


def _signals(rest: bytes) -> frozenset[int]:
    words = rest.removeprefix(b":").split(b";")
    return frozenset(number(word) for word in words if word)


def thread_events(session: Session, rest: bytes) -> bytes:
    """QThreadEvents:0 or 1."""
    if not isinstance(session.target, SupportsThreadEvents):
        return UNSUPPORTED
    if rest not in {b":0", b":1"}:
        raise RequestError("QThreadEvents is neither 0 nor 1")
    session.target.thread_events = rest == b":1"
    return OK


def tls_address(session: Session, rest: bytes) -> bytes:
    """Find a thread-local variable (qGetTLSAddr): THREAD,OFFSET,MODULE."""
    if not isinstance(session.target, SupportsTls):
        return UNSUPPORTED
    who, offset, module = fields(rest.removeprefix(b":"), 3)
    thread = thread_id(who)
    if not session.thread_exists(thread):
        raise RequestError(f"no thread {who[:40].decode('latin-1')!r}")
    return b"%x" % session.target.tls_address(thread, number(offset), number(module))


def attach(session: Session, rest: bytes) -> bytes:
    """vAttach;PID: attend to a process, and stop."""
    if not isinstance(session.target, SupportsProcesses):
        return UNSUPPORTED
    thread = session.target.attach_process(number(rest.removeprefix(b";")))
    session.general, session.last_stop = thread, Stop(thread, signal=0)
    return stop_reply(session, session.last_stop)


# -- objects of qXfer


def auxv(session: Session, _annex: bytes) -> bytes | None:
    """Return what the system has told the selected process at its start."""
    if not isinstance(session.target, SupportsAuxv):
        return None
    return session.target.auxv(session.general)


def libraries(session: Session, _annex: bytes) -> bytes | None:
    """Return the list of what the selected process has loaded."""
    if not isinstance(session.target, SupportsLibraries):
        return None
    listed = "".join(
        f'<library name={quoteattr(path)} lm="{at:#x}" l_addr="{bias:#x}" l_ld="0x0" lmid="0x0"/>'
        for at, (path, bias) in enumerate(session.target.libraries(session.general), 1)
    )
    return f'<library-list-svr4 version="1.0">{listed}</library-list-svr4>'.encode()


def os_data(session: Session, annex: bytes) -> bytes | None:
    """Return a table of the system; without a name the table of tables."""
    if not isinstance(session.target, SupportsOsData):
        return None
    tables = session.target.os_tables()
    if not annex:
        return _table_xml(
            "types",
            [
                {"Type": name, "Description": text, "Title": name.capitalize()}
                for name, text in tables.items()
            ],
        )
    name = annex.decode("ascii", "replace")
    if name not in tables:
        raise RequestError(f"no table {name[:40]!r}, expected one of {', '.join(tables)}")
    return _table_xml(name, list(session.target.os_table(name)))


def _table_xml(name: str, rows: list[Mapping[str, str]]) -> bytes:
    items = "".join(
        "<item>"
        + "".join(
            f"<column name={quoteattr(column)}>{escape(text)}</column>"
            for column, text in row.items()
        )
        + "</item>"
        for row in rows
    )
    return f'<?xml version="1.0"?><osdata type={quoteattr(name)}>{items}</osdata>'.encode()
