"""MEL-50: copies from and to user memory, and pinned buffers."""

from __future__ import annotations

import pytest

from pykern.kernel.core.bug import KernelBug
from pykern.kernel.core.errno import SysError
from pykern.kernel.core.units import PAGE_SIZE
from pykern.kernel.fs.buffer import Buffer, BytesBuffer
from pykern.kernel.mm.pager import BusError
from pykern.kernel.mm.space import Backing
from pykern.kernel.mm.vma import (
    MAP_ANONYMOUS,
    MAP_FIXED,
    MAP_PRIVATE,
    MAP_SHARED,
    PROT_READ,
    PROT_WRITE,
)

RW = PROT_READ | PROT_WRITE
ANON = MAP_PRIVATE | MAP_ANONYMOUS
BASE = 0x40_0000
HIGH = 0xFFFF_8000_0000_0000


@pytest.fixture
def space(world):
    """Three pages RW, one R, then nothing."""
    space = world.space()
    space.mmap(BASE, 3 * PAGE_SIZE, RW, ANON | MAP_FIXED)
    space.mmap(BASE + 3 * PAGE_SIZE, PAGE_SIZE, PROT_READ, ANON | MAP_FIXED)
    return space


def run_error(coroutine):
    """Start a coroutine that is to raise."""
    coroutine.send(None)


def run(coroutine):
    """Run a coroutine that never sleeps."""
    with pytest.raises(StopIteration) as stopped:
        coroutine.send(None)
    return stopped.value.value


def efault():
    return pytest.raises(SysError, match=r"^EFAULT$")


def test_what_is_copied_out_is_copied_in(world, space):
    data = bytes(i % 251 for i in range(2 * PAGE_SIZE))
    for _ in range(2):
        space.copy_out(BASE + 100, data)
        assert space.copy_in(BASE + 100, len(data)) == data
        space.copy_out(BASE + 5, b"abc")
        assert space.copy_in(BASE + 4, 5) == b"\0abc\0"
    assert world.peek(space, BASE + 6) == ord("b")
    assert space.copy_in(0, 0) == b""
    space.copy_out(HIGH, b"")


@pytest.mark.parametrize(
    ("uaddr", "size"),
    [
        (0, 1),
        (BASE - 1, 2),
        (BASE + 4 * PAGE_SIZE - 1, 2),
        (HIGH, 8),
        ((1 << 64) - 4, 8),
        (0x7FFF_FFFF_F000 - 4, 8),
        (1 << 47, 1),
        (BASE, 1 << 47),
    ],
)
def test_a_bad_pointer_is_efault(space, uaddr, size):
    """MEL-50: never a panic, never the kernel half."""
    for _ in range(2):
        with efault():
            space.copy_in(uaddr, size)
        with efault():
            run_error(space.pin(uaddr, size, write=False))
        if size < 100:
            with efault():
                space.copy_out(uaddr, bytes(size))


def test_a_copy_out_that_fails_has_written_nothing(space):
    with efault():
        space.copy_out(BASE + 3 * PAGE_SIZE - 4, b"12345678")
    assert space.copy_in(BASE + 3 * PAGE_SIZE - 4, 8) == bytes(8)
    with efault():
        space.copy_out(BASE + 3 * PAGE_SIZE, b"1")


def test_rights_are_looked_at_again_after_they_change(space):
    space.copy_out(BASE, b"x")
    space.mprotect(BASE, PAGE_SIZE, PROT_READ)
    assert space.copy_in(BASE, 1) == b"x"
    with efault():
        space.copy_out(BASE, b"y")
    space.mprotect(BASE, PAGE_SIZE, 0)
    with efault():
        space.copy_in(BASE, 1)
    space.munmap(BASE, PAGE_SIZE)
    with efault():
        space.copy_in(BASE, 1)


def test_copies_break_copy_on_write(world, space):
    space.copy_out(BASE, b"parent")
    child = world.fork(space)
    child.copy_out(BASE, b"child!")
    assert (space.copy_in(BASE, 6), child.copy_in(BASE, 6)) == (b"parent", b"child!")
    space.copy_out(BASE, b"again.")
    assert child.copy_in(BASE, 6) == b"child!"


