"""The contract of every type of file system.

A test class inherits `FilesystemContract` and names a registered type; one that can be written to
inherits `WritableContract`, which plays random calls against a dictionary.
"""

from __future__ import annotations

import stat

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.fs import attributes, entries
from pykern.kernel.fs.buffer import BytesBuffer
from pykern.kernel.fs.flags import O_CREAT, O_EXCL, O_RDWR
from pykern.kernel.fs.path import path_of, walk
from tests.pykern.kernel.fs.harness import Kernel, errno_of, read, run

NAMES = (b"a", b"b", b"c")
PATHS = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map(lambda n: b"/" + b"/".join(n))
PLACES = st.sampled_from([0, 1, 4095, 4096, 10_000])
SIZES = st.sampled_from([0, 1, 4096, 4097, 9000])


def every_place(ctx, path: bytes = b"/"):
    """Yield each path of a tree with its place; links are not followed."""
    for entry in walk(ctx, path).inode.entries():
        child = path.rstrip(b"/") + b"/" + entry.name
        place = walk(ctx, child, follow=False)
        yield child, entry, place
        if place.inode.is_directory():
            yield from every_place(ctx, child)


class FilesystemContract:
    """What holds for all of them."""

    type_name: str

    def kernel(self) -> Kernel:
        """Return files with an instance as root; a subclass may fill it."""
        return Kernel(self.type_name)

    def test_names_that_are_listed_can_be_looked_up(self):
        ctx = self.kernel().ctx
        for path, entry, place in every_place(ctx):
            assert (path, entry.ino, entry.kind) == (path, place.inode.ino, place.inode.kind)
            assert place.inode.same(walk(ctx, path, follow=False).inode)

    def test_names_are_listed_once_and_have_numbers_of_their_own(self):
        seen: dict[int, bytes] = {}
        names = set()
        for path, entry, place in every_place(self.kernel().ctx):
            assert path not in names
            names.add(path)
            if place.inode.nlink == 1 or place.inode.is_directory():
                assert seen.setdefault(entry.ino, path) == path

    def test_every_directory_knows_its_way_up(self):
        ctx = self.kernel().ctx
        for path, _, place in every_place(ctx):
            if place.inode.is_directory():
                assert walk(ctx, path + b"/..").same(walk(ctx, path.rpartition(b"/")[0] or b"/"))
                assert path_of(ctx, place) == path

    def test_what_is_not_there_is_missed(self):
        ctx = self.kernel().ctx
        assert errno_of(walk, ctx, b"/no such name") == Errno.ENOENT
        assert errno_of(walk, ctx, b"/" + b"x" * 256) == Errno.ENAMETOOLONG
        for path, _, place in every_place(ctx):
            if place.inode.is_regular():
                assert errno_of(walk, ctx, path + b"/x") == Errno.ENOTDIR
                assert errno_of(place.inode.readlink) == Errno.EINVAL
            if place.inode.is_directory():
                assert errno_of(place.inode.read_at, 0, 1) == Errno.EISDIR

    def test_files_can_be_read_in_pieces(self):
        kernel = self.kernel()
        for path, _, place in every_place(kernel.ctx):
            if not place.inode.is_regular() or not place.inode.mode & 0o444:
                continue
            whole, pieces = kernel.read(path), b""
            file = kernel.open(path)
            while piece := read(file, 7):
                pieces += piece
            file.put()
            assert (path, pieces) == (path, whole)

    def test_attributes_are_those_of_the_kind(self):
        kernel = self.kernel()
        for _, _, place in every_place(kernel.ctx):
            s = place.inode.stat()
            assert s.dev == kernel.fs.dev
            assert s.nlink >= (2 if stat.S_ISDIR(s.mode) else 1)
            assert min(s.atime_ns, s.mtime_ns, s.ctime_ns, s.size, s.blocks) >= 0

    def test_the_instance_describes_itself(self):
        fs = self.kernel().fs
        s = fs.statfs()
        assert fs.type_name == self.type_name
        assert (s.type, s.namelen) == (fs.magic, 255)
        assert s.bfree <= s.blocks
        assert s.ffree <= s.files

    def test_open_files_are_counted(self):
        kernel = self.kernel()
        files = [
            kernel.open(path)
            for path, _, place in every_place(kernel.ctx)
            if place.inode.is_regular() or place.inode.is_directory()
        ]
        assert kernel.mounts.root.mount.users == len(files)
        for file in files:
            file.put()
        assert kernel.mounts.root.mount.users == 0


