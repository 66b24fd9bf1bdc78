"""Driver of ATA drives at an IDE channel, by programmed I/O and interrupts (MEL-53).

A channel has a thread that takes requests in order: the two drives share the registers. It sleeps
until the channel interrupts; whoever has made a request, until it is done. A command that is not
answered in time ends in a software reset.

References
----------
ATA/ATAPI-6 (T13/1410D), PIO data-in, PIO data-out and Non-data protocols, IDENTIFY DEVICE; PCI IDE
Controller Specification 1.0.
"""

from __future__ import annotations

import struct
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.core.wait import WaitQueue, sleep_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from pykern_c import Vcpu

__all__ = ["CHANNELS", "IDE_CLASS", "AtaChannel", "AtaDrive", "Ports"]

IDE_CLASS = 0x0101
SECTOR = 512
_DATA, _ERROR, _COUNT, _LOW, _MID, _HIGH, _DEVICE, _STATUS = range(8)
_COMMAND = _STATUS
_BSY, _DF, _DRQ, _ERR = 0x80, 0x20, 0x08, 0x01
_LBA, _SRST = 0xE0, 0x04
_NOBODY = {0x00, 0x7F, 0xFF}
_READ, _READ_EXT, _READ_MULTIPLE, _READ_MULTIPLE_EXT = 0x20, 0x24, 0xC4, 0x29
_WRITE, _WRITE_EXT, _WRITE_MULTIPLE, _WRITE_MULTIPLE_EXT = 0x30, 0x34, 0xC5, 0x39
_FLUSH, _FLUSH_EXT, _SET_MULTIPLE, _IDENTIFY = 0xE7, 0xEA, 0xC6, 0xEC
_EXTENDED = {_READ_EXT, _READ_MULTIPLE_EXT, _WRITE_EXT, _WRITE_MULTIPLE_EXT}
_LBA28_END = 1 << 28
_ANSWER_NS, _RESET_NS = 5_000_000_000, 2_000_000
_GLANCE_NS = 50_000
"""Between two looks at a drive that is about to take the first block."""


class Ports(NamedTuple):
    """Where a channel is in compatibility mode."""

    command: int
    control: int
    irq: int


CHANNELS = (Ports(0x1F0, 0x3F6, 14), Ports(0x170, 0x376, 15))


@dataclass(eq=False)
class _Request:
    """A command and its data.

    Attributes
    ----------
    block : sectors that the drive moves for each interrupt; 0: it moves none
    out : what it is to store
    error : why it failed; None: it did not
    """

    unit: int
    command: int
    lba: int = 0
    count: int = 0
    block: int = 0
    out: bytes = b""
    data: bytearray = field(default_factory=bytearray)
    error: SysError | None = None
    done: bool = False
    ended: WaitQueue = field(default_factory=WaitQueue)


