"""Files that never had a name."""

from __future__ import annotations

from pykern.kernel.core.errno import Errno
from pykern.kernel.fs.flags import SEEK_SET
from pykern.kernel.fs.memfd import make_memfd
from tests.pykern.kernel.fs.harness import Kernel, errno_of, read, write


def test_it_is_a_file_until_it_is_closed():
    file = make_memfd(Kernel().vfs, b"shared")
    write(file, bytes(5000))
    file.truncate(3)
    file.lseek(0, SEEK_SET)
    assert read(file) == bytes(3)
    assert (file.name, file.stat().nlink) == (b"/memfd:shared", 0)
    file.put()
    assert file.inode.fs.pages == 0


def test_a_name_has_a_largest_size():
    assert errno_of(make_memfd, Kernel().vfs, b"x" * 250) == Errno.EINVAL
