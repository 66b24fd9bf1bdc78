"""What can be asked of a terminal.

References
----------
Linux ioctl_tty(2), include/uapi/asm-generic/ioctls.h; POSIX.1-2024, tcgetattr(), tcsetpgrp().
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.fs.job_control import SIGTTOU, SIGWINCH
from pykern.kernel.fs.termios import Termios, WindowSize

if TYPE_CHECKING:
    from collections.abc import Callable

    from pykern.kernel.fs.file import IoctlArgument
    from pykern.kernel.fs.job_control import Caller
    from pykern.kernel.fs.tty import Tty

__all__ = ["ioctl"]

TERMIOS_SIZE, TERMIOS2_SIZE, WINDOW_SIZE = 36, 44, 8
TCIFLUSH, TCOFLUSH, TCIOFLUSH = range(3)
TCOOFF, TCOON, TCIOFF, TCION = range(4)


def _get_modes(tty: Tty, argument: IoctlArgument) -> None:
    argument.write(tty.discipline.termios.pack())


def _get_modes2(tty: Tty, argument: IoctlArgument) -> None:
    argument.write(tty.discipline.termios.pack2())


def _set_modes(size: int, *, flush: bool) -> Callable[[Tty, IoctlArgument], None]:
    """Return TCSETS…: output is never pending, so to drain it is to do nothing."""

    def set_modes(tty: Tty, argument: IoctlArgument) -> None:
        termios = Termios.unpack(argument.read(size))
        tty.require_foreground(SIGTTOU)
        if flush:
            tty.discipline.flush()
        tty.discipline.set_termios(termios)
        if tty.discipline.available:
            tty.readable.wake_all()

    return set_modes


def _get_window(tty: Tty, argument: IoctlArgument) -> None:
    argument.write(tty.window.pack())


def _set_window(tty: Tty, argument: IoctlArgument) -> None:
    window = WindowSize.unpack(argument.read(WINDOW_SIZE))
    if window != tty.window and tty.pgid:
        tty.jobs.signal(SIGWINCH, tty.pgid)
    tty.window = window


def _available(tty: Tty, argument: IoctlArgument) -> None:
    argument.write(tty.discipline.available.to_bytes(4, "little"))


def _pending(_tty: Tty, argument: IoctlArgument) -> None:
    argument.write(bytes(4))


def _flush(tty: Tty, argument: IoctlArgument) -> None:
    if argument.value not in {TCIFLUSH, TCOFLUSH, TCIOFLUSH}:
        raise SysError(Errno.EINVAL)
    tty.require_foreground(SIGTTOU)
    if argument.value != TCOFLUSH:
        tty.discipline.flush()


def _flow(tty: Tty, argument: IoctlArgument) -> None:
    if argument.value not in {TCOOFF, TCOON, TCIOFF, TCION}:
        raise SysError(Errno.EINVAL)
    tty.require_foreground(SIGTTOU)
    if argument.value == TCOOFF:
        tty.discipline.stop()
    elif argument.value == TCOON:
        tty.discipline.start()


def _send_break(tty: Tty, _argument: IoctlArgument) -> None:
    tty.require_foreground(SIGTTOU)


def _type(tty: Tty, argument: IoctlArgument) -> None:
    tty.receive(argument.read(1))


def _set_exclusive(tty: Tty, _argument: IoctlArgument) -> None:
    tty.exclusive = True


def _clear_exclusive(tty: Tty, _argument: IoctlArgument) -> None:
    tty.exclusive = False


def _get_discipline(_tty: Tty, argument: IoctlArgument) -> None:
    argument.write(bytes(4))


# --- job control ---------------------------------------------------------------------------------


def _own(tty: Tty) -> Caller | None:
    """Return the caller, whose controlling terminal this must be; None: the kernel."""
    caller = tty.jobs.caller()
    if caller is not None and caller.tty is not tty:
        raise SysError(Errno.ENOTTY)
    return caller


def _control(tty: Tty, argument: IoctlArgument) -> None:
    """Make it the controlling terminal of the caller's session."""
    caller = tty.jobs.caller()
    if caller is None or (caller.tty is tty and tty.sid == caller.sid):
        return
    if caller.pid != caller.sid or caller.tty is not None:
        raise SysError(Errno.EPERM)
    if tty.sid:
        if argument.value != 1:
            raise SysError(Errno.EPERM)
        tty.jobs.set_controlling(tty.sid, None)
    tty.control(caller)


