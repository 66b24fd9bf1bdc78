"""Files in memory: holes, limits, options."""

from __future__ import annotations

import pytest

from pykern.kernel.core.errno import Errno
from pykern.kernel.fs import entries
from pykern.kernel.fs.buffer import BytesBuffer
from pykern.kernel.fs.flags import O_CREAT, O_RDWR, SEEK_DATA, SEEK_HOLE
from pykern.kernel.fs.path import walk
from pykern.kernel.fs.types.tmpfs import parse_size
from tests.pykern.kernel.fs.harness import Kernel, errno_of, read, run, write

NEW = O_CREAT | O_RDWR
PAGE = 4096


def test_a_hole_costs_nothing_and_reads_as_zeroes():
    kernel = Kernel()
    file = kernel.open(b"/a", NEW)
    run(file.pwrite(BytesBuffer(b"x"), 1 << 40))
    assert file.stat().blocks == PAGE // 512
    assert file.stat().size == (1 << 40) + 1
    assert read(file, 100) == bytes(100)


def test_holes_and_data_can_be_found():
    kernel = Kernel()
    file = kernel.open(b"/a", NEW)
    for page in (1, 2, 5):
        run(file.pwrite(BytesBuffer(b"x"), page * PAGE))
    file.truncate(8 * PAGE)

    def find(whence, offset):
        return errno_of(file.lseek, offset, whence) or file.offset // PAGE

    assert [find(SEEK_DATA, page * PAGE) for page in range(9)] == [
        1, 1, 2, 5, 5, 5, Errno.ENXIO, Errno.ENXIO, Errno.ENXIO,
    ]  # fmt: skip
    assert [find(SEEK_HOLE, page * PAGE) for page in range(9)] == [
        0, 3, 3, 3, 4, 6, 6, 7, Errno.ENXIO,
    ]  # fmt: skip


def test_what_was_cut_off_is_zero_when_the_file_grows_again():
    kernel = Kernel()
    kernel.write(b"/a", b"secret")
    file = kernel.open(b"/a", O_RDWR)
    file.truncate(2)
    file.truncate(6)
    assert read(file) == b"se" + bytes(4)


def test_a_full_instance_takes_what_fits():
    kernel = Kernel(size="8k")
    file = kernel.open(b"/a", NEW)
    assert write(file, bytes(10_000)) == 8192
    assert errno_of(file.write, BytesBuffer(b"x")) == Errno.ENOSPC
    assert kernel.fs.statfs().bfree == 0
    file.truncate(0)
    assert kernel.fs.statfs().bfree == 2


def test_content_without_a_name_lives_until_it_is_closed():
    kernel = Kernel(size="8k")
    file = kernel.open(b"/a", NEW)
    write(file, bytes(8192))
    entries.unlink(kernel.ctx, b"/a")
    assert kernel.fs.statfs().bfree == 0
    file.put()
    assert kernel.fs.statfs().bfree == 2


def test_files_are_limited_too():
    kernel = Kernel(nr_inodes="3")
    entries.mkdir(kernel.ctx, b"/a", 0o755)
    kernel.write(b"/b", b"")
    for make in (entries.mkdir, entries.mknod):
        assert errno_of(make, kernel.ctx, b"/c", 0o644) == Errno.ENOSPC
    assert errno_of(entries.symlink, kernel.ctx, b"x", b"/c") == Errno.ENOSPC
    assert walk(kernel.ctx, b"/").inode.nlink == 3
    entries.rmdir(kernel.ctx, b"/a")
    assert errno_of(entries.mkdir, kernel.ctx, b"/c", 0o755) is None


def test_a_page_can_be_mapped():
    kernel = Kernel()
    kernel.write(b"/a", b"one")
    page = walk(kernel.ctx, b"/a").inode.page(0)
    page[0:3] = b"two"
    assert kernel.read(b"/a") == b"two"


def test_the_root_has_the_mode_it_was_given():
    assert Kernel(mode="750").fs.root.mode == 0o040750


@pytest.mark.parametrize(
    "options", [{"size": "much"}, {"size": "-1"}, {"what": "1"}, {"mode": "9"}]
)
def test_options_are_checked(options):
    assert errno_of(Kernel, **options) == Errno.EINVAL


def test_sizes_have_units():
    assert [parse_size(text) for text in ("4096", "64k", "16M", "2g")] == [
        4096, 65536, 16 << 20, 2 << 30,
    ]  # fmt: skip