class AtaChannel:
    """One channel.

    Parameters
    ----------
    ports : where it is
    processor : returns the processor that acts now; its I/O instructions reach the channel
    now : virtual time in ns
    """

    def __init__(self, ports: Ports, processor: Callable[[], Vcpu], now: Callable[[], int]) -> None:
        self.ports = ports
        self._processor, self._now = processor, now
        self._requests: deque[_Request] = deque()
        self._work, self._answers = WaitQueue(), WaitQueue()
        self._answer: int | None = None

    def is_there(self, unit: int) -> bool:
        """Tell whether a drive answers."""
        self._out(_DEVICE, _LBA | unit << 4)
        return self._in(_STATUS) not in _NOBODY

    def interrupt(self, _cpu: object = None) -> bool:
        """Take the status, which takes the interrupt back, to the thread."""
        self._answer = self._in(_STATUS)
        self._answers.wake()
        return False

    async def request(self, request: _Request) -> bytes:
        """Have a command done and return the data that it has read.

        Raises
        ------
        SysError(EIO) : it failed
        """
        self._requests.append(request)
        self._work.wake()
        while not request.done:
            await request.ended.wait(uninterruptible=True)
        if request.error is not None:
            raise request.error
        return bytes(request.data)

    async def run(self) -> None:
        """Be the thread of the channel."""
        while True:
            while not self._requests:
                await self._work.wait(uninterruptible=True)
            request = self._requests.popleft()
            try:
                await self._execute(request)
            except SysError as error:
                request.error = error
            request.done = True
            request.ended.wake_all()

    async def _execute(self, request: _Request) -> None:
        self._answer = None
        self._issue(request)
        left = memoryview(request.out)
        if left:
            left = self._give(request, left, await self._ready(request))
        while True:
            status = await self._answered(request)
            if status & (_ERR | _DF):
                raise self._failure(request, status)
            self._answer = None
            if left:
                left = self._give(request, left, status)
            elif not request.out and request.block:
                self._take(request)
                if len(request.data) >= request.count * SECTOR:
                    return
            else:
                return

    def _issue(self, request: _Request) -> None:
        lba, count = request.lba, request.count
        device = _LBA | request.unit << 4
        if request.command in _EXTENDED:
            for register, shift in ((_LOW, 24), (_MID, 32), (_HIGH, 40)):
                self._out(register, lba >> shift & 0xFF)
            self._out(_COUNT, count >> 8)
        else:
            device |= lba >> 24 & 0xF
        self._out(_DEVICE, device)
        for register, value in ((_COUNT, count), (_LOW, lba), (_MID, lba >> 8), (_HIGH, lba >> 16)):
            self._out(register, value & 0xFF)
        self._out(_COMMAND, request.command)

    async def _answered(self, request: _Request) -> int:
        """Return the status of the next interrupt."""
        deadline = self._now() + _ANSWER_NS
        while self._answer is None:
            if not await self._answers.wait(uninterruptible=True, deadline_ns=deadline):
                await self._reset()
                words = f"command {request.command:#04x} of drive {request.unit}: no answer"
                raise SysError(Errno.EIO, words)
        return self._answer

    async def _reset(self) -> None:
        vcpu = self._processor()
        vcpu.port_write(self.ports.control, 1, _SRST)
        await sleep_until(self._now() + _RESET_NS, killable=True)
        self._processor().port_write(self.ports.control, 1, 0)
        await sleep_until(self._now() + _RESET_NS, killable=True)

    def _failure(self, request: _Request, status: int) -> SysError:
        return SysError(
            Errno.EIO,
            f"command {request.command:#04x} of drive {request.unit}, sector {request.lba}: "
            f"status {status:#04x}, error {self._in(_ERROR):#04x}",
        )

    def _take(self, request: _Request) -> None:
        """Move a block from the drive."""
        block = min(request.block, request.count - len(request.data) // SECTOR)
        read, port = self._processor().port_read, self.ports.command + _DATA
        words = [read(port, 4) for _ in range(block * SECTOR // 4)]
        request.data += struct.pack(f"<{len(words)}I", *words)

    async def _ready(self, request: _Request) -> int:
        """Return the status once the drive takes the first block, which it does not announce.

        That it takes none is announced.
        """
        deadline = self._now() + _ANSWER_NS
        while self._now() < deadline:
            status = self._processor().port_read(self.ports.control, 1)
            if self._answer is not None or not status & _BSY:
                return self._answer or status
            await self._answers.wait(uninterruptible=True, deadline_ns=self._now() + _GLANCE_NS)
        return await self._answered(request)

    def _give(self, request: _Request, left: memoryview, status: int) -> memoryview:
        """Move a block to the drive, and return what is left."""
        if not status & _DRQ:
            raise self._failure(request, status)
        size = min(request.block * SECTOR, len(left))
        write, port = self._processor().port_write, self.ports.command + _DATA
        for (word,) in struct.iter_unpack("<I", left[:size]):
            write(port, 4, word)
        return left[size:]

    def _in(self, register: int) -> int:
        return int(self._processor().port_read(self.ports.command + register, 1))

    def _out(self, register: int, value: int) -> None:
        self._processor().port_write(self.ports.command + register, 1, value)


class AtaDrive:
    """A drive, as `fs.block.Drive`; `identify` makes it known.

    Attributes
    ----------
    sectors : how many it has
    model : what it calls itself
    """

    def __init__(self, channel: AtaChannel, unit: int) -> None:
        self._channel, self._unit = channel, unit
        self.sectors, self.model = 0, ""
        self._wide = False
        self._block = 1

    async def identify(self) -> None:
        """Ask the drive what it is, and have it move several sectors for each interrupt.

        Raises
        ------
        SysError(EIO) : it does not answer
        """
        raw = await self._channel.request(_Request(self._unit, _IDENTIFY, count=1, block=1))
        words = struct.unpack("<256H", raw)
        swapped = b"".join(word.to_bytes(2, "big") for word in words[27:47])
        self.model = swapped.decode("ascii", "replace").strip()
        self._wide = bool(words[83] & 1 << 10)
        self.sectors = sum(
            word << 16 * n for n, word in enumerate(words[100:104] if self._wide else words[60:62])
        )
        most = words[47] & 0xFF
        if most > 1:
            await self._channel.request(_Request(self._unit, _SET_MULTIPLE, count=most))
            self._block = most

    async def read(self, lba: int, count: int) -> bytes:
        """Return sectors, at most 256."""
        command = self._choose(lba + count, _READ, _READ_EXT, _READ_MULTIPLE, _READ_MULTIPLE_EXT)
        request = _Request(self._unit, command, lba, count, self._block)
        return await self._channel.request(request)

    async def write(self, lba: int, data: bytes) -> None:
        """Store sectors, at most 256."""
        count = len(data) // SECTOR
        command = self._choose(
            lba + count, _WRITE, _WRITE_EXT, _WRITE_MULTIPLE, _WRITE_MULTIPLE_EXT
        )
        await self._channel.request(_Request(self._unit, command, lba, count, self._block, data))

    async def flush(self) -> None:
        """Have it empty its write cache."""
        command = _FLUSH_EXT if self._wide else _FLUSH
        await self._channel.request(_Request(self._unit, command))

    def _choose(self, end: int, *commands: int) -> int:
        """Return the command of four, by the size of the address and of a block."""
        return commands[(end > _LBA28_END) + 2 * (self._block > 1)]
