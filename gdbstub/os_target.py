"""What a target may be able to do that has an operating system: optional, as in `target`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from gdbstub.target import ThreadId


@runtime_checkable
class SupportsProcesses(Protocol):
    """Has processes that come and go, each with an address space of its own.

    Its stops tell of them by `Stop.event`, `Exited` and `ThreadExited`.
    """

    def attach_process(self, pid: int) -> ThreadId:
        """Attend to a process from now on; return its first thread."""

    def detach_process(self, pid: int) -> bool:
        """Attend to a process no longer, and let it run; return whether any other is left."""


@runtime_checkable
class SupportsSyscallCatch(Protocol):
    """Stops at system calls."""

    def catch_syscalls(self, pid: int, numbers: Collection[int] | None) -> None:
        """Stop a process at these from now on, and at no others; None: at all."""


@runtime_checkable
class SupportsThreadEvents(Protocol):
    """Tells of each thread that begins and ends."""

    thread_events: bool
    """Whether gdb wants to know."""


@runtime_checkable
class SupportsSignals(Protocol):
    """Stops before a signal is delivered."""

    passed_signals: frozenset[int]
    """Numbers, as gdb counts, of signals that are delivered without a stop."""


@runtime_checkable
class SupportsOsData(Protocol):
    """Has tables of what there is in the system, for `info os`."""

    def os_tables(self) -> Mapping[str, str]:
        """Return what tables there are: name → what is in it, in words."""

    def os_table(self, name: str) -> Iterable[Mapping[str, str]]:
        """Return the rows of one: name of a column → text; all have the same columns.

        Raises
        ------
        KeyError : there is no such table
        """


@runtime_checkable
class SupportsAuxv(Protocol):
    """Knows what the system has told a program at its start."""

    def auxv(self, thread: ThreadId) -> bytes:
        """Return the auxiliary vector as it lies in memory; empty: not known."""


@runtime_checkable
class SupportsLibraries(Protocol):
    """Knows which files besides its own a process has loaded."""

    def libraries(self, thread: ThreadId) -> Sequence[tuple[str, int]]:
        """Return (path, by how much addresses are higher than in the file) of each."""


@runtime_checkable
class SupportsTls(Protocol):
    """Knows where thread-local variables lie."""

    def tls_address(self, thread: ThreadId, offset: int, module: int) -> int:
        """Return the address of a thread's variable.

        Parameters
        ----------
        offset : of it in the module's block
        module : the module's link map; 0: the program itself
        """