class ReadOnlyContract(FilesystemContract):
    """What holds for types whose names cannot be changed."""

    def test_names_cannot_be_changed(self):
        ctx = self.kernel().ctx
        before = [path for path, _, _ in every_place(ctx)]
        some = next(p for p, _, place in every_place(ctx) if place.inode.is_regular())
        refused = {Errno.EACCES, Errno.EPERM}
        assert errno_of(entries.mkdir, ctx, b"/new", 0o755) in refused
        assert errno_of(entries.symlink, ctx, b"x", b"/new") in refused
        assert errno_of(entries.mknod, ctx, b"/new", stat.S_IFREG | 0o644) in refused
        assert errno_of(entries.mknod, ctx, b"/new", stat.S_IFIFO | 0o644) in refused
        assert errno_of(entries.link, ctx, walk(ctx, some), b"/new") in refused
        assert errno_of(entries.unlink, ctx, some) in refused
        assert errno_of(entries.rename, ctx, some, b"/new") in refused
        assert [path for path, _, _ in every_place(ctx)] == before


class WritableContract(FilesystemContract):
    """What holds for types that can be changed."""

    def test_calls_do_to_files_what_they_do_to_a_dictionary(self):
        contract = self

        class Machine(Files):
            def __init__(self):
                super().__init__(contract.kernel())

        run_state_machine_as_test(
            Machine, settings=settings(max_examples=60, stateful_step_count=40)
        )


