"""What /proc shows: the layers above register it, `types/procfs.py` makes files of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pykern.kernel.fs.location import Location
    from pykern.kernel.fs.proc_process import ProcessInfo
    from pykern.kernel.fs.table import FileTable

__all__ = ["ProcEntry", "ProcTree", "ProcessTable", "ProcessView"]

Text = str | bytes


class ProcessView(Protocol):
    """One process as /proc/PID shows it."""

    @property
    def files(self) -> FileTable | None:
        """Its descriptors; None for a zombie."""
        ...

    def info(self, tid: int | None = None) -> ProcessInfo:
        """Return the numbers of the process, or of one of its threads."""
        ...

    def tids(self) -> Iterable[int]:
        """Return the numbers of its threads."""
        ...

    def maps(self) -> str:
        """Return the text of maps: its memory, lowest address first."""
        ...

    def cmdline(self) -> bytes:
        """Return argv, each with a zero byte behind; empty for a kernel thread or a zombie."""
        ...

    def environ(self) -> bytes:
        """Return the environment, each with a zero byte behind."""
        ...

    def link(self, name: str) -> tuple[bytes, Location] | None:
        """Return path and place of `exe`, `cwd` or `root`; None: there is none."""
        ...


class ProcessTable(Protocol):
    """The processes there are."""

    def pids(self) -> Iterable[int]:
        """Return all numbers, ascending."""
        ...

    def get(self, pid: int, /) -> ProcessView | None:
        """Return a process; None: there is none."""
        ...

    def current(self) -> tuple[int, int] | None:
        """Return pid and tid of the caller; None: the kernel itself."""
        ...


@dataclass(frozen=True)
class ProcEntry:
    """A file that stands in /proc whatever runs.

    Attributes
    ----------
    generate : returns the content, at the first read of each open
    store : takes what is written; None: it cannot be written
    """

    generate: Callable[[], Text]
    mode: int
    store: Callable[[bytes], None] | None = None


class ProcTree:
    """All that was registered.

    Attributes
    ----------
    processes : set by the layer that has them
    """

    def __init__(self) -> None:
        self.processes: ProcessTable | None = None
        self.entries: dict[str, ProcEntry] = {}
        self.links: dict[str, str] = {}

    def add(
        self,
        path: str,
        generate: Callable[[], Text],
        *,
        mode: int = 0o444,
        store: Callable[[bytes], None] | None = None,
    ) -> None:
        """Register a file.

        Parameters
        ----------
        path : below /proc, such as `meminfo` or `sys/kernel/hostname`

        Raises
        ------
        ValueError : the path is taken, is a number, or has an empty name
        """
        self._check(path)
        self.entries[path] = ProcEntry(generate, mode, store)

    def add_link(self, path: str, target: str) -> None:
        """Register a symbolic link.

        Raises
        ------
        ValueError : as `add`
        """
        self._check(path)
        self.links[path] = target

    def _check(self, path: str) -> None:
        names = path.split("/")
        if "" in names or names[0].isdecimal():
            raise ValueError(f"/proc/{path}: not a path for a file that always stands there")
        taken = self.entries.keys() | self.links.keys()
        above = {"/".join(names[:count]) for count in range(1, len(names) + 1)}
        if above & taken or any(known.startswith(path + "/") for known in taken):
            raise ValueError(f"/proc/{path}: registered already, or above or below what is")
