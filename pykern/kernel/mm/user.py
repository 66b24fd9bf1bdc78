"""Access of the kernel to user memory: copies that check, and pinned buffers that cannot fail.

Reads and writes go to physical memory, by way of the translations that the hardware would use. The
user half ends below the kernel half, so a kernel address is simply not found.
"""

from __future__ import annotations

from itertools import starmap
from typing import TYPE_CHECKING

from pykern.kernel.core.bug import KernelBug
from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.core.units import PAGE_SHIFT, PAGE_SIZE, page_down
from pykern.kernel.mm.pager import BusError, NotResident

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pykern.kernel.core.memory import PhysicalMemory
    from pykern.kernel.mm.user_pages import UserPages

_OFFSET = PAGE_SIZE - 1
_PATH_MAX = 4096


class UserBuffer:
    """User memory that stays where it is until `release`, as a stream of bytes.

    Copying to it and from it cannot fail: the pages are resident and their frames are held, as
    get_user_pages() of Linux does it.

    Parameters
    ----------
    memory : guest RAM
    pages : where the pins are counted
    held : (page number, frame) of each pin
    segments : (physical address, bytes) in order of user address
    size : bytes of all segments
    """

    __slots__ = (
        "_held", "_index", "_memory", "_offset", "_pages", "_segments", "consumed", "remaining",
    )  # fmt: skip

    def __init__(
        self,
        memory: PhysicalMemory,
        pages: UserPages,
        held: list[tuple[int, int]],
        segments: list[tuple[int, int]],
        size: int,
    ) -> None:
        self._memory, self._pages, self._held = memory, pages, held
        self._segments = segments
        self.remaining, self.consumed = size, 0
        self._index = self._offset = 0

    def __bool__(self) -> bool:
        return self.remaining > 0

    def put(self, data: bytes | bytearray | memoryview) -> None:
        """Copy bytes to the user; at most `remaining`.

        Raises
        ------
        KernelBug : there is no room for them
        """
        size = len(data)
        if size > self.remaining:
            raise KernelBug(f"{size} bytes into a user buffer with room for {self.remaining}")
        view, done = memoryview(data), 0
        while done < size:
            paddr, step = self._step(size - done)
            self._memory.write(paddr, view[done : done + step])
            done += step

    def take(self, size: int) -> bytes:
        """Return the next bytes of the user, at most `size`."""
        size = min(size, self.remaining)
        parts = []
        while size > 0:
            paddr, step = self._step(size)
            parts.append(self._memory.read(paddr, step))
            size -= step
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def release(self) -> None:
        """Let the pages go; a second call does nothing."""
        held, self._held = self._held, []
        self.remaining = 0
        _unpin(self._pages, held)

    def _step(self, wanted: int) -> tuple[int, int]:
        """Consume the part of the current segment that is wanted; return where it is."""
        paddr, size = self._segments[self._index]
        offset = self._offset
        step = min(wanted, size - offset)
        self._offset = offset + step
        if self._offset == size:
            self._index, self._offset = self._index + 1, 0
        self.remaining -= step
        self.consumed += step
        return paddr + offset, step


