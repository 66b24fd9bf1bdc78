"""Initial files; the archives are made by the host's own cpio and tar. Cites MIC-12, MIC-13."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import random
import shutil
import stat
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pykern.kernel.fs.archive import ArchiveError
from pykern.kernel.fs.initramfs import members, unpack
from pykern.kernel.fs.path import walk
from tests.pykern.kernel.fs.harness import Kernel

needs_cpio = pytest.mark.skipif(not shutil.which("cpio"), reason="cpio writes the archive")
needs_tar = pytest.mark.skipif(not shutil.which("tar"), reason="tar writes the archive")


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A directory of the host with one file of each kind that anybody can make."""
    root = tmp_path_factory.mktemp("tree")
    (root / "etc" / "empty").mkdir(parents=True)
    (root / "etc" / "passwd").write_bytes(b"root:x:0:0::/:/bin/sh\n")
    (root / "big").write_bytes(bytes(range(256)) * 1000)
    (root / "big").chmod(0o4755)
    (root / "link").symlink_to("etc/passwd")
    (root / "other name").hardlink_to(root / "big")
    os.mkfifo(root / "fifo", 0o640)
    for directory, inside, files in os.walk(root, topdown=False):
        for name in [*inside, *files, "."]:
            os.utime(os.path.join(directory, name), (7, 7), follow_symlinks=False)
    return root


def cpio(tree, *options: str) -> bytes:
    names = "\n".join(sorted(str(p.relative_to(tree)) for p in [tree, *tree.rglob("*")]))
    command = ["cpio", "-o", "-H", "newc", "--quiet", *options]
    return subprocess.run(
        command, input=names.encode(), cwd=tree, capture_output=True, check=True
    ).stdout


def tar(tree, *options: str) -> bytes:
    command = ["tar", "-C", str(tree), "-cf", "-", *options, "."]
    return subprocess.run(command, capture_output=True, check=True).stdout


def shape_of_host(tree):
    shapes = {}
    for path in tree.rglob("*"):
        result = path.lstat()
        content = path.read_bytes() if stat.S_ISREG(result.st_mode) else None
        if path.is_symlink():
            content = os.fsencode(os.readlink(path))
        shapes[b"/" + os.fsencode(path.relative_to(tree))] = (
            result.st_mode, result.st_uid, result.st_gid, int(result.st_mtime), content,
        )  # fmt: skip
    return shapes