def test_strings(space):
    text = b"a" * 200
    space.copy_out(BASE + PAGE_SIZE - 100, text + b"\0zzz")
    assert space.read_cstring(BASE + PAGE_SIZE - 100) == text
    with pytest.raises(SysError, match="ENAMETOOLONG"):
        space.read_cstring(BASE + PAGE_SIZE - 100, 200)
    assert space.read_cstring(BASE + 4 * PAGE_SIZE - 1) == b""
    with efault():
        space.read_cstring(BASE + 4 * PAGE_SIZE)
    space.copy_out(BASE + 3 * PAGE_SIZE - 1, b"q")
    assert space.read_cstring(BASE + 3 * PAGE_SIZE - 1) == b"q"


def test_numbers_and_vectors(space):
    space.copy_out(BASE, (5).to_bytes(8, "little") + (1 << 63).to_bytes(8, "little") + bytes(8))
    assert space.read_u32(BASE) == 5
    assert space.read_u64(BASE + 8) == 1 << 63
    assert space.read_pointers(BASE) == [5, 1 << 63]
    with pytest.raises(SysError, match="E2BIG"):
        space.read_pointers(BASE, 2)


def test_the_file_layer_takes_it_for_a_buffer(space):
    reader: Buffer = run(space.pin(BASE, 10, write=True))
    pipe = BytesBuffer(b"0123456789")
    reader.put(pipe.take(4))
    reader.put(pipe.take(100))
    reader.release()
    assert space.copy_in(BASE, 10) == b"0123456789"


def test_a_pinned_buffer_is_a_stream(world, space):
    buffer = run(space.pin(BASE + PAGE_SIZE - 3, 10, write=True))
    assert (bool(buffer), buffer.remaining, buffer.consumed) == (True, 10, 0)
    buffer.put(b"abcde")
    buffer.put(b"fghij")
    assert (bool(buffer), buffer.remaining, buffer.consumed) == (False, 0, 10)
    buffer.release()
    buffer = run(space.pin(BASE + PAGE_SIZE - 3, 10, write=False))
    assert (buffer.take(2), buffer.take(4), buffer.take(100)) == (b"ab", b"cdef", b"ghij")
    assert buffer.take(1) == b""
    buffer.release()
    buffer.release()
    vector = run(space.pin_vector([(BASE, 0), (BASE, 2), (BASE + 5000, 3)], write=True))
    with pytest.raises(KernelBug, match="6 bytes into a user buffer with room for 5"):
        vector.put(b"123456")
    vector.put(b"12345")
    vector.release()
    assert (space.copy_in(BASE, 2), space.copy_in(BASE + 5000, 3)) == (b"12", b"345")
    assert not run(space.pin(HIGH, 0, write=True))
    assert space.pages.pinned == {}


def test_a_pin_that_fails_holds_nothing(space):
    with efault():
        run_error(space.pin(BASE, 4 * PAGE_SIZE, write=True))
    assert space.pages.pinned == {}


def test_a_pinned_page_survives_munmap(world, space):
    space.copy_out(BASE + PAGE_SIZE, b"keeps the tables")
    buffer = run(space.pin(BASE, 4, write=True))
    free = world.frames.free_bytes
    space.munmap(BASE, PAGE_SIZE)
    assert world.frames.free_bytes == free
    buffer.put(b"data")
    buffer.release()
    assert world.frames.free_bytes == free + PAGE_SIZE


def test_a_fork_does_not_take_what_a_read_is_about_to_deliver(world, space):
    """A thread sleeps in read() while another one forks and writes to the same page."""
    space.copy_out(BASE, b"old!")
    buffer = run(space.pin(BASE, 4, write=True))
    child = world.fork(space)
    space.copy_out(BASE + 4, b"own")
    buffer.put(b"new!")
    buffer.release()
    assert space.copy_in(BASE, 7) == b"new!own"
    assert child.copy_in(BASE, 7) == b"old!\0\0\0"


