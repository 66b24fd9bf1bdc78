"""The GDB Remote Serial Protocol as a library: bytes in, bytes out, behind one small `Target`.

It knows nothing of what is debugged, opens no socket but in `server`, and starts no thread.
"""

from gdbstub.arch import Architecture, Feature, Register
from gdbstub.server import Address, Listener, parse_address
from gdbstub.session import Session
from gdbstub.target import (
    Action,
    Breakpoint,
    BreakpointKind,
    Exited,
    Resume,
    Stop,
    StopKind,
    Target,
    TargetError,
    Thread,
    ThreadExited,
    ThreadId,
)

__all__ = [
    "Action",
    "Address",
    "Architecture",
    "Breakpoint",
    "BreakpointKind",
    "Exited",
    "Feature",
    "Listener",
    "Register",
    "Resume",
    "Session",
    "Stop",
    "StopKind",
    "Target",
    "TargetError",
    "Thread",
    "ThreadExited",
    "ThreadId",
    "parse_address",
]
