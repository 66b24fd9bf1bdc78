"""Names, paths and open, against the host's own Linux.

The same random calls are made in a temporary directory of the host and in a tmpfs of ours; errno
and result of every call, and the trees at the end, must be equal. Cites MEL-51.
"""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.fs import attributes, entries
from pykern.kernel.fs.buffer import BytesBuffer
from pykern.kernel.fs.flags import (
    O_APPEND,
    O_CREAT,
    O_DIRECTORY,
    O_EXCL,
    O_NOFOLLOW,
    O_PATH,
    O_RDONLY,
    O_RDWR,
    O_TRUNC,
    O_WRONLY,
)
from pykern.kernel.fs.open import open_at
from pykern.kernel.fs.path import path_of, walk
from tests.pykern.kernel.fs.harness import Kernel, errno_of, read, run

linux = pytest.mark.skipif(sys.platform != "linux", reason="the oracle is Linux")

# Far enough below the root that no path of a test climbs out.
BASE = b"/".join([b"0"] * 12)

names = st.sampled_from([b"a", b"b", b"c"])
components = st.sampled_from([b"a", b"b", b"c", b"a", b"b", b"c", b".", b".."])
relative = st.builds(
    lambda parts, end: b"/".join(parts) + end,
    st.lists(components, min_size=1, max_size=3),
    st.sampled_from([b"", b"", b"", b"", b"/"]),
)
long_names = st.sampled_from([b"", b"x" * 255, b"x" * 256, b"./" * 2048, b"./" * 2047])
paths = st.one_of(*[relative] * 12, long_names)
open_flags = st.builds(
    lambda mode, parts: mode | sum(set(parts)),
    st.sampled_from([O_RDONLY, O_WRONLY, O_RDWR]),
    st.lists(
        st.sampled_from([O_CREAT, O_CREAT, O_EXCL, O_TRUNC, O_APPEND, O_DIRECTORY, O_NOFOLLOW]),
        max_size=3,
    ),
)
calls = st.one_of(
    st.tuples(st.just("mkdir"), paths),
    st.tuples(st.just("mkdir"), paths),
    st.tuples(st.just("rmdir"), paths),
    st.tuples(st.just("unlink"), paths),
    st.tuples(st.just("symlink"), paths, paths),
    st.tuples(st.just("link"), paths, paths),
    st.tuples(st.just("rename"), paths, paths),
    st.tuples(st.just("open"), paths, open_flags),
    st.tuples(st.just("open"), paths, open_flags),
    st.tuples(st.just("truncate"), paths, st.sampled_from([0, 1, 5000])),
    st.tuples(st.just("readlink"), paths),
    st.tuples(st.just("stat"), paths),
    st.tuples(st.just("lstat"), paths),
    st.tuples(st.just("mkfifo"), paths),
    st.tuples(st.just("getdents"), paths),
)


class Host:
    """The calls on the host's Linux."""

    def __init__(self, place: str):
        self.root = os.fsencode(place)
        os.makedirs(self.root + b"/" + BASE)
        os.chdir(self.root + b"/" + BASE)

    mkdir = staticmethod(os.mkdir)
    rmdir = staticmethod(os.rmdir)
    unlink = staticmethod(os.unlink)
    symlink = staticmethod(os.symlink)
    rename = staticmethod(os.rename)
    truncate = staticmethod(os.truncate)
    readlink = staticmethod(os.readlink)
    mkfifo = staticmethod(os.mkfifo)

    def link(self, old, new):
        os.link(old, new, follow_symlinks=False)

    def stat(self, path):
        return _shape(os.stat(path))

    def lstat(self, path):
        return _shape(os.lstat(path))

    def open(self, path, flags):
        fd = os.open(path, flags | os.O_NONBLOCK, 0o666)
        try:
            if stat.S_ISREG(os.fstat(fd).st_mode) and flags & (O_WRONLY | O_RDWR):
                return os.write(fd, b"data")
        finally:
            os.close(fd)
        return None

    def getdents(self, path):
        return sorted(os.listdir(path))