def _give_up(tty: Tty, _argument: IoctlArgument) -> None:
    caller = _own(tty)
    if caller is not None and caller.pid == caller.sid:
        tty.abandon()


def _get_foreground(tty: Tty, argument: IoctlArgument) -> None:
    _own(tty)
    argument.write(tty.pgid.to_bytes(4, "little"))


def _set_foreground(tty: Tty, argument: IoctlArgument) -> None:
    tty.require_foreground(SIGTTOU)
    caller = _own(tty)
    if caller is None:
        raise SysError(Errno.ENOTTY)
    pgid = int.from_bytes(argument.read(4), "little", signed=True)
    if pgid < 0:
        raise SysError(Errno.EINVAL)
    session = tty.jobs.session_of(pgid)
    if session is None:
        raise SysError(Errno.ESRCH)
    if session != caller.sid:
        raise SysError(Errno.EPERM)
    tty.pgid = pgid


def _get_session(tty: Tty, argument: IoctlArgument) -> None:
    _own(tty)
    argument.write(tty.sid.to_bytes(4, "little"))


REQUESTS: dict[int, Callable[[Tty, IoctlArgument], None]] = {
    0x5401: _get_modes,  # TCGETS
    0x5402: _set_modes(TERMIOS_SIZE, flush=False),  # TCSETS
    0x5403: _set_modes(TERMIOS_SIZE, flush=False),  # TCSETSW
    0x5404: _set_modes(TERMIOS_SIZE, flush=True),  # TCSETSF
    0x5409: _send_break,  # TCSBRK
    0x540A: _flow,  # TCXONC
    0x540B: _flush,  # TCFLSH
    0x540C: _set_exclusive,  # TIOCEXCL
    0x540D: _clear_exclusive,  # TIOCNXCL
    0x540E: _control,  # TIOCSCTTY
    0x540F: _get_foreground,  # TIOCGPGRP
    0x5410: _set_foreground,  # TIOCSPGRP
    0x5411: _pending,  # TIOCOUTQ
    0x5412: _type,  # TIOCSTI
    0x5413: _get_window,  # TIOCGWINSZ
    0x5414: _set_window,  # TIOCSWINSZ
    0x541B: _available,  # FIONREAD
    0x5422: _give_up,  # TIOCNOTTY
    0x5424: _get_discipline,  # TIOCGETD
    0x5425: _send_break,  # TCSBRKP
    0x5429: _get_session,  # TIOCGSID
    0x802C542A: _get_modes2,  # TCGETS2
    0x402C542B: _set_modes(TERMIOS2_SIZE, flush=False),  # TCSETS2
    0x402C542C: _set_modes(TERMIOS2_SIZE, flush=False),  # TCSETSW2
    0x402C542D: _set_modes(TERMIOS2_SIZE, flush=True),  # TCSETSF2
}


def ioctl(tty: Tty, request: int, argument: IoctlArgument) -> int:
    """Do what is asked of a terminal; the result is 0.

    Raises
    ------
    SysError(ENOTTY) : not a request for terminals, or it needs the caller's controlling terminal
    SysError(EPERM, ESRCH, EINVAL) : job control by who may not, with no such group
    Interrupted : a background process was sent SIGTTOU
    """
    action = REQUESTS.get(request)
    if action is None:
        raise SysError(Errno.ENOTTY)
    action(tty, argument)
    return 0
