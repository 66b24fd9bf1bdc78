"""/proc/PID.

References
----------
Linux proc_pid(5).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.fs.flags import O_LARGEFILE
from pykern.kernel.fs.proc_process import format_stat, format_statm, format_status
from pykern.kernel.fs.types.proc_inodes import (
    Maker,
    ProcDirectory,
    ProcFile,
    ProcLink,
    TableDirectory,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pykern.kernel.fs.file import File
    from pykern.kernel.fs.inode import Inode
    from pykern.kernel.fs.location import Location
    from pykern.kernel.fs.proc_tree import ProcessTable, ProcessView, Text
    from pykern.kernel.fs.types.procfs import ProcFs

__all__ = ["process_directory"]

THREAD_FILES: dict[str, Callable[[ProcessView, int], Text]] = {
    "stat": lambda process, tid: format_stat(process.info(tid)),
    "status": lambda process, tid: format_status(process.info(tid)),
    "comm": lambda process, tid: process.info(tid).comm + "\n",
}

FILES: dict[str, Callable[[ProcessView], Text]] = {
    "stat": lambda process: format_stat(process.info()),
    "statm": lambda process: format_statm(process.info()),
    "status": lambda process: format_status(process.info()),
    "comm": lambda process: process.info().comm + "\n",
    "cmdline": lambda process: process.cmdline(),
    "environ": lambda process: process.environ(),
    "maps": lambda process: process.maps(),
}
PRIVATE = {"environ": 0o400}


class _Process:
    """A process by its number, which may be gone at each use."""

    def __init__(self, fs: ProcFs, table: ProcessTable, pid: int) -> None:
        self.fs = fs
        self.pid = pid
        self._table = table

    def view(self) -> ProcessView:
        """Return the process.

        Raises
        ------
        SysError(ESRCH) : it is gone
        """
        process = self._table.get(self.pid)
        if process is None:
            raise SysError(Errno.ESRCH)
        return process

    def open_files(self) -> dict[int, File]:
        """Return its open files by descriptor; a zombie has none."""
        files = self.view().files
        return {} if files is None else dict(files)

    def open_file(self, name: bytes) -> File | None:
        """Return the open file of a descriptor, given in decimal digits."""
        canonical = name.isdigit() and (name == b"0" or not name.startswith(b"0"))
        return self.open_files().get(int(name)) if canonical else None

    def number(self, name: str, number: int | None = None) -> int:
        """Return the inode number of a file in the directory."""
        return self.fs.number(self.pid if number is None else number, name)


def process_directory(fs: ProcFs, table: ProcessTable, pid: int, parent: Inode) -> Inode:
    """Return /proc/PID."""
    process = _Process(fs, table, pid)
    makers: dict[bytes, Maker] = {
        name.encode(): _file(process, name, function) for name, function in FILES.items()
    }
    for name in ("exe", "cwd", "root"):
        makers[name.encode()] = _link(process, name)
    makers[b"fd"] = lambda above: _Descriptors(process, above)
    makers[b"fdinfo"] = lambda above: _DescriptorInfo(process, above)
    makers[b"task"] = lambda above: _Threads(process, above)
    directory = TableDirectory(fs, process.number(""), makers, parent)
    info = process.view().info()
    directory.uid, directory.gid = info.uid, info.gid
    return directory


def _file(process: _Process, name: str, function: Callable[[ProcessView], Text]) -> Maker:
    return lambda _: ProcFile(
        process.fs,
        process.number(name),
        lambda: function(process.view()),
        mode=PRIVATE.get(name, 0o444),
    )


def _link(process: _Process, name: str) -> Maker:
    def link() -> tuple[bytes, Location]:
        found = process.view().link(name)
        if found is None:
            raise SysError(Errno.ENOENT)
        return found

    return lambda _: ProcLink(
        process.fs, process.number(name), lambda: link()[0], lambda: link()[1]
    )


class _Descriptors(ProcDirectory):
    """/proc/PID/fd: a link per open file, which leads to it whatever its name is by now."""

    def __init__(self, process: _Process, parent: Inode) -> None:
        super().__init__(process.fs, process.number("fd"), parent)
        self.mode = self.mode & ~0o777 | 0o500
        self._process = process

    def names(self) -> Iterable[bytes]:
        """Return the numbers."""
        return [b"%d" % fd for fd in self._process.open_files()]

    def child(self, name: bytes) -> Inode | None:
        """Return the link of a number."""
        file = self._process.open_file(name)
        if file is None:
            return None
        gone = b" (deleted)" if not file.inode.nlink else b""
        number = self._process.number(f"fd/{int(name)}")
        return ProcLink(self._process.fs, number, lambda: file.name + gone, lambda: file.location)


class _DescriptorInfo(ProcDirectory):
    """/proc/PID/fdinfo: where each open file stands, and its flags."""

    def __init__(self, process: _Process, parent: Inode) -> None:
        super().__init__(process.fs, process.number("fdinfo"), parent)
        self._process = process

    def names(self) -> Iterable[bytes]:
        """Return the numbers."""
        return [b"%d" % fd for fd in self._process.open_files()]

    def child(self, name: bytes) -> Inode | None:
        """Return the file of a number."""
        file = self._process.open_file(name)
        if file is None:
            return None
        number = self._process.number(f"fdinfo/{int(name)}")
        return ProcFile(self._process.fs, number, lambda: format_fdinfo(file))


def format_fdinfo(file: File) -> str:
    """Return /proc/PID/fdinfo/N."""
    flags, mount = file.flags | O_LARGEFILE, file.location.mount.number
    return f"pos:\t{file.offset}\nflags:\t0{flags:o}\nmnt_id:\t{mount}\nino:\t{file.inode.ino}\n"


class _Threads(ProcDirectory):
    """/proc/PID/task."""

    def __init__(self, process: _Process, parent: Inode) -> None:
        super().__init__(process.fs, process.number("task"), parent)
        self._process = process

    def names(self) -> Iterable[bytes]:
        """Return the numbers."""
        return [b"%d" % tid for tid in self._process.view().tids()]

    def child(self, name: bytes) -> Inode | None:
        """Return the directory of a thread."""
        if name not in self.names():
            return None
        tid, process = int(name), self._process
        makers = {
            key.encode(): _thread_file(process, tid, key, function)
            for key, function in THREAD_FILES.items()
        }
        return TableDirectory(process.fs, process.number("task/", tid), makers, self)


def _thread_file(
    process: _Process, tid: int, name: str, function: Callable[[ProcessView, int], Text]
) -> Maker:
    return lambda _: ProcFile(
        process.fs, process.number(f"task/{name}", tid), lambda: function(process.view(), tid)
    )
