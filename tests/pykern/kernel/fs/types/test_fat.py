"""MIC-18, MEL-51: FAT32 volumes, made and read by mtools."""

from __future__ import annotations

import functools
import shutil
import struct
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.fs import entries
from pykern.kernel.fs.attach import attach, detach
from pykern.kernel.fs.buffer import BytesBuffer
from pykern.kernel.fs.context import FsContext
from pykern.kernel.fs.flags import O_CREAT, O_RDWR
from pykern.kernel.fs.mount import Mounts
from pykern.kernel.fs.path import walk
from pykern.kernel.fs.types.fat import FatFs, mount_fat
from pykern.kernel.fs.types.fat_names import Entry, encode, parse, short_name
from pykern.kernel.fs.types.fat_volume import Volume
from pykern.kernel.fs.types.registry import volume_types
from pykern.kernel.integration.programs import status_of
from pykern.kernel.integration.story import Story
from tests.contracts.filesystem import FilesystemContract
from tests.pykern.kernel import hosted
from tests.pykern.kernel.fs.harness import Kernel, errno_of, read, run

NOW = 1_700_000_000_000_000_000
SECTORS = 70_000


class Disk:
    """A volume in memory."""

    def __init__(self, data):
        self.data = bytearray(data)
        self.size = len(data)

    def load(self, offset, size):
        return bytes(self.data[offset : offset + size])

    def store(self, offset, data):
        self.data[offset : offset + len(data)] = data
        return len(data)


@functools.cache
def empty(cluster=1):
    """Return an empty volume of mtools' making."""
    if shutil.which("mformat") is None:
        pytest.skip("no mtools on this host")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "empty.img"
        mtools(path, "mformat", "-F", "-C", "-T", str(SECTORS * cluster), "-c", str(cluster), "::")
        return path.read_bytes()


def mtools(image, name, *arguments):
    done = subprocess.run(
        [name, "-i", str(image), *arguments],
        capture_output=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
    )
    if done.stderr == b'mdir: File "::" not found\n':  # what it says of an empty volume
        return b""
    assert not done.returncode, done.stderr
    return done.stdout


def mounted(data):
    kernel = Kernel()
    kernel.ns = NOW
    disk = Disk(data)
    return disk, mount_fat(disk, {}, kernel.vfs)


def tree(fs, directory=None, path=""):
    """Return all files: path → content, None for a directory."""
    found = {}
    for entry in (directory or fs.root).entries():
        node = (directory or fs.root).lookup(entry.name)
        where = f"{path}/{entry.name.decode()}"
        found[where] = None if node.is_directory() else node.read_at(0, node.size)
        if node.is_directory():
            found |= tree(fs, node, where)
    return found


def tree_of_mtools(image):
    """Return the same as mdir and mtype tell."""
    found = {}
    for line in mtools(image, "mdir", "-/", "-b", "::").decode().splitlines():
        path = line.removeprefix("::")
        where = path.rstrip("/")
        found[where] = None if path.endswith("/") else mtools(image, "mtype", f"::{where}")
    return found


