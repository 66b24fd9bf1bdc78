"""Archives that cpio and the Linux kernel take: read back by BusyBox and by hand."""

from __future__ import annotations

import shutil
import stat
import subprocess

import pytest

from images import cpio
from images.cpio import Member

MEMBERS = [
    Member("/bin/init", b"\x7fELF", stat.S_IFREG | 0o755),
    Member("/etc/motd", b"hello\n"),
    Member("/etc/empty", b""),
    Member("/bin/sh", b"init", stat.S_IFLNK | 0o777),
]


def records(data: bytes, mtime: int = 99) -> list[tuple[str, int, bytes, int]]:
    """Read (name, mode, data, ino) by the format's table of 8-digit fields."""
    found, at = [], 0
    while True:
        assert data[at : at + 6] == b"070701"
        fields = [int(data[at + 6 + 8 * i : at + 14 + 8 * i], 16) for i in range(13)]
        ino, mode, size, name_size = fields[0], fields[1], fields[6], fields[11]
        name = data[at + 110 : at + 110 + name_size - 1].decode()
        at = (at + 110 + name_size + 3) & ~3
        if name == "TRAILER!!!":
            assert not any(data[at:])
            return found
        assert fields[2:4] == [0, 0]
        assert fields[5] == mtime
        found.append((name, mode, data[at : at + size], ino))
        at = (at + size + 3) & ~3


def test_records_are_sorted_with_their_directories():
    data = cpio.archive(MEMBERS, 99)
    assert len(data) % 512 == 0
    assert [(name, mode, text) for name, mode, text, _ in records(data)] == [
        ("bin", 0o040755, b""),
        ("bin/init", 0o100755, b"\x7fELF"),
        ("bin/sh", 0o120777, b"init"),
        ("etc", 0o040755, b""),
        ("etc/empty", 0o100644, b""),
        ("etc/motd", 0o100644, b"hello\n"),
    ]
    assert [ino for *_, ino in records(data)] == [1, 2, 3, 4, 5, 6]


def test_the_order_of_members_does_not_matter():
    assert cpio.archive(MEMBERS, 99) == cpio.archive(reversed(MEMBERS), 99)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([Member("/a", b""), Member("a", b"")], "/a is there twice"),
        ([Member("/a", b""), Member("/a/b", b"")], "/a is a file and a directory"),
    ],
)
def test_paths_that_clash(members, message):
    with pytest.raises(ValueError, match=message):
        cpio.archive(members, 0)


def test_busybox_unpacks_it(tmp_path):
    if shutil.which("busybox") is None:
        pytest.skip("busybox is not installed")
    command = ["busybox", "cpio", "-i", "-d"]
    subprocess.run(command, input=cpio.archive(MEMBERS, 99), cwd=tmp_path, check=True)
    assert (tmp_path / "etc/motd").read_bytes() == b"hello\n"
    assert (tmp_path / "bin/sh").readlink().name == "init"
    assert (tmp_path / "bin/init").stat().st_mode & 0o777 == 0o755
