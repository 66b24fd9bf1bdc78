"""Device nodes that appear with their drivers."""

from __future__ import annotations

import stat

from pykern.kernel.fs.char_devices import NullFile
from pykern.kernel.fs.path import walk
from tests.pykern.kernel.fs.harness import Kernel, read, write


def test_the_nodes_of_all_drivers_are_there():
    kernel = Kernel("devtmpfs")
    null = walk(kernel.ctx, b"/null").inode
    assert (null.mode, null.rdev) == (stat.S_IFCHR | 0o666, 0x103)
    assert write(kernel.open(b"/null", 2), b"x") == 1


def test_a_driver_that_comes_later_appears():
    kernel = Kernel("devtmpfs")
    kernel.vfs.devices.add("input/event0", (13, 64), NullFile)
    assert read(kernel.open(b"/input/event0")) == b""


def test_the_customary_links_are_there():
    kernel = Kernel("devtmpfs")
    links = {n: walk(kernel.ctx, n, follow=False).inode.readlink() for n in (b"/fd", b"/stdin")}
    assert links == {b"/fd": b"/proc/self/fd", b"/stdin": b"/proc/self/fd/0"}
    assert walk(kernel.ctx, b"/shm").inode.mode & 0o7777 == 0o1777
