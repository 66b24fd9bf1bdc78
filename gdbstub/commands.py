"""The packet table: what each request is called, and the function that answers it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gdbstub import (
    breakpoints,
    btrace,
    files,
    memory,
    nonstop,
    os_requests,
    queries,
    registers,
    reverse,
    running,
    tracing,
    transfers,
)
from gdbstub.replies import UNSUPPORTED

if TYPE_CHECKING:
    from collections.abc import Callable

    from gdbstub.session import Session

    Command = Callable[[Session, bytes], bytes | None]
    """Takes what follows the name; returns the reply, or None if none is due now."""


def _trace(name: bytes) -> Command:
    return lambda session, rest: tracing.command(session, name, rest)


COMMANDS: dict[bytes, Command] = {
    # What gdb asks first.
    b"qSupported": queries.supported,
    b"QStartNoAckMode": queries.start_no_ack_mode,
    b"qXfer": transfers.transfer,
    b"qAttached": queries.attached,
    b"qSymbol": queries.symbol,
    # Threads.
    b"H": queries.select_thread,
    b"T": queries.thread_alive,
    b"qC": queries.current_thread,
    b"qfThreadInfo": queries.first_threads,
    b"qsThreadInfo": queries.more_threads,
    b"qThreadExtraInfo": queries.thread_detail,
    # Registers.
    b"g": registers.read_general,
    b"G": registers.write_general,
    b"p": registers.read_one,
    b"P": registers.write_one,
    # Memory.
    b"m": memory.read_hex,
    b"M": memory.write_hex,
    b"x": memory.read_binary,
    b"X": memory.write_binary,
    b"qCRC": memory.crc,
    b"qSearch": memory.search,
    b"qqemu.sstepbits": queries.step_bits,
    b"Qqemu.sstepbits": queries.step_bits,  # as pwndbg asks whether there is a QEMU
    b"qqemu.sstep": queries.step_mode,
    b"Qqemu.sstep": queries.set_step_mode,
    b"qqemu.PhyMemMode": memory.physical_mode,
    b"Qqemu.PhyMemMode": memory.set_physical_mode,
    # Breakpoints.
    b"Z": breakpoints.insert,
    b"z": breakpoints.remove,
    # Tracing.
    **{name: _trace(name) for name in tracing.NAMES},
    b"Qbtrace": btrace.command,
    # Running.
    b"?": running.last_stop,
    b"vCont": running.v_cont,
    b"c": running.resume_at,
    b"C": running.resume_with_signal,
    b"s": running.step_at,
    b"S": running.step_with_signal,
    b"QNonStop": nonstop.choose,
    b"vCtrlC": nonstop.interrupt,
    b"vStopped": nonstop.stopped,
    b"bs": reverse.step,
    b"bc": reverse.go_on,
    # Beginnings and ends.
    b"!": running.extended_mode,
    b"D": running.detach,
    b"k": running.kill_all,
    b"vKill": running.kill,
    b"R": running.restart,
    b"vRun": running.run,
    # Processes and their system.
    b"QCatchSyscalls": os_requests.catch_syscalls,
    b"QPassSignals": os_requests.pass_signals,
    b"QProgramSignals": os_requests.program_signals,
    b"QThreadEvents": os_requests.thread_events,
    b"qGetTLSAddr": os_requests.tls_address,
    b"vAttach": os_requests.attach,
    # The rest.
    b"qRcmd": queries.monitor,
    b"vFile": files.operation,
}

_LONG_NAME = re.compile(rb"[qQv][A-Za-z.]+|b[sc]$")


def split(payload: bytes) -> tuple[bytes, bytes]:
    """Return a request's name and what follows it."""
    match = _LONG_NAME.match(payload)
    end = match.end() if match else 1
    return payload[:end], payload[end:]


def execute(session: Session, payload: bytes) -> bytes | None:
    """Return the reply to a request, None if none is due now; what is unknown gets an empty one.

    Raises
    ------
    RequestError : it is malformed
    TargetError : the target cannot do it
    """
    name, rest = split(payload)
    command = COMMANDS.get(name)
    return UNSUPPORTED if command is None else command(session, rest)
