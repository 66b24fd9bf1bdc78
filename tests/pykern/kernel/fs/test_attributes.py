"""Permissions, owners, times and sizes."""

from __future__ import annotations

import pytest

from pykern.kernel.core.errno import Errno
from pykern.kernel.fs import attributes, entries
from pykern.kernel.fs.flags import FILE_SIZE_MAX
from pykern.kernel.fs.path import walk
from tests.pykern.kernel.fs.harness import Kernel, errno_of


@pytest.fixture
def kernel():
    kernel = Kernel()
    kernel.write(b"/a", b"content")
    walk(kernel.ctx, b"/a").inode.set_owner(5, 50)
    return kernel


@pytest.fixture
def a(kernel):
    return walk(kernel.ctx, b"/a")


def be(kernel, uid, gid=99, *groups):
    kernel.ctx.uid, kernel.ctx.gid, kernel.ctx.groups = uid, gid, frozenset(groups)


@pytest.mark.parametrize(
    ("who", "mode", "allowed"),
    [
        ((5,), 0o700, {0, 1, 2, 3, 4, 5, 6, 7}),
        ((5,), 0o077, {0}),
        ((6, 50), 0o640, {0, 4}),
        ((6, 99, 50), 0o640, {0, 4}),
        ((6,), 0o645, {0, 1, 4, 5}),
        ((0,), 0o000, {0, 2, 4, 6}),
        ((0,), 0o100, {0, 1, 2, 3, 4, 5, 6, 7}),
    ],
)
def test_access_goes_by_owner_then_group_then_others(kernel, a, who, mode, allowed):
    a.inode.set_mode(mode)
    be(kernel, *who)
    refused = {m for m in range(8) if errno_of(attributes.access, kernel.ctx, a, m)}
    assert refused == set(range(8)) - allowed
    assert errno_of(attributes.access, kernel.ctx, a, 8) == Errno.EINVAL


def test_only_the_owner_sets_permissions(kernel, a):
    be(kernel, 6)
    assert errno_of(attributes.chmod, kernel.ctx, a, 0o777) == Errno.EPERM
    be(kernel, 5)
    attributes.chmod(kernel.ctx, a, 0o1_4755)
    assert a.inode.mode == 0o104755


def test_a_link_has_no_permissions(kernel):
    place = entries.symlink(kernel.ctx, b"a", b"/l")
    assert errno_of(attributes.chmod, kernel.ctx, place, 0o600) == Errno.EOPNOTSUPP


def test_only_root_gives_away(kernel, a):
    be(kernel, 5, 99, 60)
    assert errno_of(attributes.chown, kernel.ctx, a, 6, -1) == Errno.EPERM
    assert errno_of(attributes.chown, kernel.ctx, a, -1, 70) == Errno.EPERM
    assert errno_of(attributes.chown, kernel.ctx, a, -1, 60) is None
    be(kernel, 0)
    attributes.chown(kernel.ctx, a, 6, -1)
    assert (a.inode.uid, a.inode.gid) == (6, 60)


def test_a_new_owner_does_not_get_the_set_user_id(kernel, a):
    a.inode.set_mode(0o6755)
    attributes.chown(kernel.ctx, a, 6, 6)
    assert a.inode.mode & 0o7777 == 0o755


def test_times_are_set_one_by_one(kernel, a):
    before = a.inode.mtime_ns
    attributes.utimens(kernel.ctx, a, 1, None)
    assert (a.inode.atime_ns, a.inode.mtime_ns) == (1, before)
    attributes.utimens(kernel.ctx, a, None, 2)
    assert (a.inode.atime_ns, a.inode.mtime_ns) == (1, 2)
    be(kernel, 6)
    assert errno_of(attributes.utimens, kernel.ctx, a, 1, 1) == Errno.EPERM
    assert errno_of(attributes.utimens, kernel.ctx, a, None, None) is None


def test_who_can_write_can_touch(kernel, a):
    be(kernel, 6)
    assert errno_of(attributes.touch, kernel.ctx, a) == Errno.EACCES
    a.inode.set_mode(0o666)
    kernel.ns += 7
    attributes.touch(kernel.ctx, a)
    assert a.inode.mtime_ns == a.inode.atime_ns == kernel.ns


def test_a_size_has_bounds(kernel, a):
    root = kernel.ctx.root
    assert errno_of(attributes.truncate, kernel.ctx, a, -1) == Errno.EINVAL
    assert errno_of(attributes.truncate, kernel.ctx, a, FILE_SIZE_MAX + 1) == Errno.EFBIG
    assert errno_of(attributes.truncate, kernel.ctx, root, 0) == Errno.EISDIR
    entries.mknod(kernel.ctx, b"/fifo", 0o010666)
    fifo = walk(kernel.ctx, b"/fifo")
    assert errno_of(attributes.truncate, kernel.ctx, fifo, 0) == Errno.EINVAL
    be(kernel, 6)
    assert errno_of(attributes.truncate, kernel.ctx, a, 0) == Errno.EACCES
