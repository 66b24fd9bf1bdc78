"""Open regular files and directories; content is compared with the host's."""

from __future__ import annotations

import os
import struct
import tempfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pykern.kernel.core.errno import Errno
from pykern.kernel.fs import entries
from pykern.kernel.fs.buffer import BytesBuffer
from pykern.kernel.fs.flags import (
    FILE_SIZE_MAX,
    O_APPEND,
    O_CREAT,
    O_DIRECTORY,
    O_RDWR,
    O_WRONLY,
    SEEK_CUR,
    SEEK_END,
    SEEK_SET,
)
from pykern.kernel.fs.path import walk
from tests.pykern.kernel.fs.harness import Kernel, errno_of, read, run, write

places = st.sampled_from([0, 1, 5, 4095, 4096, 8193, -1, -5000])
sizes = st.sampled_from([0, 1, 100, 4096, 5000])
calls = st.one_of(
    st.tuples(st.just("read"), sizes),
    st.tuples(st.just("write"), sizes),
    st.tuples(st.just("pread"), sizes, places),
    st.tuples(st.just("pwrite"), sizes, places),
    st.tuples(st.just("lseek"), places, st.sampled_from([SEEK_SET, SEEK_CUR, SEEK_END])),
    st.tuples(st.just("truncate"), places),
)


class Host:
    def __init__(self, path, flags):
        self.fd = os.open(path, flags)

    def read(self, size):
        return os.read(self.fd, size)

    def write(self, size):
        return os.write(self.fd, b"w" * size)

    def pread(self, size, place):
        return os.pread(self.fd, size, place)

    def pwrite(self, size, place):
        return os.pwrite(self.fd, b"p" * size, place)

    def lseek(self, place, whence):
        return os.lseek(self.fd, place, whence)

    def truncate(self, size):
        os.ftruncate(self.fd, size)


class Ours:
    def __init__(self, flags):
        self.file = Kernel().open(b"/a", flags)

    def read(self, size):
        return read(self.file, size)

    def write(self, size):
        return write(self.file, b"w" * size)

    def pread(self, size, place):
        dst = BytesBuffer(size=size)
        run(self.file.pread(dst, place))
        return dst.done

    def pwrite(self, size, place):
        return run(self.file.pwrite(BytesBuffer(b"p" * size), place))

    def lseek(self, place, whence):
        return self.file.lseek(place, whence)

    def truncate(self, size):
        self.file.truncate(size)


def outcome(call, arguments):
    results = []

    def keep():
        results.append(call(*arguments))

    try:
        return errno_of(keep) or results[0]
    except OSError as error:
        return Errno(error.errno)


@settings(max_examples=200)
@given(st.lists(calls, max_size=20), st.sampled_from([0, O_APPEND]))
def test_content_and_places_are_those_of_the_host(sequence, flags):
    with tempfile.TemporaryDirectory() as place:
        flags |= O_CREAT | O_RDWR
        host, ours = Host(place + "/a", flags), Ours(flags)
        try:
            for name, *arguments in sequence:
                expected = outcome(getattr(host, name), arguments)
                assert (name, arguments, outcome(getattr(ours, name), arguments)) == (
                    name, arguments, expected,
                )  # fmt: skip
        finally:
            os.close(host.fd)


@pytest.fixture
def kernel():
    return Kernel()


def test_the_access_mode_is_kept(kernel):
    file = kernel.open(b"/a", O_CREAT | O_WRONLY)
    assert errno_of(file.read, BytesBuffer(size=1)) == Errno.EBADF
    file = kernel.open(b"/a")
    assert errno_of(file.write, BytesBuffer(b"x")) == Errno.EBADF
    assert errno_of(file.truncate, 0) == Errno.EINVAL


