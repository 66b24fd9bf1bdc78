"""Pages of files: what mmap of a regular file shows.

A file that is mapped has one pager, whoever maps it, with a frame for each page that was touched.
The file layer keeps both views of the content equal by two calls: `written` after it has changed
content, `write_back` before it reads content.

A page that has been given to a shared mapping for writing counts as changed until nobody maps the
file any more: nothing would tell of a second write.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from pykern.kernel.core.errno import SysError
from pykern.kernel.core.units import PAGE_SIZE, page_down, page_up
from pykern.kernel.mm.pager import BusError, NotResident

if TYPE_CHECKING:
    from collections.abc import Collection

    from pykern.kernel.core.memory import PhysicalMemory
    from pykern.kernel.mm.frames import FrameAllocator
    from pykern.kernel.mm.pager import Mapper


class Content(Protocol):
    """What is mapped; an inode of the file layer is one.

    Attributes
    ----------
    pager : the pager of the content, None: nobody maps it
    users : who keeps the content although it may have no name
    """

    pager: FilePager | None
    users: int

    @property
    def size(self) -> int:
        """Bytes."""
        ...

    def read_at(self, offset: int, size: int, /) -> bytes:
        """Return content, less than `size` bytes at the end."""
        ...

    def write_at(self, offset: int, data: bytes, /) -> int:
        """Store content; return how many bytes there was room for."""
        ...

    def drop(self) -> None:
        """Count one user less."""
        ...


def pager_of(
    content: Content,
    frames: FrameAllocator,
    memory: PhysicalMemory,
    name: str,
    identity: tuple[int, int, int],
) -> FilePager:
    """Return the pager of a file that is about to be mapped.

    Parameters
    ----------
    frames, memory : where pages lie
    name : path, for maps()
    identity : device major, minor, inode number
    """
    if content.pager is None:
        content.pager = FilePager(content, frames, memory, name, identity)
    return content.pager


class FilePager:
    """The pages of one file; `pager_of` makes it."""

    def __init__(
        self,
        content: Content,
        frames: FrameAllocator,
        memory: PhysicalMemory,
        name: str,
        identity: tuple[int, int, int],
    ) -> None:
        self._frames, self._memory, self._content = frames, memory, content
        self.name, self.identity = name, identity
        self._pages: dict[int, int] = {}
        self._dirty: set[int] = set()
        self._spaces: dict[Mapper, None] = {}

    @property
    def resident(self) -> int:
        """Bytes of frames in use."""
        return len(self._pages) * PAGE_SIZE

    @property
    def cached(self) -> Collection[int]:
        """The frames that it has."""
        return self._pages.values()

    def frame(self, offset: int) -> int:
        """Return the frame of a page, read from the file the first time.

        Raises
        ------
        BusError : the file ends before it, or it cannot be read
        NotResident : it is on a disk
        SysError(ENOMEM) : no frame is free
        """
        size = self._content.size
        if offset >= page_up(size):
            raise BusError(f"offset {offset:#x} of {self.name}, which has {size:#x} bytes")
        paddr = self._pages.get(offset)
        if paddr is None:
            data = self._read(offset)
            paddr = self._frames.alloc()
            self._memory.write(paddr, data)
            self._pages[offset] = paddr
        return paddr

    def _read(self, offset: int) -> bytes:
        try:
            return self._content.read_at(offset, PAGE_SIZE)
        except SysError as error:
            raise BusError(f"offset {offset:#x} of {self.name}: {error}") from error

    def peek(self, offset: int, memory: PhysicalMemory) -> bytes:
        """Return a page's contents, of the file itself where the page was not read yet."""
        if offset >= page_up(self._content.size):
            raise BusError(f"offset {offset:#x} of {self.name}")
        paddr = self._pages.get(offset)
        if paddr is not None:
            return memory.read(paddr, PAGE_SIZE)
        try:
            return self._read(offset).ljust(PAGE_SIZE, b"\0")
        except NotResident as error:
            raise BusError(f"offset {offset:#x} of {self.name} is on a disk") from error

    async def load(self, offset: int) -> None:
        """Do nothing: what a file lies on asks for what it needs."""

    def dirtied(self, offset: int) -> None:
        """Take note that a mapping writes to a page; a hole of the file gets its storage now.

        Raises
        ------
        BusError : there is no room for it
        """
        if offset in self._dirty:
            return
        size = min(PAGE_SIZE, self._content.size - offset)
        try:
            stored = self._content.write_at(offset, self._content.read_at(offset, size))
        except SysError as error:
            raise BusError(f"offset {offset:#x} of {self.name}: {error}") from error
        if stored < size:
            raise BusError(f"offset {offset:#x} of {self.name}: no room for the page")
        self._dirty.add(offset)

    def write_back(self, offset: int = 0, size: int = 1 << 63) -> None:
        """Store what mappings have written to pages of a range (msync); the size stays."""
        for page in sorted(self._dirty):
            end = min(page + PAGE_SIZE, self._content.size)
            if page >= end or page + PAGE_SIZE <= offset or page >= offset + size:
                continue
            data = self._memory.read(self._pages[page], end - page)
            if self._differs(page, data):
                self._content.write_at(page, data)

    def _differs(self, page: int, data: bytes) -> bool:
        try:
            return data != self._content.read_at(page, len(data))
        except NotResident:
            return True  # who cannot look must write: at the end of a process nobody waits
        except SysError:
            return True

    def written(self, offset: int, size: int) -> None:
        """Show in mappings what has been written to the file by other ways."""
        for page in range(page_down(offset), page_up(offset + size), PAGE_SIZE):
            if page in self._pages:
                start, end = max(offset, page), min(offset + size, page + PAGE_SIZE)
                data = self._content.read_at(start, end - start)
                self._memory.write(self._pages[page] + start - page, data)

    def truncated(self) -> None:
        """Take back what lies behind the end of a file that has become shorter."""
        size = self._content.size
        for space in self._spaces:
            space.lost(self, page_up(size))
        for page in [page for page in self._pages if page + PAGE_SIZE > size]:
            if page >= size:
                self._frames.put(self._pages.pop(page))
                self._dirty.discard(page)
                continue
            rest = PAGE_SIZE - (size - page)
            self._memory.write(self._pages[page] + size - page, bytes(rest))

    def opened(self, space: Mapper) -> None:
        """Count one more address space."""
        if not self._spaces:
            self._content.users += 1
        self._spaces[space] = None

    def closed(self, space: Mapper) -> None:
        """Count one address space fewer; write back and free everything with the last one."""
        self._spaces.pop(space, None)
        if self._spaces:
            return
        self.write_back()
        self._frames.put_each(list(self._pages.values()))
        self._pages.clear()
        self._dirty.clear()
        self._content.pager = None
        self._content.drop()
