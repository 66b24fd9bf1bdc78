"""Descriptors: numbers, sharing, dup."""

from __future__ import annotations

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pykern.kernel.core.errno import Errno
from pykern.kernel.fs import entries
from pykern.kernel.fs.flags import AT_FDCWD
from pykern.kernel.fs.path import walk
from pykern.kernel.fs.table import FileTable, base
from tests.pykern.kernel.fs.harness import Kernel, errno_of, read


@pytest.fixture
def kernel():
    kernel = Kernel()
    kernel.write(b"/a", b"content")
    return kernel


@pytest.fixture
def files(kernel):
    files = FileTable(limit=8)
    for _ in range(3):
        files.install(kernel.open(b"/a"))
    return files


def test_the_lowest_free_number_is_given(kernel, files):
    files.close(1)
    files.close(0)
    assert [files.install(kernel.open(b"/a")) for _ in range(3)] == [0, 1, 3]


def test_the_limit_holds(kernel, files):
    for _ in range(5):
        files.install(kernel.open(b"/a"))
    assert errno_of(files.install, kernel.open(b"/a")) == Errno.EMFILE
    assert errno_of(files.dup, 0) == Errno.EMFILE


def test_what_is_not_open_is_a_bad_number(files):
    for call in (files.get, files.close, files.dup, files.cloexec):
        assert errno_of(call, 3) == Errno.EBADF
        assert errno_of(call, -1) == Errno.EBADF


def test_a_duplicate_shares_the_place_in_the_file(files):
    fd = files.dup(0)
    read(files.get(0), 3)
    assert read(files.get(fd)) == b"tent"


def test_a_file_closes_with_its_last_number(kernel, files):
    before = kernel.mounts.root.mount.users
    fd = files.dup(0)
    files.close(0)
    assert kernel.mounts.root.mount.users == before
    files.close(fd)
    assert kernel.mounts.root.mount.users == before - 1
    files.close_all()
    assert (len(files), kernel.mounts.root.mount.users) == (0, 0)


def test_dup2_and_dup3_differ_where_both_are_the_same(files):
    assert files.dup2(1, 1) == 1
    assert errno_of(files.dup2, 5, 5) == Errno.EBADF
    assert errno_of(files.dup3, 1, 1, cloexec=False) == Errno.EINVAL
    assert errno_of(files.dup2, 0, 8) == Errno.EBADF
    assert errno_of(files.dup, 0, minimum=8) == Errno.EINVAL


def test_a_child_shares_files_and_not_numbers(kernel, files):
    child = files.fork()
    files.close(0)
    assert read(child.get(0)) == b"content"
    child.close_all()
    files.close_all()
    assert kernel.mounts.root.mount.users == 0


def test_exec_closes_what_is_marked(kernel, files):
    marked = files.install(kernel.open(b"/a"), cloexec=True)
    assert files.cloexec(marked)
    files.set_cloexec(0, cloexec=True)
    assert not files.cloexec(files.dup(marked))
    files.close_on_exec()
    assert [fd for fd, _ in files] == [1, 2, 4]


def test_a_range_is_closed_or_marked(files):
    files.close_range(1, 1, cloexec=True)
    assert [files.cloexec(fd) for fd in range(3)] == [False, True, False]
    files.close_range(1, 1 << 32)
    assert [fd for fd, _ in files] == [0]
    assert errno_of(files.close_range, 2, 1) == Errno.EINVAL


def test_a_path_starts_at_a_descriptor(kernel, files):
    entries.mkdir(kernel.ctx, b"/d", 0o755)
    fd = files.install(kernel.open(b"/d"))
    assert base(kernel.ctx, files, fd, b"x").same(walk(kernel.ctx, b"/d"))
    assert base(kernel.ctx, files, AT_FDCWD, b"x") is kernel.ctx.cwd
    assert base(kernel.ctx, files, 99, b"/x") is kernel.ctx.cwd
    assert errno_of(base, kernel.ctx, files, 99, b"x") == Errno.EBADF
    assert errno_of(base, kernel.ctx, files, 0, b"x") == Errno.ENOTDIR


calls = st.tuples(
    st.sampled_from(["open", "open", "close", "dup", "dup2"]), st.integers(0, 9), st.integers(0, 9)
)


@settings(max_examples=200)
@given(st.lists(calls, max_size=30))
def test_numbers_are_those_of_the_host(sequence):
    """The host's numbers begin behind those that the test itself has open."""
    kernel = Kernel()
    kernel.write(b"/a", b"")
    files = FileTable(limit=1024)
    first = os.open(os.devnull, os.O_RDONLY)
    held = [fd for fd in range(first, first + 60) if not _is_open(fd) or fd == first]
    if held != list(range(first, first + 60)):
        os.close(first)
        return
    files.install(kernel.open(b"/a"))
    try:
        for name, a, b in sequence:
            assert (name, a, b, _ours(kernel, files, name, a, b)) == (
                name, a, b, _host(first, name, a, b),
            )  # fmt: skip
    finally:
        os.closerange(first, first + 60)


def _is_open(fd):
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def _ours(kernel, files, name, a, b):
    if name == "open":
        return files.install(kernel.open(b"/a"))
    call = {"close": files.close, "dup": files.dup, "dup2": files.dup2}[name]
    arguments = (a, b) if name == "dup2" else (a,)
    if refusal := errno_of(files.get, a):
        return refusal
    return call(*arguments)


def _host(first, name, a, b):
    try:
        if name == "open":
            return os.open(os.devnull, os.O_RDONLY) - first
        if name == "close":
            return os.close(first + a)
        if name == "dup":
            return os.dup(first + a) - first
        return os.dup2(first + a, first + b) - first
    except OSError as error:
        return Errno(error.errno)
