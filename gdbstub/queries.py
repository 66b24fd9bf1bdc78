"""Queries and settings: features, threads, `monitor`.

References
----------
Debugging with GDB, General Query Packets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gdbstub import btrace, os_requests
from gdbstub.replies import OK, PACKET_SIZE, UNSUPPORTED, thread_text
from gdbstub.requests import RequestError, matches, number, text_of, thread_id
from gdbstub.target import (
    SupportsBranchTrace,
    SupportsExecFile,
    SupportsMemoryMap,
    SupportsMonitor,
    SupportsNonStop,
    SupportsQemuStep,
    SupportsReverse,
    TargetError,
)

if TYPE_CHECKING:
    from gdbstub.session import Session
    from gdbstub.target import Thread


_TRACING = (
    "ConditionalTracepoints+",
    "TracepointSource+",
    "EnableDisableTracepoints+",
    "DisconnectedTracing+",
    "QTBuffer:size+",
    "tracenz+",
    "qXfer:traceframe-info:read+",
)

_CAPABILITIES: tuple[tuple[type, tuple[str, ...]], ...] = (
    (SupportsNonStop, ("QNonStop+",)),
    (SupportsMemoryMap, ("qXfer:memory-map:read+",)),
    (SupportsExecFile, ("qXfer:exec-file:read+",)),
    (SupportsReverse, ("ReverseStep+", "ReverseContinue+")),
    (SupportsBranchTrace, btrace.FEATURES),
)


def supported(session: Session, rest: bytes) -> bytes:
    """qSupported[:FEATURE;…]: what both sides can do; only what is there is named."""
    text = rest.removeprefix(b":").decode("ascii", "replace")
    if text:  # a plug-in of gdb asks without saying anything of gdb
        session.client = frozenset(filter(None, text.split(";")))
    features = [
        f"PacketSize={PACKET_SIZE:x}",
        "QStartNoAckMode+",
        "qXfer:features:read+",
        "qXfer:threads:read+",
        "vContSupported+",
        "binary-upload+",
    ]
    if "multiprocess+" in session.client:
        features.append("multiprocess+")
    if session.breakpoints is not None:
        features += [f for f in ("swbreak+", "hwbreak+") if f in session.client]
    if "multi-wp-addr+" in session.client and session.breakpoints is not None:
        features.append("multi-wp-addr+")
    if session.tracer is not None:
        features += _TRACING
    if session.breakpoint_agent:
        features += ["ConditionalBreakpoints+", "BreakpointCommands+"]
    features += os_requests.features(session)
    features += [
        f for kind, more in _CAPABILITIES if isinstance(session.target, kind) for f in more
    ]
    return ";".join(features).encode()


def start_no_ack_mode(session: Session, _rest: bytes) -> bytes:
    """QStartNoAckMode: the connection loses nothing."""
    session.acknowledge = False
    return OK


def attached(_session: Session, _rest: bytes) -> bytes:
    """qAttached: the target was there before gdb, so leaving it is to detach."""
    return b"1"


def symbol(_session: Session, _rest: bytes) -> bytes:
    """qSymbol: no symbol of gdb's is needed."""
    return OK


# -- threads


def _find(session: Session, text: bytes) -> Thread:
    """Return the first thread that an id means, which may be the selected one.

    Raises
    ------
    RequestError : there is none
    """
    wanted = thread_id(text)
    threads = [t for t in session.target.threads() if matches(wanted, t.id)]
    if not threads:
        raise RequestError(f"no thread {text[:40].decode('latin-1')!r}")
    return next((t for t in threads if t.id == session.general), threads[0])


def select_thread(session: Session, rest: bytes) -> bytes:
    """H g or c, THREAD."""
    use, who = rest[:1], rest[1:]
    if use == b"g":
        session.general = _find(session, who).id
        session.visited.add(session.general)
    elif use == b"c":
        one = _find(session, who).id
        session.continued = one if thread_id(who) == one else None
    else:
        raise RequestError(f"H{use.decode('latin-1')}, expected Hg or Hc")
    return OK


def thread_alive(session: Session, rest: bytes) -> bytes:
    """T THREAD."""
    if not session.thread_exists(thread_id(rest)):
        raise RequestError("no such thread")
    return OK


def current_thread(session: Session, _rest: bytes) -> bytes:
    """Name the selected thread (`qC`)."""
    return b"QC" + thread_text(session, session.general)


_THREADS_PER_REPLY = 256
_STEP_MODES = 7


def first_threads(session: Session, _rest: bytes) -> bytes:
    """qfThreadInfo: begin the list of threads."""
    session.listed = [thread.id for thread in session.target.threads()]
    return more_threads(session, b"")


def more_threads(session: Session, _rest: bytes) -> bytes:
    """qsThreadInfo: go on with it; `l` ends it."""
    some = session.listed[:_THREADS_PER_REPLY]
    del session.listed[:_THREADS_PER_REPLY]
    return b"m" + b",".join(thread_text(session, t) for t in some) if some else b"l"


def thread_detail(session: Session, rest: bytes) -> bytes:
    """qThreadExtraInfo,THREAD: words about it."""
    wanted = thread_id(rest.removeprefix(b","))
    thread = next((t for t in session.target.threads() if t.id == wanted), None)
    if thread is None:
        raise RequestError("no such thread")
    words = " ".join(filter(None, (thread.name, thread.detail)))
    return (words or "running").encode().hex().encode()


# -- monitor


def monitor(session: Session, rest: bytes) -> bytes:
    """qRcmd,COMMAND: what the target's own commands print."""
    if not isinstance(session.target, SupportsMonitor):
        return UNSUPPORTED
    if not rest.startswith(b","):
        raise RequestError("qRcmd without a command")
    command = text_of(rest[1:])
    try:
        text = session.target.monitor(session.looked_at, command)
    except TargetError as error:
        text = str(error)
    session.show(text if not text or text.endswith("\n") else f"{text}\n")
    return OK


# -- QEMU's choice of what a single step is


def step_bits(session: Session, _rest: bytes) -> bytes:
    """qqemu.sstepbits: what the bits of the mode are called."""
    if not isinstance(session.target, SupportsQemuStep):
        return UNSUPPORTED
    return b"ENABLE=1,NOIRQ=2,NOTIMER=4"


def step_mode(session: Session, _rest: bytes) -> bytes:
    """qqemu.sstep: the mode."""
    if not isinstance(session.target, SupportsQemuStep):
        return UNSUPPORTED
    return b"0x%x" % session.target.step_mode


def set_step_mode(session: Session, rest: bytes) -> bytes:
    """Qqemu.sstep=MODE, or with a colon."""
    if not isinstance(session.target, SupportsQemuStep):
        return UNSUPPORTED
    if rest[:1] not in {b"=", b":"} or number(rest[1:]) > _STEP_MODES:
        raise RequestError(f"sstep mode, expected = and 0 to {_STEP_MODES}")
    session.target.step_mode = number(rest[1:])
    return OK