def check(disk):
    """Look at the tables as fsck does: chains apart, copies equal, the free count right."""
    volume = Volume(disk)
    geometry = volume._at
    first, second = (disk.load(at, geometry.table_size) for at in geometry.tables)
    assert first == second
    fs = FatFs(1, lambda: NOW, volume)
    chains = []

    def collect(directory):
        chains.append(directory.chain)
        for entry in directory.entries():
            node = directory.lookup(entry.name)
            if node.is_directory():
                collect(node)
                continue
            assert len(node.chain) == -(-node.size // volume.cluster_size)
            chains.append(node.chain)

    collect(fs.root)
    used = [cluster for chain in chains for cluster in chain]
    assert len(set(used)) == len(used), "cross-linked"
    assert volume.clusters - volume.free == len(used), "lost clusters"
    free = struct.unpack_from("<I", disk.data, geometry.info + 488)[0]
    assert free in {volume.free, 0xFFFF_FFFF}


def test_what_others_have_written(tmp_path):
    """MIC-18: short and long names, directories, content over several clusters."""
    image, content = tmp_path / "v.img", tmp_path / "content"
    image.write_bytes(empty())
    content.write_bytes(bytes(range(256)) * 40)
    names = ["/SHORT.TXT", "/lower.txt", "/A name with blanks.text", "/Grüße.TXT", "/MiXeD.Txt"]
    mtools(image, "mmd", "::/deep", "::/deep/Deeper one")
    for name in [*names, "/deep/Deeper one/file"]:
        mtools(image, "mcopy", str(content), f"::{name}")
    _, fs = mounted(image.read_bytes())
    found = tree(fs)
    assert {name for name, data in found.items() if data == content.read_bytes()} == {
        *names,
        "/deep/Deeper one/file",
    }
    assert found["/deep"] is found["/deep/Deeper one"] is None
    assert fs.root.lookup(b"SHORT.txt") is fs.root.lookup(b"short.TXT")


def test_what_others_read(tmp_path):
    """MIC-18: the same files readable by mtools, with their dates."""
    disk, fs = mounted(empty())
    folder = fs.root.mkdir(b"A long folder name", 0o755)
    folder.create(b"README.TXT", 0o644).write_at(0, b"hello\n")
    fs.root.create("Grüße aus dem Kern.text".encode(), 0o644).write_at(1000, b"x" * 5000)
    image = tmp_path / "v.img"
    image.write_bytes(disk.data)
    assert tree_of_mtools(image) == tree(fs)
    assert b"2023-11-14" in mtools(image, "mdir", "::/A long folder name")
    check(disk)


NAMES = st.sampled_from(["a", "B.TXT", "a longer name.text", "c.d.e", "Ünïcode"])
SIZES = st.sampled_from([0, 1, 511, 512, 513, 5000])


class Fat(RuleBasedStateMachine):
    """Whatever is done to files, a model, this driver anew, and mtools see the same."""

    def __init__(self):
        super().__init__()
        self.disk, self.fs = mounted(empty())
        self.model = {}
        self.held = []

    def parent(self, data):
        folders = ["", *(path for path, content in self.model.items() if content is None)]
        path = data.draw(st.sampled_from(folders))
        node = self.fs.root
        for name in path.split("/")[1:]:
            node = node.lookup(name.encode())
        return path, node

    def existing(self, path, name):
        wanted = f"{path}/{name}".upper()
        return next((p for p in self.model if p.upper() == wanted), None)

    @rule(data=st.data(), name=NAMES, folder=st.booleans())
    def make(self, data, name, folder):
        path, parent = self.parent(data)
        if self.existing(path, name) or path.count("/") > 2:
            return
        (parent.mkdir if folder else parent.create)(name.encode(), 0o755)
        self.model[f"{path}/{name}"] = None if folder else b""

    def file(self, data):
        files = sorted(path for path, content in self.model.items() if content is not None)
        path = data.draw(st.sampled_from(files))
        node = self.fs.root
        for name in path.split("/")[1:]:
            node = node.lookup(name.upper().encode())
        return path, node

    @precondition(lambda self: any(content is not None for content in self.model.values()))
    @rule(data=st.data(), offset=SIZES, size=SIZES, byte=st.integers(1, 255))
    def write(self, data, offset, size, byte):
        path, node = self.file(data)
        text, old = bytes([byte]) * size, self.model[path]
        assert node.write_at(offset, text) == size
        if size:
            self.model[path] = old[:offset].ljust(offset, b"\0") + text + old[offset + size :]

    @precondition(lambda self: any(content is not None for content in self.model.values()))
    @rule(data=st.data(), size=SIZES)
    def truncate(self, data, size):
        path, node = self.file(data)
        node.truncate(size)
        self.model[path] = self.model[path][:size].ljust(size, b"\0")

    @precondition(lambda self: any(content is not None for content in self.model.values()))
    @rule(data=st.data(), hold=st.booleans())
    def unlink(self, data, hold):
        path, node = self.file(data)
        if hold:
            node.users += 1
            self.held.append((node, self.model[path]))
        node.parent = None
        node.directory.unlink(path.rpartition("/")[2].encode())
        del self.model[path]

    @rule()
    def close(self):
        if self.held:
            node, content = self.held.pop()
            assert node.read_at(0, node.size) == content
            node.drop()

    @rule(data=st.data())
    def rmdir(self, data):
        path, node = self.parent(data)
        if not path:
            return
        name = path.rpartition("/")[2].encode()
        if any(other.startswith(path + "/") for other in self.model):
            assert errno_of(node.parent.rmdir, name) == Errno.ENOTEMPTY
            return
        node.parent.rmdir(name)
        del self.model[path]

    @precondition(lambda self: self.model)
    @rule(data=st.data(), name=NAMES)
    def rename(self, data, name):
        old = data.draw(st.sampled_from(sorted(self.model)))
        path, parent = self.parent(data)
        if path == old or path.startswith(old + "/"):
            return
        node = self.fs.root
        for part in old.split("/")[1:-1]:
            node = node.lookup(part.encode())
        new, victim = f"{path}/{name}", self.existing(path, name)
        if victim not in {None, old} and (self.model[victim] is None or self.model[old] is None):
            return
        node.rename(old.rpartition("/")[2].encode(), parent, name.encode())
        if victim not in {None, old}:
            del self.model[victim]
        moved = {p: c for p, c in self.model.items() if p == old or p.startswith(old + "/")}
        for gone in moved:
            del self.model[gone]
        self.model |= {new + p[len(old) :]: content for p, content in moved.items()}

    @invariant()
    def the_files_are_those_of_the_model(self):
        assert tree(self.fs) == self.model

    def teardown(self):
        for node, _ in self.held:
            node.drop()
        assert tree(mount_fat(self.disk, {}, Kernel().vfs)) == self.model
        check(self.disk)
        image = Path("/tmp/pykern-fat-machine.img")
        image.write_bytes(self.disk.data)
        assert tree_of_mtools(image) == self.model
        image.unlink()


TestFat = Fat.TestCase
TestFat.settings = settings(max_examples=12, stateful_step_count=30, deadline=None)


class TestContract(FilesystemContract):
    type_name = "vfat"

    def kernel(self):
        """Return files whose root is a volume."""
        kernel = Kernel()
        _, kernel.fs = mounted(empty())
        folder = kernel.fs.root.mkdir(b"folder", 0o755)
        folder.create(b"file", 0o644).write_at(0, b"content" * 999)
        kernel.mounts = Mounts(kernel.fs)
        kernel.ctx = FsContext.at_root(kernel.vfs, kernel.mounts)
        return kernel


def test_a_full_volume():
    """MEL-51: ENOSPC, what fitted stays, and all comes back."""
    disk, fs = mounted(empty())
    free = fs.statfs().bfree
    big = fs.root.create(b"big", 0o644)
    assert big.write_at(0, b"x" * (free - 1) * 512) == (free - 1) * 512
    small = fs.root.create(b"small", 0o644)
    assert small.write_at(0, b"y" * 2000) == 512
    assert errno_of(small.write_at, 512, b"y") == Errno.ENOSPC
    assert errno_of(fs.root.mkdir, b"folder", 0o755) == Errno.ENOSPC
    assert errno_of(small.truncate, 5000) == Errno.ENOSPC
    assert small.read_at(0, 999) == b"y" * 512
    check(disk)
    fs.root.unlink(b"big")
    fs.root.unlink(b"small")
    assert fs.statfs().bfree == free


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda raw: b"", "no boot sector"),
        (lambda raw: raw[:510] + b"\0\0" + raw[512:], "no boot sector"),
        (lambda raw: raw[:11] + b"\1\0" + raw[13:], "1 bytes/sector"),
        (lambda raw: raw[:22] + b"\1\0" + raw[24:], "FAT12 or FAT16"),
        (lambda raw: raw[: len(raw) // 2], "clusters, the volume has"),
    ],
)
def test_what_is_no_volume(damage, reason):
    with pytest.raises(SysError) as caught:
        mounted(damage(empty()))
    assert (caught.value.errno, reason in caught.value.detail) == (Errno.EINVAL, True)