class Ours:
    """The calls on a tmpfs of ours."""

    def __init__(self):
        self.kernel = Kernel()
        self.ctx = ctx = self.kernel.ctx
        for depth in range(1, 13):
            entries.mkdir(ctx, b"/" + b"/".join([b"0"] * depth), 0o777)
        ctx.cwd = walk(ctx, b"/" + BASE)
        ctx.uid, ctx.gid = os.getuid(), os.getgid()

    def mkdir(self, path):
        entries.mkdir(self.ctx, path, 0o777)

    def rmdir(self, path):
        entries.rmdir(self.ctx, path)

    def unlink(self, path):
        entries.unlink(self.ctx, path)

    def symlink(self, target, path):
        entries.symlink(self.ctx, target, path)

    def link(self, old, new):
        entries.link(self.ctx, walk(self.ctx, old, follow=False), new)

    def rename(self, old, new):
        entries.rename(self.ctx, old, new)

    def truncate(self, path, size):
        attributes.truncate(self.ctx, walk(self.ctx, path), size)

    def readlink(self, path):
        return walk(self.ctx, path, follow=False).inode.readlink()

    def mkfifo(self, path):
        entries.mknod(self.ctx, path, stat.S_IFIFO | 0o666)

    def stat(self, path):
        return _shape(_Os(walk(self.ctx, path).inode.stat()))

    def lstat(self, path):
        return _shape(_Os(walk(self.ctx, path, follow=False).inode.stat()))

    def open(self, path, flags):
        file = run(open_at(self.ctx, path, flags | os.O_NONBLOCK, 0o666))
        try:
            if file.inode.is_regular() and file.writable:
                return run(file.write(BytesBuffer(b"data")))
        finally:
            file.put()
        return None

    def getdents(self, path):
        place = walk(self.ctx, path)
        if not place.inode.is_directory():
            raise SysError(Errno.ENOTDIR)
        return sorted(entry.name for entry in place.inode.entries())


class _Os:
    def __init__(self, result):
        self.st_mode, self.st_size, self.st_nlink = result.mode, result.size, result.nlink


def _shape(result):
    """What two file systems agree on; they count links and sizes of directories differently."""
    if stat.S_ISDIR(result.st_mode):
        return (result.st_mode,)
    return result.st_mode, result.st_size, result.st_nlink


def _outcome(call, arguments):
    try:
        return call(*arguments)
    except OSError as error:
        return Errno(error.errno)
    except SysError as error:
        return error.errno


@pytest.fixture
def umask():
    before = os.umask(0o022)
    home = os.getcwd()
    yield
    os.chdir(home)
    os.umask(before)


@linux
@pytest.mark.usefixtures("umask")
@settings(max_examples=150)
@given(st.lists(calls, max_size=25))
@example([("mkdir", b"a"), ("symlink", b"a", b"b"), ("rmdir", b"b/"), ("mkdir", b"b/c/")])
@example([("symlink", b"b", b"a"), ("open", b"a", O_CREAT | O_RDWR), ("stat", b"b")])
@example([("symlink", b"b/", b"a"), ("open", b"a", O_CREAT | O_RDWR)])
@example([("symlink", b"a", b"a"), ("stat", b"a"), ("open", b"a", O_CREAT), ("mkdir", b"a/")])
@example([("mkdir", b"a"), ("mkdir", b"a/b"), ("rename", b"a", b"a/b/c"), ("rename", b"a/b", b"a")])
@example([("open", b"a", O_CREAT), ("link", b"a", b"b"), ("rename", b"a", b"b"), ("lstat", b"a")])
def test_calls_do_what_linux_does(sequence):
    with tempfile.TemporaryDirectory() as place:
        host, ours = Host(place), Ours()
        for name, *arguments in sequence:
            expected = _outcome(getattr(host, name), arguments)
            assert (name, arguments, _outcome(getattr(ours, name), arguments)) == (
                name,
                arguments,
                expected,
            )
        assert _tree_of_ours(ours) == _tree_of_host(host)
        os.chdir("/")


def _tree_of_host(host):
    tree = {}
    for directory, inside, files in os.walk(host.root + b"/" + BASE):
        for name in inside + files:
            path = os.path.join(directory, name)
            result = os.lstat(path)
            if stat.S_ISREG(result.st_mode):
                content = Path(os.fsdecode(path)).read_bytes()
                tree[path.removeprefix(host.root)] = _shape(result), content
            else:
                tree[path.removeprefix(host.root)] = _shape(result), None
    return tree


def _tree_of_ours(ours):
    tree = {}
    todo = [b"/" + BASE]
    while todo:
        directory = todo.pop()
        for entry in walk(ours.ctx, directory).inode.entries():
            path = directory + b"/" + entry.name
            place = walk(ours.ctx, path, follow=False)
            content = ours.kernel.read(path) if place.inode.is_regular() else None
            tree[path] = _shape(_Os(place.inode.stat())), content
            if place.inode.is_directory():
                todo.append(path)
    return tree


