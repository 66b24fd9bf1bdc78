"""mount and umount by name and flags."""

from __future__ import annotations

import pytest

from pykern.kernel.core.errno import Errno
from pykern.kernel.fs import entries
from pykern.kernel.fs.attach import attach, detach, parse_options
from pykern.kernel.fs.flags import MS_RDONLY
from pykern.kernel.fs.path import walk
from tests.pykern.kernel.fs.harness import Kernel, errno_of

MS_REMOUNT, MS_BIND, MS_MOVE, MNT_DETACH = 32, 4096, 8192, 2


@pytest.fixture
def kernel():
    kernel = Kernel()
    entries.mkdir(kernel.ctx, b"/mnt", 0o755)
    entries.mkdir(kernel.ctx, b"/other", 0o755)
    return kernel


def mount(kernel, type_name="tmpfs", flags=0, options="", source=b"me", at=b"/mnt"):
    return attach(kernel.ctx, source, walk(kernel.ctx, at), type_name, flags, options)


def test_a_type_is_mounted_with_its_options(kernel):
    mount(kernel, options="size=8k,mode=700")
    place = walk(kernel.ctx, b"/mnt")
    assert (place.inode.mode, place.mount.fs.statfs().blocks) == (0o040700, 2)
    detach(kernel.ctx, b"/mnt", 0)
    assert not walk(kernel.ctx, b"/mnt").mount.mountpoint


def test_flags_can_be_changed_later(kernel):
    mount(kernel)
    mount(kernel, flags=MS_REMOUNT | MS_RDONLY)
    assert errno_of(entries.mkdir, kernel.ctx, b"/mnt/x", 0o755) == Errno.EROFS
    assert errno_of(mount, kernel, flags=MS_REMOUNT, at=b"/other") == Errno.EINVAL


def test_a_directory_is_shown_twice(kernel):
    kernel.write(b"/other/a", b"x")
    mount(kernel, flags=MS_BIND, source=b"/other")
    assert kernel.read(b"/mnt/a") == b"x"


def test_what_is_in_use_stays_unless_it_may_linger(kernel):
    mount(kernel)
    kernel.write(b"/mnt/a", b"x")
    file = kernel.open(b"/mnt/a")
    assert errno_of(detach, kernel.ctx, b"/mnt", 0) == Errno.EBUSY
    detach(kernel.ctx, b"/mnt", MNT_DETACH)
    file.put()


def test_refusals(kernel):
    assert errno_of(mount, kernel, "ext9") == Errno.ENODEV
    assert errno_of(mount, kernel, options="what=1") == Errno.EINVAL
    assert errno_of(mount, kernel, flags=MS_MOVE) == Errno.EINVAL
    assert errno_of(detach, kernel.ctx, b"/mnt", 0) == Errno.EINVAL
    assert errno_of(detach, kernel.ctx, b"/mnt", 64) == Errno.EINVAL
    kernel.ctx.uid = 5
    assert errno_of(mount, kernel) == Errno.EPERM
    assert errno_of(detach, kernel.ctx, b"/mnt", 0) == Errno.EPERM


def test_options_are_words():
    assert parse_options("a=1,b,,c=x=y") == {"a": "1", "b": "", "c": "x=y"}
    assert parse_options("") == {}
