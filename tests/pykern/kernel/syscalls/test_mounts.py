"""mount and umount2 as programs call them."""

from __future__ import annotations

import pytest

from pykern.kernel.core.errno import Errno
from pykern.kernel.fs import entries
from pykern.kernel.fs.path import walk
from pykern.kernel.syscalls.mounts import mount, umount2
from tests.pykern.kernel.fs.harness import Kernel, errno_of, run
from tests.pykern.kernel.syscalls.fake_thread import fake_thread

SOURCE, TARGET, TYPE, DATA = 0x1000, 0x1100, 0x1200, 0x1300


@pytest.fixture
def thread():
    kernel = Kernel()
    entries.mkdir(kernel.ctx, b"/mnt", 0o755)
    thread = fake_thread(kernel)
    for uaddr, text in ((SOURCE, b"me"), (TARGET, b"/mnt"), (TYPE, b"tmpfs"), (DATA, b"mode=700")):
        thread.process.space.copy_out(uaddr, text + b"\0")
    return thread


def test_a_file_system_comes_and_goes(thread):
    assert mount(thread, SOURCE, TARGET, TYPE, 0, DATA) == 0
    place = walk(thread.process.fs, b"/mnt")
    assert (place.inode.mode, place.mount.source) == (0o040700, b"me")
    assert run(umount2(thread, TARGET, 0)) == 0
    assert errno_of(umount2, thread, TARGET, 0) == Errno.EINVAL


def test_strings_may_be_missing_and_may_not_be_elsewhere(thread):
    assert errno_of(mount, thread, 0, TARGET, TYPE, 0, 0) is None
    assert errno_of(mount, thread, 0, 5, TYPE, 0, 0) == Errno.EFAULT
    assert errno_of(mount, thread, 0, TARGET, 0, 0, 0) == Errno.ENODEV