# --- what random calls seldom meet ---------------------------------------------------------------


@pytest.fixture
def kernel():
    return Kernel()


def test_rename_can_refuse_to_replace(kernel):
    kernel.write(b"/a", b"1")
    kernel.write(b"/b", b"2")
    assert errno_of(entries.rename, kernel.ctx, b"/a", b"/b", flags=1) == Errno.EEXIST
    assert errno_of(entries.rename, kernel.ctx, b"/a", b"/c", flags=1) is None
    assert kernel.read(b"/c") == b"1"


def test_rename_can_exchange_a_file_and_a_directory(kernel):
    kernel.write(b"/file", b"1")
    entries.mkdir(kernel.ctx, b"/d", 0o755)
    inside = entries.mkdir(kernel.ctx, b"/d/inside", 0o755)
    entries.rename(kernel.ctx, b"/file", b"/d/inside", flags=2)
    assert kernel.read(b"/d/inside") == b"1"
    assert path_of(kernel.ctx, inside) == b"/file"
    assert walk(kernel.ctx, b"/d").inode.nlink == 2
    assert walk(kernel.ctx, b"/").inode.nlink == 4


def test_exchange_needs_both(kernel):
    kernel.write(b"/a", b"1")
    assert errno_of(entries.rename, kernel.ctx, b"/a", b"/b", flags=2) == Errno.ENOENT


def test_the_umask_takes_permissions_away(kernel):
    assert kernel.ctx.set_umask(0o077) == 0o022
    kernel.write(b"/a", b"")
    assert walk(kernel.ctx, b"/a").inode.mode & 0o777 == 0o600


def test_others_may_not_write_into_a_directory_of_root(kernel):
    entries.mkdir(kernel.ctx, b"/d", 0o755)
    kernel.write(b"/d/a", b"1")
    kernel.ctx.uid = kernel.ctx.gid = 1000
    assert errno_of(entries.mkdir, kernel.ctx, b"/d/x", 0o755) == Errno.EACCES
    assert errno_of(entries.unlink, kernel.ctx, b"/d/a") == Errno.EACCES
    assert errno_of(entries.mkdir, kernel.ctx, b"/d/a", 0o755) == Errno.EEXIST
    assert errno_of(open_at, kernel.ctx, b"/d/a", O_RDWR) == Errno.EACCES
    assert errno_of(open_at, kernel.ctx, b"/d/a", O_RDONLY) is None


def test_in_a_sticky_directory_only_the_owner_removes(kernel):
    entries.mkdir(kernel.ctx, b"/tmp", 0o777)
    walk(kernel.ctx, b"/tmp").inode.set_mode(0o1777)
    kernel.ctx.uid = 1
    kernel.write(b"/tmp/a", b"1")
    kernel.ctx.uid = 2
    assert errno_of(entries.unlink, kernel.ctx, b"/tmp/a") == Errno.EPERM
    kernel.ctx.uid = 1
    assert errno_of(entries.unlink, kernel.ctx, b"/tmp/a") is None


def test_only_root_makes_device_nodes(kernel):
    kernel.ctx.uid = 1000
    node = stat.S_IFCHR | 0o666
    assert errno_of(entries.mknod, kernel.ctx, b"/null", node, 0x103) == Errno.EPERM
    kernel.ctx.uid = 0
    entries.mknod(kernel.ctx, b"/null", node, 0x103)
    assert read(kernel.open(b"/null")) == b""


def test_a_directory_that_was_removed_takes_no_new_names(kernel):
    entries.mkdir(kernel.ctx, b"/d", 0o755)
    kernel.ctx.cwd = walk(kernel.ctx, b"/d")
    entries.rmdir(kernel.ctx, b"/d")
    assert errno_of(entries.mkdir, kernel.ctx, b"x", 0o755) == Errno.ENOENT
    assert errno_of(path_of, kernel.ctx, kernel.ctx.cwd) == Errno.ENOENT


def test_an_open_path_cannot_be_read(kernel):
    kernel.write(b"/a", b"1")
    file = kernel.open(b"/a", O_PATH | O_RDWR | O_TRUNC)
    assert errno_of(file.read, BytesBuffer(size=1)) == Errno.EBADF
    assert kernel.read(b"/a") == b"1"