def shape_of_ours(kernel):
    shapes, todo = {}, [b"/"]
    while todo:
        directory = todo.pop()
        for entry in walk(kernel.ctx, directory).inode.entries():
            path = directory.rstrip(b"/") + b"/" + entry.name
            inode = walk(kernel.ctx, path, follow=False).inode
            content = inode.readlink() if inode.is_symlink() else None
            if inode.is_regular():
                content = kernel.read(path)
            s = inode.stat()
            shapes[path] = (s.mode, s.uid, s.gid, s.mtime_ns // 10**9, content)
            if inode.is_directory():
                todo.append(path)
    return shapes


def unpacked(archive: bytes) -> Kernel:
    kernel = Kernel()
    unpack(kernel.ctx, archive)
    return kernel


@needs_cpio
def test_a_cpio_archive_is_unpacked_as_it_was(tree):
    kernel = unpacked(cpio(tree))
    assert shape_of_ours(kernel) == shape_of_host(tree)
    assert walk(kernel.ctx, b"/big").inode is walk(kernel.ctx, b"/other name").inode
    assert walk(kernel.ctx, b"/big").inode.nlink == 2


@needs_tar
@pytest.mark.parametrize("form", ["gnu", "ustar", "pax"])
def test_a_tar_archive_is_unpacked_as_it_was(tree, form):
    kernel = unpacked(tar(tree, f"--format={form}"))
    assert shape_of_ours(kernel) == shape_of_host(tree)
    assert walk(kernel.ctx, b"/big").inode is walk(kernel.ctx, b"/other name").inode


def made(*files: tuple[bytes, int, bytes], magic: bytes = b"070701", **fields: int) -> bytes:
    """Return a cpio archive; `fields` overrule those of each header."""
    archive = b""
    for number, (name, mode, data) in enumerate([*files, (b"TRAILER!!!", 0, b"")]):
        values = {
            "ino": number, "mode": mode, "uid": 0, "gid": 0, "nlink": 1, "mtime": 0,
            "filesize": len(data), "devmajor": 0, "devminor": 0, "rdevmajor": 1, "rdevminor": 3,
            "namesize": len(name) + 1, "check": sum(data),
        } | fields  # fmt: skip
        archive += magic + b"".join(b"%08X" % value for value in values.values())
        archive += name + b"\0"
        archive += bytes(-len(archive) % 4) + data
        archive += bytes(-len(archive) % 4)
    return archive


FILE = (b"a", stat.S_IFREG | 0o644, b"content")
INIT = made(FILE)


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_compressed_archives_are_read(compress):
    assert unpacked(compress(INIT)).read(b"/a") == b"content"


def test_archives_may_follow_one_another():
    second = made((b"b", stat.S_IFREG | 0o644, b"2"))
    third = made((b"a", stat.S_IFREG | 0o600, b"3"))
    kernel = unpacked(INIT + bytes(512) + gzip.compress(second) + third + bytes(100))
    assert kernel.read(b"/b") == b"2"
    assert kernel.read(b"/a") == b"3"


def test_device_nodes_and_missing_directories_are_made():
    kernel = unpacked(made((b"deep/er/null", stat.S_IFCHR | 0o666, b"")))
    assert walk(kernel.ctx, b"/deep/er/null").inode.rdev == 0x103
    assert kernel.read(b"/deep/er/null") == b""


def test_nothing_gets_out_of_the_root():
    kernel = unpacked(made((b"../../up", stat.S_IFREG | 0o644, b"x")))
    assert kernel.read(b"/up") == b"x"


# --- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("archive", "text"),
    [
        (b"nonsense", "at offset 0x0: found b'nonsense', expected a cpio archive"),
        (b"070707" + bytes(100), "old format; `cpio -H newc` writes the new one"),
        (b"\x28\xb5\x2f\xfd" + bytes(9), "compressed by zstd"),
        (INIT[:50], "at offset 0x0: 50 bytes left, expected a header of 110"),
        (INIT[:115], "content has 7 bytes, only 3 are left"),
        (INIT[:-124], "at offset 0x78: 0 bytes left, expected a header of 110"),
        (made(FILE, filesize=1 << 31), "content has 2147483648 bytes, only 132 are left"),
        (made(FILE, namesize=0), "namesize is 0, expected 1 to 4096"),
        (made(FILE, namesize=5000), "namesize is 5000, expected 1 to 4096"),
        (INIT.replace(b"00000007", b"0000000g"), "filesize is b'0000000g', expected 8 hexadec"),
        (INIT.replace(b"a\0", b"ab"), "name ends with b'b', expected a zero byte"),
        (made(FILE, magic=b"070702", check=1), "bytes add up to 0x2fb, expected 0x1"),
        (made((b"x", 0o050000, b"")), "b'x': EINVAL"),
        (made(FILE, (b"a/b", stat.S_IFREG, b"")), "b'a/b': ENOTDIR"),
        (made((b"d", stat.S_IFDIR, b""), (b"d", stat.S_IFREG, b"")), "b'd': EISDIR"),
        (gzip.compress(INIT)[:-9], "gzip data at offset 0x0: it ends too early"),
        (gzip.compress(INIT)[:12] + b"\xff" * 20, "gzip data at offset 0x0"),
        (gzip.compress(gzip.compress(INIT)), "compressed more than once"),
    ],
)  # fmt: skip
def test_errors_say_what_was_found_where(archive, text):
    with pytest.raises(ArchiveError, match="initrd: ") as caught:
        unpacked(archive)
    assert text in str(caught.value)


def test_what_decompresses_to_too_much_is_refused():
    with pytest.raises(ArchiveError, match="more than 1000 bytes when decompressed"):
        list(members(gzip.compress(bytes(100_000)), size_max=1000))


def test_a_full_file_system_is_an_error():
    kernel = Kernel(size="8k")
    with pytest.raises(ArchiveError, match="b'big': ENOSPC"):
        unpack(kernel.ctx, made((b"big", stat.S_IFREG, bytes(10_000))))


def test_checksums_are_checked():
    assert unpacked(made(FILE, magic=b"070702")).read(b"/a") == b"content"


# --- damaged archives ----------------------------------------------------------------------------


def check_damaged(archive: bytes) -> None:
    said = ""
    try:
        unpack(Kernel(size="1m", nr_inodes="100").ctx, archive, size_max=1 << 20)
    except ArchiveError as error:
        said = str(error)
    assert "\n" not in said


@settings(max_examples=300)
@given(st.lists(st.tuples(st.integers(0, len(INIT) - 1), st.integers(0, 255)), max_size=6))
def test_a_damaged_cpio_archive_is_an_archive_error(changes):
    archive = bytearray(INIT)
    for place, byte in changes:
        archive[place] = byte
    check_damaged(bytes(archive))


@needs_tar
@pytest.mark.parametrize("form", ["gnu", "pax"])
def test_a_damaged_tar_archive_is_an_archive_error(tree, form):
    whole = tar(tree / "etc", f"--format={form}")
    rng = random.Random(5)
    for _ in range(200):
        archive = bytearray(whole)
        for _ in range(rng.randint(1, 5)):
            archive[rng.randrange(2048)] = rng.randrange(256)
        check_damaged(bytes(archive[: rng.choice([len(whole), rng.randrange(len(whole))])]))


@given(st.binary(max_size=300))
def test_any_bytes_are_an_archive_or_an_error(data):
    check_damaged(data)
    check_damaged(gzip.compress(data))
    check_damaged(b"070701" + data)