def test_a_pinned_page_stays_the_process_s_own_when_it_is_written(world, space):
    space.copy_out(BASE, b"old!")
    buffer = run(space.pin(BASE, 4, write=True))
    space.mprotect(BASE, PAGE_SIZE, PROT_READ)
    space.mprotect(BASE, PAGE_SIZE, RW)
    space.copy_out(BASE + 4, b"own")
    buffer.put(b"new!")
    buffer.release()
    assert space.copy_in(BASE, 7) == b"new!own"


class SlowFile:
    """A pager whose pages have to be loaded one by one."""

    name, identity = "/slow", (8, 1, 42)

    def __init__(self, frames, size):
        self.frames, self.size = frames, size
        self.cache, self.dirty, self.loads, self.open = {}, [], [], 0

    def frame(self, offset):
        if offset >= self.size:
            raise BusError
        return self.cache.get(offset)

    async def load(self, offset):
        self.loads.append(offset)
        self.cache[offset] = self.frames.alloc()

    def dirtied(self, offset):
        self.dirty.append(offset)

    def opened(self, _space):
        self.open += 1

    def closed(self, _space):
        self.open -= 1


@pytest.fixture
def file(world):
    file = SlowFile(world.frames, 2 * PAGE_SIZE)
    yield file
    for space in list(world.spaces):
        world.exit(space)
    assert file.open == 0
    for paddr in file.cache.values():
        world.frames.free(paddr)


def test_a_pin_loads_pages_and_a_page_behind_the_end_is_efault(world, space, file):
    """SCA-23: memory-mapped files."""
    laddr = space.mmap(None, 3 * PAGE_SIZE, RW, MAP_SHARED, Backing(file))
    buffer = run(space.pin(laddr + 100, PAGE_SIZE, write=False))
    assert file.loads == [0, PAGE_SIZE]
    assert buffer.take(5) == bytes(5)
    buffer.release()
    assert file.dirty == []
    space.copy_out(laddr + PAGE_SIZE, b"now")
    assert file.dirty == [PAGE_SIZE]
    assert world.machine.read(file.cache[PAGE_SIZE], 3) == b"now"
    with efault():
        run_error(space.pin(laddr + 2 * PAGE_SIZE, 1, write=False))
    with pytest.raises(BusError):
        space.fault(laddr + 2 * PAGE_SIZE, 4)


def test_a_fault_loads_a_page_and_a_private_write_leaves_the_file_alone(world, space, file):
    laddr = space.mmap(None, PAGE_SIZE, RW, MAP_PRIVATE, Backing(file, PAGE_SIZE))
    assert run(space.fault_in(laddr, 4))
    assert file.loads == [PAGE_SIZE]
    assert world.translate(space, laddr).paddr == file.cache[PAGE_SIZE]
    space.copy_out(laddr, b"mine")
    assert world.machine.read(file.cache[PAGE_SIZE], 4) == bytes(4)
    assert file.dirty == []
    assert not run(space.fault_in(0, 4))


def test_out_of_memory_is_enomem_and_leaves_everything_as_it_was(world, space):
    space.copy_out(BASE, b"keep")
    hog = [world.frames.alloc() for _ in range(world.frames.free_bytes // PAGE_SIZE)]
    with pytest.raises(SysError, match="ENOMEM"):
        space.copy_in(BASE + PAGE_SIZE, 1)
    with pytest.raises(SysError, match="ENOMEM"):
        space.fork()
    for _ in range(3):  # not enough for the tables of a child, and then not for all of them
        world.frames.put(hog.pop())
        free = world.frames.free_bytes
        with pytest.raises(SysError, match="ENOMEM"):
            space.fork()
        assert world.frames.free_bytes == free
    assert space.copy_in(BASE, 4) == b"keep"
    space.copy_out(BASE, b"more")
    for paddr in hog:
        world.frames.put(paddr)
