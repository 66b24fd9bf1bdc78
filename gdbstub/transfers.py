"""Objects that are read in parts: qXfer.

References
----------
Debugging with GDB, General Query Packets: qXfer; Thread List Format; Memory Map Format.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from gdbstub import btrace, os_requests, tracing
from gdbstub.replies import UNSUPPORTED, part
from gdbstub.requests import RequestError, fields, number
from gdbstub.target import SupportsExecFile, SupportsMemoryMap

if TYPE_CHECKING:
    from collections.abc import Callable

    from gdbstub.session import Session
    from gdbstub.target import Thread


def transfer(session: Session, rest: bytes) -> bytes:
    """qXfer:OBJECT:read:ANNEX:OFFSET,LENGTH."""
    words = rest.removeprefix(b":").rsplit(b":", 1)
    name, _, tail = words[0].partition(b":")
    verb, _, annex = tail.partition(b":")
    read = _OBJECTS.get(name)
    if read is None or verb != b"read":
        return UNSUPPORTED
    if len(words) != 2:
        raise RequestError("qXfer without offset and length")
    offset, length = map(number, fields(words[1], 2))
    whole = read(session, annex)
    return UNSUPPORTED if whole is None else part(whole, offset, length)


def _features(session: Session, annex: bytes) -> bytes:
    if annex != b"target.xml":
        raise RequestError(f"no description {annex[:40].decode('latin-1')!r}", 0)
    return session.describe().xml.encode()


def _threads(session: Session, _annex: bytes) -> bytes:
    return f"<threads>{''.join(map(_thread_xml, session.target.threads()))}</threads>".encode()


def _thread_xml(thread: Thread) -> str:
    core = "" if thread.core is None else f' core="{thread.core}"'
    name = f" name={quoteattr(thread.name)}" if thread.name else ""
    where = f'id="p{thread.id.pid:x}.{thread.id.tid:x}"'
    return f"<thread {where}{core}{name}>{escape(thread.detail)}</thread>"


def _memory_map(session: Session, _annex: bytes) -> bytes | None:
    if not isinstance(session.target, SupportsMemoryMap):
        return None
    regions = "".join(
        f'<memory type="{kind}" start="{start:#x}" length="{size:#x}"/>'
        for kind, start, size in session.target.memory_map()
    )
    return f"<memory-map>{regions}</memory-map>".encode()


def _exec_file(session: Session, annex: bytes) -> bytes | None:
    if not isinstance(session.target, SupportsExecFile):
        return None
    return session.target.exec_file(number(annex) if annex else session.general.pid).encode()


_OBJECTS: dict[bytes, Callable[[Session, bytes], bytes | None]] = {
    b"features": _features,
    b"threads": _threads,
    b"memory-map": _memory_map,
    b"exec-file": _exec_file,
    b"btrace": btrace.read,
    b"btrace-conf": btrace.configuration,
    b"traceframe-info": tracing.frame_info,
    b"auxv": os_requests.auxv,
    b"libraries-svr4": os_requests.libraries,
    b"osdata": os_requests.os_data,
}