def test_a_file_has_a_largest_size(kernel):
    file = kernel.open(b"/a", O_CREAT | O_RDWR)
    assert run(file.pwrite(BytesBuffer(b"xy"), FILE_SIZE_MAX - 1)) == 1
    assert errno_of(file.pwrite, BytesBuffer(b"x"), FILE_SIZE_MAX) == Errno.EFBIG
    assert errno_of(file.lseek, 1 << 63, SEEK_SET) == Errno.EINVAL
    assert errno_of(file.lseek, 0, 9) == Errno.EINVAL


def test_times_follow_what_is_done(kernel):
    file = kernel.open(b"/a", O_CREAT | O_RDWR)
    born = kernel.ns
    kernel.ns += 10
    write(file, b"x")
    assert (file.stat().atime_ns, file.stat().mtime_ns) == (born, born + 10)
    kernel.ns += 10
    read(file)
    kernel.ns += 10
    read(file)
    assert (file.stat().atime_ns, file.stat().mtime_ns) == (born + 20, born + 10)


# --- directories ---------------------------------------------------------------------------------


def records(data: bytes):
    """Return what getdents64 gave: (ino, next, type, name)."""
    found = []
    while data:
        ino, following, size, kind = struct.unpack_from("<QqHB", data)
        assert size % 8 == 0
        found.append((ino, following, kind, data[19:size].split(b"\0")[0]))
        data = data[size:]
    return found


@pytest.fixture
def directory(kernel):
    entries.mkdir(kernel.ctx, b"/d", 0o755)
    for number in range(5):
        kernel.write(b"/d/file%d" % number, b"")
    return kernel.open(b"/d", O_DIRECTORY)


def getdents(file, size=4096):
    dst = BytesBuffer(size=size)
    assert file.getdents(dst) == len(dst.done)
    return records(dst.done)


def test_a_directory_lists_its_names(kernel, directory):
    found = getdents(directory)
    assert [name for *_, name in found] == [b".", b".."] + [b"file%d" % n for n in range(5)]
    assert [kind for _, _, kind, _ in found] == [4, 4, 8, 8, 8, 8, 8]
    assert found[0][0] == walk(kernel.ctx, b"/d").inode.ino
    assert found[1][0] == walk(kernel.ctx, b"/").inode.ino
    assert getdents(directory) == []


def test_a_listing_comes_in_parts_and_can_go_back(directory):
    first, second = getdents(directory, 64), getdents(directory, 64)
    directory.lseek(first[-1][1], SEEK_SET)
    assert getdents(directory, 64) == second
    directory.lseek(0, SEEK_SET)
    assert len(getdents(directory)) == 7


def test_removing_while_listing_skips_nothing(kernel, directory):
    seen = []
    while part := getdents(directory, 32):
        for *_, name in part:
            seen.append(name)
            if name.startswith(b"file"):
                entries.unlink(kernel.ctx, b"/d/" + name)
    assert len(seen) == 7


def test_a_record_must_fit(directory):
    assert errno_of(directory.getdents, BytesBuffer(size=23)) == Errno.EINVAL
    assert len(getdents(directory, 24)) == 1


def test_a_directory_is_not_content(kernel, directory):
    assert errno_of(directory.read, BytesBuffer(size=1)) == Errno.EISDIR
    assert errno_of(directory.pread, BytesBuffer(size=1), 0) == Errno.EISDIR
    assert errno_of(directory.write, BytesBuffer(b"x")) == Errno.EBADF
    assert errno_of(directory.lseek, 0, SEEK_END) == Errno.EINVAL
    assert errno_of(kernel.open(b"/d/file0").getdents, BytesBuffer(size=9)) == Errno.ENOTDIR


def test_a_directory_that_was_removed_lists_nothing(kernel):
    entries.mkdir(kernel.ctx, b"/e", 0o755)
    file = kernel.open(b"/e")
    entries.rmdir(kernel.ctx, b"/e")
    assert errno_of(file.getdents, BytesBuffer(size=99)) == Errno.ENOENT
