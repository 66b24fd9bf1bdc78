"""RMP-11, SCA-23, MEL-50: the system calls of memory, on real files and address spaces."""

from __future__ import annotations

from stat import S_IFREG
from types import SimpleNamespace

import pytest

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.core.units import PAGE_SIZE
from pykern.kernel.fs.flags import O_RDONLY, O_RDWR, O_WRONLY
from pykern.kernel.fs.types.tmpfs import TmpFs, TmpfsDirectory, TmpfsFile
from pykern.kernel.mm.vma import (
    MAP_ANONYMOUS,
    MAP_POPULATE,
    MAP_PRIVATE,
    MAP_SHARED,
    PROT_READ,
    PROT_WRITE,
)
from pykern.kernel.syscalls import memory
from tests.pykern.kernel.mm.conftest import world

__all__ = ["world"]

RW = PROT_READ | PROT_WRITE
ANON = MAP_PRIVATE | MAP_ANONYMOUS
NORESERVE_AND_STACK = 0x2_4000


class OpenFile(SimpleNamespace):
    """What mmap looks at of an open file."""

    @property
    def readable(self):
        return self.flags != O_WRONLY

    @property
    def writable(self):
        return self.flags != O_RDONLY


@pytest.fixture
def file():
    file = TmpfsFile(TmpFs(5, lambda: 0), S_IFREG | 0o644)
    file.write_at(0, b"content of a file")
    return file


@pytest.fixture
def thread(world, file):
    """Descriptors: 0 reads, 1 writes, 2 does both, 3 is a directory."""
    directory = TmpfsDirectory(file.fs, 0o40755)
    inodes = ((file, O_RDONLY), (file, O_WRONLY), (file, O_RDWR), (directory, O_RDONLY))
    files = [OpenFile(inode=inode, flags=flags, name=b"/tmp/f") for inode, flags in inodes]
    return SimpleNamespace(
        process=SimpleNamespace(space=world.space(), files=SimpleNamespace(get=files.__getitem__)),
        system=SimpleNamespace(frames=world.frames, machine=world.machine),
    )


def fails(errno):
    return pytest.raises(SysError, match=rf"^{errno.name}\b")


def test_memory_of_its_own(world, thread):
    space = thread.process.space
    laddr = memory.mmap(thread, 0, 100, RW, ANON | NORESERVE_AND_STACK, -1, 0)
    world.poke(space, laddr, 1)
    assert memory.mprotect(thread, laddr, 1, PROT_READ) == 0
    with fails(Errno.EFAULT):
        space.copy_out(laddr, b"x")
    moved = memory.mremap(thread, laddr, 1, 3 * PAGE_SIZE, 1, 0)
    assert world.peek(space, moved) == 1
    assert memory.madvise(thread, moved, PAGE_SIZE, 4) == 0
    assert world.peek(space, moved) == 0
    assert memory.munmap(thread, moved, 3 * PAGE_SIZE) == 0
    assert len(space.vmas) == 0


def test_pages_can_be_asked_for_and_looked_for(thread):
    space = thread.process.space
    laddr = memory.mmap(thread, 0, 3 * PAGE_SIZE, RW, ANON | MAP_POPULATE, -1, 0)
    other = memory.mmap(thread, 0, PAGE_SIZE, RW, ANON, -1, 0)
    assert memory.mincore(thread, laddr, 3 * PAGE_SIZE, other) == 0
    assert space.copy_in(other, 4) == b"\1\1\1\0"
    with fails(Errno.EFAULT):
        memory.mincore(thread, laddr, PAGE_SIZE, 8)


def test_a_shared_file_is_written_by_msync_and_by_the_end(world, thread, file):
    space = thread.process.space
    laddr = memory.mmap(thread, 0, 100, RW, MAP_SHARED, 2, 0)
    space.copy_out(laddr, b"CONTENT")
    assert file.read_at(0, 10) == b"content of"
    assert memory.msync(thread, laddr, 100, 4) == 0
    assert file.read_at(0, 10) == b"CONTENT of"
    space.copy_out(laddr, b"again")
    assert file.load(0, 10) == b"againNT of"
    file.store(3, b"@@")
    assert space.copy_in(laddr, 8) == b"aga@@NT "
    file.resize(4)
    assert space.copy_in(laddr, 8) == b"aga@\0\0\0\0"
    assert world.peek(space, laddr) == ord("a")
    space.copy_out(laddr, b"z")
    memory.munmap(thread, laddr, 100)
    assert file.read_at(0, 9) == b"zga@"
    assert file.pager is None


def test_a_private_file_mapping_is_the_program_s_own(thread, file):
    space = thread.process.space
    laddr = memory.mmap(thread, 0, 100, RW, MAP_PRIVATE, 0, 0)
    space.copy_out(laddr, b"mine")
    assert space.copy_in(laddr, 8) == b"mineent "
    assert memory.msync(thread, laddr, 100, 4) == 0
    assert file.load(0, 7) == b"content"
    assert "/tmp/f\n" in space.maps()


def test_rights_come_from_how_the_file_was_opened(thread):
    with fails(Errno.EACCES):
        memory.mmap(thread, 0, 1, PROT_READ, MAP_PRIVATE, 1, 0)
    with fails(Errno.EACCES):
        memory.mmap(thread, 0, 1, RW, MAP_SHARED, 0, 0)
    laddr = memory.mmap(thread, 0, 1, PROT_READ, MAP_SHARED, 0, 0)
    with fails(Errno.EACCES):
        memory.mprotect(thread, laddr, 1, RW)
    with fails(Errno.ENODEV):
        memory.mmap(thread, 0, 1, PROT_READ, MAP_PRIVATE, 3, 0)
    for offset in (-PAGE_SIZE, 1, (1 << 63) - 1):
        with pytest.raises(SysError):
            memory.mmap(thread, 0, 1, PROT_READ, MAP_PRIVATE, 0, offset)


def test_msync_checks_its_arguments(thread):
    for addr, flags in ((1, 4), (0, 5), (0, 8)):
        with fails(Errno.EINVAL):
            memory.msync(thread, addr, PAGE_SIZE, flags)
    with fails(Errno.ENOMEM):
        memory.msync(thread, 0, PAGE_SIZE, 4)
    with fails(Errno.EINVAL):
        memory.madvise(thread, 0, 1, 99)