class UserMemory:
    """The part of an address space that copies; `resolve` is what the subclass adds.

    Parameters
    ----------
    memory : guest RAM
    pages : resident pages of the user half
    """

    def __init__(self, memory: PhysicalMemory, pages: UserPages) -> None:
        self.memory, self.pages = memory, pages

    def resolve(self, laddr: int, *, write: bool, fetch: bool = False) -> bool:
        """Make one page accessible, or say that the access is not allowed."""
        raise NotImplementedError

    # -- copies

    def copy_in(self, uaddr: int, size: int) -> bytes:
        """Return user bytes.

        Raises
        ------
        SysError(EFAULT) : some byte may not be read by the user
        NotResident : a page has to be loaded; load it and start again, or pin first
        """
        paddr = self.pages.readable.get(uaddr >> PAGE_SHIFT)
        if paddr is not None and 0 < size <= PAGE_SIZE - (uaddr & _OFFSET):
            return self.memory.read(paddr + (uaddr & _OFFSET), size)
        return b"".join(starmap(self.memory.read, self._parts(uaddr, size, False)))

    def copy_out(self, uaddr: int, data: bytes | bytearray | memoryview) -> None:
        """Store bytes in user memory; all of them or, where that is not allowed, none.

        Raises
        ------
        SysError(EFAULT) : some byte may not be written by the user
        NotResident : as for `copy_in`
        """
        size = len(data)
        paddr = self.pages.writable.get(uaddr >> PAGE_SHIFT)
        if paddr is not None and 0 < size <= PAGE_SIZE - (uaddr & _OFFSET):
            self.memory.write(paddr + (uaddr & _OFFSET), data)
            return
        parts = self._parts(uaddr, size, True)
        view, done = memoryview(data), 0
        for paddr, step in parts:
            self.memory.write(paddr, view[done : done + step])
            done += step

    def read_cstring(self, uaddr: int, limit: int = _PATH_MAX) -> bytes:
        """Return the bytes before the next NUL.

        Parameters
        ----------
        limit : bytes to look at, the NUL among them

        Raises
        ------
        SysError(EFAULT) : a byte before the NUL may not be read
        SysError(ENAMETOOLONG) : no NUL within the limit
        """
        parts = []
        while limit > 0:
            step = min(limit, PAGE_SIZE - (uaddr & _OFFSET))
            part = self.copy_in(uaddr, step)
            end = part.find(0)
            if end >= 0:
                parts.append(part[:end])
                return b"".join(parts)
            parts.append(part)
            uaddr, limit = uaddr + step, limit - step
        raise SysError(Errno.ENAMETOOLONG)

    def read_u32(self, uaddr: int) -> int:
        """Return a 32-bit number of the user."""
        return int.from_bytes(self.copy_in(uaddr, 4), "little")

    def read_u64(self, uaddr: int) -> int:
        """Return a 64-bit number of the user."""
        return int.from_bytes(self.copy_in(uaddr, 8), "little")

    def read_pointers(self, uaddr: int, limit: int = 1 << 17) -> list[int]:
        """Return the pointers of a NULL-terminated array, such as argv.

        Raises
        ------
        SysError(E2BIG) : more than `limit`
        SysError(EFAULT) : the array is not readable up to its end
        """
        pointers: list[int] = []
        while len(pointers) < limit:
            pointer = self.read_u64(uaddr + 8 * len(pointers))
            if not pointer:
                return pointers
            pointers.append(pointer)
        raise SysError(Errno.E2BIG)

    # -- pins

    def pin_resident(self, ranges: Iterable[tuple[int, int]], *, write: bool) -> UserBuffer:
        """Pin ranges (uaddr, size), one after the other, that need no sleep to be there.

        Raises
        ------
        SysError(EFAULT) : some byte may not be accessed so
        NotResident : a page has to be loaded
        """
        held: list[tuple[int, int]] = []
        segments: list[tuple[int, int]] = []
        try:
            for uaddr, size in ranges:
                self._pin_range(uaddr, size, write, held, segments)
        except BaseException:
            _unpin(self.pages, held)
            raise
        size = sum(part for _, part in segments)
        return UserBuffer(self.memory, self.pages, held, segments, size)

    def _pin_range(
        self,
        uaddr: int,
        size: int,
        write: bool,
        held: list[tuple[int, int]],
        segments: list[tuple[int, int]],
    ) -> None:
        """Pin one range; add to what is held and to the segments, joining what is contiguous."""
        get, pinned = self.pages.frames.get, self.pages.pinned
        page = uaddr >> PAGE_SHIFT
        for paddr, step in self._parts(uaddr, size, write):
            held.append((page, get(paddr & ~_OFFSET)))
            pinned[page] = pinned.get(page, 0) + 1
            if segments and sum(segments[-1]) == paddr:
                segments[-1] = (segments[-1][0], segments[-1][1] + step)
            else:
                segments.append((paddr, step))
            page += 1

    async def pin(self, uaddr: int, size: int, *, write: bool) -> UserBuffer:
        """Make a user range resident and hold it.

        Parameters
        ----------
        uaddr : first byte
        size : bytes; 0 gives an empty buffer, whatever `uaddr` is
        write : the kernel is going to write to it

        Raises
        ------
        SysError(EFAULT) : some byte is not mapped or forbids the access
        SysError(ENOMEM) : no frame is free
        Interrupted : a signal arrived while a page was loaded; nothing is held
        """
        return await self.pin_vector([(uaddr, size)], write=write)

    async def pin_vector(self, ranges: list[tuple[int, int]], *, write: bool) -> UserBuffer:
        """Pin several ranges as one buffer (struct iovec); as `pin`."""
        while True:
            try:
                return self.pin_resident(ranges, write=write)
            except NotResident as missing:
                pager, offset = missing.pager, missing.offset
            try:
                await pager.load(offset)
            except BusError:
                raise SysError(Errno.EFAULT) from None

    def _parts(self, uaddr: int, size: int, write: bool) -> list[tuple[int, int]]:
        """Return (physical address, bytes) of each page's part of a range, all accessible.

        They stay so until the next frame is taken.
        """
        with self.pages.holding(page_down(uaddr), uaddr + size):
            return self._find_parts(uaddr, size, write)

    def _find_parts(self, uaddr: int, size: int, write: bool) -> list[tuple[int, int]]:
        pages = self.pages
        cache = pages.writable if write else pages.readable
        parts = []
        while size > 0:
            offset = uaddr & _OFFSET
            step = min(size, PAGE_SIZE - offset)
            paddr = cache.get(uaddr >> PAGE_SHIFT)
            if paddr is None:
                paddr = self._accessible(uaddr - offset, write=write)
            parts.append((paddr + offset, step))
            uaddr, size = uaddr + step, size - step
        return parts

    def _accessible(self, laddr: int, *, write: bool) -> int:
        """Return the physical address of a page after whatever fault it takes."""
        try:
            if not self.resolve(laddr, write=write):
                raise SysError(Errno.EFAULT)
        except BusError:
            raise SysError(Errno.EFAULT) from None
        paddr = self.pages.accessible(laddr, write=write)
        if paddr is None:
            raise SysError(Errno.EFAULT)
        return paddr


def _unpin(pages: UserPages, held: list[tuple[int, int]]) -> None:
    """Drop pins and the references they hold."""
    pinned = pages.pinned
    for page, paddr in held:
        pins = pinned[page] - 1
        if pins:
            pinned[page] = pins
        else:
            del pinned[page]
        pages.frames.put(paddr)
