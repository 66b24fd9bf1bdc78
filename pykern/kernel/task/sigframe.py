"""What a signal handler finds on its stack, and the way back from it.

References
----------
Linux, arch/x86/include/uapi/asm/{sigcontext,ucontext}.h, include/uapi/asm-generic/siginfo.h.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from pykern.kernel.task.sigaction import SA_ONSTACK, SigAction, SigInfo, Signal
from pykern.kernel.task.thread import SignalStack
from pykern.kernel.x86 import fxsave
from pykern.kernel.x86.layout import SELECTORS
from pykern.kernel.x86.trapframe import sanitised_rflags

if TYPE_CHECKING:
    from pykern.kernel.task.thread import UserThread
    from pykern_c import Vcpu

_GENERAL = (
    *("r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "rdi", "rsi", "rbp", "rbx", "rdx"),
    *("rax", "rcx", "rsp", "rip", "rflags"),
)
"""Registers of struct sigcontext, in their order."""
_SIGCONTEXT = struct.Struct("<18Q4H5Q64x")
_UCONTEXT_HEAD = struct.Struct("<QQQI4xQ")
_PRETCODE, _MASK = struct.Struct("<Q"), struct.Struct("<Q")
SIGINFO_SIZE = 128
_UCONTEXT = _PRETCODE.size
_CONTEXT = _UCONTEXT + _UCONTEXT_HEAD.size
_MASK_AT = _CONTEXT + _SIGCONTEXT.size
_INFO = _MASK_AT + _MASK.size
FRAME_SIZE = _INFO + SIGINFO_SIZE
_RED_ZONE = 128
_UC_FLAGS = 0x6
"""UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS."""
SS_ONSTACK, SS_DISABLE, SS_AUTODISARM = 1, 2, 1 << 31
FAULTS = (Signal.SIGSEGV, Signal.SIGBUS, Signal.SIGILL, Signal.SIGFPE, Signal.SIGTRAP)


def push(thread: UserThread, vcpu: Vcpu, action: SigAction, info: SigInfo, mask: int) -> None:
    """Make a thread enter a handler: write its frame and change its registers.

    Parameters
    ----------
    mask : signals that are blocked again when the handler is done

    Raises
    ------
    SysError(EFAULT) : there is no room on the stack
    """
    space, fields, stack = thread.process.space, thread.frame.read(), thread.signal_stack
    fpstate = (_stack_top(thread, action, fields["rsp"]) - fxsave.SIZE) & -64
    where = ((fpstate - FRAME_SIZE) & -16) - 8
    selectors = (fields["cs"], 0, 0, fields["ss"])
    context = _SIGCONTEXT.pack(
        *(fields[name] for name in _GENERAL),
        *selectors,
        fields["error_code"] if info.signal in FAULTS else 0,
        fields["vector"] & 0xFF,
        mask,
        info.address if info.signal in FAULTS else 0,
        fpstate,
    )
    frame = (
        _PRETCODE.pack(action.restorer)
        + _UCONTEXT_HEAD.pack(_UC_FLAGS, 0, *stack_fields(stack, fields["rsp"]))
        + context
        + _MASK.pack(mask)
        + siginfo(info)
    )
    space.copy_out(fpstate, fxsave.save(vcpu))
    space.copy_out(where, frame)
    if stack.auto_disarm:
        thread.signal_stack = SignalStack()
    fxsave.restore(vcpu, fxsave.INITIAL)
    fields.update(
        rip=action.handler,
        rsp=where,
        rdi=info.signal,
        rsi=where + _INFO,
        rdx=where + _UCONTEXT,
        rax=0,
        rflags=sanitised_rflags(fields["rflags"]) & ~0x10500,
    )
    thread.frame.write(fields)


def stack_fields(stack: SignalStack, rsp: int) -> tuple[int, int, int]:
    """Return base, flags and size of a stack_t."""
    if not stack.size:
        return stack.base, SS_DISABLE, stack.size
    flags = SS_AUTODISARM if stack.auto_disarm else 0
    return stack.base, flags | (SS_ONSTACK if stack.holds(rsp) else 0), stack.size


def _stack_top(thread: UserThread, action: SigAction, rsp: int) -> int:
    stack = thread.signal_stack
    if action.flags & SA_ONSTACK and stack.size and not stack.holds(rsp):
        return stack.base + stack.size
    return rsp - _RED_ZONE


def siginfo(info: SigInfo) -> bytes:
    """Return a siginfo_t."""
    if info.raw:
        return struct.pack("<i", info.signal) + info.raw[4:]
    head = struct.pack("<iii4x", info.signal, 0, info.code)
    if info.signal in FAULTS and info.code > 0:
        body = struct.pack("<Q", info.address)
    elif info.timer is not None:
        body = struct.pack("<iiQ", info.timer.number, info.timer.overrun, info.value)
    else:
        body = struct.pack("<iIi", info.pid, info.uid, info.status)
    return (head + body).ljust(SIGINFO_SIZE, b"\0")


def pop(thread: UserThread, vcpu: Vcpu) -> int:
    """Undo `push`, with what the handler made of the frame; return the mask to go on with.

    Raises
    ------
    SysError(EFAULT) : RSP does not point to a frame
    """
    space, fields = thread.process.space, thread.frame.read()
    raw = space.copy_in(fields["rsp"] - _PRETCODE.size, FRAME_SIZE)
    values = _SIGCONTEXT.unpack_from(raw, _CONTEXT)
    fields.update(zip(_GENERAL, values, strict=False))
    fields["rflags"] = sanitised_rflags(fields["rflags"])
    fields["rip"] &= (1 << 47) - 1
    fields["cs"], fields["ss"] = SELECTORS["USER_CS"], SELECTORS["USER_DS"]
    fpstate = values[-1]
    if fpstate:
        fxsave.restore(vcpu, space.copy_in(fpstate, fxsave.SIZE))
    fields["error_code"] = (1 << 64) - 1
    thread.frame.write(fields)
    _, _, base, flags, size = _UCONTEXT_HEAD.unpack_from(raw, _UCONTEXT)
    if not thread.signal_stack.holds(fields["rsp"]):
        armed = not flags & SS_DISABLE and size
        disarms = bool(flags & SS_AUTODISARM)
        thread.signal_stack = SignalStack(base, size, disarms) if armed else SignalStack()
    (mask,) = _MASK.unpack_from(raw, _MASK_AT)
    return int(mask)