class Files(RuleBasedStateMachine):
    """Calls on a file system and on a model of it.

    The model is a dictionary from path to what stands there: None for a directory, bytes for the
    target of a link, a bytearray for a file; two names of one file share the bytearray.
    """

    def __init__(self, kernel: Kernel):
        super().__init__()
        self.kernel = kernel
        self.ctx = kernel.ctx
        self.start = {path for path, _, _ in every_place(self.ctx)}
        self.statfs = kernel.fs.statfs()
        self.tree: dict[bytes, bytes | bytearray | None] = {}
        self.open: list[tuple[object, bytearray]] = []

    # --- the model --------------------------------------------------------------------------

    def missing(self, path: bytes) -> Errno | None:
        """Return why a path cannot be walked up to its last name."""
        parts = path.split(b"/")[1:-1]
        for depth in range(1, len(parts) + 1):
            above = b"/" + b"/".join(parts[:depth])
            if above not in self.tree:
                return Errno.ENOENT
            if self.tree[above] is not None:
                # Links of the model lead to nothing.
                return Errno.ENOENT if isinstance(self.tree[above], bytes) else Errno.ENOTDIR
        return None

    def children(self, path: bytes) -> set[bytes]:
        return {p for p in self.tree if p.startswith(path + b"/")}

    def expect(self, path: bytes, *refusals: tuple[bool, Errno]) -> Errno | None:
        """Return the first errno that holds; None: the call works."""
        return self.missing(path) or next((errno for holds, errno in refusals if holds), None)

    # --- calls ------------------------------------------------------------------------------

    @rule(path=PATHS)
    def mkdir(self, path):
        expected = self.expect(path, (path in self.tree, Errno.EEXIST))
        assert errno_of(entries.mkdir, self.ctx, path, 0o755) == expected
        if expected is None:
            self.tree[path] = None

    @rule(path=PATHS)
    def create(self, path):
        expected = self.expect(path, (path in self.tree, Errno.EEXIST))
        assert self._open(path, O_CREAT | O_EXCL | O_RDWR) == expected
        if expected is None:
            self.tree[path] = self.open[-1][1]

    @rule(path=PATHS, to=st.sampled_from([b"nowhere", b"/not/there"]))
    def symlink(self, path, to):
        expected = self.expect(path, (path in self.tree, Errno.EEXIST))
        assert errno_of(entries.symlink, self.ctx, to, path) == expected
        if expected is None:
            self.tree[path] = to

    @rule(old=PATHS, new=PATHS)
    def link(self, old, new):
        if self.missing(old) or old not in self.tree:
            return
        expected = self.expect(
            new, (new in self.tree, Errno.EEXIST), (self.tree[old] is None, Errno.EPERM)
        )
        place = walk(self.ctx, old, follow=False)
        assert errno_of(entries.link, self.ctx, place, new) == expected
        if expected is None:
            self.tree[new] = self.tree[old]

    @rule(path=PATHS)
    def unlink(self, path):
        expected = self.expect(
            path,
            (path not in self.tree, Errno.ENOENT),
            (self.tree.get(path, b"") is None, Errno.EISDIR),
        )
        assert errno_of(entries.unlink, self.ctx, path) == expected
        if expected is None:
            del self.tree[path]

    @rule(path=PATHS)
    def rmdir(self, path):
        expected = self.expect(
            path,
            (path not in self.tree, Errno.ENOENT),
            (self.tree.get(path) is not None, Errno.ENOTDIR),
            (bool(self.children(path)), Errno.ENOTEMPTY),
        )
        assert errno_of(entries.rmdir, self.ctx, path) == expected
        if expected is None:
            del self.tree[path]

    @rule(old=PATHS, new=PATHS)
    def rename(self, old, new):
        expected = self.missing(old) or self.missing(new) or self._rename_refusal(old, new)
        assert errno_of(entries.rename, self.ctx, old, new) == expected
        same = new in self.tree and self.tree.get(old, b"") is self.tree[new]
        if expected is not None or old == new or (same and self.tree[new] is not None):
            return
        moved = {path: self.tree.pop(path) for path in {old} | self.children(old)}
        self.tree.update({new + path.removeprefix(old): value for path, value in moved.items()})

    def _rename_refusal(self, old, new):
        source, victim = self.tree.get(old, b""), self.tree.get(new, b"")
        refusals = [
            (old not in self.tree, Errno.ENOENT),
            (source is None and new.startswith(old + b"/"), Errno.EINVAL),
            (new in self.tree and old.startswith(new + b"/"), Errno.ENOTEMPTY),
            (new not in self.tree or old == new, None),
            (source is None and victim is not None, Errno.ENOTDIR),
            (source is not None and victim is None, Errno.EISDIR),
            (bool(self.children(new)), Errno.ENOTEMPTY),
        ]
        return next((errno for holds, errno in refusals if holds), None)

    # --- content ----------------------------------------------------------------------------

    @rule(path=PATHS)
    def reopen(self, path):
        if not self.missing(path) and isinstance(self.tree.get(path), bytearray):
            assert self._open(path, O_RDWR) is None

    def _open(self, path, flags):
        try:
            file = self.kernel.open(path, flags)
        except SysError as error:
            return error.errno
        content = self.tree.get(path)
        self.open.append((file, content if isinstance(content, bytearray) else bytearray()))
        return None

    @rule(which=st.integers(0, 9), offset=PLACES, size=SIZES)
    def write(self, which, offset, size):
        if not self.open:
            return
        file, content = self.open[which % len(self.open)]
        data = bytes(index % 251 + 1 for index in range(size))
        assert run(file.pwrite(BytesBuffer(data), offset)) == size
        if size:
            content += bytes(max(offset + size - len(content), 0))
            content[offset : offset + size] = data

    @rule(which=st.integers(0, 9), size=PLACES)
    def truncate(self, which, size):
        if not self.open:
            return
        file, content = self.open[which % len(self.open)]
        file.truncate(size)
        del content[size:]
        content += bytes(size - len(content))

    @rule(path=PATHS, size=PLACES)
    def truncate_by_name(self, path, size):
        content = self.tree.get(path)
        if self.missing(path) or not isinstance(content, bytearray):
            return
        attributes.truncate(self.ctx, walk(self.ctx, path), size)
        del content[size:]
        content += bytes(size - len(content))

    @rule(which=st.integers(0, 9))
    def close(self, which):
        if self.open:
            self.open.pop(which % len(self.open))[0].put()

    # --- what always holds ------------------------------------------------------------------

    @invariant()
    def the_tree_is_that_of_the_model(self):
        found = {p: place for p, _, place in every_place(self.ctx) if p not in self.start}
        assert found.keys() == self.tree.keys()
        for path, place in found.items():
            expected = self.tree[path]
            if isinstance(expected, bytearray):
                names = sum(value is expected for value in self.tree.values())
                assert (path, place.inode.nlink) == (path, names)
                assert (path, place.inode.size) == (path, len(expected))
            elif isinstance(expected, bytes):
                assert place.inode.readlink() == expected
            else:
                inside = [p for p in self.children(path) if p.count(b"/") == path.count(b"/") + 1]
                subdirectories = sum(self.tree[p] is None for p in inside)
                assert (path, place.inode.nlink) == (path, 2 + subdirectories)

    @invariant()
    def open_files_hold_their_content(self):
        for file, content in self.open:
            dst = BytesBuffer(size=20_000)
            run(file.pread(dst, 0))
            assert dst.done == content

    def teardown(self):
        """Remove everything: what was in use is free again."""
        for file, _ in self.open:
            file.put()
        for path in sorted(self.tree, key=len, reverse=True):
            remove = entries.rmdir if self.tree[path] is None else entries.unlink
            remove(self.ctx, path)
        assert self.kernel.fs.statfs() == self.statfs
        assert self.kernel.mounts.root.mount.users == 0
