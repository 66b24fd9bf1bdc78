"""Open block devices: places, sizes, ends (MEL-53); test_disks.py has them in real programs."""

from __future__ import annotations

from stat import S_IFBLK

import pytest

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.fs import entries
from pykern.kernel.fs.attach import attach, detach
from pykern.kernel.fs.block import SECTOR
from pykern.kernel.fs.block_file import BLKFLSBUF, BLKGETSIZE64, BLKSSZGET, add_block_device
from pykern.kernel.fs.buffer import BytesBuffer
from pykern.kernel.fs.flags import O_RDONLY, O_RDWR, SEEK_END, SEEK_SET
from pykern.kernel.fs.open import open_at
from pykern.kernel.fs.path import walk
from tests.pykern.kernel.fs.harness import Kernel, errno_of, run
from tests.pykern.kernel.fs.test_block import finish, make, resident, settle
from tests.pykern.kernel.fs.types.test_fat import empty


class Argument:
    value = 0

    def __init__(self):
        self.data = b""

    def write(self, data):
        self.data = data


@pytest.fixture
def opened():
    """Return an open device, and its drive."""
    kernel = Kernel()
    disk, drive = make()
    add_block_device(kernel.vfs.devices, "sda", (8, 0), disk)
    kernel.ctx.root.inode.mknod(b"sda", S_IFBLK | 0o660, 8 << 8)
    return run(open_at(kernel.ctx, b"/sda", O_RDWR)), drive, disk


def test_reading_and_writing_by_place(opened):
    file, drive, _ = opened
    buffer = BytesBuffer(size=600)
    assert finish(file.read(buffer)) == 600
    assert buffer.done == drive.data[:600]
    assert file.lseek(-10, SEEK_END) == drive.sectors * SECTOR - 10
    assert finish(file.write(BytesBuffer(b"x" * 20))) == 10
    with pytest.raises(SysError) as full:
        finish(file.write(BytesBuffer(b"x")))
    assert full.value.errno == Errno.ENOSPC
    assert finish(file.pread(BytesBuffer(size=1), drive.sectors * SECTOR)) == 0
    assert finish(file.pread(BytesBuffer(size=1), 1 << 60)) == 0
    for offset, whence in ((-1, SEEK_SET), (1, SEEK_END), (0, 7)):
        with pytest.raises(SysError, match="EINVAL"):
            file.lseek(offset, whence)


def test_sizes(opened):
    file, drive, disk = opened
    argument = Argument()
    finish(file.ioctl(BLKGETSIZE64, argument))
    assert int.from_bytes(argument.data, "little") == drive.sectors * SECTOR
    finish(file.ioctl(BLKSSZGET, argument))
    assert argument.data == b"\0\2\0\0"
    finish(file.pwrite(BytesBuffer(b"new"), 5))
    settle(disk)
    finish(file.ioctl(BLKFLSBUF, argument))
    assert drive.data[5:8] == b"new"
    with pytest.raises(SysError, match="ENOTTY"):
        finish(file.ioctl(0x1234, argument))


def test_a_device_that_is_mounted_twice_has_one_file_system():
    kernel = Kernel()
    disk, drive = make(sectors=len(empty()) // SECTOR)
    drive.data[:] = empty()
    ctx = kernel.ctx
    add_block_device(kernel.vfs.devices, "sda", (8, 0), disk)
    ctx.root.inode.mknod(b"sda", S_IFBLK | 0o660, 8 << 8)
    for name in (b"/a", b"/b"):
        entries.mkdir(ctx, name, 0o755)
        resident(attach, ctx, b"/sda", walk(ctx, name), "vfat", 0, "")
    resident(walk(ctx, b"/a").inode.create, b"shared", 0o644)
    assert walk(ctx, b"/b/shared").inode.size == 0
    detach(ctx, b"/a", 0)
    assert disk.fs is not None
    detach(ctx, b"/b", 0)
    assert disk.fs is None, "what comes next is read anew"
    assert errno_of(attach, ctx, b"/a", walk(ctx, b"/b"), "vfat", 0, "") == Errno.ENOTBLK


def test_a_node_without_a_driver():
    kernel = Kernel()
    kernel.ctx.root.inode.mknod(b"sdz", S_IFBLK | 0o660, 8 << 8)
    assert errno_of(attach, kernel.ctx, b"/sdz", kernel.ctx.root, "vfat", 0, "") == Errno.ENXIO
    with pytest.raises(SysError, match="ENXIO"):
        run(open_at(kernel.ctx, b"/sdz", O_RDONLY))
