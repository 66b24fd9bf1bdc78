"""Copies of the emulator as processes: who is whose parent, and that none outlives its purpose.

One process keeps watch (`keep`): the shell knows it, and it adopts every copy. Copies are made by
forking twice, so that all are its children; each is killed by the kernel when it goes. It knows
one thing, which of them is the one that lives at present, and ends as that one ends.

References
----------
prctl(2), PR_SET_CHILD_SUBREAPER and PR_SET_PDEATHSIG.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import termios
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_PID = 8
"""Bytes in which a process announces itself."""
_FORWARDED = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
_SIGNALLED = 128
"""What a shell adds to the number of a signal that has ended a process."""


class Keeper:
    """The process that keeps watch, as its descendants know it.

    Parameters
    ----------
    pid : names it
    announcements : where the one that lives says so
    """

    def __init__(self, pid: int, announcements: int) -> None:
        self.pid = pid
        self._announcements = announcements
        self._interrupted = signal.getsignal(signal.SIGINT)

    def announce(self) -> None:
        """Say that this process is the one that lives; Ctrl-C is for it from here on."""
        signal.signal(signal.SIGINT, self._interrupted)
        os.write(self._announcements, os.getpid().to_bytes(_PID, "little"))

    def fork(self) -> int:
        """Make a copy of this process: return its id here, 0 there.

        A copy does not hear Ctrl-C, which a terminal sends to all of them.

        Raises
        ------
        OSError : the system grants none
        """
        reader, writer = os.pipe()
        _flush()
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            between = os.fork()
            if between == 0 and self._is_copy(writer):
                os.close(reader)
                os.close(writer)
                return 0
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        os.close(writer)
        os.waitpid(between, 0)
        answer = os.read(reader, _PID)
        os.close(reader)
        if not answer:
            raise OSError("the system does not let the emulator be copied")
        return int.from_bytes(answer, "little")

    def _is_copy(self, writer: int) -> bool:
        """Fork once more, tell who that is, and end; return True there."""
        between = os.getpid()
        pid = _fork_or_exit()
        if pid:
            os.write(writer, pid.to_bytes(_PID, "little"))
            os._exit(0)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._belong(between)
        return True

    def _belong(self, between: int) -> None:
        """Become the keeper's child, to end when it does."""
        while os.getppid() == between:
            os.sched_yield()
        end_with_parent(self.pid)


def end_with_parent(pid: int) -> None:
    """Be killed when the parent ends, which is `pid` unless it has ended already."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != pid:
        os._exit(1)


def keep(work: Callable[[Keeper], int]) -> int:
    """Do some work in a child, and in whatever takes the child's place; return its status."""
    reader, writer = os.pipe()
    others = _children()
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    keeper = Keeper(os.getpid(), writer)
    _flush()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        end_with_parent(keeper.pid)
        _exit_with(work, keeper)
    os.close(writer)
    with _terminal_restored():
        status = _watch(pid, reader)
    _end_all_but(others)
    _prctl(_PR_SET_CHILD_SUBREAPER, 0)
    return status


def _watch(living: int, announcements: int) -> int:
    """Wait until the one that lives ends; return its status."""
    current = [living]
    with _signals_forwarded(current):
        while True:
            pid, status = os.wait()
            current[0] = _announced(announcements, current[0])
            if pid == current[0]:
                break
    os.close(announcements)
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else _SIGNALLED - code


def _children() -> set[int]:
    """Return the children of this process; none where the system does not tell."""
    path = Path(f"/proc/self/task/{os.getpid()}/children")
    try:
        return set(map(int, path.read_text(encoding="ascii").split()))
    except FileNotFoundError:
        return set()


def _end_all_but(others: set[int]) -> None:
    """End the copies that are left, and leave no trace of them."""
    while left := _children() - others:
        for pid in left:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _announced(announcements: int, living: int) -> int:
    """Return who lives, after what has been announced since."""
    os.set_blocking(announcements, False)
    with contextlib.suppress(BlockingIOError):
        while announcement := os.read(announcements, _PID):
            living = int.from_bytes(announcement, "little")
    return living


@contextlib.contextmanager
def _signals_forwarded(current: list[int]) -> Generator[None, None, None]:
    """Hand signals for the program to the one that lives; of a Ctrl-C it hears itself."""

    def forward(number: int, _frame: Any) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(current[0], number)

    before = {number: signal.signal(number, forward) for number in _FORWARDED}
    before[signal.SIGINT] = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _terminal_restored() -> Generator[None, None, None]:
    """Leave the terminal as it was, even if who used it was killed."""
    try:
        fd = sys.stdin.fileno()
        before = termios.tcgetattr(fd)
    except (AttributeError, OSError, ValueError, termios.error):
        yield
        return
    try:
        yield
    finally:
        with contextlib.suppress(termios.error):
            termios.tcsetattr(fd, termios.TCSANOW, before)


def _exit_with(work: Callable[[Keeper], int], keeper: Keeper) -> None:
    """Do the work and leave, past everything that only the keeper has to finish."""
    status = 1
    try:
        status = work(keeper)
    except SystemExit as exit_:
        status = exit_.code if isinstance(exit_.code, int) else 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        _flush()
        os._exit(status & 0xFF)


def _fork_or_exit() -> int:
    try:
        return os.fork()
    except OSError:
        os._exit(1)


def _flush() -> None:
    """Write what is buffered, or each copy would."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):
            stream.flush()


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0):
        raise OSError(ctypes.get_errno(), f"prctl({option})")
