"""From path to place and back; random paths are compared with the host in test_entries.py."""

from __future__ import annotations

import pytest

from pykern.kernel.core.errno import Errno
from pykern.kernel.fs import entries
from pykern.kernel.fs.path import path_of, walk, walk_parent
from tests.pykern.kernel.fs.harness import Kernel, errno_of


@pytest.fixture
def kernel():
    kernel = Kernel()
    for path in (b"/a", b"/a/b", b"/a/b/c", b"/x"):
        entries.mkdir(kernel.ctx, path, 0o755)
    return kernel


def test_a_relative_path_starts_where_it_is_told(kernel):
    b = walk(kernel.ctx, b"/a/b")
    kernel.ctx.cwd = walk(kernel.ctx, b"/a")
    assert walk(kernel.ctx, b"b").same(b)
    assert walk(kernel.ctx, b"../a/./b//").same(b)
    assert walk(kernel.ctx, b"c", b).same(walk(kernel.ctx, b"/a/b/c"))
    assert walk(kernel.ctx, b"/a", b).same(kernel.ctx.cwd)


def test_nothing_is_above_the_root(kernel):
    assert walk(kernel.ctx, b"/../..").same(kernel.ctx.root)
    kernel.ctx.root = kernel.ctx.cwd = walk(kernel.ctx, b"/a")
    assert walk(kernel.ctx, b"/../../b/../..").same(kernel.ctx.root)
    assert walk(kernel.ctx, b"/b/c").inode is walk(kernel.ctx, b"b/c").inode


def test_forty_links_are_followed_and_no_more(kernel):
    entries.symlink(kernel.ctx, b"a", b"/0")
    for number in range(1, 41):
        entries.symlink(kernel.ctx, b"%d" % (number - 1), b"/%d" % number)
    assert walk(kernel.ctx, b"/39").same(walk(kernel.ctx, b"/a"))
    assert errno_of(walk, kernel.ctx, b"/40") == Errno.ELOOP


def test_a_directory_that_cannot_be_searched_hides_what_is_in_it(kernel):
    walk(kernel.ctx, b"/a").inode.set_mode(0o600)
    kernel.ctx.uid = kernel.ctx.gid = 5
    assert errno_of(walk, kernel.ctx, b"/a/b") == Errno.EACCES
    assert errno_of(walk_parent, kernel.ctx, b"/a/new") == Errno.EACCES
    assert errno_of(walk, kernel.ctx, b"/a") is None


def test_the_path_of_a_place_leads_to_it(kernel):
    for path in (b"/", b"/a", b"/a/b/c"):
        assert path_of(kernel.ctx, walk(kernel.ctx, path)) == path
    entries.rename(kernel.ctx, b"/a/b", b"/x/moved")
    assert path_of(kernel.ctx, walk(kernel.ctx, b"/x/moved/c")) == b"/x/moved/c"


def test_a_path_is_seen_from_the_own_root(kernel):
    place = walk(kernel.ctx, b"/a/b/c")
    kernel.ctx.root = walk(kernel.ctx, b"/a")
    assert path_of(kernel.ctx, place) == b"/b/c"


def test_the_last_name_need_not_exist(kernel):
    last = walk_parent(kernel.ctx, b"/a/b/new//")
    assert (last.name, last.slash, last.ordinary) == (b"new", True, True)
    assert last.parent.same(walk(kernel.ctx, b"/a/b"))
    assert [walk_parent(kernel.ctx, p).ordinary for p in (b"/", b"..", b"a/.")] == [False] * 3
