"""Signals: their numbers, what a process does at each, which are pending.

References
----------
POSIX.1-2017, Signal Concepts; Linux, signal(7), sigaction(2).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Signal(IntEnum):
    """Numbers of x86-64 Linux."""

    SIGHUP = 1
    SIGINT = 2
    SIGQUIT = 3
    SIGILL = 4
    SIGTRAP = 5
    SIGABRT = 6
    SIGBUS = 7
    SIGFPE = 8
    SIGKILL = 9
    SIGUSR1 = 10
    SIGSEGV = 11
    SIGUSR2 = 12
    SIGPIPE = 13
    SIGALRM = 14
    SIGTERM = 15
    SIGSTKFLT = 16
    SIGCHLD = 17
    SIGCONT = 18
    SIGSTOP = 19
    SIGTSTP = 20
    SIGTTIN = 21
    SIGTTOU = 22
    SIGURG = 23
    SIGXCPU = 24
    SIGXFSZ = 25
    SIGVTALRM = 26
    SIGPROF = 27
    SIGWINCH = 28
    SIGIO = 29
    SIGPWR = 30
    SIGSYS = 31


LAST = 64
SIG_DFL, SIG_IGN = 0, 1
SA_NOCLDSTOP, SA_NOCLDWAIT, SA_SIGINFO = 1, 2, 4
SA_RESTORER, SA_ONSTACK, SA_RESTART = 0x0400_0000, 0x0800_0000, 0x1000_0000
SA_NODEFER, SA_RESETHAND = 0x4000_0000, 0x8000_0000

IGNORED = frozenset({Signal.SIGCHLD, Signal.SIGURG, Signal.SIGWINCH, Signal.SIGCONT})
"""Signals whose default action is to do nothing (SIGCONT: beside going on)."""
STOPPING = frozenset({Signal.SIGSTOP, Signal.SIGTSTP, Signal.SIGTTIN, Signal.SIGTTOU})
DUMPING = frozenset(
    {
        *(Signal.SIGQUIT, Signal.SIGILL, Signal.SIGTRAP, Signal.SIGABRT, Signal.SIGBUS),
        *(Signal.SIGFPE, Signal.SIGSEGV, Signal.SIGXCPU, Signal.SIGXFSZ, Signal.SIGSYS),
    }
)
"""Signals that say something went wrong in the program itself."""


def bit(number: int) -> int:
    """Return a signal's bit in a signal set."""
    return 1 << number - 1


UNBLOCKABLE = bit(Signal.SIGKILL) | bit(Signal.SIGSTOP)
FIRST_REAL_TIME = 32
"""Signals from here on are queued: each one that is sent is delivered."""
SI_USER, SI_KERNEL, SI_QUEUE, SI_TIMER, SI_TKILL = 0, 0x80, -1, -2, -6


def _set_of(numbers: Iterable[int]) -> int:
    return sum(bit(number) for number in numbers)


_SYNCHRONOUS = _set_of(
    (Signal.SIGSEGV, Signal.SIGBUS, Signal.SIGILL, Signal.SIGTRAP, Signal.SIGFPE, Signal.SIGSYS)
)
"""Signals that an instruction has caused: they come before all others."""


def name_of(number: int) -> str:
    """Return `SIGSEGV`, or `SIGRTMIN+n` for the others."""
    if number in Signal._value2member_map_:
        return Signal(number).name
    return f"SIGRTMIN+{number - 32}"


@dataclass(frozen=True)
class SigAction:
    """What a process does at a signal (struct sigaction)."""

    handler: int = SIG_DFL
    flags: int = 0
    restorer: int = 0
    mask: int = 0


class SendingTimer(Protocol):
    """A timer, as its signal shows it: identifier, and how often it has expired since."""

    number: int
    overrun: int


@dataclass(frozen=True)
class SigInfo:
    """Why a signal was sent (siginfo_t).

    Attributes
    ----------
    code : si_code
    pid, uid : the sender
    address : where a fault was
    status : of a child
    value : sigval of a timer
    timer : which has sent it
    raw : all of it, as a program has given it to rt_sigqueueinfo; the rest says nothing then
    """

    signal: int
    code: int = 0
    pid: int = 0
    uid: int = 0
    address: int = 0
    status: int = 0
    value: int = 0
    timer: SendingTimer | None = None
    raw: bytes = b""


@dataclass
class SignalActions:
    """The actions of a process; what is not in the table has the default action."""

    table: dict[int, SigAction] = field(default_factory=dict)

    def get(self, number: int) -> SigAction:
        """Return the action at a signal."""
        return self.table.get(number, _DEFAULT)

    def ignores(self, number: int) -> bool:
        """Tell whether a signal need not be sent at all."""
        handler = self.get(number).handler
        return handler == SIG_IGN or (handler == SIG_DFL and number in IGNORED)

    def copy(self) -> SignalActions:
        """Return a child's table."""
        return SignalActions(dict(self.table))

    def reset_handlers(self) -> None:
        """Forget handlers, as execve does; what is ignored stays ignored."""
        self.table = {
            number: SigAction(SIG_IGN)
            for number, action in self.table.items()
            if action.handler == SIG_IGN
        }

    def reset(self, number: int) -> None:
        """Give a signal its default action (SA_RESETHAND)."""
        self.table[number] = replace(self.get(number), handler=SIG_DFL)


_DEFAULT = SigAction()


class PendingSignals:
    """Signals that were sent and not yet delivered: one of each, of real-time signals all."""

    def __init__(self) -> None:
        self._waiting: dict[int, list[SigInfo]] = {}
        self.mask = 0

    def __len__(self) -> int:
        """Return how many signals there are."""
        return sum(map(len, self._waiting.values()))

    def __iter__(self) -> Iterator[SigInfo]:
        """Iterate over the signals, the oldest of each number first."""
        return (info for waiting in self._waiting.values() for info in waiting)

    def add(self, info: SigInfo) -> None:
        """Note a signal; a standard one that is pending already stays as it is."""
        if info.signal >= FIRST_REAL_TIME or not self.mask & bit(info.signal):
            self._waiting.setdefault(info.signal, []).append(info)
            self.mask |= bit(info.signal)

    def holds(self, info: SigInfo) -> bool:
        """Tell whether this very signal is not delivered yet."""
        return any(waiting is info for waiting in self._waiting.get(info.signal, ()))

    def first(self, blocked: int) -> SigInfo | None:
        """Return the oldest signal with the lowest number that is not blocked.

        Those that an instruction has caused come first.
        """
        ready = self.mask & ~blocked
        if not ready:
            return None
        ready = ready & _SYNCHRONOUS or ready
        return self._waiting[(ready & -ready).bit_length()][0]

    def take(self, blocked: int) -> SigInfo | None:
        """Take the first signal off."""
        info = self.first(blocked)
        if info is None:
            return None
        queue = self._waiting[info.signal]
        del queue[0]
        if not queue:
            del self._waiting[info.signal]
            self.mask &= ~bit(info.signal)
        return info

    def discard(self, numbers: int) -> None:
        """Forget the signals of a set."""
        for number in [n for n in self._waiting if numbers & bit(n)]:
            del self._waiting[number]
        self.mask &= ~numbers