def test_a_damaged_chain_is_an_error():
    disk, fs = mounted(empty())
    node = fs.root.create(b"f", 0o644)
    node.write_at(0, b"x" * 2000)
    volume = fs.volume
    volume._set(node.chain[1], node.chain[0])
    _, again = mounted(disk.data)
    assert errno_of(again.root.lookup, b"f") == Errno.EIO


@pytest.mark.parametrize("name", [b"a*b", b"a/b", b"dot.", b"blank ", b"\xff", b"a\1"])
def test_what_cannot_be_a_name(name):
    _, fs = mounted(empty())
    assert errno_of(fs.root.create, name, 0o644) == Errno.EINVAL


def test_short_names():
    """As Windows makes them."""
    assert short_name(b"README.TXT", ()) == b"README  TXT"
    assert short_name(b"A long name.text", ()) == b"ALONGN~1TEX"
    assert short_name(b"A long name.text", {b"ALONGN~1TEX"}) == b"ALONGN~2TEX"
    assert short_name(b"x", {b"X          "}) == b"X~1        "
    taken = {b"ABCDEF~%d   " % n for n in range(1, 10)}
    assert short_name(b"abcdefghij", taken) == b"ABCDE~10   "


def test_entries_are_what_they_were():
    for name in ("x", "A" * 255, "thirteen chars", "Ünïcode ☃.text"):
        entry = Entry(name.encode(), short_name(name.encode(), ()), 0x20, 7, 99, NOW // 2 * 2)
        entry.mtime_ns = entry.mtime_ns // 2_000_000_000 * 2_000_000_000
        data = encode(entry)
        found = list(parse(data))
        entry.slots = len(data) // 32
        assert found == [entry]


def test_a_file_is_mounted(tmp_path):
    """MIC-18: mount(2) of a file of the root, and a program's view of what is in it."""
    kernel = Kernel()
    kernel.ns = NOW
    entries.mkdir(kernel.ctx, b"/mnt", 0o755)
    file = kernel.open(b"/disk.img", O_CREAT | O_RDWR)
    run(file.write(BytesBuffer(empty())))
    at = walk(kernel.ctx, b"/mnt")
    attach(kernel.ctx, b"/disk.img", at, "vfat", 0, "")
    out = kernel.open(b"/mnt/hello.txt", O_CREAT | O_RDWR)
    run(out.write(BytesBuffer(b"hello\n")))
    out.put()
    assert read(kernel.open(b"/mnt/HELLO.TXT")) == b"hello\n"
    assert errno_of(attach, kernel.ctx, b"/mnt", at, "vfat", 0, "") == Errno.ENOTBLK
    assert errno_of(attach, kernel.ctx, b"/none", at, "vfat", 0, "") == Errno.ENOENT
    assert errno_of(attach, kernel.ctx, b"/disk.img", at, "vfat", 0, "uid=1") == Errno.EINVAL
    image = tmp_path / "v.img"
    image.write_bytes(walk(kernel.ctx, b"/disk.img").inode.read_at(0, len(empty())))
    assert mtools(image, "mtype", "::/hello.txt") == b"hello\n"
    detach(kernel.ctx, b"/mnt", 2)
    assert volume_types.names() == ("vfat",)


def test_a_program_is_loaded_from_a_disk(system, monkeypatch, tmp_path):
    """MYR-23: an ELF file that mtools has put on a volume, started by its name there."""
    image, program = tmp_path / "v.img", hosted.compiled("counting.c")
    image.write_bytes(empty())
    mtools(image, "mcopy", str(program), "::/counting from a disk")

    async def main(story):
        kernel = story.kernel
        await story.start_first_program()
        fs = FsContext.at_root(kernel.vfs, kernel.mounts)
        entries.mkdir(fs, b"/mnt", 0o755)
        attach(fs, b"/disk.img", walk(fs, b"/mnt"), "vfat", 0, "")
        process = await kernel.usermode.spawn(b"/mnt/counting from a disk", b"5")
        assert await status_of(process) == 0
        kernel.power_off()

    monkeypatch.setattr(Story, "main", main)
    init = hosted.compiled("waiting.c").read_bytes()
    files = {"/sbin/init": init, "/disk.img": image.read_bytes(), "/tmp/counted": b""}
    made = system(files=files, memory=192 << 20).run()
    assert made.outcome.status == 0, made.log
    assert made.log.endswith("1\n2\n3\n4\n5\ncounted well\n")
