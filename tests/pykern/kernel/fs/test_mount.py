"""Mounts: what is seen where."""

from __future__ import annotations

import pytest

from pykern.kernel.core.errno import Errno
from pykern.kernel.fs import attributes, entries
from pykern.kernel.fs.flags import (
    MS_NODEV,
    MS_NOSUID,
    MS_RDONLY,
    O_CREAT,
    O_RDONLY,
    O_RDWR,
    O_TRUNC,
)
from pykern.kernel.fs.open import open_at
from pykern.kernel.fs.path import path_of, walk
from pykern.kernel.fs.proc_system import format_mounts
from pykern.kernel.fs.types import types
from tests.pykern.kernel.fs.harness import Kernel, errno_of


class Mounted(Kernel):
    """A tmpfs with a tmpfs at /mnt."""

    def __init__(self):
        super().__init__()
        entries.mkdir(self.ctx, b"/mnt", 0o755)
        self.write(b"/mnt/below", b"hidden")
        self.inner = self.attach(b"/mnt")

    def attach(self, path: bytes, **kwargs):
        fs = types.get("tmpfs")(b"none", {}, self.vfs)
        return self.mounts.mount(walk(self.ctx, path), fs, **kwargs)


@pytest.fixture
def kernel():
    return Mounted()


def test_a_mount_hides_what_is_below(kernel):
    assert errno_of(walk, kernel.ctx, b"/mnt/below") == Errno.ENOENT
    kernel.write(b"/mnt/new", b"x")
    kernel.mounts.umount(walk(kernel.ctx, b"/mnt"))
    assert kernel.read(b"/mnt/below") == b"hidden"
    assert errno_of(walk, kernel.ctx, b"/mnt/new") == Errno.ENOENT


def test_the_way_up_crosses_mounts(kernel):
    entries.mkdir(kernel.ctx, b"/mnt/d", 0o755)
    top = kernel.attach(b"/mnt")
    entries.mkdir(kernel.ctx, b"/mnt/e", 0o755)
    place = walk(kernel.ctx, b"/mnt/e")
    assert place.mount is top
    assert walk(kernel.ctx, b"../..", place).same(kernel.ctx.root)
    assert path_of(kernel.ctx, place) == b"/mnt/e"


def test_names_do_not_cross_mounts(kernel):
    kernel.write(b"/a", b"x")
    a = walk(kernel.ctx, b"/a")
    assert errno_of(entries.rename, kernel.ctx, b"/a", b"/mnt/a") == Errno.EXDEV
    assert errno_of(entries.link, kernel.ctx, a, b"/mnt/a") == Errno.EXDEV


def test_a_mountpoint_stays(kernel):
    assert errno_of(entries.rmdir, kernel.ctx, b"/mnt") == Errno.EBUSY
    assert errno_of(entries.rename, kernel.ctx, b"/mnt", b"/other") == Errno.EBUSY


def test_a_mount_that_is_used_stays(kernel):
    file = kernel.open(b"/mnt/a", O_CREAT | O_RDWR)
    mnt = walk(kernel.ctx, b"/mnt")
    assert errno_of(kernel.mounts.umount, mnt) == Errno.EBUSY
    file.put()
    entries.mkdir(kernel.ctx, b"/mnt/inner", 0o755)
    kernel.attach(b"/mnt/inner")
    assert errno_of(kernel.mounts.umount, mnt) == Errno.EBUSY
    kernel.mounts.umount(mnt, lazy=True)
    assert errno_of(walk, kernel.ctx, b"/mnt/inner") == Errno.ENOENT


def test_only_a_mount_can_be_unmounted(kernel):
    entries.mkdir(kernel.ctx, b"/d", 0o755)
    for path in (b"/", b"/d"):
        assert errno_of(kernel.mounts.umount, walk(kernel.ctx, path)) == Errno.EINVAL
    mnt = walk(kernel.ctx, b"/mnt")
    kernel.mounts.umount(mnt)
    assert errno_of(kernel.mounts.umount, mnt) == Errno.EINVAL


def test_a_file_is_no_place_for_a_directory(kernel):
    kernel.write(b"/file", b"")
    assert errno_of(kernel.attach, b"/file") == Errno.ENOTDIR
    again = kernel.mounts.mount
    assert errno_of(again, walk(kernel.ctx, b"/mnt"), kernel.inner.fs) == Errno.EBUSY


def test_a_directory_can_be_shown_twice(kernel):
    entries.mkdir(kernel.ctx, b"/again", 0o755)
    kernel.write(b"/mnt/a", b"x")
    kernel.mounts.bind(walk(kernel.ctx, b"/again"), walk(kernel.ctx, b"/mnt"))
    assert kernel.read(b"/again/a") == b"x"
    assert errno_of(entries.rename, kernel.ctx, b"/again/a", b"/mnt/b") == Errno.EXDEV


def test_nothing_changes_on_a_read_only_mount(kernel):
    kernel.write(b"/mnt/a", b"x")
    entries.mknod(kernel.ctx, b"/mnt/null", 0o020666, 0x103)
    kernel.inner.flags = MS_RDONLY
    ctx, a = kernel.ctx, walk(kernel.ctx, b"/mnt/a")
    refusals = [
        errno_of(entries.mkdir, ctx, b"/mnt/d", 0o755),
        errno_of(entries.unlink, ctx, b"/mnt/a"),
        errno_of(entries.rename, ctx, b"/mnt/a", b"/mnt/b"),
        errno_of(open_at, ctx, b"/mnt/a", O_RDWR),
        errno_of(open_at, ctx, b"/mnt/a", O_RDONLY | O_TRUNC),
        errno_of(open_at, ctx, b"/mnt/new", O_CREAT),
        errno_of(attributes.truncate, ctx, a, 0),
        errno_of(attributes.chmod, ctx, a, 0o600),
        errno_of(attributes.chown, ctx, a, 1, 1),
        errno_of(attributes.touch, ctx, a),
        errno_of(attributes.utimens, ctx, a, 1, 1),
        errno_of(attributes.access, ctx, a, 2),
    ]
    assert refusals == [Errno.EROFS] * len(refusals)
    assert errno_of(entries.mkdir, ctx, b"/mnt/a", 0o755) == Errno.EEXIST
    assert kernel.read(b"/mnt/a") == b"x"
    assert errno_of(open_at, ctx, b"/mnt/null", O_RDWR) is None


def test_devices_can_be_kept_closed(kernel):
    entries.mknod(kernel.ctx, b"/mnt/null", 0o020666, 0x103)
    kernel.inner.flags = MS_NODEV
    assert errno_of(open_at, kernel.ctx, b"/mnt/null", O_RDWR) == Errno.EACCES


def test_mounts_are_listed(kernel):
    entries.mkdir(kernel.ctx, b"/with space", 0o755)
    kernel.attach(b"/with space", source=b"me", flags=MS_RDONLY | MS_NOSUID)
    assert format_mounts(kernel.ctx).splitlines() == [
        "rootfs / tmpfs rw 0 0",
        "none /mnt tmpfs rw 0 0",
        r"me /with\040space tmpfs ro,nosuid 0 0",
    ]
