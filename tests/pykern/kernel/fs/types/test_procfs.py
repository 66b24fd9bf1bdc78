"""/proc: what was registered, and the processes; busybox of the host reads what we write."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.fs.buffer import BytesBuffer
from pykern.kernel.fs.entries import mkdir
from pykern.kernel.fs.flags import O_RDWR, O_TRUNC, O_WRONLY, SEEK_END
from pykern.kernel.fs.path import walk
from pykern.kernel.fs.pipe import make_pipe
from pykern.kernel.fs.table import FileTable
from pykern.kernel.fs.types import types
from tests.pykern.kernel.fs.harness import Kernel, errno_of, read, run, write
from tests.pykern.kernel.fs.processes import Processes


@pytest.fixture
def kernel():
    """Files with /proc where it belongs."""
    kernel = Kernel()
    mkdir(kernel.ctx, b"/proc", 0o555)
    kernel.mounts.mount(walk(kernel.ctx, b"/proc"), types.get("proc")(b"proc", {}, kernel.vfs))
    kernel.files = FileTable()
    kernel.vfs.proc.processes = Processes(kernel, kernel.files)
    return kernel


def names(kernel, path):
    return {entry.name for entry in walk(kernel.ctx, path).inode.entries()}


def test_a_registered_file_tells_what_it_is_told(kernel):
    counter = iter(range(100))
    kernel.vfs.proc.add("ticks", lambda: f"{next(counter)}\n")
    file = kernel.open(b"/proc/ticks")
    assert [read(file, 1), read(file, 9), read(file)] == [b"0", b"\n", b""]
    file.lseek(0, 0)
    assert read(file) == b"1\n"
    assert kernel.read(b"/proc/ticks") == b"2\n"


def test_registered_files_may_stand_in_directories(kernel):
    kernel.vfs.proc.add("sys/kernel/hostname", lambda: "pykern\n")
    kernel.vfs.proc.add("sys/vm/swappiness", lambda: "60\n")
    kernel.vfs.proc.add_link("mounts", "self/mounts")
    assert kernel.read(b"/proc/sys/kernel/hostname") == b"pykern\n"
    assert names(kernel, b"/proc/sys") == {b"kernel", b"vm"}
    assert walk(kernel.ctx, b"/proc/mounts", follow=False).inode.readlink() == b"self/mounts"


def test_a_file_may_take_what_is_written(kernel):
    values = ["0"]

    def store(data: bytes) -> None:
        if not data.strip().isdigit():
            raise SysError(Errno.EINVAL)
        values[0] = data.strip().decode()

    kernel.vfs.proc.add("sys/limit", lambda: values[0] + "\n", mode=0o644, store=store)
    file = kernel.open(b"/proc/sys/limit", O_WRONLY | O_TRUNC)
    assert write(file, b"42\n") == 3
    assert kernel.read(b"/proc/sys/limit") == b"42\n"
    assert errno_of(file.write, BytesBuffer(b"many")) == Errno.EINVAL


def test_a_file_that_only_tells_cannot_be_written(kernel):
    kernel.vfs.proc.add("version", lambda: "1\n")
    file = kernel.open(b"/proc/version", O_RDWR)
    assert errno_of(file.write, BytesBuffer(b"x")) == Errno.EIO
    assert errno_of(file.lseek, 0, SEEK_END) == Errno.EINVAL
    assert errno_of(file.pread, BytesBuffer(size=1), -1) == Errno.EINVAL


@pytest.mark.parametrize("path", ["12", "", "a//b", "version", "version/x", "sys"])
def test_a_path_is_registered_once(kernel, path):
    kernel.vfs.proc.add("version", lambda: "")
    kernel.vfs.proc.add("sys/x", lambda: "")
    with pytest.raises(ValueError, match=f"/proc/{path}"):
        kernel.vfs.proc.add(path, lambda: "")
    with pytest.raises(ValueError, match=f"/proc/{path}"):
        kernel.vfs.proc.add_link(path, "x")


def test_processes_are_directories(kernel):
    assert {b"1", b"7", b"self", b"thread-self"} <= names(kernel, b"/proc")
    assert kernel.read(b"/proc/1/comm") == b"init\n"
    assert kernel.read(b"/proc/1/cmdline") == b"init\0--verbose\0"
    assert kernel.read(b"/proc/1/environ") == b"HOME=/\0"
    assert kernel.read(b"/proc/1/stat").startswith(b"1 (init) S 0 1 1 ")
    assert kernel.read(b"/proc/1/task/2/comm") == b"init\n"
    for name in (b"2", b"01", b"7x"):
        assert errno_of(walk, kernel.ctx, b"/proc/" + name) == Errno.ENOENT


def test_self_is_the_caller(kernel):
    assert walk(kernel.ctx, b"/proc/self", follow=False).inode.readlink() == b"1"
    assert walk(kernel.ctx, b"/proc/thread-self", follow=False).inode.readlink() == b"1/task/2"
    assert kernel.read(b"/proc/self/comm") == b"init\n"
    kernel.vfs.proc.processes.caller = None
    assert errno_of(walk, kernel.ctx, b"/proc/self") == Errno.ENOENT


def test_descriptors_lead_to_the_open_files(kernel):
    kernel.write(b"/a", b"content")
    kernel.files.install(kernel.open(b"/a", O_RDWR))
    reader, writer = make_pipe(kernel.vfs)
    kernel.files.install(reader)
    kernel.files.install(writer)
    assert names(kernel, b"/proc/1/fd") == {b"0", b"1", b"2"}
    links = {
        fd: walk(kernel.ctx, b"/proc/self/fd/" + fd, follow=False).inode.readlink()
        for fd in (b"0", b"1")
    }
    assert links == {b"0": b"/a", b"1": b"pipe:[%d]" % reader.inode.ino}
    assert kernel.read(b"/proc/self/fd/0") == b"content"
    write(writer, b"through")
    assert read(kernel.open(b"/proc/self/fd/1")) == b"through"
    assert errno_of(walk, kernel.ctx, b"/proc/1/fd/9") == Errno.ENOENT


@pytest.mark.skipif(sys.platform != "linux", reason="the oracle is Linux")
def test_descriptors_tell_where_they_stand(kernel, tmp_path):
    kernel.write(b"/a", b"content")
    kernel.files.install(kernel.open(b"/a", O_RDWR))
    read(kernel.files.get(0), 3)
    ours = kernel.read(b"/proc/1/fdinfo/0").decode().splitlines()
    (tmp_path / "a").write_bytes(b"content")
    fd = os.open(tmp_path / "a", os.O_RDWR)
    os.read(fd, 3)
    theirs = Path(f"/proc/self/fdinfo/{fd}").read_text(encoding="ascii").splitlines()
    os.close(fd)
    # The host adds O_CLOEXEC, which Python sets, and numbers of its own.
    assert ours[0] == theirs[0]
    assert int(ours[1].split()[1], 8) == int(theirs[1].split()[1], 8) & ~os.O_CLOEXEC
    assert [line.split()[0] for line in ours] == [line.split()[0] for line in theirs]
    assert errno_of(walk, kernel.ctx, b"/proc/1/fdinfo/00") == Errno.ENOENT


def test_a_file_that_was_removed_is_marked(kernel):
    kernel.write(b"/a", b"x")
    kernel.files.install(kernel.open(b"/a"))
    walk(kernel.ctx, b"/").inode.unlink(b"a")
    link = walk(kernel.ctx, b"/proc/1/fd/0", follow=False).inode
    assert link.readlink() == b"/a (deleted)"
    assert kernel.read(b"/proc/1/fd/0") == b"x"


def test_a_file_opened_by_a_link_to_it_has_its_own_name(kernel):
    kernel.write(b"/a", b"x")
    kernel.files.install(kernel.open(b"/a"))
    assert kernel.open(b"/proc/self/fd/0").name == b"/a"


def test_links_of_a_process(kernel):
    assert walk(kernel.ctx, b"/proc/1/cwd").same(kernel.ctx.root)
    assert walk(kernel.ctx, b"/proc/1/cwd", follow=False).inode.readlink() == b"/"
    assert errno_of(walk, kernel.ctx, b"/proc/1/exe") == Errno.ENOENT


def test_a_process_may_go_while_it_is_looked_at(kernel):
    file = kernel.open(b"/proc/7/stat")
    directory = walk(kernel.ctx, b"/proc/7/fd")
    del kernel.vfs.proc.processes.views[7]
    assert errno_of(file.read, BytesBuffer(size=9)) == Errno.ESRCH
    assert errno_of(directory.inode.entries) == Errno.ESRCH
    assert errno_of(walk, kernel.ctx, b"/proc/7") == Errno.ENOENT


def test_without_processes_there_is_the_system(kernel):
    kernel.vfs.proc.processes = None
    kernel.vfs.proc.add("version", lambda: "1\n")
    assert names(kernel, b"/proc") == {b"version"}
    assert errno_of(walk, kernel.ctx, b"/proc/1") == Errno.ENOENT
    assert run(kernel.open(b"/proc/version").read(BytesBuffer(size=9))) == 2
