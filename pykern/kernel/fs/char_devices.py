"""null, zero, full, random, urandom, kmsg and fb0: devices that are only a way to read and write.

References
----------
Linux null(4), full(4), random(4); Documentation/ABI/testing/dev-kmsg,
Documentation/admin-guide/devices.txt; include/uapi/linux/fb.h.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from stat import S_IFCHR
from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.core.wait import WaitQueue
from pykern.kernel.fs.file import File, PlacedFile
from pykern.kernel.fs.flags import O_NONBLOCK, READABLE, SEEK_CUR, SEEK_END, SEEK_SET, WRITABLE

if TYPE_CHECKING:
    from collections.abc import Callable

    from pykern.kernel.fs.buffer import Buffer
    from pykern.kernel.fs.devices import DeviceTable, Opener
    from pykern.kernel.fs.file import IoctlArgument
    from pykern.kernel.fs.location import Location

__all__ = [
    "FramebufferInfo",
    "KernelLog",
    "add_framebuffer",
    "add_kernel_log",
    "add_memory_devices",
]

# A read that has no end takes at most this much at once, bytes.
CHUNK = 65536
_LEVEL_DIGITS = 9


class _Endless(File):
    """A device without places: seeking succeeds and changes nothing."""

    def lseek(self, offset: int, whence: int) -> int:
        """Stay at 0."""
        return 0

    async def pread(self, dst: Buffer, offset: int) -> int:
        """Read, wherever."""
        return await self.read(dst)

    async def pwrite(self, src: Buffer, offset: int) -> int:
        """Write, wherever."""
        return await self.write(src)


class NullFile(_Endless):
    """Nothing to read; what is written is forgotten."""

    async def read(self, dst: Buffer) -> int:
        """Return 0: the end."""
        self.require_readable()
        return 0

    async def write(self, src: Buffer) -> int:
        """Forget it."""
        self.require_writable()
        return len(src.take(src.remaining))


class SourceFile(NullFile):
    """Bytes without end; what is written is forgotten.

    Parameters
    ----------
    source : called with a count of bytes, returns as many
    """

    def __init__(self, location: Location, flags: int, source: Callable[[int], bytes]) -> None:
        super().__init__(location, flags)
        self._source = source

    async def read(self, dst: Buffer) -> int:
        """Fill all of it."""
        self.require_readable()
        total = dst.remaining
        while dst.remaining:
            dst.put(self._source(min(dst.remaining, CHUNK)))
        return total


class FullFile(SourceFile):
    """Zeroes without end, and never room."""

    async def write(self, src: Buffer) -> int:
        """Refuse.

        Raises
        ------
        SysError(ENOSPC) : always
        """
        self.require_writable()
        raise SysError(Errno.ENOSPC)


def add_memory_devices(devices: DeviceTable, random_bytes: Callable[[int], bytes]) -> None:
    """Register null, zero, full, random and urandom.

    Parameters
    ----------
    random_bytes : returns as many bytes as asked for, from the machine's seed
    """
    devices.add("null", (1, 3), NullFile)
    devices.add("zero", (1, 5), lambda at, flags: SourceFile(at, flags, bytes))
    devices.add("full", (1, 7), lambda at, flags: FullFile(at, flags, bytes))
    for name, minor in (("random", 8), ("urandom", 9)):
        devices.add(name, (1, minor), lambda at, flags: SourceFile(at, flags, random_bytes))


# --- kmsg ----------------------------------------------------------------------------------------


class KernelLog:
    """The kernel's messages, as many as there is room for.

    Parameters
    ----------
    now_us : time since boot in µs
    records : how many are kept
    """

    def __init__(self, now_us: Callable[[], int], *, records: int = 4096) -> None:
        self._now_us = now_us
        self._records: deque[tuple[int, bytes]] = deque(maxlen=records)
        self._last = -1
        self.added = WaitQueue()

    def append(self, text: str, *, level: int = 6, facility: int = 0) -> None:
        """Add a message.

        Parameters
        ----------
        level : 0 emergency … 7 debug
        facility : 0 the kernel, 1 a user program
        """
        self._last += 1
        head = f"{facility << 3 | level},{self._last},{self._now_us()},-;"
        body = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)
        self._records.append((self._last, f"{head}{body}\n".encode("utf-8", "surrogateescape")))
        self.added.wake_all()

    @property
    def first(self) -> int:
        """Number of the oldest record that is kept."""
        return self._last + 1 - len(self._records)

    @property
    def end(self) -> int:
        """Number of the next record."""
        return self._last + 1

    def record(self, number: int) -> bytes:
        """Return a record that is kept, as /dev/kmsg gives it."""
        return self._records[number - self.first][1]

    def text(self) -> bytes:
        """Return all messages, one per line, as `dmesg` shows them without times."""
        return b"".join(record.partition(b";")[2] for _, record in self._records)


class KmsgFile(File):
    """/dev/kmsg: each read gives one record, each write adds one."""

    def __init__(self, location: Location, flags: int, log: KernelLog) -> None:
        super().__init__(location, flags)
        self._log = log
        self.offset = log.first

    async def read(self, dst: Buffer) -> int:
        """Read the next record, waiting for it.

        Raises
        ------
        SysError(EPIPE) : records were lost in between; the next read goes on with the oldest
        SysError(EINVAL) : the record does not fit
        """
        self.require_readable()
        with self:
            while self.offset >= self._log.end:
                if self.flags & O_NONBLOCK:
                    raise SysError(Errno.EAGAIN)
                await self._log.added.wait()
        if self.offset < self._log.first:
            self.offset = self._log.first
            raise SysError(Errno.EPIPE)
        record = self._log.record(self.offset)
        if len(record) > dst.remaining:
            raise SysError(Errno.EINVAL)
        dst.put(record)
        self.offset += 1
        return len(record)

    async def write(self, src: Buffer) -> int:
        """Add a message: `<level>text`, or text alone."""
        self.require_writable()
        data = src.take(src.remaining)
        text = data.decode("utf-8", "surrogateescape").rstrip("\n")
        level, bracket, rest = text.removeprefix("<").partition(">")
        if text.startswith("<") and bracket and level.isdecimal() and len(level) <= _LEVEL_DIGITS:
            self._log.append(rest, level=int(level) & 7, facility=int(level) >> 3 or 1)
        else:
            self._log.append(text, level=4, facility=1)
        return len(data)

    def lseek(self, offset: int, whence: int) -> int:
        """Go to the oldest record (SEEK_SET) or behind the newest (SEEK_END).

        Raises
        ------
        SysError(ESPIPE) : to any other offset
        SysError(EINVAL) : an unknown `whence`
        """
        if offset:
            raise SysError(Errno.ESPIPE)
        if whence not in {SEEK_SET, SEEK_END}:
            raise SysError(Errno.EINVAL)
        self.offset = self._log.first if whence == SEEK_SET else self._log.end
        return 0

    def poll(self, events: int) -> int:
        """Return whether a record can be read; there is always room to write."""
        ready = READABLE if self.offset < self._log.end else 0
        return events & (ready | WRITABLE)

    @property
    def queues(self) -> tuple[WaitQueue, ...]:
        """What is woken when `poll` may answer differently."""
        return (self._log.added,)


def add_kernel_log(devices: DeviceTable, log: KernelLog) -> None:
    """Register kmsg."""
    devices.add("kmsg", (1, 11), lambda at, flags: KmsgFile(at, flags, log), mode=S_IFCHR | 0o644)


# --- fb0 -----------------------------------------------------------------------------------------

FBIOGET_VSCREENINFO, FBIOGET_FSCREENINFO = 0x4600, 0x4602


@dataclass(frozen=True)
class FramebufferInfo:
    """A framebuffer of 32 bits per pixel, 0xXXRRGGBB.

    Attributes
    ----------
    width, height : pixels
    pitch : bytes from one line to the next
    paddr : physical address of the first pixel
    """

    width: int
    height: int
    pitch: int
    paddr: int = 0

    def variable(self) -> bytes:
        """Return `struct fb_var_screeninfo`, 160 bytes of u32."""
        words = [0] * 40
        words[0:2] = words[2:4] = [self.width, self.height]
        words[6] = 32
        # red, green, blue: offset, length, whether the most significant bit is right
        words[8:17] = [16, 8, 0, 8, 8, 0, 0, 8, 0]
        words[22] = words[23] = 0xFFFFFFFF
        return b"".join(word.to_bytes(4, "little") for word in words)

    def fixed(self) -> bytes:
        """Return `struct fb_fix_screeninfo`, 80 bytes."""
        visual_truecolor = 2
        head = b"pykernfb".ljust(16, b"\0") + self.paddr.to_bytes(8, "little")
        words = [self.pitch * self.height, 0, 0, visual_truecolor]
        head += b"".join(word.to_bytes(4, "little") for word in words)
        return (head + bytes(6 + 2) + self.pitch.to_bytes(4, "little")).ljust(80, b"\0")


class MemoryFile(PlacedFile):
    """A device that is a piece of memory with an end.

    Parameters
    ----------
    memory : what is read and written, one byte per item
    info : what the ioctls tell
    """

    def __init__(
        self, location: Location, flags: int, memory: memoryview, info: FramebufferInfo
    ) -> None:
        super().__init__(location, flags)
        self._memory = memory
        self._info = info

    async def pread(self, dst: Buffer, offset: int) -> int:
        """Read from `offset`."""
        self.require_readable()
        data = self._memory[offset : offset + dst.remaining]
        dst.put(data)
        return len(data)

    async def pwrite(self, src: Buffer, offset: int) -> int:
        """Write to `offset`.

        Raises
        ------
        SysError(ENOSPC) : behind the end
        """
        self.require_writable()
        room = len(self._memory) - offset
        if room <= 0 < src.remaining:
            raise SysError(Errno.ENOSPC)
        data = src.take(max(room, 0))
        self._memory[offset : offset + len(data)] = data
        return len(data)

    def lseek(self, offset: int, whence: int) -> int:
        """Move to another place and return it."""
        ends = {SEEK_SET: 0, SEEK_CUR: self.offset, SEEK_END: len(self._memory)}
        if whence not in ends or ends[whence] + offset < 0:
            raise SysError(Errno.EINVAL)
        self.offset = ends[whence] + offset
        return self.offset

    async def ioctl(self, request: int, argument: IoctlArgument) -> int:
        """Tell the shape of the screen."""
        if request == FBIOGET_VSCREENINFO:
            argument.write(self._info.variable())
        elif request == FBIOGET_FSCREENINFO:
            argument.write(self._info.fixed())
        else:
            raise SysError(Errno.ENOTTY)
        return 0


def add_framebuffer(devices: DeviceTable, memory: memoryview, info: FramebufferInfo) -> None:
    """Register fb0."""
    opener: Opener = lambda at, flags: MemoryFile(at, flags, memory, info)  # noqa: E731
    devices.add("fb0", (29, 0), opener, mode=S_IFCHR | 0o660)
