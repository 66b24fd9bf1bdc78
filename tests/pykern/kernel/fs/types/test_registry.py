"""Every registered type of file system keeps the contract; cites MEL-51."""

from __future__ import annotations

from pykern.kernel.fs.types import types
from tests.contracts.filesystem import FilesystemContract, ReadOnlyContract, WritableContract
from tests.pykern.kernel.fs.harness import Kernel
from tests.pykern.kernel.fs.processes import Processes


class TestTmpfs(WritableContract):
    type_name = "tmpfs"


class TestDevtmpfs(WritableContract):
    type_name = "devtmpfs"


class TestDevpts(WritableContract):
    type_name = "devpts"


class TestProc(ReadOnlyContract):
    type_name = "proc"

    def kernel(self) -> Kernel:
        kernel = Kernel("proc")
        proc = kernel.vfs.proc
        proc.add("version", lambda: "Linux version 6.1\n")
        proc.add("sys/kernel/hostname", lambda: "pykern\n")
        proc.add("sys/kernel/ostype", lambda: b"Linux\n")
        proc.add("sys/vm/overcommit", lambda: "0\n", mode=0o644, store=len)
        proc.add_link("mounts", "self/mounts")
        proc.processes = Processes(kernel)
        return kernel


def test_every_type_has_its_contract():
    tested = {value for value in globals().values() if isinstance(value, type)}
    names = {
        c.type_name for c in tested if issubclass(c, FilesystemContract) and "type_name" in vars(c)
    }
    assert names == set(types.names())
