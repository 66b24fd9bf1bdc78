"""procfs: what the kernel knows, as files.

Inodes are made anew by each lookup; their numbers are stable, and `Inode.same` goes by them.

References
----------
Linux proc(5).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.fs.inode import FileSystem
from pykern.kernel.fs.types.proc_inodes import (
    Maker,
    ProcDirectory,
    ProcFile,
    ProcLink,
    TableDirectory,
)
from pykern.kernel.fs.types.proc_pid import process_directory
from pykern.kernel.fs.types.registry import Options, types

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pykern.kernel.fs.context import Vfs
    from pykern.kernel.fs.inode import Inode
    from pykern.kernel.fs.proc_tree import ProcEntry, ProcTree

__all__ = ["ProcFs", "mount_procfs"]

# Inode numbers: those of a process in the upper bits, the file's in the lower.
FILE_BITS = 20


class ProcFs(FileSystem):
    """One instance.

    Parameters
    ----------
    tree : what is to be shown
    """

    type_name = "proc"
    magic = 0x9FA0

    def __init__(self, dev: int, now: Callable[[], int], tree: ProcTree) -> None:
        super().__init__(dev, now)
        self.tree = tree
        self._numbers: dict[str, int] = {}
        self.root = _Root(self)

    def number(self, pid: int, name: str) -> int:
        """Return the inode number of a file of a process; 0: of the system."""
        number = self._numbers.setdefault(name, len(self._numbers) + 1)
        return pid << FILE_BITS | number


class _Root(ProcDirectory):
    """/proc."""

    fs: ProcFs

    def __init__(self, fs: ProcFs) -> None:
        super().__init__(fs, fs.number(0, ""))

    def names(self) -> Iterable[bytes]:
        """Return what always stands there, and the processes."""
        table = self.fs.tree.processes
        pids = table.pids() if table else ()
        return [*self._fixed(), *(b"%d" % pid for pid in pids)]

    def child(self, name: bytes) -> Inode | None:
        """Return a process or what always stands there."""
        table = self.fs.tree.processes
        if not name.isdigit():
            maker = self._fixed().get(name)
            return maker(self) if maker else None
        if table is None or name.startswith(b"0") or table.get(int(name)) is None:
            return None
        return process_directory(self.fs, table, int(name), self)

    def _fixed(self) -> Mapping[bytes, Maker]:
        makers = _makers(self.fs, "")
        if self.fs.tree.processes is not None:
            makers[b"self"] = lambda _: _link(self.fs, "self", self._self)
            makers[b"thread-self"] = lambda _: _link(self.fs, "thread-self", self._thread_self)
        return makers

    def _current(self) -> tuple[int, int]:
        table = self.fs.tree.processes
        current = table.current() if table else None
        if current is None:
            raise SysError(Errno.ENOENT)
        return current

    def _self(self) -> bytes:
        return b"%d" % self._current()[0]

    def _thread_self(self) -> bytes:
        return b"%d/task/%d" % self._current()


def _makers(fs: ProcFs, above: str) -> dict[bytes, Maker]:
    """Return what was registered below a path, by the next name."""
    makers: dict[bytes, Maker] = {}
    for path in [*fs.tree.entries, *fs.tree.links]:
        if not path.startswith(above):
            continue
        name, deeper, _ = path.removeprefix(above).partition("/")
        makers[name.encode()] = _directory(fs, above + name) if deeper else _leaf(fs, path)
    return makers


def _directory(fs: ProcFs, path: str) -> Maker:
    return lambda parent: TableDirectory(fs, fs.number(0, path), _makers(fs, path + "/"), parent)


def _leaf(fs: ProcFs, path: str) -> Maker:
    target = fs.tree.links.get(path)
    if target is not None:
        return lambda _: _link(fs, path, target.encode)
    return lambda _: _file(fs, path, fs.tree.entries[path])


def _file(fs: ProcFs, path: str, entry: ProcEntry) -> Inode:
    number = fs.number(0, path)
    return ProcFile(fs, number, entry.generate, mode=entry.mode, store=entry.store)


def _link(fs: ProcFs, path: str, target: Callable[[], bytes]) -> Inode:
    return ProcLink(fs, fs.number(0, path), target)


@types.register("proc")
def mount_procfs(_source: bytes, _options: Options, vfs: Vfs) -> ProcFs:
    """Return a new instance."""
    return ProcFs(vfs.next_dev(), vfs.now, vfs.proc)
