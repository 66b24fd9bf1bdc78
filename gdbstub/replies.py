"""Replies that several requests share: stops, errors, thread ids, parts of long texts.

References
----------
Debugging with GDB, Stop Reply Packets; Standard Replies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gdbstub import events
from gdbstub.requests import RequestError
from gdbstub.target import Exited, Stop, StopKind, TargetError, ThreadExited

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gdbstub.arch import Register
    from gdbstub.session import Session
    from gdbstub.target import Target, ThreadId

OK = b"OK"
UNSUPPORTED = b""
PACKET_SIZE = 0x4000
"""Bytes of the longest packet that gdb may send, and that it is sent."""
MOST_HEX = (PACKET_SIZE - 16) // 2
"""Bytes that a reply can hold in hexadecimal, or escaped where each needs it."""
_EFAULT = 14
_WORD = 64
_FRAMING = str.maketrans(dict.fromkeys("$#}*", " "))


def error_reply(session: Session, error: RequestError | TargetError) -> bytes:
    """Return the error in words if gdb understands them, else by number."""
    if "error-message+" in session.client:
        return b"E." + str(error).translate(_FRAMING).encode()
    number = error.number if isinstance(error, RequestError) else _EFAULT
    return b"E%02x" % number


def thread_text(session: Session, thread: ThreadId) -> bytes:
    """Return a thread id as gdb reads it."""
    if "multiprocess+" in session.client:
        return b"p%x.%x" % thread
    return b"%x" % thread.tid


def stop_reply(session: Session, reason: Stop | Exited | ThreadExited) -> bytes:
    """Return the packet that tells of a stop."""
    if isinstance(reason, Exited):
        process = b";process:%x" % reason.pid if "multiprocess+" in session.client else b""
        if reason.signal:
            return b"X%02x%b" % (reason.signal, process)
        return b"W%02x%b" % (reason.status & 0xFF, process)
    if isinstance(reason, ThreadExited):
        return b"w%02x;%b" % (reason.status & 0xFF, thread_text(session, reason.thread))
    parts = [b"thread:" + thread_text(session, reason.thread)]
    core = next((t.core for t in session.target.threads() if t.id == reason.thread), None)
    if core is not None:
        parts.append(b"core:%x" % core)
    parts += _expedited(session, reason.thread)
    parts += _kind(session, reason)
    if reason.event is not None:
        parts.append(events.words(reason.event, lambda thread: thread_text(session, thread)))
    return b"T%02x%b;" % (reason.signal, b";".join(parts))


def _kind(session: Session, stop: Stop) -> list[bytes]:
    match stop.kind:
        case StopKind.SIGNAL:
            return []
        case StopKind.SWBREAK | StopKind.HWBREAK:
            known = f"{stop.kind.value}+" in session.client
            return [stop.kind.value.encode() + b":"] if known else []
        case StopKind.REPLAY_BEGIN | StopKind.REPLAY_END:
            return [stop.kind.value.encode()]
    seen: list[tuple[StopKind, int]] = [(stop.kind, stop.address)]
    if "multi-wp-addr+" in session.client:
        seen += stop.others
    return [b"%b:%x" % (kind.value.encode(), address) for kind, address in seen]


def _expedited(session: Session, thread: ThreadId) -> list[bytes]:
    """Return the registers that come with a stop.

    Of a thread that gdb has visited and not let go on it believes to know all registers; it gets
    them anew.
    """
    arch = session.architecture
    if thread in session.visited and session.going and thread.pid not in session.going:
        registers = [one for one in arch.features[0].registers if one.bits <= _WORD]
    else:
        registers = [arch.registers[arch.numbers[name]] for name in arch.expedited]
    values = read_registers(session.target, thread, registers)
    return [
        b"%02x:%b" % (arch.numbers[register.name], value)
        for register, value in zip(registers, values, strict=True)
    ]


def read_registers(target: Target, thread: ThreadId, registers: Sequence[Register]) -> list[bytes]:
    """Return registers in hexadecimal, `x` for what cannot be known."""
    values = target.read_registers(thread, [register.name for register in registers])
    return [
        b"xx" * (bits >> 3)
        if value is None
        else (value & (1 << bits) - 1).to_bytes(bits >> 3, "little").hex().encode()
        for bits, value in zip([register.bits for register in registers], values, strict=True)
    ]


def part(whole: bytes, offset: int, length: int) -> bytes:
    """Return a part of a long text: `m` and the part, `l` and the last one."""
    length = min(length, MOST_HEX)
    end = offset + length
    return (b"l" if end >= len(whole) else b"m") + whole[offset:end]
