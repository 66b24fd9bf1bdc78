"""SCA-23, RMP-15: memory-mapped files."""

from __future__ import annotations

from stat import S_IFREG

import pytest

from pykern.kernel.core.errno import SysError
from pykern.kernel.core.units import PAGE_SIZE
from pykern.kernel.fs.types.tmpfs import TmpFs, TmpfsFile
from pykern.kernel.mm.file_pager import pager_of
from pykern.kernel.mm.pager import BusError
from pykern.kernel.mm.space import Backing
from pykern.kernel.mm.vma import MAP_PRIVATE, MAP_SHARED, PROT_READ, PROT_WRITE

RW = PROT_READ | PROT_WRITE
IDENTITY = (0, 5, 9)


@pytest.fixture
def file():
    file = TmpfsFile(TmpFs(5, lambda: 0, size=3 * PAGE_SIZE), S_IFREG | 0o644)
    file.write_at(0, bytes(range(256)) * 20)
    return file


@pytest.fixture(autouse=True)
def _nothing_stays(world, file):
    yield
    for space in list(world.spaces):
        world.exit(space)
    assert file.pager is None
    assert file.users == 0


def mapped(space, world, file, prot=RW, flags=MAP_SHARED, size=2 * PAGE_SIZE):
    pager = pager_of(file, world.frames, world.machine, "/tmp/f", IDENTITY)
    return space.mmap(None, size, prot, flags, Backing(pager))


def test_a_program_sees_the_file(world, file):
    space = world.space()
    laddr = mapped(space, world, file, PROT_READ)
    assert world.peek(space, laddr + 300) == 44
    assert space.copy_in(laddr, 5120) == file.read_at(0, 5120)
    assert space.copy_in(laddr + 5120, 10) == bytes(10)
    assert space.maps().endswith("/tmp/f\n")
    assert "r--s 00000000 00:05 9 " in space.maps()
    assert file.pager.resident == 2 * PAGE_SIZE


def test_behind_the_end_is_a_bus_error(world, file):
    space = world.space()
    laddr = mapped(space, world, file, size=3 * PAGE_SIZE)
    with pytest.raises(BusError, match=r"0x2000 of /tmp/f, which has 0x1400 bytes"):
        space.fault(laddr + 2 * PAGE_SIZE, 4)


def test_writes_of_programs_reach_each_other_and_the_file(world, file):
    one, two = world.space(), world.space()
    here, there = mapped(one, world, file), mapped(two, world, file)
    world.poke(one, here + 10, 99)
    assert world.peek(two, there + 10) == 99
    assert file.read_at(10, 1) == b"\x0a"
    file.pager.write_back()
    assert file.read_at(10, 1) == b"c"
    world.poke(two, there + 10, 100)
    world.exit(one)
    assert file.read_at(10, 1) == b"c"
    world.exit(two)
    assert file.read_at(10, 1) == b"d"
    assert file.size == 5120


def test_writes_to_the_file_reach_programs(world, file):
    space = world.space()
    laddr = mapped(space, world, file)
    world.peek(space, laddr)
    file.write_at(4090, b"0123456789")
    file.pager.written(4090, 10)
    assert space.copy_in(laddr + 4090, 10) == b"0123456789"


def test_private_writes_stay_private(world, file):
    space = world.space()
    laddr = mapped(space, world, file, flags=MAP_PRIVATE)
    world.peek(space, laddr)
    world.poke(space, laddr, 77)
    child = world.fork(space)
    world.poke(child, laddr, 78)
    assert (world.peek(space, laddr), world.peek(child, laddr)) == (77, 78)
    file.pager.write_back()
    assert file.read_at(0, 1) == b"\0"


def test_only_the_pages_of_a_range_are_written_back(world, file):
    space = world.space()
    laddr = mapped(space, world, file)
    world.poke(space, laddr, 1)
    world.poke(space, laddr + PAGE_SIZE, 2)
    file.pager.write_back(PAGE_SIZE, 1)
    assert (file.read_at(0, 1), file.read_at(PAGE_SIZE, 1)) == (b"\0", b"\x02")


def test_a_shorter_file_has_fewer_pages(world, file):
    space = world.space()
    laddr = mapped(space, world, file)
    world.poke(space, laddr + 100, 1)
    world.poke(space, laddr + PAGE_SIZE, 1)
    file.truncate(50)
    pager = file.pager
    pager.truncated()
    assert world.peek(space, laddr + 100) == 0
    assert pager.resident == PAGE_SIZE
    with pytest.raises(BusError):
        pager.frame(PAGE_SIZE)
    pager.write_back()
    assert file.size == 50


def test_a_hole_gets_its_storage_with_the_first_write_or_is_a_bus_error(world, file):
    file.truncate(5 * PAGE_SIZE)
    space = world.space()
    laddr = mapped(space, world, file, size=5 * PAGE_SIZE)
    world.poke(space, laddr + 2 * PAGE_SIZE, 1)
    assert world.peek(space, laddr + 3 * PAGE_SIZE) == 0
    with pytest.raises(BusError, match=r"0x3000 of /tmp/f: ENOSPC"):
        space.fault(laddr + 3 * PAGE_SIZE, 7)
    with pytest.raises(SysError, match="EFAULT"):
        space.copy_out(laddr + 4 * PAGE_SIZE, b"x")


def test_a_file_without_a_name_lives_as_long_as_it_is_mapped(world, file):
    space = world.space()
    laddr = mapped(space, world, file)
    file.unname()
    assert file.fs.pages == 2
    assert world.peek(space, laddr + 1) == 1
    world.exit(space)
    assert file.fs.pages == 0


def test_who_only_looks_reads_the_file_or_what_was_mapped(world, file):
    space = world.space()
    laddr = mapped(space, world, file)
    assert file.pager.peek(0, world.machine) == file.read_at(0, PAGE_SIZE)
    assert file.pager.peek(PAGE_SIZE, world.machine)[1024:] == bytes(PAGE_SIZE - 1024)
    assert file.pager.resident == 0
    space.copy_out(laddr, b"new")
    assert file.pager.peek(0, world.machine)[:4] == b"new\3"
    with pytest.raises(BusError):
        file.pager.peek(2 * PAGE_SIZE, world.machine)
