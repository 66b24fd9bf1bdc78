"""null, zero, full, random, kmsg, fb0."""

from __future__ import annotations

import random
import struct

import pytest

from pykern.kernel.core.errno import Errno
from pykern.kernel.fs.buffer import BytesBuffer
from pykern.kernel.fs.char_devices import (
    FramebufferInfo,
    KernelLog,
    add_framebuffer,
    add_kernel_log,
    add_memory_devices,
)
from pykern.kernel.fs.devices import DeviceTable
from pykern.kernel.fs.flags import O_NONBLOCK, O_RDWR, POLLIN, POLLOUT, SEEK_END, SEEK_SET
from tests.pykern.kernel.fs.harness import Argument, Kernel, Task, errno_of, read, run, write


@pytest.fixture
def kernel():
    kernel = Kernel("devtmpfs")
    kernel.log = KernelLog(lambda: 1_500_000, records=3)
    add_kernel_log(kernel.vfs.devices, kernel.log)
    return kernel


def test_null_swallows_and_gives_nothing(kernel):
    file = kernel.open(b"/null", O_RDWR)
    assert (write(file, bytes(100_000)), read(file), file.lseek(5, SEEK_SET)) == (100_000, b"", 0)
    assert run(file.pwrite(BytesBuffer(b"x"), 7)) == 1


def test_zero_and_full_are_zeroes(kernel):
    assert read(kernel.open(b"/zero"), 100_000) == bytes(100_000)
    file = kernel.open(b"/full", O_RDWR)
    assert read(file, 3) == bytes(3)
    assert errno_of(file.write, BytesBuffer(b"x")) == Errno.ENOSPC


def test_random_bytes_come_from_the_seed():
    def bytes_of(seed):
        kernel = Kernel()
        devices = DeviceTable()
        add_memory_devices(devices, random.Random(seed).randbytes)
        kernel.vfs.devices = devices
        kernel.ctx.root.inode.mknod(b"urandom", 0o020666, 0x109)
        return read(kernel.open(b"/urandom"), 100)

    assert bytes_of(1) == bytes_of(1) != bytes_of(2)


# --- kmsg ----------------------------------------------------------------------------------------


def test_each_read_gives_one_record(kernel):
    file = kernel.open(b"/kmsg", O_RDWR)
    kernel.log.append("one")
    kernel.log.append("two\x1b", level=3)
    assert read(file) == b"6,0,1500000,-;one\n"
    assert read(file) == b"3,1,1500000,-;two\\x1b\n"
    task = Task(file.read(BytesBuffer(size=100)))
    assert task.asleep
    assert file.poll(POLLIN | POLLOUT) == POLLOUT
    write(file, b"<4>from a program\n")
    assert task.value() == len(b"12,2,1500000,-;from a program\n")
    assert kernel.log.text() == b"one\ntwo\\x1b\nfrom a program\n"


def test_a_level_of_many_digits_is_text(kernel):
    """Python makes no integer of more than 4,300 digits."""
    file = kernel.open(b"/kmsg", O_RDWR)
    message = b"<" + b"9" * 5000 + b">x"
    write(file, message)
    assert kernel.log.text() == message + b"\n"


def test_records_that_were_lost_are_told(kernel):
    file = kernel.open(b"/kmsg")
    for number in range(5):
        kernel.log.append(str(number))
    assert errno_of(file.read, BytesBuffer(size=100)) == Errno.EPIPE
    assert read(file).endswith(b";2\n")


def test_kmsg_seeks_to_its_ends_only(kernel):
    kernel.log.append("one")
    file = kernel.open(b"/kmsg", O_NONBLOCK)
    assert errno_of(file.read, BytesBuffer(size=5)) == Errno.EINVAL
    file.lseek(0, SEEK_END)
    assert errno_of(file.read, BytesBuffer(size=100)) == Errno.EAGAIN
    file.lseek(0, SEEK_SET)
    assert read(file).endswith(b";one\n")
    assert errno_of(file.lseek, 1, SEEK_SET) == Errno.ESPIPE
    assert errno_of(file.lseek, 0, 9) == Errno.EINVAL


# --- fb0 -----------------------------------------------------------------------------------------


@pytest.fixture
def screen(kernel):
    memory = bytearray(64 * 4 * 48)
    info = FramebufferInfo(60, 48, 256, 0xFD000000)
    add_framebuffer(kernel.vfs.devices, memoryview(memory), info)
    return kernel.open(b"/fb0", O_RDWR), memory


def test_pixels_are_written_where_they_belong(screen):
    file, memory = screen
    run(file.pwrite(BytesBuffer(b"\1\2\3\4"), 256))
    assert memory[256:260] == b"\1\2\3\4"
    file.lseek(-2, SEEK_END)
    assert write(file, b"abcd") == 2
    assert errno_of(file.write, BytesBuffer(b"x")) == Errno.ENOSPC
    assert read(file) == b""
    assert errno_of(file.lseek, -1, SEEK_SET) == Errno.EINVAL


def test_the_shape_of_the_screen(screen):
    """Offsets as a C compiler lays <linux/fb.h> out on x86-64."""
    file, _ = screen
    argument = Argument()
    run(file.ioctl(0x4600, argument))
    assert len(argument.data) == 160
    assert struct.unpack_from("<7I", argument.data) == (60, 48, 60, 48, 0, 0, 32)
    assert struct.unpack_from("<9I", argument.data, 32) == (16, 8, 0, 8, 8, 0, 0, 8, 0)
    run(file.ioctl(0x4602, argument))
    assert len(argument.data) == 80
    assert struct.unpack_from("<QI", argument.data, 16) == (0xFD000000, 256 * 48)
    assert struct.unpack_from("<I", argument.data, 48) == (256,)
    assert errno_of(file.ioctl, 1, argument) == Errno.ENOTTY
